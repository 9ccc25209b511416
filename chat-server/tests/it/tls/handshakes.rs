//! Handshakes that fail, or never end: what becomes of them and of everybody else.

use std::net::SocketAddr;
use std::time::Duration;

use chat_server::config::Config;
use futures_util::future::{join_all, select_all};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConnection;
use tokio_rustls::rustls::pki_types::ServerName;

use super::site::{FIRST, SECOND, Site, Wire, shake_hands};
use crate::world::{PATIENCE, config, raw};

/// The first message of a handshake, as it is sent.
fn client_hello() -> Vec<u8> {
    let name = ServerName::try_from("localhost").unwrap();
    let config = std::sync::Arc::new(FIRST.trusted());
    let mut begun = ClientConnection::new(config, name).unwrap();
    let mut bytes = Vec::new();
    begun.write_tls(&mut bytes).unwrap();
    bytes
}

/// Sends these bytes at once, and then more of them bit by bit; waits until the server closes.
async fn trickle(address: SocketAddr, at_once: &[u8], slowly: &[u8]) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(at_once).await.unwrap();
    let (mut slowly, mut buffer) = (slowly.iter(), [0; 4096]);
    let closed = async {
        loop {
            // A byte for each moment in which nothing is said.
            match timeout(Duration::from_millis(20), stream.read(&mut buffer)).await {
                Ok(Ok(1..)) => {}
                Ok(_) => return,
                Err(_) => {
                    if let Some(byte) = slowly.next() {
                        drop(stream.write_all(&[*byte]).await);
                    }
                }
            }
        }
    };
    timeout(PATIENCE, closed).await.expect("it is cut off");
}

/// Waits until so many handshakes count as failed: a connection may be closed a moment before.
async fn have_failed(site: &Site, count: u64) {
    let failed = || site.world.server.node().metrics().handshakes_failed();
    let counted = async {
        while failed() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let counted = timeout(PATIENCE, counted).await;
    assert!(counted.is_ok() && failed() == count, "{}", failed());
}

fn impatient() -> Config {
    let mut config = config();
    config.server_limits.header_read_ms_max = 1_000;
    config
}

#[tokio::test]
async fn a_handshake_that_takes_its_time_is_cut_off() {
    let site = Site::of(Wire::Secure, impatient()).await;
    let hello = client_hello();
    let half = hello.len() / 2;
    let stories: [(&[u8], &[u8]); 4] = [
        (b"", b""),
        (&hello[..half], b""),
        (&hello[..1], &hello[1..half]),
        // To the server's own words nothing is said.
        (&hello, b""),
    ];
    let ended = stories.map(|(at_once, slowly)| trickle(site.address(), at_once, slowly));
    join_all(ended).await;
    have_failed(&site, 4).await;
    // Those who have shaken hands have their own time for what they ask.
    assert_eq!(site.http("GET", "/healthz", "", "").await.status, 200);
    site.world.stop().await;
}

#[tokio::test]
async fn whatever_comes_instead_of_a_handshake_harms_nobody() {
    let site = Site::of(Wire::Secure, config()).await;
    let ann = site.account("ann").await;
    let mut a = site.enter(&ann).await;

    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let said = raw(site.address(), request).await;
    assert_eq!((said.status, said.body.contains("https")), (400, true));
    let mut misshapen = client_hello();
    // The length of its session's id, which is 32 at most (RFC 8446, section 4.1.2).
    misshapen[43] = 0xff;
    for garbage in [
        &b"SSH-2.0-OpenSSH\r\n"[..],
        &[0x80, 0x2e, 1, 0, 2][..],
        // A record of a handshake: too long, of no version, empty, of no message.
        &[22, 3, 1, 0xff, 0xff, 1][..],
        &[22, 9, 9, 0, 1, 1, 1][..],
        &[22, 3, 1, 0, 0, 22, 3, 1, 0, 0][..],
        &[22, 3, 1, 0, 4, 99, 0, 0, 0][..],
        &[22; 20_000][..],
        &misshapen,
    ] {
        let mut stream = TcpStream::connect(site.address()).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        let mut said = Vec::new();
        let closed = timeout(PATIENCE, stream.read_to_end(&mut said)).await;
        assert!(closed.is_ok(), "{garbage:?}");
    }
    have_failed(&site, 9).await;
    // Somebody who looks whether the port is open has failed in nothing.
    drop(TcpStream::connect(site.address()).await.unwrap());
    // Nor does anybody take the server for another one, or speak what it doesn't.
    assert!(SECOND.connect(site.address()).await.is_err());
    let mut other = FIRST.trusted();
    other.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(site.address()).await.unwrap();
    assert!(shake_hands(other, stream).await.is_err());

    let room = a.create(json!({"name": "Den"})).await;
    a.post(room, "still here").await;
    site.world.stop().await;
    assert_eq!(a.closed().await, 4000);
}

#[tokio::test]
async fn handshakes_that_never_end_are_few_from_one_address() {
    let mut config = config();
    config.server_limits.header_read_ms_max = 60_000;
    config.server_limits.rate_limits = true;
    config.server_limits.silent_sockets_per_address_max = 2;
    let site = Site::of(Wire::Secure, config).await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(site.address()).await.unwrap());
    }
    // Whichever was the third.
    let reads = silent
        .iter_mut()
        .map(|it| Box::pin(async { it.read(&mut [0]).await.unwrap_or(0) }));
    let (read, ..) = timeout(PATIENCE, select_all(reads)).await.unwrap();
    assert_eq!(read, 0);
    let refused = || site.world.server.node().metrics().connections_refused();
    assert_eq!(refused(), 1);
    // Their places are free again when they are gone.
    drop(silent);
    let in_again = async { while FIRST.connect(site.address()).await.is_err() {} };
    timeout(PATIENCE, in_again).await.unwrap();
    site.world.stop().await;
}
