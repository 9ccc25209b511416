//! The edges of what memory holds, and facts that came too late: told without a shell, one request
//! at a time.

use chat_core::commands::{
    Command, CreateRoom, Delete, Edit, Entry, Join, OpenDirect, Post, React, SetAccess,
};
use chat_core::limits::{CID_WINDOW_MS, CIDS_HELD, HEADS_HELD};
use chat_core::{
    Actor, Cid, Decision, Engine, Facts, Head, Limits, MessageFact, Name, Need, Password, Proof,
    Reaction, Record, Rejection, Request, RoomId, SecretHash, Seq, Standing, Text, Timestamp, Used,
    UserId,
};

const ROOM: RoomId = RoomId::new(1);
const ALICE: UserId = UserId::new(1);
const BOB: UserId = UserId::new(2);
const START: u64 = 1_000_000;

/// An engine with alice's room in it, and a request to start from.
struct Stage {
    engine: Engine,
    request: Request,
}

impl Stage {
    fn new() -> Self {
        let mut limits = Limits::default();
        limits.posts_limited = false;
        let actor = Actor::new(ALICE, Name::new("somebody").unwrap());
        let create = CreateRoom::named(Name::new("den").unwrap());
        let mut request = Request::new(ROOM, actor, Timestamp::new(START), create);
        request.facts.standing = Some(Standing::default());
        let mut stage = Self {
            engine: Engine::new(limits),
            request,
        };
        stage.accept();
        stage
    }

    fn decide(&self) -> Result<Decision, Rejection> {
        self.engine.decide(&self.request)
    }

    fn wish(&mut self, command: impl Into<Command>) -> Result<Decision, Rejection> {
        self.request.command = command.into();
        self.decide()
    }

    fn accept(&mut self) -> Record {
        let Ok(Decision::New(record)) = self.decide() else {
            panic!("{:?}", self.decide())
        };
        assert!(self.engine.evolve(&record));
        record
    }

    fn post(&mut self) -> Record {
        self.request.command = hello().into();
        self.accept()
    }

    fn head_seq(&self) -> Seq {
        self.engine.room(ROOM).unwrap().head_seq
    }
}

fn hello() -> Post {
    Post::plain(Text::new("hello").unwrap())
}

fn cid(number: usize) -> Option<Cid> {
    Some(Cid::new(format!("c{number}")).unwrap())
}

fn thumb(message: Seq) -> React {
    React {
        message,
        reaction: Reaction::new("+1").unwrap(),
    }
}

fn head_of(record: &Record) -> Head {
    let (author, at) = (record.by.id, record.at);
    Head {
        author,
        at,
        thread: None,
        deleted: None,
        reactions: [].into(),
    }
}

#[test]
fn the_newest_256_messages_are_known_without_asking() {
    let mut stage = Stage::new();
    let first = stage.post();
    for _ in 1..HEADS_HELD {
        stage.post();
    }
    assert!(matches!(stage.wish(thumb(first.seq)), Ok(Decision::New(_))));
    stage.post();
    assert_eq!(
        stage.wish(thumb(first.seq)),
        Ok(Decision::Need(Need::Message(first.seq)))
    );
}

#[test]
fn the_last_record_may_be_no_message_but_that_is_the_store_s_to_say() {
    let mut stage = Stage::new();
    let last = stage.head_seq();
    let asked = Ok(Decision::Need(Need::Message(last)));
    assert_eq!(stage.wish(thumb(last)), asked);
    assert!(stage.wish(thumb(last.next())).is_err());
}

#[test]
fn a_room_that_is_let_go_is_handed_out_and_goes_on_by_its_next_record_alone() {
    let mut stage = Stage::new();
    let mut room = stage.engine.unload(ROOM).unwrap();
    assert_eq!(stage.engine.unload(ROOM), None);
    stage.engine.load(room.clone());
    let (first, second) = (stage.post(), stage.post());
    let elsewhere = Record {
        room: RoomId::new(9),
        ..first.clone()
    };
    for wrong in [&second, &elsewhere] {
        assert_eq!(room.follow(wrong), None);
    }
    room.follow(&first).and_then(|()| room.follow(&second));
    assert_eq!(Some(&room), stage.engine.room(ROOM));
}

#[test]
fn a_fact_about_a_message_that_changed_since_is_asked_for_again() {
    let mut stage = Stage::new();
    let first = stage.post();
    for _ in 0..HEADS_HELD {
        stage.post();
    }
    let fact = MessageFact {
        message: first.seq,
        as_of: stage.head_seq(),
        head: Some(head_of(&first)),
    };
    stage.request.facts.message = Some(fact.clone());
    assert!(matches!(stage.wish(thumb(first.seq)), Ok(Decision::New(_))));

    stage.request.command = Delete { message: first.seq }.into();
    stage.accept();
    let need = Ok(Decision::Need(Need::Message(first.seq)));
    assert_eq!(
        stage.wish(thumb(first.seq)),
        need,
        "it was read before the deletion"
    );

    let deleted = Some(stage.head_seq());
    let head = Some(Head {
        deleted,
        ..head_of(&first)
    });
    let as_of = stage.head_seq();
    stage.request.facts.message = Some(MessageFact {
        as_of,
        head,
        ..fact
    });
    assert_eq!(stage.wish(thumb(first.seq)), Err(Rejection::MessageDeleted));
}

#[test]
fn a_fact_from_before_the_message_left_memory_is_asked_for_again() {
    let mut stage = Stage::new();
    let first = stage.post();
    let (message, as_of) = (first.seq, stage.head_seq());
    let head = Some(head_of(&first));
    stage.request.command = thumb(message).into();
    stage.accept();
    for _ in 0..HEADS_HELD {
        stage.post();
    }
    stage.request.facts.message = Some(MessageFact {
        message,
        as_of,
        head,
    });
    let need = Ok(Decision::Need(Need::Message(message)));
    assert_eq!(
        stage.wish(thumb(message)),
        need,
        "it was read before the reaction"
    );
}

#[test]
fn a_fact_older_than_all_that_memory_holds_is_asked_for_again() {
    let mut stage = Stage::new();
    let first = stage.post();
    for _ in 0..HEADS_HELD {
        stage.post();
    }
    let message = first.seq;
    let (as_of, head) = (stage.head_seq(), Some(head_of(&first)));
    for _ in 0..HEADS_HELD {
        stage.post();
    }
    stage.request.facts.message = Some(MessageFact {
        message,
        as_of,
        head: head.clone(),
    });
    assert!(
        matches!(stage.wish(thumb(message)), Ok(Decision::New(_))),
        "nothing happened to it"
    );
    stage.post();
    let need = Ok(Decision::Need(Need::Message(message)));
    assert_eq!(
        stage.wish(thumb(message)),
        need,
        "nobody remembers whether something did"
    );
    let as_of = stage.head_seq();
    stage.request.facts.message = Some(MessageFact {
        message,
        as_of,
        head,
    });
    assert!(matches!(stage.wish(thumb(message)), Ok(Decision::New(_))));
}

#[test]
fn a_message_that_the_store_does_not_have_is_none() {
    let mut stage = Stage::new();
    stage.post();
    let message = Seq::new(1);
    assert_eq!(
        stage.wish(thumb(message)),
        Ok(Decision::Need(Need::Message(message)))
    );
    let as_of = stage.head_seq();
    stage.request.facts.message = Some(MessageFact {
        message,
        as_of,
        head: None,
    });
    assert_eq!(stage.decide(), Err(Rejection::MessageNotFound));
    assert_eq!(
        stage.wish(thumb(as_of.next())),
        Err(Rejection::MessageNotFound)
    );
}

#[test]
fn the_newest_256_cids_are_remembered() {
    let mut stage = Stage::new();
    stage.request.cid = cid(0);
    let first = stage.post();
    for number in 1..CIDS_HELD {
        stage.request.cid = cid(number);
        stage.post();
    }
    stage.request.cid = cid(0);
    assert_eq!(
        stage.wish(hello()),
        Ok(Decision::Need(Need::Used(first.seq)))
    );
    stage.request.cid = cid(CIDS_HELD);
    stage.post();
    stage.request.cid = cid(0);
    let Ok(Decision::New(record)) = stage.wish(hello()) else {
        panic!("memory has forgotten")
    };
    assert_eq!(
        record.keys(),
        first.keys(),
        "the store has not, and refuses the second use"
    );
    let seq = first.seq;
    stage.request.facts.used = Some(Box::new(Used {
        seq,
        record: Some(first),
    }));
    assert_eq!(stage.decide(), Ok(Decision::Repeat { seq }));
    let room = stage.engine.room(ROOM).unwrap();
    assert_eq!(room.cids_held(), CIDS_HELD, "and not one more");
}

#[test]
fn memory_forgets_cids_after_a_day_and_not_before() {
    let mut stage = Stage::new();
    stage.request.cid = cid(0);
    let first = stage.post();
    let repeat = Ok(Decision::Need(Need::Used(first.seq)));
    stage.request.cid = cid(1);
    stage.request.at = Timestamp::new(START + CID_WINDOW_MS);
    stage.post();
    stage.request.cid = cid(0);
    assert_eq!(stage.wish(hello()), repeat);
    stage.request.cid = cid(2);
    stage.request.at = Timestamp::new(START + CID_WINDOW_MS + 1);
    stage.post();
    stage.request.cid = cid(0);
    assert!(
        matches!(stage.wish(hello()), Ok(Decision::New(_))),
        "the store knows it still"
    );
}

#[test]
fn a_repeat_of_what_was_trimmed_or_erased_gets_the_first_answer() {
    let mut stage = Stage::new();
    stage.request.cid = cid(0);
    let first = stage.post();
    let seq = first.seq;
    let other = Post::plain(Text::new("other").unwrap());
    let used = |record| Some(Box::new(Used { seq, record }));
    stage.request.facts.used = used(Some(first.clone()));
    assert_eq!(stage.wish(other.clone()), Err(Rejection::CidConflict));
    let mut erased = first;
    drop(erased.take_words());
    stage.request.facts.used = used(Some(erased));
    assert_eq!(stage.wish(other.clone()), Ok(Decision::Repeat { seq }));
    assert_eq!(
        stage.wish(Join::default()),
        Err(Rejection::CidConflict),
        "no post at all"
    );
    stage.request.facts.used = used(None);
    assert_eq!(stage.wish(other), Ok(Decision::Repeat { seq }));
}

#[test]
fn a_cid_belongs_to_its_user() {
    let mut stage = Stage::new();
    stage.request.cid = cid(0);
    stage.post();
    stage.request.actor.id = BOB;
    assert!(matches!(stage.wish(Join::default()), Ok(Decision::New(_))));
}

#[test]
fn a_proof_of_an_old_password_is_asked_for_again() {
    let mut stage = Stage::new();
    let secret = |text: &str| Some(SecretHash::new(text));
    let set = |text: &str| SetAccess {
        access: Some(Entry::Password {
            password: Password::new(text),
        }),
        ..SetAccess::default()
    };
    assert!(matches!(
        stage.wish(set("one")),
        Ok(Decision::Need(Need::Hash(_)))
    ));
    stage.request.facts.hash = secret("hash of one");
    let first = stage.accept();

    let join = Join {
        password: Some(Password::new("one")),
    };
    let mut bob = Stage {
        engine: stage.engine.clone(),
        request: stage.request.clone(),
    };
    bob.request.actor.id = BOB;
    let proof = Some(Proof {
        version: first.seq,
        fits: true,
    });
    bob.request.facts.proof = proof;
    assert!(matches!(bob.wish(join.clone()), Ok(Decision::New(_))));

    stage.request.facts.hash = secret("hash of two");
    assert!(matches!(stage.wish(set("two")), Ok(Decision::New(_))));
    let second = stage.accept();
    bob.engine = stage.engine.clone();
    let Ok(Decision::Need(Need::Proof { hash, version, .. })) = bob.wish(join.clone()) else {
        panic!("the proof was of another password")
    };
    assert_eq!(
        (hash, version),
        (SecretHash::new("hash of two"), second.seq)
    );
    bob.request.facts.proof = Some(Proof {
        version,
        fits: false,
    });
    assert_eq!(bob.wish(join), Err(Rejection::WrongPassword));
}

#[test]
fn a_change_of_what_else_access_means_leaves_the_password_as_it_is() {
    let mut stage = Stage::new();
    stage.request.facts.hash = Some(SecretHash::new("hash"));
    let password = Password::new("one");
    let access = Some(Entry::Password { password });
    stage.request.command = SetAccess {
        access,
        ..SetAccess::default()
    }
    .into();
    let set = stage.accept();
    stage.request.command = SetAccess {
        listed: Some(false),
        ..SetAccess::default()
    }
    .into();
    stage.accept();
    assert_eq!(stage.engine.room(ROOM).unwrap().access_version, set.seq);
}

#[test]
fn time_in_a_log_never_runs_backwards() {
    let mut stage = Stage::new();
    stage.request.at = Timestamp::new(START + 5_000);
    let first = stage.post();
    stage.request.at = Timestamp::new(START);
    let second = stage.post();
    assert_eq!(second.at, first.at);
    stage.request.at = Timestamp::new(START + 5_001);
    assert_eq!(stage.post().at, stage.request.at);
}

#[test]
fn an_edit_is_due_within_a_day_to_the_millisecond() {
    let mut stage = Stage::new();
    let message = stage.post().seq;
    let edit = Edit::plain(message, Text::new("better").unwrap());
    stage.request.at = Timestamp::new(START + 86_400_000);
    assert!(matches!(stage.wish(edit.clone()), Ok(Decision::New(_))));
    stage.request.at = Timestamp::new(START + 86_400_001);
    assert_eq!(stage.wish(edit), Err(Rejection::EditWindowClosed));
}

#[test]
fn a_record_out_of_turn_changes_nothing() {
    let mut stage = Stage::new();
    let record = stage.post();
    let before = stage.engine.clone();
    let (seq, room) = (record.seq.next().next(), RoomId::new(9));
    for (why, record) in [
        ("it was applied before", record.clone()),
        (
            "it leaves a hole",
            Record {
                seq,
                ..record.clone()
            },
        ),
        ("its room isn't loaded", Record { room, ..record }),
    ] {
        assert!(!stage.engine.evolve(&record), "{why}");
        assert_eq!(stage.engine, before, "{why}");
    }
}

#[test]
fn deciding_changes_nothing() {
    let mut stage = Stage::new();
    let before = stage.engine.clone();
    assert!(matches!(stage.wish(hello()), Ok(Decision::New(_))));
    assert_eq!(stage.engine, before);
}

#[test]
fn what_the_engine_does_not_know_it_asks_for_one_thing_at_a_time() {
    let mut stage = Stage::new();
    stage.request.actor.id = BOB;
    stage.request.facts = Facts::default();
    assert_eq!(
        stage.wish(Join::default()),
        Ok(Decision::Need(Need::Standing))
    );
    stage.request.room = RoomId::new(2);
    assert_eq!(
        stage.decide(),
        Ok(Decision::Need(Need::Room(RoomId::new(2))))
    );
    let open = OpenDirect { user: ALICE };
    assert_eq!(stage.wish(open), Ok(Decision::Need(Need::Blocked(ALICE))));
}

#[test]
fn guests_and_accounts_differ_by_number_alone() {
    let last_account = UserId::new((1 << 52) - 1);
    assert!(!last_account.is_guest());
    assert!(UserId::guest(0).is_guest());
    assert_eq!(UserId::guest(0).number(), last_account.number() + 1);
    assert!(UserId::guest(u64::MAX).number() <= chat_core::NUMBER_MAX);
}
