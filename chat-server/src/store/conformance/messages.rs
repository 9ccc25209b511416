//! Messages as they read today.

use std::sync::Arc;

use crate::store::{MessageQuery, Place};
use chat_core::commands::{Delete, Edit, Post, React, Unreact};
use chat_core::{Content, Reaction, RoomId, Seq, UserId};
use chat_protocol::answer::{Message, Tally};

use super::Any;
use super::stage::{ALICE, BOB, CAROL, Stage, all, text};

/// A room in which the records 3 to 12 are the messages 1 to 10.
async fn ten_lines(stage: &mut Stage) -> RoomId {
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    for number in 1..=10 {
        stage.post(den, BOB, &format!("line {number}")).await;
    }
    den
}

async fn seqs(store: &Any, query: MessageQuery) -> Vec<u64> {
    let messages = store.messages(&query).await.unwrap();
    messages
        .iter()
        .map(|message| message.seq.number())
        .collect()
}

pub(super) async fn a_page_ends_where_it_was_asked_to(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = ten_lines(&mut stage).await;
    let at = |place, limit| {
        let mut query = all(den);
        (query.place, query.limit) = (place, limit);
        query
    };
    for (place, limit, expected) in [
        (Place::Newest, 3, vec![10, 11, 12]),
        (Place::Before(Seq::new(6)), 2, vec![4, 5]),
        (Place::Before(Seq::new(4)), 9, vec![3]),
        (Place::Before(Seq::new(1)), 9, vec![]),
        (Place::After(Seq::new(6)), 2, vec![7, 8]),
        (Place::After(Seq::new(0)), 2, vec![3, 4]),
        (Place::After(Seq::new(12)), 2, vec![]),
        (Place::Around(Seq::new(7)), 4, vec![5, 6, 7, 8]),
        (Place::Around(Seq::new(7)), 5, vec![5, 6, 7, 8, 9]),
        (Place::Newest, 0, vec![]),
    ] {
        assert_eq!(
            seqs(&store, at(place, limit)).await,
            expected,
            "{place:?}, {limit}"
        );
    }
    let [message] = &store
        .messages(&at(Place::After(Seq::new(2)), 1))
        .await
        .unwrap()[..]
    else {
        panic!("one message");
    };
    assert_eq!((message.idx.number(), message.by.id), (1, BOB));
    assert_eq!(message.by.name.as_ref().unwrap().as_str(), "bob");
    assert_eq!(message.content, Some(Content::plain(text("line 1"))));
}

pub(super) async fn nothing_outside_the_bounds_is_shown(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = ten_lines(&mut stage).await;
    let (from, to) = (Seq::new(5), Seq::new(8));
    for place in [
        Place::Newest,
        Place::Before(Seq::new(11)),
        Place::After(Seq::new(1)),
        Place::Around(Seq::new(7)),
        Place::Around(Seq::new(2)),
    ] {
        let mut query = all(den);
        (query.place, query.from, query.to) = (place, from, to);
        assert_eq!(seqs(&store, query).await, [5, 6, 7, 8], "{place:?}");
    }
    let mut nothing = all(den);
    (nothing.from, nothing.to) = (to, from);
    assert!(seqs(&store, nothing).await.is_empty());
}

pub(super) async fn a_thread_is_its_first_message_and_the_answers(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = ten_lines(&mut stage).await;
    let root = Seq::new(5);
    for _ in 0..3 {
        stage.post(den, BOB, "aside").await;
        let answer = Post {
            thread: Some(root),
            ..Post::plain(text("answer"))
        };
        stage.act(den, ALICE, answer).await;
    }
    let thread = |place, limit| {
        let mut query = all(den);
        (query.thread, query.place, query.limit) = (Some(root), place, limit);
        query
    };
    assert_eq!(
        seqs(&store, thread(Place::Newest, 9)).await,
        [5, 14, 16, 18]
    );
    assert_eq!(seqs(&store, thread(Place::Newest, 2)).await, [16, 18]);
    assert_eq!(seqs(&store, thread(Place::After(root), 2)).await, [14, 16]);
    assert_eq!(
        seqs(&store, thread(Place::Before(Seq::new(16)), 9)).await,
        [5, 14]
    );
    let mut late = thread(Place::Newest, 9);
    late.from = Seq::new(6);
    assert_eq!(seqs(&store, late).await, [14, 16, 18]);
}

async fn message(store: &Any, room: RoomId, seq: Seq) -> Message {
    let mut query = all(room);
    (query.from, query.to) = (seq, seq);
    store.messages(&query).await.unwrap().remove(0)
}

pub(super) async fn an_edit_replaces_what_was_said(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = ten_lines(&mut stage).await;
    let seq = Seq::new(4);
    stage.act(den, BOB, Edit::plain(seq, text("first"))).await;
    let edit = Edit {
        mentions: vec![CAROL],
        ..Edit::plain(seq, text("second"))
    };
    let edited = stage.act(den, BOB, edit).await;
    let message = message(&store, den, seq).await;
    assert_eq!(message.content, Some(Content::plain(text("second"))));
    assert_eq!(message.edited_at, Some(edited.at));
    assert!(message.mentions.contains(&CAROL));
    assert!(message.at < edited.at);
}

pub(super) async fn a_deleted_message_keeps_its_place_and_loses_its_words(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = ten_lines(&mut stage).await;
    let seq = Seq::new(4);
    stage.act(den, BOB, Edit::plain(seq, text("first"))).await;
    stage.act(den, BOB, Edit::plain(seq, text("second"))).await;
    react(&mut stage, den, CAROL, seq, "x").await;
    let deleted = stage.act(den, ALICE, Delete { message: seq }).await;
    let message = message(&store, den, seq).await;
    assert_eq!(message.content, None);
    assert_eq!(message.deleted_at, Some(deleted.at));
    assert_eq!(message.by.name.unwrap().as_str(), "bob");
    assert!(message.reactions.is_empty());
    for record in store.records(den, Seq::default(), 99).await.unwrap() {
        let mut record = chat_core::Record::clone(&record);
        let is_of_it = match &record.event {
            chat_core::Event::Posted(_) => record.seq == seq,
            chat_core::Event::Edited(it) => it.message == seq,
            _ => false,
        };
        let content = record.take_words().content;
        assert!(!is_of_it || content.is_none(), "{content:?}");
    }
    assert_eq!(
        store.load(den).await.unwrap().as_ref(),
        stage.engine.room(den)
    );
}

async fn react(stage: &mut Stage, den: RoomId, user: UserId, message: Seq, reaction: &str) {
    if !stage.engine.room(den).unwrap().members.contains_key(&user) {
        stage.join(den, user).await;
    }
    let reaction = Reaction::new(reaction).unwrap();
    stage.act(den, user, React { message, reaction }).await;
}

pub(super) async fn reactions_are_counted_in_the_order_they_came(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = ten_lines(&mut stage).await;
    let seq = Seq::new(4);
    react(&mut stage, den, BOB, seq, "z").await;
    react(&mut stage, den, CAROL, seq, "a").await;
    react(&mut stage, den, ALICE, seq, "z").await;
    react(&mut stage, den, ALICE, seq, "gone").await;
    let gone = Reaction::new("gone").unwrap();
    stage
        .act(
            den,
            ALICE,
            Unreact {
                message: seq,
                reaction: gone,
            },
        )
        .await;
    let tally = |reaction: &str, count, mine| Tally {
        reaction: Reaction::new(reaction).unwrap(),
        count,
        mine,
    };
    let message = message(&store, den, seq).await;
    assert_eq!(
        message.reactions,
        [tally("z", 2, true), tally("a", 1, false)]
    );
}

pub(super) async fn heads_say_what_decisions_need(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = ten_lines(&mut stage).await;
    react(&mut stage, den, CAROL, Seq::new(4), "x").await;
    let answer = Post {
        thread: Some(Seq::new(4)),
        ..Post::plain(text("answer"))
    };
    let answer = stage.act(den, BOB, answer).await.seq;
    stage
        .act(
            den,
            BOB,
            Delete {
                message: Seq::new(6),
            },
        )
        .await;
    let room = stage.engine.room(den).unwrap().clone();
    for seq in [Seq::new(4), Seq::new(5), Seq::new(6), answer] {
        let (as_of, head) = store.head(den, seq).await.unwrap();
        assert_eq!(
            (as_of, head.as_ref()),
            (room.head_seq, room.head(seq)),
            "{seq}"
        );
        assert!(head.is_some());
    }
    for seq in [1, 2, 99] {
        assert_eq!(
            store.head(den, Seq::new(seq)).await.unwrap(),
            (room.head_seq, None)
        );
    }
    let nowhere = store.head(RoomId::new(9), Seq::new(1)).await.unwrap();
    assert_eq!(nowhere, (Seq::default(), None));
}
