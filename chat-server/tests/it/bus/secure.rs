//! A bus that is reached over TLS, and somebody between a node and its NATS server.

use std::io::{ErrorKind, Read};
use std::net::TcpListener as Door;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::world::PATIENCE;

const CHAIN: &str = include_str!("../tls/first.pem");
const KEY: &str = include_str!("../tls/first.key");

/// The program, which trusts the certificate of this test and no other.
struct Program {
    running: Child,
    _folder: TempDir,
}

impl Program {
    fn start(bus: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let trusted = folder.path().join("trusted.pem");
        std::fs::write(&trusted, CHAIN).unwrap();
        let mut running = Command::new(env!("CARGO_BIN_EXE_chat-server"))
            .args(["--store", "memory:", "--listen", "127.0.0.1:0"])
            .env("SSL_CERT_FILE", trusted)
            .env("CHAT_BUS", bus)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut listening = [0; 9];
        let out = running.stdout.as_mut().unwrap();
        out.read_exact(&mut listening).unwrap();
        assert_eq!(&listening, b"listening");
        Self {
            running,
            _folder: folder,
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.running.kill());
        drop(self.running.wait());
    }
}

async fn next(at: &TcpListener) -> TcpStream {
    timeout(PATIENCE, at.accept()).await.unwrap().unwrap().0
}

/// Says hello in the clear as a NATS server does, goes on over TLS, and lets the client in; tells what it
/// logged in with.
async fn let_in(mut stream: TcpStream, hello: &str) -> String {
    stream.write_all(hello.as_bytes()).await.unwrap();
    let chain = CertificateDer::from_pem_slice(CHAIN.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await;
    let mut stream = BufReader::new(stream.unwrap());
    let mut log_in = String::new();
    stream.read_line(&mut log_in).await.unwrap();
    stream.write_all(b"PONG\r\n").await.unwrap();
    stream.flush().await.unwrap();
    let mut line = String::new();
    while line != "PING\r\n" {
        line.clear();
        assert_ne!(stream.read_line(&mut line).await.unwrap(), 0);
    }
    log_in
}

#[tokio::test]
async fn who_insists_on_tls_goes_to_no_server_that_was_named_in_the_clear() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stranger = Door::bind("127.0.0.1:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    let (port, named) = (server.local_addr().unwrap(), stranger.local_addr().unwrap());
    let _program = Program::start(&format!("tls://ann:sesame@localhost:{}", port.port()));
    // Whoever is on the way writes what he likes into what is said before TLS.
    let urls = [
        format!("{named}"),
        format!("ws://{named}"),
        format!("tls://{named}"),
    ];
    let hello = json!({"server_id": "a", "max_payload": 1_000_000, "connect_urls": urls});
    let hello = format!("INFO {hello}\r\n");
    let logging_in = let_in(next(&server).await, &hello);
    let log_in = timeout(PATIENCE, logging_in).await.unwrap();
    assert!(
        log_in.contains("sesame"),
        "the server itself is told: {log_in}"
    );
    // He cuts the connection, and those that follow. Between two of them all known servers are tried.
    for _ in 0..3 {
        drop(next(&server).await);
        let came = stranger.accept().map_err(|error| error.kind());
        assert_eq!(
            came.err(),
            Some(ErrorKind::WouldBlock),
            "a stranger is asked"
        );
    }
}
