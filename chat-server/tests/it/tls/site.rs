//! A server that is reached over TLS or in the clear, and who it proves to be. The certificates in
//! this folder are made by `make.sh`.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use chat_server::config::Config;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::world::{Account, Duplex, Native, PASSWORD, PATIENCE, Said, World, http_over};

/// A certificate and its key.
pub(super) struct Proof {
    pub(super) chain: &'static str,
    pub(super) key: &'static str,
}

pub(super) const FIRST: Proof = Proof {
    chain: include_str!("first.pem"),
    key: include_str!("first.key"),
};

pub(super) const SECOND: Proof = Proof {
    chain: include_str!("second.pem"),
    key: include_str!("second.key"),
};

impl Proof {
    /// Puts both where a server looks for them.
    pub(super) fn lie_in(&self, folder: &Path) {
        fs::write(folder.join("chat.pem"), self.chain).unwrap();
        fs::write(folder.join("chat.key"), self.key).unwrap();
        close(&folder.join("chat.key"));
    }

    /// What somebody connects with who trusts this certificate alone.
    pub(super) fn trusted(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let chain = CertificateDer::from_pem_slice(self.chain.as_bytes()).unwrap();
        roots.add(chain).unwrap();
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// Connects, if the server proves to be this one.
    pub(super) async fn connect(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        shake_hands(self.trusted(), stream).await
    }
}

/// Lets nobody read a file but its owner.
#[cfg(unix)]
fn close(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn close(_: &Path) {}

pub(super) async fn shake_hands(
    config: ClientConfig,
    stream: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("localhost").unwrap();
    let shaken = timeout(PATIENCE, connector.connect(name, stream));
    shaken.await.unwrap()
}

/// What a server's connections are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Plain,
    Secure,
}

pub(super) const WIRES: [Wire; 2] = [Wire::Plain, Wire::Secure];

/// A server in this process that is reached over one of them.
pub(super) struct Site {
    pub(super) world: World,
    pub(super) folder: TempDir,
    wire: Wire,
}

impl Site {
    pub(super) async fn of(wire: Wire, mut config: Config) -> Self {
        let folder = TempDir::new().unwrap();
        if wire == Wire::Secure {
            FIRST.lie_in(folder.path());
            config.tls_cert = Some(folder.path().join("chat.pem"));
            config.tls_key = Some(folder.path().join("chat.key"));
        }
        let world = World::with(config).await;
        Self {
            world,
            folder,
            wire,
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.world.address
    }

    pub(super) async fn stream(&self) -> Box<dyn Duplex> {
        self.over(TcpStream::connect(self.address()).await.unwrap())
            .await
    }

    async fn over(&self, stream: TcpStream) -> Box<dyn Duplex> {
        match self.wire {
            Wire::Plain => Box::new(stream),
            Wire::Secure => Box::new(shake_hands(FIRST.trusted(), stream).await.unwrap()),
        }
    }

    pub(super) async fn http(&self, method: &str, path: &str, token: &str, body: &str) -> Said {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let headers = if token.is_empty() { &[][..] } else { &headers };
        let stream = self.stream().await;
        http_over(
            stream,
            self.address(),
            method,
            path,
            headers,
            body.as_bytes(),
        )
        .await
    }

    pub(super) async fn account(&self, name: &str) -> Account {
        let body = json!({"name": name, "password": PASSWORD}).to_string();
        let said = self.http("POST", "/v1/auth/signup", "", &body).await;
        assert_eq!(said.status, 201, "{}", said.body);
        Account::of(&said)
    }

    pub(super) async fn connect(&self) -> Native {
        Native::over(self.stream().await, self.address()).await
    }

    /// Connects with as little room for what isn't read yet as the system allows.
    pub(super) async fn connect_narrowly(&self) -> Native {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(self.address()).await.unwrap();
        Native::over(self.over(stream).await, self.address()).await
    }

    pub(super) async fn enter(&self, account: &Account) -> Native {
        let mut client = self.connect().await;
        client.hello(account).await;
        client
    }
}
