//! A process that has no descriptor left.

use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Canary;
use super::process::Setup;
use crate::world::PATIENCE;

const DESCRIPTORS: u32 = 64;

/// Whether a connection is served already.
async fn is_served(stream: &mut TcpStream, within: Duration) -> bool {
    let mut first = [0; 1];
    matches!(timeout(within, stream.read(&mut first)).await, Ok(Ok(1)))
}

async fn ask(address: std::net::SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    stream
}

#[tokio::test]
async fn without_a_descriptor_it_waits_quietly_serves_whom_it_has_and_goes_on_later() {
    let folder = TempDir::new().unwrap();
    let setup = Setup {
        descriptors: Some(DESCRIPTORS),
        config: "rate_limits = false\n",
        ..Setup::in_folder(folder.path())
    };
    let server = setup.start();
    let mut canary = Canary::at(server.address).await;
    // More than there are descriptors: the system holds the rest.
    let since = Instant::now();
    let mut held = Vec::new();
    for _ in 0..2 * DESCRIPTORS {
        held.push(ask(server.address).await);
    }
    while !server.log().contains("no connections can be accepted") {
        canary.sings().await;
    }
    // It is the processor's time that is bounded, whatever else runs on this machine.
    let (before, began) = (server.ticks(), Instant::now());
    let mut songs = 0;
    while began.elapsed() < Duration::from_secs(2) {
        canary.sings().await;
        songs += 1;
        let left = Duration::from_secs(2).saturating_sub(began.elapsed());
        // Idle, as a chat is for most of the time.
        let mut nothing = [0; 1];
        let rest = left.min(Duration::from_millis(100));
        drop(timeout(rest, held[held.len() - 1].peek(&mut nothing)).await);
    }
    let ticks = server.ticks() - before;
    println!("{ticks} ticks of processor time in 2 s without descriptors, {songs} lines meanwhile");
    assert!(ticks <= 150, "{ticks} ticks in 2 s");
    let said = server
        .log()
        .matches("no connections can be accepted")
        .count();
    assert_eq!(said, 1, "{}", server.log());
    // As soon as some are free, the next ones are served.
    let mut last = held.pop().unwrap();
    assert!(!is_served(&mut last, Duration::from_millis(1)).await);
    held.clear();
    assert!(is_served(&mut last, PATIENCE).await, "{}", server.log());
    // Each worker has tried 20 times a second: who spins tries thousands of times, however busy this machine is.
    let failed = server.shows("chat_accepts_failed_total").await;
    let workers = 2;
    let most = (since.elapsed().as_millis() / 50 + 2) * workers;
    assert!(
        (1..=most).contains(&u128::try_from(failed).unwrap()),
        "{failed} of {most}"
    );
    canary.sings().await;
    assert_eq!(server.stop().0, Some(0));
}
