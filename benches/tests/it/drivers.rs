//! Whatever driver it takes, the load generator finds nothing wrong with our own server.

use std::net::SocketAddr;
use std::time::Duration;

use chat_benches::load::outcome::Outcome;
use chat_server::Server;
use chat_server::clock::{Clock, SystemClock};
use chat_server::config::{Config, Listen, StoreUrl};
use tokio::task::spawn_blocking;

use crate::plain::{self, Flaw};
use crate::{load, options};

/// A server on its own threads, with its limits on.
async fn chat() -> (Server, SocketAddr) {
    let mut config = Config::default();
    config.store = StoreUrl::Memory;
    config.workers = std::num::NonZeroUsize::new(2);
    let server = Server::builder(config).start().await.unwrap();
    let address = server.listen(Listen::local(0)).await.unwrap();
    (server, address)
}

async fn run(server: SocketAddr, flags: &'static str) -> Outcome {
    let outcome = spawn_blocking(move || load(server, flags)).await.unwrap();
    let outcome = outcome.unwrap_or_else(|why| panic!("{flags}: {why}"));
    assert!(outcome.faults.none(), "{flags}: {outcome:?}");
    outcome
}

/// Ten members in two rooms, five of whom say a line each, in all.
async fn talks(driver: &'static str, deliveries: u64) {
    let (server, address) = chat().await;
    let flags: &str =
        format!("--driver {driver} --connections 10 --rooms 2 --senders 5 --lines 10 --sources 3")
            .leak();
    let outcome = run(address, flags).await;
    assert_eq!(
        (outcome.lines, outcome.deliveries),
        (10, deliveries),
        "{driver}"
    );
    assert_eq!(outcome.latency_us.count, deliveries, "{driver}");
    assert_eq!(
        outcome.connect.connections, 8,
        "{driver}: the first two made the rooms"
    );
    server.stop().await;
}

#[tokio::test]
async fn everybody_hears_everything_in_the_native_protocol() {
    talks("native", 50).await;
}

#[tokio::test]
async fn everybody_but_the_sender_hears_everything_in_the_rooms_dialect() {
    talks("rooms", 40).await;
}

#[tokio::test]
async fn everybody_but_the_sender_hears_everything_over_socketio() {
    talks("socketio", 40).await;
}

#[tokio::test]
async fn everybody_but_the_sender_hears_everything_over_long_polling() {
    talks("socketio-polling", 40).await;
}

#[tokio::test]
async fn everybody_hears_everything_in_the_actions_dialect() {
    talks("actions", 50).await;
}

#[tokio::test]
async fn everybody_hears_everything_from_a_plain_server() {
    let server = plain::start(Flaw::None).await;
    let flags = "--driver ws --connections 10 --rooms 2 --senders 5 --lines 10 --wait-for own";
    let outcome = run(server, flags).await;
    assert_eq!((outcome.lines, outcome.deliveries), (10, 50));
}

#[tokio::test]
async fn at_a_fixed_rate_lines_are_counted_from_when_they_are_due() {
    let (server, address) = chat().await;
    let flags = "--connections 10 --rooms 2 --rate 100 --lines 10 --stalled 2";
    let clock = SystemClock::new();
    let outcome = run(address, flags).await;
    assert_eq!((outcome.lines, outcome.deliveries), (10, 50));
    let took = clock.elapsed();
    assert!(
        took >= Duration::from_millis(90),
        "the tenth was due: {took:?}"
    );
    server.stop().await;
}

#[tokio::test]
async fn members_sit_in_quiet_rooms_beside() {
    let (server, address) = chat().await;
    let flags = "--connections 4 --rooms 2 --lines 10 --senders 2 --quiet-rooms 9";
    let outcome = run(address, flags).await;
    assert_eq!((outcome.lines, outcome.deliveries), (10, 20));
    assert_eq!(outcome.setup.quiet_rooms, 9);
    server.stop().await;
}

#[tokio::test]
async fn everybody_who_comes_back_hears_what_he_missed() {
    let (server, address) = chat().await;
    let outcome = run(
        address,
        "--mode resume --connections 10 --rooms 2 --lines 5",
    )
    .await;
    let resume = outcome.resume.unwrap();
    assert_eq!((resume.missed_lines, resume.arrival.connections), (5, 8));
    server.stop().await;
}

#[tokio::test]
async fn who_only_sits_there_is_told_what_the_server_uses_for_it() {
    let (server, address) = chat().await;
    let pid = std::process::id();
    let flags: &str = format!("--mode idle --hold 0.1 --connections 10 --pid {pid}").leak();
    let outcome = run(address, flags).await;
    assert!(outcome.memory.unwrap().private_after_bytes > 0);
    assert_eq!((outcome.lines, outcome.deliveries), (0, 0));
    server.stop().await;
}

#[tokio::test]
async fn a_refusal_is_told_in_the_words_of_the_server() {
    let (server, address) = chat().await;
    let load = |flags: &'static str| spawn_blocking(move || load(address, flags));
    // Nobody may say more than ten lines at once.
    let outcome =
        load("--connections 2 --senders 1 --in-flight 20 --lines 20 --duration 0.2 --patience 0.1");
    let outcome = outcome.await.unwrap().unwrap();
    assert!(
        outcome.faults.refused > 0 && outcome.faults.lost > 0,
        "{outcome:?}"
    );
    assert!(
        outcome.said[0].contains("rate_limited"),
        "{:?}",
        outcome.said
    );

    let elsewhere = spawn_blocking(move || {
        let mut options = options(address, "");
        // There is no WebSocket there.
        options.url += "/healthz";
        chat_benches::load::run::run(&options)
    });
    let why = elsewhere.await.unwrap().unwrap_err();
    assert!(
        why.contains("isn't let in") && why.contains("HTTP/1.1 "),
        "{why}"
    );
    server.stop().await;
}

#[test]
fn where_nothing_listens_that_is_what_is_said() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let why = load(address, "--driver rooms").unwrap_err();
    assert!(why.contains(&address.to_string()), "{why}");
    assert!(why.contains("Connection refused"), "{why}");
}
