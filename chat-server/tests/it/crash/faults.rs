//! A disk that fails, is full, or doesn't answer, under a server that runs.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use super::power::disk::Disk;
use super::power::{Recording, explore, number};
use super::program::Program;
use super::shim::{EROFS, Field, Shim};
use super::talker::{Talker, compare};
use crate::world::{Account, Native, PATIENCE, http, sign_up};

/// A store in which there are somebody and her room.
struct Furnished {
    folder: TempDir,
    ann: Account,
    room: u64,
}

impl Furnished {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let mut server = Program::start(folder.path());
        let ann = sign_up(server.address, "ann").await;
        let mut client = Native::connect(server.address).await;
        client.hello(&ann).await;
        let room = client.create(json!({"name": "Den"})).await;
        client.cut();
        assert_eq!(server.terminate().0, Some(0));
        Self { folder, ann, room }
    }

    /// A copy of the store alone in a folder of its own.
    fn copy(&self) -> TempDir {
        let copy = TempDir::new().unwrap();
        fs::copy(
            self.folder.path().join("chat.db"),
            copy.path().join("chat.db"),
        )
        .unwrap();
        copy
    }
}

/// What somebody posts; the code if it is refused.
async fn post(client: &mut Native, room: u64, body: &str) -> Result<Value, String> {
    let d = json!({"room": room, "body": body, "cid": body});
    let posted = client.call("post", d).await;
    posted.map_err(|refusal| refusal["code"].as_str().unwrap().to_owned())
}

/// Posts the same again until it is taken.
async fn post_in_the_end(client: &mut Native, room: u64, body: &str) {
    let began = Instant::now();
    while let Err(code) = post(client, room, body).await {
        assert_eq!(code, "storage_unavailable");
        assert!(began.elapsed() < PATIENCE, "it doesn't recover");
        tokio::task::yield_now().await;
    }
}

async fn status(server: &Program, path: &str) -> u16 {
    http(server.address, "GET", path, &[], b"").await.status
}

/// Waits until the server says this of itself: what it found out counts for a second.
async fn is_ready(server: &Program, ready: bool) {
    let began = Instant::now();
    while status(server, "/readyz").await != if ready { 200 } else { 503 } {
        assert!(began.elapsed() < PATIENCE, "it doesn't notice");
    }
}

/// Runs a server that fails at the n-th call of a kind, for each n until there is none; what was
/// acknowledged outlives that, and a power cut on top of it.
async fn fail_at_each(what: &str, field: Field, steps: impl Iterator<Item = i64>) {
    let furnished = Furnished::new().await;
    let mut faults = 0;
    for step in steps {
        let folder = furnished.copy();
        let Some(shim) = Shim::new(what, folder.path()) else {
            return;
        };
        shim.set(field, step);
        let before = Disk::holding(folder.path());
        let mut server = match shim.try_start() {
            Ok(server) => server,
            Err((code, said)) => {
                assert_eq!(
                    (code, said.lines().count()),
                    (Some(69), 1),
                    "{step}: {said}"
                );
                faults += 1;
                Program::run(shim.recording())
            }
        };
        let mut talker = Talker::new(&furnished.ann, furnished.room, "line");
        talker.regrets = Some(3);
        talker.disk = Some(shim.log());
        assert!(
            talker.talk(server.address, 7).await,
            "{step}: it was cut off"
        );
        // The question itself may have been what failed.
        is_ready(&server, true).await;
        let hit = shim.value(field) == 0;
        shim.set(field, 0);
        let stopped = tokio::task::spawn_blocking(move || server.terminate().0);
        assert_eq!(stopped.await.unwrap(), Some(0));
        let recording = Recording::new(before, &shim, &[talker]);
        explore(recording, 5).await;
        if !hit {
            println!("{what}: {faults} times");
            assert!(faults > 2);
            return;
        }
        faults += 1;
    }
    println!("{what}: {faults} times");
}

#[tokio::test]
async fn whichever_fsync_fails_nothing_that_was_acknowledged_is_lost() {
    fail_at_each("failing fsyncs", Field::FailSync, 1..).await;
}

/// `FAULTS=1` fails each of them, in place of one in so many.
#[tokio::test]
async fn whichever_write_fails_nothing_that_was_acknowledged_is_lost() {
    let step = usize::try_from(number("FAULTS", 23)).unwrap();
    fail_at_each("failing writes", Field::FailWrite, (1..).step_by(step)).await;
}

#[tokio::test]
async fn while_no_fsync_succeeds_nothing_is_acknowledged_and_then_all_goes_on() {
    let furnished = Furnished::new().await;
    let folder = furnished.copy();
    let Some(shim) = Shim::new("a disk that fails for a while", folder.path()) else {
        return;
    };
    let (ann, room) = (&furnished.ann, furnished.room);
    let server = shim.start();
    let mut client = Native::connect(server.address).await;
    client.hello(ann).await;
    post(&mut client, room, "before").await.unwrap();
    shim.set(Field::Forever, 1);
    shim.set(Field::FailSync, 1);
    for line in ["lost", "lost too", "and this"] {
        let refused = post(&mut client, room, line).await;
        assert_eq!(refused, Err("storage_unavailable".into()));
    }
    is_ready(&server, false).await;
    assert_eq!(status(&server, "/healthz").await, 200);
    // Reading goes on meanwhile.
    let page = client.ok("history", json!({"room": room})).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1);

    shim.set(Field::FailSync, 0);
    post_in_the_end(&mut client, room, "after").await;
    is_ready(&server, true).await;
    server.kill();
    let server = Program::start(folder.path());
    let mut client = Native::connect(server.address).await;
    client.hello(ann).await;
    let page = client.ok("history", json!({"room": room})).await;
    let said = page["items"].as_array().unwrap().iter();
    let said: Vec<_> = said.map(|it| it["content"]["body"].as_str()).collect();
    assert_eq!(said, [Some("before"), Some("after")]);
}

#[tokio::test]
async fn a_full_disk_refuses_what_does_not_fit_and_takes_it_once_there_is_space() {
    let furnished = Furnished::new().await;
    let folder = furnished.copy();
    let Some(shim) = Shim::new("a full disk", folder.path()) else {
        return;
    };
    let server = shim.start();
    shim.set(Field::Space, 200_000);
    shim.set(Field::Limited, 1);
    let mut talker = Talker::new(&furnished.ann, furnished.room, "line");
    let mut client = Native::connect(server.address).await;
    client.hello(&furnished.ann).await;
    let mut lines = 0;
    while post(&mut client, furnished.room, &format!("fills {lines}"))
        .await
        .is_ok()
    {
        lines += 1;
        assert!(lines < 1_000, "the disk is never full");
    }
    // What didn't fit was a line; not a byte does from here on.
    shim.set(Field::Space, 0);
    is_ready(&server, false).await;
    let page = client.ok("history", json!({"room": furnished.room}));
    assert!(!page.await["items"].as_array().unwrap().is_empty());
    shim.set(Field::Limited, 0);
    post_in_the_end(&mut client, furnished.room, "there is space").await;
    is_ready(&server, true).await;
    assert!(talker.talk(server.address, 5).await);
    compare(server.address, &[talker]).await;
}

#[tokio::test]
async fn a_disk_that_does_not_answer_is_said_to_whoever_sends_and_nobody_is_cut_off() {
    let furnished = Furnished::new().await;
    let folder = furnished.copy();
    let Some(shim) = Shim::new("a disk that hangs", folder.path()) else {
        return;
    };
    let (ann, room) = (&furnished.ann, furnished.room);
    let server = shim.start();
    let mut a = Native::connect(server.address).await;
    a.hello(ann).await;
    let mut b = Native::connect(server.address).await;
    b.hello(ann).await;
    post(&mut a, room, "before").await.unwrap();
    b.event("posted").await;
    // An hour: longer than anybody here waits.
    shim.set(Field::SyncMs, 3_600_000);
    let began = Instant::now();
    let refused = post(&mut a, room, "in doubt").await;
    println!("refused after {:?}", began.elapsed());
    assert_eq!(refused, Err("storage_unavailable".into()));
    let again = Instant::now();
    let refused = post(&mut b, room, "too").await;
    println!("and then after {:?}", again.elapsed());
    assert_eq!(refused, Err("storage_unavailable".into()));
    is_ready(&server, false).await;
    a.ok("rooms", json!({})).await;

    shim.set(Field::SyncMs, 0);
    // Nobody knew of the first; it is there, and is heard before anybody says anything more.
    let late = b.event("posted").await;
    assert_eq!(late["d"]["content"]["body"], "in doubt");
    let repeated = post(&mut a, room, "in doubt").await.unwrap();
    assert_eq!(repeated["dup"], true);
    post_in_the_end(&mut a, room, "after").await;
}

#[tokio::test]
async fn a_lock_from_outside_is_said_to_whoever_sends_and_goes_by() {
    let furnished = Furnished::new().await;
    let folder = furnished.copy();
    let server = Program::start(folder.path());
    let mut client = Native::connect(server.address).await;
    client.hello(&furnished.ann).await;
    post(&mut client, furnished.room, "before").await.unwrap();
    let foreign = rusqlite::Connection::open(folder.path().join("chat.db")).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let refused = post(&mut client, furnished.room, "meanwhile").await;
    println!("refused after {:?}", began.elapsed());
    assert_eq!(refused, Err("storage_unavailable".into()));
    foreign.execute_batch("ROLLBACK").unwrap();
    post_in_the_end(&mut client, furnished.room, "meanwhile").await;
    let page = client.ok("history", json!({"room": furnished.room}));
    assert_eq!(page.await["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn where_nothing_can_be_opened_for_writing_it_says_so_and_ends() {
    let furnished = Furnished::new().await;
    let folder = furnished.copy();
    let Some(shim) = Shim::new("files that can't be opened", folder.path()) else {
        return;
    };
    let before = fs::read(folder.path().join("chat.db")).unwrap();
    shim.set(Field::FailErrno, EROFS);
    shim.set(Field::Forever, 1);
    for opening in 1..=2 {
        shim.set(Field::FailOpen, opening);
        let refused = shim.try_start().map(drop);
        let (code, said) = refused.unwrap_err();
        assert_eq!((code, said.lines().count()), (Some(69), 1), "{said}");
        assert!(said.contains("chat.db"), "{said}");
    }
    assert_eq!(fs::read(folder.path().join("chat.db")).unwrap(), before);
}
