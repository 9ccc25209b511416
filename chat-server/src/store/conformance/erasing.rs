//! Erasing a person.

use crate::store::{Account, Append, Created, Erasure, Link, NewAccount};
use chat_core::commands::{CreateRoom, Delete, Edit, Kick, OpenDirect, SetNickname};
use chat_core::{Event, Record, Room, RoomId, Seq, Timestamp, UserId};
use std::sync::Arc;

use super::Any;
use super::stage::{ALICE, BOB, CAROL, NOW, Stage, all, name, room, tend, text};

/// Makes the accounts of Alice, Bob and Carol.
pub(super) async fn people(store: &Any) {
    for called in ["alice", "bob", "carol"] {
        assert!(matches!(sign_up(store, called).await, Created::Account(_)));
    }
}

async fn sign_up(store: &Any, called: &str) -> Created {
    let account = NewAccount::new(name(called), Timestamp::new(7))
        .with_email(format!("{called}@example.org"))
        .with_handle(name(&format!("{called}-h")))
        .with_password_hash(format!("hash of {called}"))
        .with_link(Link::new("rest", called));
    store.create_account(account).await.unwrap()
}

async fn log(store: &Any, den: RoomId) -> Vec<Arc<Record>> {
    store.records(den, Seq::default(), 9_999).await.unwrap()
}

fn has_words(record: &Record) -> bool {
    record.clone().take_words() != chat_core::Words::default()
}

/// What lists say of a room, without the words.
async fn state(store: &Any, den: RoomId) -> impl PartialEq + std::fmt::Debug {
    let mut messages = store.messages(&all(den)).await.unwrap();
    for message in &mut messages {
        message.content = None;
        message.by.name = None;
        message.deleted_at = None;
        message.reactions.clear();
    }
    let mut marks = Vec::new();
    for user in [ALICE, BOB, CAROL] {
        marks.push(store.marker(den, user).await.unwrap());
    }
    let card = store.card(den).await.unwrap();
    (messages, marks, card, store.load(den).await.unwrap())
}

pub(super) async fn an_erased_person_leaves_facts_and_no_words(store: Any) {
    people(&store).await;
    let mut stage = Stage::new(store.clone());
    let den = stage.den(1).await;
    for user in [BOB, CAROL] {
        stage.join(den, user).await;
    }
    let first = stage.post(den, BOB, "one of his").await;
    stage
        .act(den, BOB, Edit::plain(first, text("edited")))
        .await;
    stage.act(den, BOB, Edit::plain(first, text("twice"))).await;
    let gone = stage.post(den, BOB, "deleted before").await;
    stage.act(den, BOB, Delete { message: gone }).await;
    stage.post(den, ALICE, "bob said so").await;
    let (before, records) = (state(&store, den).await, log(&store, den).await);

    assert!(store.erase_user(BOB, NOW).await.unwrap());
    assert!(!store.erase_user(BOB, NOW).await.unwrap(), "once is enough");
    // Nobody reads them from then on, and after a while they are gone.
    for are_gone in [false, true] {
        if are_gone {
            tend(&store).await;
        }
        assert_eq!(state(&store, den).await, before);
        let after = log(&store, den).await;
        assert_eq!(after.len(), records.len());
        for (record, was) in after.iter().zip(&records) {
            assert_eq!(has_words(record), has_words(was) && was.by.id != BOB);
        }
        let replayed = Room::replayed(after.iter().map(AsRef::as_ref));
        assert_eq!(store.load(den).await.unwrap(), replayed);
        for message in store.messages(&all(den)).await.unwrap() {
            let his = message.by.id == BOB;
            assert_eq!(message.content.is_none(), his, "{message:?}");
            assert_eq!(message.deleted_at.is_some(), his, "{message:?}");
            assert_eq!(message.by.name.is_none(), his, "{message:?}");
        }
    }
}

pub(super) async fn what_an_erased_person_still_writes_is_kept_without_words(store: Any) {
    people(&store).await;
    let mut stage = Stage::new(store.clone());
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    stage.join(den, CAROL).await;
    store.erase_user(BOB, NOW).await.unwrap();
    tend(&store).await;
    // His session hasn't heard of it yet.
    stage.post(den, BOB, "late words").await;
    let nickname = Some(name("still here"));
    stage.act(den, BOB, SetNickname { nickname }).await;
    let next = stage
        .decide(
            den,
            ALICE,
            None,
            Kick {
                user: CAROL,
                reason: None,
            },
        )
        .await
        .unwrap();
    assert!(stage.engine.evolve(&next));
    let mut append = super::stage::wish(&[&Arc::new(next)]);
    append.snapshot = stage.engine.room(den).cloned().map(Box::new);
    assert!(store.append(vec![Append { ..append }]).await.is_ok());
    for record in log(&store, den).await {
        let posted = matches!(record.event, Event::Posted(_));
        assert!(record.seq < Seq::new(4) || record.by.id != BOB || !has_words(&record));
        assert!(!posted || record.by.id == BOB);
    }
    let state = store.load(den).await.unwrap().unwrap();
    assert_eq!(state.nickname(BOB), None);
    let messages = store.messages(&all(den)).await.unwrap();
    assert_eq!(messages[0].deleted_at, Some(NOW));
    let members = store.members(den, None, 9).await.unwrap();
    let bob = members.iter().find(|it| it.user.id == BOB).unwrap();
    assert_eq!(bob.user.name, None);
}

pub(super) async fn a_nickname_goes_with_its_bearer(store: Any) {
    people(&store).await;
    let mut stage = Stage::new(store.clone());
    let direct = room(5);
    stage.act(direct, ALICE, OpenDirect { user: BOB }).await;
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    let nickname = Some(name("bobby"));
    let named = stage
        .decide(den, BOB, None, SetNickname { nickname })
        .await
        .unwrap();
    assert!(stage.engine.evolve(&named));
    let mut append = super::stage::wish(&[&Arc::new(named)]);
    append.snapshot = stage.engine.room(den).cloned().map(Box::new);
    store.append(vec![append]).await.unwrap();
    stage.post(den, ALICE, "hi bobby").await;
    store.erase_user(BOB, NOW).await.unwrap();
    tend(&store).await;
    let state = store.load(den).await.unwrap().unwrap();
    assert_eq!(state.nickname(BOB), None);
    assert!(state.members.contains_key(&BOB), "he leaves by a record");
    let mine = store.rooms_of(ALICE).await.unwrap();
    let peer = mine.iter().find_map(|it| it.peer.as_ref()).unwrap();
    assert_eq!((peer.id, &peer.name), (BOB, &None));
}

pub(super) async fn whose_rooms_are_to_be_left_is_known(store: Any) {
    people(&store).await;
    let mut stage = Stage::new(store.clone());
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    let absent = CreateRoom {
        join: false,
        ..CreateRoom::named(name("his, and he isn't in it"))
    };
    stage.act(room(2), BOB, absent).await;
    stage.act(room(3), ALICE, OpenDirect { user: BOB }).await;
    assert_eq!(store.erasures(9).await.unwrap(), []);
    store.erase_user(BOB, NOW).await.unwrap();
    let part = |number, owns, is_member| Erasure {
        user: BOB,
        room: room(number),
        owns,
        is_member,
    };
    let parts = [part(1, false, true), part(2, true, false)];
    assert_eq!(store.erasures(9).await.unwrap(), parts);
    assert_eq!(store.erasures(1).await.unwrap(), parts[..1]);
}

pub(super) async fn an_erased_number_is_nobodys_again(store: Any) {
    people(&store).await;
    assert!(store.token_holds(CAROL, "g", 0).await.unwrap());
    store.set_block(ALICE, CAROL, true).await.unwrap();
    store.erase_user(CAROL, NOW).await.unwrap();
    assert!(!store.token_holds(CAROL, "g", 0).await.unwrap());
    assert!(!store.token_holds(CAROL, "g", 1).await.unwrap());
    assert_eq!(store.account(CAROL).await.unwrap(), None);
    for login in ["carol", "carol-h", "carol@example.org"] {
        assert_eq!(store.find_account(login).await.unwrap(), None, "{login}");
    }
    assert_eq!(store.linked("rest", "carol").await.unwrap(), None);
    let Created::Account(Account { user, .. }) = sign_up(&store, "carol").await else {
        panic!("her names are free");
    };
    assert_eq!(user, UserId::new(4));
    assert!(!store.is_blocked(ALICE, user).await.unwrap());
}
