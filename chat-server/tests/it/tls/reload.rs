//! Certificates that are replaced while the server runs.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use chat_server::TlsError;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::timeout;

use super::site::{FIRST, Proof, SECOND, Site, Wire};
use crate::hostile::process::Setup;
use crate::world::{Native, PATIENCE, config};

/// Whether somebody who trusts this certificate alone gets in.
async fn shows(proof: &Proof, address: SocketAddr) -> bool {
    proof.connect(address).await.is_ok()
}

#[tokio::test]
async fn what_is_read_again_counts_for_handshakes_to_come_if_nothing_is_wrong_with_it() {
    let site = Site::of(Wire::Secure, config()).await;
    let ann = site.account("ann").await;
    let mut a = site.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let server = &site.world.server;

    SECOND.lie_in(site.folder.path());
    assert!(shows(&FIRST, site.address()).await, "nobody has said so");
    server.reload_tls().unwrap();
    assert!(shows(&SECOND, site.address()).await);
    assert!(!shows(&FIRST, site.address()).await);

    // Halfway through being replaced.
    fs::write(site.folder.path().join("chat.pem"), FIRST.chain).unwrap();
    let wrong = server.reload_tls();
    assert!(matches!(wrong, Err(TlsError::Unfit { .. })), "{wrong:?}");
    fs::remove_file(site.folder.path().join("chat.key")).unwrap();
    let wrong = server.reload_tls();
    assert!(
        matches!(wrong, Err(TlsError::Unreadable { .. })),
        "{wrong:?}"
    );
    assert!(shows(&SECOND, site.address()).await);
    a.post(room, "on the same connection").await;
    site.world.stop().await;
}

#[tokio::test]
async fn a_program_that_hears_sighup_reads_its_certificates_again() {
    let folder = TempDir::new().unwrap();
    FIRST.lie_in(folder.path());
    let config = "tls_cert = 'chat.pem'\ntls_key = 'chat.key'\n";
    let program = Setup {
        config,
        ..Setup::in_folder(folder.path())
    }
    .start();
    let address = program.address;
    let mut a = Native::over(FIRST.connect(address).await.unwrap(), address).await;
    a.ok("hello", json!({"guest": {"name": "ann"}})).await;
    let room = a.create(json!({"name": "Den"})).await;

    SECOND.lie_in(folder.path());
    program.signal("-HUP");
    let replaced = async { while !shows(&SECOND, address).await {} };
    timeout(PATIENCE, replaced).await.unwrap();
    assert!(!shows(&FIRST, address).await);
    a.post(room, "on the same connection").await;

    fs::write(folder.path().join("chat.key"), "no key").unwrap();
    program.signal("-HUP");
    let said = async {
        while !program.log().contains("the certificates stay as they were") {
            a.post(room, "meanwhile").await;
        }
    };
    timeout(PATIENCE, said).await.unwrap();
    assert!(shows(&SECOND, address).await);

    // Who asks at home for its health isn't kept out by a name in a certificate.
    let health = Command::new(env!("CARGO_BIN_EXE_chat-server"))
        .current_dir(folder.path())
        .args(["health", "--listen", &address.to_string()])
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&health.stdout), "ready\n");

    let (code, log) = program.stop();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(a.closed().await, 4000);
    assert!(log.contains("chat.key holds no private key"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}
