//! The format on disk: byte for byte what it was, and nothing broken is taken for whole.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that panics has failed, and says where"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chat_core::event::{
    AccessChanged, Banned, Deleted, Edited, GrantChanged, InviteDeclined, InviteRevoked, Invited,
    Joined, Kicked, Left, Muted, NicknameChanged, OwnershipTransferred, Pinned, Posted, Reacted,
    RoleChanged, RoomArchived, RoomCreated, RoomDeleted, RoomTrimmed, RoomUnarchived, RoomUpdated,
    Unbanned, Unmuted, Unpinned, Unreacted,
};
use chat_core::{
    Access, Attachment, Author, Cid, Content, Event, Features, Format, History, Idx, Kind, Name,
    Override, Permission, Permissions, Reaction, Record, Retention, Role, RoomId, SecretHash, Seq,
    Text, Timestamp, UserId, Via, Way,
};
use chat_protocol::log::{Entry, LogError, Mac, Sealed, Sum, WordsKey, decode, encode};
use proptest::prelude::*;

const KEY: WordsKey = WordsKey([7; 16]);

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn text(body: &str) -> Text {
    Text::new(body).unwrap()
}

fn profile() -> [Event; 8] {
    let muted = Permissions::NONE.with(Permission::Post);
    let overrides = BTreeMap::from([(
        Role::Guest,
        Override {
            allow: Permissions::NONE,
            deny: muted,
        },
    )]);
    let hash = SecretHash::new("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA");
    let created = RoomCreated {
        kind: Kind::Channel,
        name: Some(name("Höhle")),
        alias: Some(name("den")),
        topic: Some(text("a \"quoted\"\ntopic")),
        access: Access::Password { hash },
        listed: true,
        history: History::SinceJoin,
        features: Features {
            typing: false,
            ..Features::default()
        },
        capacity: Some(50),
        slow_mode_s: 5,
        retention: Retention {
            days: Some(30),
            records: None,
        },
        overrides: overrides.clone(),
        owner: UserId::new(1),
        joined: true,
        pair: None,
    };
    let updated = RoomUpdated {
        name: Some(name("Lair")),
        topic: Some(text("")),
        overrides: Some(overrides),
        slow_mode_s: Some(0),
        ..RoomUpdated::default()
    };
    let access = AccessChanged {
        access: Some(Access::Groups {
            groups: BTreeSet::from([RoomId::new(4), RoomId::new(9)]),
        }),
        listed: Some(false),
        history: Some(History::All),
    };
    [
        created.into(),
        updated.into(),
        access.into(),
        GrantChanged {
            group: RoomId::new(4),
            role: Some(Role::Moderator),
        }
        .into(),
        RoomArchived {}.into(),
        RoomUnarchived {}.into(),
        RoomDeleted {}.into(),
        OwnershipTransferred { to: UserId::new(2) }.into(),
    ]
}

fn membership() -> [Event; 12] {
    let user = UserId::new(2);
    let until = Timestamp::new(1_900_000_000_000);
    let reason = Some(text("spam"));
    [
        Joined {
            way: Way::Group {
                group: RoomId::new(4),
            },
            role: Role::Member,
        }
        .into(),
        Left {}.into(),
        Invited {
            user,
            until: Some(until),
        }
        .into(),
        InviteRevoked { user }.into(),
        InviteDeclined {}.into(),
        Kicked {
            user,
            reason: reason.clone(),
        }
        .into(),
        Banned {
            user,
            until: None,
            reason,
        }
        .into(),
        Unbanned { user }.into(),
        Muted { user, until }.into(),
        Unmuted { user }.into(),
        RoleChanged {
            user,
            role: Role::Admin,
        }
        .into(),
        NicknameChanged {
            nickname: Some(name("Al")),
        }
        .into(),
    ]
}

fn talk() -> [Event; 8] {
    let message = Seq::new(3);
    let reaction = || Reaction::new("\u{1f44d}").unwrap();
    let content = Content {
        body: text("hello \u{1f30d}, *you*"),
        format: Format::Markdown,
        attachments: vec![Attachment {
            url: text("https://example.org/cat.png"),
            name: Some(text("cat.png")),
            media_type: Some(text("image/png")),
            bytes: Some(12_345),
        }],
        ext: BTreeMap::from([(text("colour"), text("red"))]),
    };
    let posted = Posted {
        idx: Idx::new(17),
        reply_to: Some(Seq::new(2)),
        thread: Some(message),
        mentions: BTreeSet::from([UserId::new(2), UserId::guest(5)]),
        mention_all: true,
        content: Some(content),
    };
    let edited = Edited {
        message,
        mentions: BTreeSet::new(),
        content: Some(Content::plain(text("hello"))),
    };
    [
        posted.into(),
        edited.into(),
        Deleted { message }.into(),
        Reacted {
            message,
            reaction: reaction(),
        }
        .into(),
        Unreacted {
            message,
            reaction: reaction(),
        }
        .into(),
        Pinned { message }.into(),
        Unpinned { message }.into(),
        RoomTrimmed { from: message }.into(),
    ]
}

/// One record of each kind, as a log that goes on from line to line.
fn samples() -> Vec<Record> {
    let events = profile().into_iter().chain(membership()).chain(talk());
    let mut samples = Vec::new();
    for (event, seq) in events.zip(1..) {
        samples.push(Record {
            room: RoomId::new(42),
            seq: Seq::new(seq),
            at: Timestamp::new(1_800_000_000_000 + seq),
            by: Author {
                id: UserId::new(1),
                name: Some(name("Älice")),
            },
            via: (seq % 5 == 0).then(|| Via {
                group: RoomId::new(4),
                role: Role::Admin,
            }),
            cid: (seq % 2 == 0).then(|| Cid::new(format!("c-{seq}")).unwrap()),
            event,
        });
    }
    samples
}

/// The samples as they lie on disk, each with the sum before it.
fn log() -> Vec<(Record, Sum, Entry)> {
    let mut sum = Sum::START;
    let mut log = Vec::new();
    for record in samples() {
        let entry = encode(&record, KEY, &sum);
        let prev = std::mem::replace(&mut sum, entry.sum);
        log.push((record, prev, entry));
    }
    log
}

fn golden(event: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/log");
    folder.join(event).with_extension("json")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shown(record: &Record, prev: &Sum, entry: &Entry) -> String {
    let utf8 = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let sealed = entry.words.as_ref();
    let shown = serde_json::json!({
        "record": record,
        "prev": hex(&prev.0),
        "version": entry.version,
        "fact": utf8(&entry.fact),
        "mac": entry.mac.map(|mac| hex(&mac.0)),
        "sum": hex(&entry.sum.0),
        "key": sealed.map(|sealed| hex(&sealed.key.0)),
        "words": sealed.map(|sealed| utf8(&sealed.words)),
    });
    format!("{shown:#}\n")
}

/// `GOLDEN_WRITE=1` writes the files anew; a change of them is a change of the format.
#[test]
fn every_event_lies_on_disk_as_it_always_did() {
    let log = log();
    let names: BTreeSet<_> = log.iter().map(|(record, ..)| record.event.name()).collect();
    assert_eq!(
        names,
        Event::NAMES.iter().copied().collect(),
        "a sample of each event"
    );
    for (record, prev, entry) in &log {
        let path = golden(record.event.name());
        let shown = shown(record, prev, entry);
        if std::env::var_os("GOLDEN_WRITE").is_some() {
            std::fs::write(&path, &shown).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(kept, shown, "{}", path.display());
    }
}

#[test]
fn what_lies_on_disk_is_read_back() {
    for (record, prev, entry) in log() {
        assert_eq!(decode(&entry, &prev), Ok(record));
    }
}

#[test]
fn erasing_words_leaves_the_chain_and_the_fact() {
    for (record, prev, mut entry) in log() {
        entry.erase();
        assert!(entry.is_erased());
        let mut fact = record.clone();
        drop(fact.take_words());
        assert_eq!(decode(&entry, &prev), Ok(fact));
        let spelled = format!("{entry:?}");
        assert!(!spelled.contains("lice"), "{spelled}");
    }
}

#[test]
fn a_record_without_words_has_none_to_erase() {
    let bare = |mut record: Record| {
        drop(record.take_words());
        record
    };
    let record = bare(samples().remove(4));
    let entry = encode(&record, KEY, &Sum::START);
    assert_eq!(
        (entry.mac, entry.words.clone(), entry.is_erased()),
        (None, None, false)
    );
    assert_eq!(decode(&entry, &Sum::START), Ok(record));
    let put_in = Entry {
        words: Some(Sealed {
            key: KEY,
            words: b"{}".to_vec(),
        }),
        ..entry
    };
    assert_eq!(decode(&put_in, &Sum::START), Err(LogError::Words));
}

#[test]
fn equal_words_under_other_keys_have_other_macs() {
    let record = samples().remove(0);
    let one = encode(&record, KEY, &Sum::START);
    let other = encode(&record, WordsKey([8; 16]), &Sum::START);
    assert_eq!(one.fact, other.fact);
    assert_ne!((one.mac, one.sum), (other.mac, other.sum));
    assert!(
        !format!("{one:?}").contains(", 7, 7"),
        "keys stay out of what is printed"
    );
}

#[test]
fn a_later_version_is_refused_by_number() {
    let (_, prev, entry) = log().remove(0);
    let later = Entry {
        version: 2,
        ..entry
    };
    assert_eq!(decode(&later, &prev), Err(LogError::Version(2)));
}

#[test]
fn an_entry_belongs_to_its_place_in_the_chain() {
    let log = log();
    for pair in log.windows(2) {
        let [(_, _, first), (_, _, second)] = pair else {
            panic!("two")
        };
        assert_eq!(decode(second, &Sum::START), Err(LogError::Chain));
        assert_eq!(decode(first, &second.sum), Err(LogError::Chain));
    }
}

fn flip(bytes: &mut [u8], bit: usize) {
    let bit = bit % (bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
}

proptest! {
    #[test]
    fn any_flipped_bit_is_noticed(sample in 0..27_usize, part in 0..6_u8, bit in any::<usize>()) {
        let (_, prev, mut entry) = log().swap_remove(sample);
        let sealed = entry.words.as_mut().unwrap();
        match part {
            0 => entry.version ^= 1 << (bit % 8),
            1 => flip(&mut entry.fact, bit),
            2 => flip(&mut entry.mac.as_mut().unwrap().0, bit),
            3 => flip(&mut entry.sum.0, bit),
            4 => flip(&mut sealed.key.0, bit),
            _ => flip(&mut sealed.words, bit),
        }
        prop_assert!(decode(&entry, &prev).is_err());
    }

    #[test]
    fn garbage_is_refused_in_words(
        version in prop_oneof![Just(1_u8), any::<u8>()],
        fact in prop::collection::vec(any::<u8>(), 0..200),
        sum in any::<[u8; 16]>(),
        mac in any::<Option<[u8; 16]>>(),
        words in any::<Option<([u8; 16], Vec<u8>)>>(),
    ) {
        let words = words.map(|(key, words)| Sealed { key: WordsKey(key), words });
        let entry = Entry { version, fact, mac: mac.map(Mac), sum: Sum(sum), words };
        prop_assert!(decode(&entry, &Sum::START).is_err());
    }

    #[test]
    fn bodies_of_any_kind_come_back(body in "\\PC*|[^\\x00]*", key in any::<[u8; 16]>()) {
        let mut record = samples().swap_remove(20);
        record.event = Posted {
            idx: Idx::new(1),
            reply_to: None,
            thread: None,
            mentions: BTreeSet::new(),
            mention_all: false,
            content: Some(Content::plain(Text::new(body).unwrap())),
        }
        .into();
        let entry = encode(&record, WordsKey(key), &Sum::START);
        prop_assert_eq!(decode(&entry, &Sum::START), Ok(record));
    }

    #[test]
    fn a_seal_fits_its_text_and_its_link_alone(
        text in prop::collection::vec(any::<u8>(), 1..100),
        bit in any::<usize>(),
        sum in any::<[u8; 16]>(),
    ) {
        let mut other = text.clone();
        flip(&mut other, bit);
        let mut elsewhere = sum;
        flip(&mut elsewhere, bit);
        prop_assert_ne!(Sum(sum).seal(&text), Sum(sum).seal(&other));
        prop_assert_ne!(Sum(sum).seal(&text), Sum(elsewhere).seal(&text));
    }
}
