//! Files of any kind, in any order: what they leave behind is a log like any other.

use std::collections::BTreeMap;
use std::io::Cursor;

use chat_core::{Event, Limits, Room, RoomId, Seq, Timestamp};
use chat_server::auth::hashing::{Hasher, HashingCost};
use chat_server::import::{HASHES_AT_ONCE, Note, Options, Report, Source, import};
use chat_server::store::Store;
use chat_server::store::memory::Memory;
use serde_json::{Value, json};

use super::file;

const NOW: Timestamp = Timestamp::new(1_000_000);

/// Numbers that look drawn by lot, and are the same each time.
struct Lot(u64);

impl Lot {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(
                index,
                usize::try_from(self.below(index as u64 + 1)).unwrap(),
            );
        }
    }
}

fn lines(lot: &mut Lot) -> Vec<Value> {
    let mut lines = Vec::new();
    for user in 0..4 {
        lines.push(json!({"type": "user", "id": user, "name": format!("user {user}")}));
    }
    for room in 1..=4 {
        let access = ["open", "password", "invite"][usize::try_from(lot.below(3)).unwrap()];
        let mut line =
            json!({"type": "room", "id": room, "name": format!("Room {room}"), "access": access});
        if access == "password" {
            line["password"] = json!("sesame");
        }
        if lot.below(2) == 0 {
            line["owner"] = json!(lot.below(5));
        }
        if lot.below(2) == 0 {
            line["created_at"] = json!(1 + lot.below(2_000));
        }
        lines.push(line);
    }
    for _ in 0..lot.below(8) {
        let role = ["guest", "member", "moderator", "admin", "owner"]
            [usize::try_from(lot.below(5)).unwrap()];
        let mut line =
            json!({"type": "member", "room": 1 + lot.below(4), "user": lot.below(5), "role": role});
        if lot.below(2) == 0 {
            line["joined_at"] = json!(1 + lot.below(2_000));
        }
        lines.push(line);
    }
    for id in 0..lot.below(60) {
        let mut line = json!({"type": "message", "room": 1 + lot.below(5), "body": format!("{}", lot.below(3)),
            "at": 1 + lot.below(2_000)});
        if lot.below(2) == 0 {
            line["id"] = json!(id);
        }
        if lot.below(3) == 0 {
            line["name"] = json!(format!("guest {}", lot.below(3)));
        } else {
            line["user"] = json!(lot.below(5));
        }
        lines.push(line);
    }
    lot.shuffle(&mut lines);
    lines
}

async fn bring(store: &Memory, lines: &[Value]) -> (Report, Vec<Note>) {
    let cheap = HashingCost {
        memory_kib: 8,
        passes: 1,
    };
    let hasher = Hasher::start(1, HASHES_AT_ONCE, cheap).unwrap();
    let options = Options {
        from: Source::Rest,
        link_names: false,
        limits: Limits::default(),
        now: NOW,
    };
    let mut notes = Vec::new();
    let bytes = Cursor::new(file(lines));
    let report = import(store, &hasher, &options, bytes, &mut |note| {
        notes.push(note)
    })
    .await;
    (report.unwrap(), notes)
}

/// The log of each room, after a look at whether it can be one.
async fn logs(store: &Memory) -> BTreeMap<RoomId, Room> {
    let mut rooms = BTreeMap::new();
    for number in 1..50 {
        let id = RoomId::new(number);
        let Some(room) = store.load(id).await.unwrap() else {
            continue;
        };
        let log = store.records(id, Seq::default(), 10_000).await.unwrap();
        let replayed = Room::replayed(log.iter().map(AsRef::as_ref));
        assert_eq!(replayed.as_ref(), Some(&room));
        assert_eq!(room.broken_invariants(), Vec::<&str>::new());
        assert!(log.is_sorted_by_key(|record| record.at));
        assert!(log.last().unwrap().at <= NOW);
        // Nobody but a guest speaks who isn't a member, or the owner, by then.
        let mut so_far = Room::founded(&log[0]).unwrap();
        for record in &log[1..] {
            if matches!(record.event, Event::Posted(_)) {
                let by = record.by.id;
                assert!(by.is_guest() || so_far.own_role(by).is_some());
            }
            so_far.follow(record).unwrap();
        }
        rooms.insert(id, room);
    }
    rooms
}

#[tokio::test]
async fn any_file_leaves_whole_logs_and_changes_nothing_the_second_time() {
    for seed in 0..300 {
        let mut lot = Lot(seed);
        let mut lines = lines(&mut lot);
        let store = Memory::new().unwrap();
        let (report, notes) = bring(&store, &lines).await;
        let before = logs(&store).await;
        let messages = lines
            .iter()
            .filter(|line| line["type"] == "message")
            .count() as u64;
        let told = report.messages;
        assert_eq!(
            told.made + told.there + told.refused,
            messages,
            "{seed}: {notes:?}"
        );
        let there: u64 = before.values().map(|room| room.head_idx.number()).sum();
        assert_eq!(told.made, there, "{seed}");
        assert_eq!(report.late, 0, "{seed}");

        let (again, _) = bring(&store, &lines).await;
        assert_eq!(
            (again.made(), again.refused()),
            (0, report.refused()),
            "{seed}"
        );
        lot.shuffle(&mut lines);
        let (shuffled, _) = bring(&store, &lines).await;
        assert_eq!(
            (shuffled.made(), shuffled.refused()),
            (0, report.refused()),
            "{seed}"
        );
        assert_eq!(logs(&store).await, before, "{seed}");
    }
}

#[tokio::test]
async fn a_file_in_two_halves_is_as_good_as_a_whole() {
    for seed in 0..300 {
        let mut lot = Lot(seed);
        let lines = lines(&mut lot);
        let (whole, halves) = (Memory::new().unwrap(), Memory::new().unwrap());
        bring(&whole, &lines).await;
        bring(&halves, &lines[..lines.len() / 2]).await;
        let (report, _) = bring(&halves, &lines).await;
        let (whole, halves) = (logs(&whole).await, logs(&halves).await);
        let count = |rooms: &BTreeMap<RoomId, Room>| -> u64 {
            rooms.values().map(|room| room.head_idx.number()).sum()
        };
        assert_eq!(count(&whole), count(&halves), "{seed}: {report:?}");
    }
}
