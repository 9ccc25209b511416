//! Who the server proves to be: a chain of certificates and a key, out of two files that can be read
//! again while it runs.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::Config;

/// What handshakes are made with. Clones are the same: what is read again is so for all of them.
#[derive(Clone)]
pub(crate) struct Tls(Arc<Kept>);

struct Kept {
    files: Files,
    proof: RwLock<Arc<ServerConfig>>,
}

/// Where the proof lies, in PEM.
struct Files {
    /// The server's own certificate, and those that lead from it to one that clients know.
    chain: PathBuf,
    key: PathBuf,
}

/// Why the server can't prove who it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// One of the two files is named without the other.
    #[error("{named} is given without {missing}")]
    Alone {
        /// The setting that is given.
        named: &'static str,
        /// The one that isn't.
        missing: &'static str,
    },
    /// A file can't be read.
    #[error("can't read {}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// A file isn't PEM.
    #[error("{} is not whole: a part of it begins or ends where it can't", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// There is no certificate in the file that is to hold the chain.
    #[error("{} holds no certificate", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// There is no key in the file that is to hold it.
    #[error("{} holds no private key, or one that is locked by a password", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The two don't belong together, or are of a kind that isn't known.
    #[error("the key in {} is not for the certificate in {}: {why}", key.display(), chain.display())]
    Unfit {
        /// The file of the chain.
        chain: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What the library says of them.
        why: String,
    },
}

/// Bytes of TLS that wait for the system in each connection, about one record: what is beyond waits
/// in an outbox, where it is counted.
const WAITING_BYTES_MAX: usize = 16 * 1024;

impl Tls {
    /// What a configuration says; none if its listeners speak no TLS.
    pub(crate) fn open(config: &Config) -> Result<Option<Self>, TlsError> {
        let alone = |named, missing| Err(TlsError::Alone { named, missing });
        let files = match (&config.tls_cert, &config.tls_key) {
            (None, None) => return Ok(None),
            (Some(_), None) => return alone("tls_cert", "tls_key"),
            (None, Some(_)) => return alone("tls_key", "tls_cert"),
            (Some(chain), Some(key)) => Files {
                chain: chain.clone(),
                key: key.clone(),
            },
        };
        let proof = RwLock::new(files.read()?);
        Ok(Some(Self(Arc::new(Kept { files, proof }))))
    }

    /// Reads the files again, for the handshakes to come. If anything is wrong with them, what was
    /// read before goes on to count.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let read = self.0.files.read()?;
        *self.0.proof.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    /// What is odd about the files, if anything is.
    pub(crate) fn warning(&self) -> Option<String> {
        let key = &self.0.files.key;
        is_open(key).then(|| format!("everybody on this machine may read {}", key.display()))
    }

    /// Puts that into the log.
    pub(crate) fn warn(&self) {
        if let Some(warning) = self.warning() {
            tracing::warn!("{warning}");
        }
    }

    /// Shakes hands. How long that takes is for the caller to bound.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<Box<TlsStream<TcpStream>>> {
        let proof = self.0.proof.read().unwrap_or_else(PoisonError::into_inner);
        let acceptor = TlsAcceptor::from(proof.clone());
        drop(proof);
        let shaken = acceptor.accept_with(stream, |connection| {
            connection.set_buffer_limit(Some(WAITING_BYTES_MAX));
        });
        shaken.await.map(Box::new)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Files {
    fn read(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let unfit = |why: rustls::Error| TlsError::Unfit {
            chain: self.chain.clone(),
            key: self.key.clone(),
            why: why.to_string(),
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut proof = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unfit)?
            .with_no_client_auth()
            .with_single_cert(self.chain()?, self.key()?)
            .map_err(unfit)?;
        proof.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(proof))
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let path = || self.chain.clone();
        let text = read(&self.chain)?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let chain = chain.map_err(|_| TlsError::Malformed { path: path() })?;
        match chain.is_empty() {
            true => Err(TlsError::NoCertificate { path: path() }),
            false => Ok(chain),
        }
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let path = || self.key.clone();
        // What the reader says of a malformed one may show a part of it.
        PrivateKeyDer::from_pem_slice(&read(&self.key)?).map_err(|error| match error {
            PemError::NoItemsFound => TlsError::NoKey { path: path() },
            _ => TlsError::Malformed { path: path() },
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|why| TlsError::Unreadable {
        path: path.to_owned(),
        why,
    })
}

#[cfg(unix)]
fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    const OTHERS_READ: u32 = 0o004;
    fs::metadata(path).is_ok_and(|it| it.permissions().mode() & OTHERS_READ != 0)
}

#[cfg(not(unix))]
fn is_open(_: &Path) -> bool {
    false
}
