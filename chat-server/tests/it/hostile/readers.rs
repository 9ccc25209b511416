//! Readers who never read: what each of them costs, and that nobody else notices.

use std::sync::Arc;
use std::time::Instant;

use chat_server::Server;
use chat_server::store::Store;
use futures_util::future::join_all;
use serde_json::json;
use tempfile::TempDir;

use super::process::Setup;
use super::watched::Watched;
use super::{Canary, many};
use crate::world::{Native, PATIENCE, World, config, sign_up};

/// What may wait for one reader.
const OUTBOX_BYTES: u64 = 128 * 1024;

/// What a connection costs beside: its task, its buffers, what the allocator leaves between.
const CONNECTION_BYTES: u64 = 48 * 1024;

/// What the process may grow by that has nothing to do with the number of readers: a batch of long
/// lines, and the pages of the store.
const PROCESS_BYTES: u64 = 48 * 1024 * 1024;

const LINE_BYTES: usize = 16 * 1024;

#[tokio::test]
async fn a_thousand_who_never_read_cost_what_waits_for_them_and_no_more() {
    let readers = many("READERS", 60);
    let folder = TempDir::new().unwrap();
    let config = format!(
        "rate_limits = false\n[server_limits]\noutbox_bytes_max = {OUTBOX_BYTES}\n\
         sessions_per_user_max = {}\nping_ms = 3600000\n",
        readers + 2
    );
    let setup = Setup {
        config: &config,
        ..Setup::in_folder(folder.path())
    };
    let server = setup.start();
    let mut canary = Canary::at(server.address).await;
    let (ann, bob) = (
        sign_up(server.address, "ann").await,
        sign_up(server.address, "bob").await,
    );
    let mut a = Native::connect(server.address).await;
    a.hello(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    // Everything that costs something once has cost it.
    for _ in 0..20 {
        a.post(room, &"x".repeat(LINE_BYTES)).await;
    }
    let before = server.resident();
    let mut stalled = Vec::new();
    for reader in 0..readers {
        let mut client = Native::connect_narrowly(server.address).await;
        client.hello(&bob).await;
        if reader == 0 {
            client.join(room).await;
        } else {
            client.synced(room).await;
        }
        stalled.push(client);
    }
    let connected = server.resident();
    let (mut peak, mut lines) = (connected, 0);
    while server.shows("chat_sessions_lagging_total").await < i64::try_from(readers).unwrap() {
        a.post(room, &"x".repeat(LINE_BYTES)).await;
        lines += 1;
        canary.sings().await;
        peak = peak.max(server.resident());
        assert!(lines < 2_000, "they are never sent away");
    }
    let grown = peak.saturating_sub(before);
    let each = grown / readers as u64;
    let bound = readers as u64 * (OUTBOX_BYTES + CONNECTION_BYTES) + PROCESS_BYTES;
    println!(
        "{readers} readers, {lines} lines of 16 KiB: {} KiB each while idle, {} KiB each at most; \
         {} MiB of {} MiB",
        connected.saturating_sub(before) / readers as u64 / 1024,
        each / 1024,
        grown >> 20,
        bound >> 20,
    );
    assert!(grown <= bound, "{} MiB", grown >> 20);
    // Whoever reads after all hears the last thing that he was told, and that he lagged.
    let codes = join_all(stalled.iter_mut().take(60).map(Native::closed)).await;
    assert!(
        codes.iter().all(|code| [4002, 1006].contains(code)),
        "{codes:?}"
    );
    canary.sings().await;
    assert_eq!(server.stop().0, Some(0));
}

/// More than the system takes for a reader who doesn't read.
const MISSED_LINES: u64 = 500;

#[tokio::test]
async fn whoever_catches_up_and_stops_reading_holds_nothing_of_what_he_has_still_to_hear() {
    let store = Watched::new();
    let mut config = config();
    config.server_limits.outbox_bytes_max = 128 * 1024;
    let watched: Arc<dyn Store> = store.clone();
    let world = World::started(Server::builder(config).store(watched)).await;
    let mut canary = Canary::at(world.address).await;
    let ann = world.account("ann").await;
    let mut a = world.connect().await;
    let epoch = a.hello(&ann).await["epoch"].clone();
    let room = a.create(json!({"name": "Den"})).await;
    for _ in 0..MISSED_LINES {
        a.post(room, &"x".repeat(LINE_BYTES)).await;
        a.event_of(room).await;
    }
    let mut b = world.connect().await;
    b.resume(&ann, json!({ room.to_string(): [epoch, 1] }))
        .await;
    let began = Instant::now();
    loop {
        canary.sings().await;
        match store.given() {
            (given, 0) if given > 0 => break,
            (_, held) => assert!(began.elapsed() < PATIENCE, "{held} records are held"),
        }
    }
    // He goes on where he was.
    for seq in 2..MISSED_LINES + 2 {
        assert_eq!(b.event_of(room).await["seq"], seq);
    }
    b.synced(room).await;
    world.stop().await;
}
