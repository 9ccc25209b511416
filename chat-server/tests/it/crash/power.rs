//! The power cut at any moment: every state in which it could have left the disk is a store in which
//! all is that was acknowledged or heard by then.
//!
//! What a running server does to its files is recorded, and what its clients know is noted with the
//! place in that record. From the record come disks (`disk.rs`): what was synchronised, and of the
//! rest any part. `IMAGES=n` looks at so many, `SEED=n` at others.

pub(super) mod disk;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::env;
use std::fs;
use std::path::Path;

use chat_core::{Event, RoomId, Seq, Timestamp};
use chat_server::store::Store;
use chat_server::store::sqlite::{Sqlite, upkeep};
use serde_json::json;
use tempfile::TempDir;

use self::disk::{Disk, Step};
use super::program::Program;
use super::shim::{Field, Shim};
use super::talker::{Line, Talker, all_talk};
use crate::world::{Native, sign_up};
use chat_server::simulation::Dice;

/// What happened, as the disk saw it and as the clients did.
pub(super) struct Recording {
    /// The disk before.
    begin: Disk,
    steps: Vec<Step>,
    acknowledged: Vec<Line>,
    heard: Vec<Line>,
    refused: usize,
}

impl Recording {
    /// What the shim has written down, and what these people know.
    pub(super) fn new(begin: Disk, shim: &Shim, talkers: &[Talker]) -> Self {
        Self {
            begin,
            steps: disk::read(&fs::read(shim.log()).unwrap()),
            refused: talkers.iter().map(|it| it.refused).sum(),
            acknowledged: talkers
                .iter()
                .flat_map(|it| it.acknowledged.clone())
                .collect(),
            heard: talkers.iter().flat_map(|it| it.heard.clone()).collect(),
        }
    }
}

const ROOMS: u64 = 2;
const IMAGES: u64 = 120;

#[tokio::test]
async fn what_was_acknowledged_or_heard_outlives_a_power_cut_at_any_moment() {
    let folder = TempDir::new().unwrap();
    let Some(shim) = Shim::new("power cuts", folder.path()) else {
        return;
    };
    // A reply that doesn't wait for it comes before it.
    shim.set(Field::SyncMs, 5);
    let recording = record(&shim, |_, _| {}).await;
    // A disk that is slow by itself makes some.
    println!("{} refusals", recording.refused);
    explore(recording, number("IMAGES", IMAGES)).await;
}

#[tokio::test]
async fn it_outlives_one_after_an_fsync_has_failed_too() {
    let folder = TempDir::new().unwrap();
    let Some(shim) = Shim::new("power cuts after a failed fsync", folder.path()) else {
        return;
    };
    let recording = record(&shim, |shim, part| {
        shim.set(Field::FailSync, 3 + 4 * part);
    });
    let recording = recording.await;
    assert!(recording.refused > 0);
    explore(recording, number("IMAGES", IMAGES)).await;
}

#[tokio::test]
async fn what_a_killed_server_left_unsynchronised_is_made_safe_before_it_is_heard() {
    let folder = TempDir::new().unwrap();
    let Some(shim) = Shim::new("power cuts after a restart", folder.path()) else {
        return;
    };
    let program = Program::run(shim.recording());
    let talkers = furnish(&program, &shim).await;
    shim.set(Field::Forever, 1);
    shim.set(Field::FailSync, 1);
    let failed = shim.value(Field::Syncs) + 4;
    let (talked, ()) = tokio::join!(all_talk(talkers, program.address, 12), async {
        while shim.value(Field::Syncs) < failed {
            tokio::task::yield_now().await;
        }
        program.kill();
    });
    shim.set(Field::FailSync, 0);
    let talkers = talked.into_iter().map(|(talker, _)| talker).collect();
    // What the system shows of the files has transactions in it of which nothing may be on disk.
    let mut program = Program::run(shim.recording());
    let talked = all_talk(talkers, program.address, 6).await;
    let terminated = tokio::task::spawn_blocking(move || program.terminate().0);
    assert_eq!(terminated.await.unwrap(), Some(0));
    let talkers: Vec<_> = talked.into_iter().map(|(talker, _)| talker).collect();
    let recording = Recording::new(Disk::default(), &shim, &talkers);
    explore(recording, number("IMAGES", IMAGES)).await;
}

/// Runs a server twice, with people who talk and regret; `trouble` is made before each part.
async fn record(shim: &Shim, trouble: impl Fn(&Shim, i64)) -> Recording {
    let mut talkers = Vec::new();
    for opening in 0..2 {
        let mut program = Program::run(shim.recording());
        if talkers.is_empty() {
            talkers = furnish(&program, shim).await;
        }
        for part in 0..3 {
            trouble(shim, 3 * opening + part);
            let talked = all_talk(talkers, program.address, 12).await;
            assert!(talked.iter().all(|(_, lasted)| *lasted));
            talkers = talked.into_iter().map(|(talker, _)| talker).collect();
        }
        shim.set(Field::FailSync, 0);
        let terminated = tokio::task::spawn_blocking(move || program.terminate().0);
        assert_eq!(terminated.await.unwrap(), Some(0));
    }
    Recording::new(Disk::default(), shim, &talkers)
}

/// Two rooms, and two sessions of their owner in each.
async fn furnish(program: &Program, shim: &Shim) -> Vec<Talker> {
    let ann = sign_up(program.address, "ann").await;
    let mut client = Native::connect(program.address).await;
    client.hello(&ann).await;
    let mut talkers = Vec::new();
    for number in 0..ROOMS {
        let room = client
            .create(json!({"name": format!("Den {number}")}))
            .await;
        for who in 0..2 {
            let mut talker = Talker::new(&ann, room, format!("{number}-{who}"));
            talker.regrets = (who == 0).then_some(5);
            talker.disk = Some(shim.log());
            talkers.push(talker);
        }
    }
    talkers
}

/// A number from the environment.
pub(super) fn number(name: &str, usual: u64) -> u64 {
    env::var(name).map_or(usual, |it| it.parse().unwrap())
}

/// Looks at disks of many moments.
pub(super) async fn explore(recording: Recording, images: u64) {
    let mut dice = Dice::new(number("SEED", 1));
    let mut moments: Vec<usize> = (0..images)
        .map(|_| dice.below(recording.steps.len() + 1))
        .collect();
    moments.sort_unstable();
    let folder = throwaway();
    let mut disk = recording.begin.clone();
    let (mut done, mut proved) = (0, 0);
    for moment in moments {
        for step in &recording.steps[done..moment] {
            disk.apply(step);
        }
        done = moment;
        let mark = match moment {
            0 => 0,
            _ => recording.steps[moment - 1].mark,
        };
        let image = folder.path().join("image");
        fs::create_dir(&image).unwrap();
        let how = disk.leave(&image, &mut dice);
        let what = format!("step {moment} of {}, {how}", recording.steps.len());
        proved += examine(&image.join("chat.db"), &recording, mark, &what).await;
        fs::remove_dir_all(&image).unwrap();
    }
    // Few of them may all be of the beginning.
    assert!(
        images < 20 || proved > images,
        "only {proved} lines in {images} images"
    );
    println!("{images} images, {proved} lines that had to be there");
}

/// Opens a disk's store and finds in it all that was known when the log was so long; gives how many
/// lines that was.
async fn examine(path: &Path, recording: &Recording, mark: u64, what: &str) -> u64 {
    let store = Sqlite::open(path).unwrap_or_else(|error| panic!("{what}: {error}"));
    let known = |line: &&Line| line.mark <= mark;
    let mut logs = BTreeMap::new();
    for line in recording
        .acknowledged
        .iter()
        .chain(&recording.heard)
        .filter(known)
    {
        if let Entry::Vacant(log) = logs.entry(line.room) {
            let room = RoomId::new(line.room);
            let records = store.records(room, Seq::default(), 10_000).await;
            let records = records.unwrap_or_else(|error| panic!("{what}: {error}"));
            log.insert(records);
        }
    }
    let mut proved = 0;
    for line in recording.acknowledged.iter().filter(known) {
        let record = logs[&line.room].get(usize::try_from(line.seq).unwrap() - 1);
        let cid = record.and_then(|record| record.cid.as_ref());
        let cid = cid.map(|cid| cid.as_str());
        assert_eq!(
            cid,
            Some(line.words.as_str()),
            "{what}: acknowledged {line:?}"
        );
        proved += 1;
    }
    for line in recording.heard.iter().filter(known) {
        let record = logs[&line.room].get(usize::try_from(line.seq).unwrap() - 1);
        let record = record.unwrap_or_else(|| panic!("{what}: heard {line:?}"));
        if let Event::Posted(it) = &record.event
            && let Some(content) = &it.content
        {
            assert_eq!(content.body.as_str(), line.words, "{what}: heard {line:?}");
        }
        proved += 1;
    }
    drop(store);
    let mut findings = Vec::new();
    let now = recording.heard.iter().map(|line| line.at).max();
    let now = Timestamp::new(now.unwrap_or_default());
    upkeep::verify(path, now, &mut |it| findings.push(it)).unwrap();
    assert_eq!(findings, [], "{what}");
    proved
}

/// A folder for what isn't kept: in memory, where there is such a place.
fn throwaway() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        TempDir::new_in(memory).unwrap()
    } else {
        TempDir::new().unwrap()
    }
}
