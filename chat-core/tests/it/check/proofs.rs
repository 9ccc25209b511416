//! What every script proves besides its own moral: the log is the room.

use chat_core::{Event, Kind, Lifecycle, Record, Room};

/// Proves of a live room and its log that
///
/// * positions have no hole and time never runs backwards,
/// * the log, read from its disk form, gives the live room,
/// * so does each snapshot with the tail that follows it,
/// * so does the log without anybody's words, apart from nicknames,
/// * no state on the way breaks an invariant.
pub(crate) fn prove(live: &Room, log: &[Record]) {
    prove_positions(log);
    let through_disk: Vec<Record> = log.iter().map(through_json).collect();
    assert_eq!(
        through_disk, log,
        "a record is the same after its way to disk and back"
    );
    assert_eq!(
        Room::replayed(log).as_ref(),
        Some(live),
        "the log gives the live room"
    );

    let mut restored = Room::founded(&log[0]).expect("a log begins with its room");
    let mut wordless = Room::founded(&without_words(&log[0])).expect("facts need no words");
    for record in &log[1..] {
        assert_sound(&restored, record);
        restored = through_json(&restored);
        restored
            .follow(record)
            .expect("a snapshot goes on where it was taken");
        wordless
            .follow(&without_words(record))
            .expect("facts need no words");
    }
    assert_sound(&restored, &log[log.len() - 1]);
    assert_eq!(
        restored, *live,
        "each snapshot with its tail gives the live room"
    );
    assert_eq!(
        wordless,
        without_nicknames(live),
        "state never depends on words"
    );
}

/// Proves that a state is one that can be.
pub(crate) fn assert_sound(room: &Room, last: &Record) {
    assert_eq!(
        room.broken_invariants(),
        Vec::<&str>::new(),
        "after {last:?}"
    );
    let live = room.lifecycle != Lifecycle::Deleted && room.kind != Kind::Direct;
    assert!(!live || !room.owner.is_guest(), "no guest owns a room");
}

fn prove_positions(log: &[Record]) {
    let (mut at, mut idx) = (log[0].at, 0);
    for (record, seq) in log.iter().zip(1..) {
        assert_eq!(record.seq.number(), seq, "seq has no hole");
        assert!(record.at >= at, "time never runs backwards");
        at = record.at;
        if let Event::Posted(it) = &record.event {
            idx += 1;
            assert_eq!(it.idx.number(), idx, "idx has no hole");
        }
    }
}

fn through_json<T: serde::Serialize + serde::de::DeserializeOwned>(it: &T) -> T {
    serde_json::from_str(&serde_json::to_string(it).unwrap()).unwrap()
}

fn without_words(record: &Record) -> Record {
    let mut bare = record.clone();
    let words = bare.take_words();
    assert_eq!(
        bare.clone().with_words(words),
        *record,
        "words go back where they came from"
    );
    bare
}

fn without_nicknames(room: &Room) -> Room {
    let mut room = room.clone();
    room.members
        .values_mut()
        .for_each(|member| member.nickname = None);
    room
}
