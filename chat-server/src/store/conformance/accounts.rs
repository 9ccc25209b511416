//! Accounts, log-ins, links, blocks, and what is forgotten in time.

use std::sync::Arc;

use crate::store::{Account, Append, Appended, Created, Link, NewAccount};
use chat_core::commands::Post;
use chat_core::{Cid, Key, Timestamp, UserId};

use super::Any;
use super::stage::{ALICE, BOB, NOW, Stage, keep, name, text};

fn wanted(called: &str) -> NewAccount {
    NewAccount::new(name(called), Timestamp::new(7)).with_password_hash("hash")
}

async fn made(store: &Any, wish: NewAccount) -> Account {
    match store.create_account(wish).await.unwrap() {
        Created::Account(account) => account,
        refused => panic!("{refused:?}"),
    }
}

pub(super) async fn names_and_handles_are_unique_together(store: Any) {
    let alice = wanted("Alice")
        .with_email("Alice@Example.org")
        .with_handle(name("al"));
    let alice = made(&store, alice).await;
    let with_handle = |handle: &str, it: NewAccount| it.with_handle(name(handle));
    let with_email = |email: &str, it: NewAccount| it.with_email(email);
    for (wish, answer) in [
        (wanted("ALICE"), Created::NameTaken),
        (wanted("\u{430}lice"), Created::NameTaken),
        (wanted("AL"), Created::NameTaken),
        (with_handle("alice", wanted("bob")), Created::HandleTaken),
        (with_handle("Al", wanted("bob")), Created::HandleTaken),
        (
            with_email("alice@example.ORG", wanted("bob")),
            Created::EmailTaken,
        ),
    ] {
        assert_eq!(
            store.create_account(wish.clone()).await.unwrap(),
            answer,
            "{wish:?}"
        );
    }
    // What was refused has claimed nothing.
    let bob = made(&store, with_handle("bob", wanted("bob"))).await;
    assert!(bob.user > alice.user && !bob.user.is_guest());
    assert_eq!(bob.created_at, Timestamp::new(7));
}

pub(super) async fn an_account_is_found_by_any_of_its_names(store: Any) {
    let wish = wanted("Alice")
        .with_email("Alice@Example.org")
        .with_handle(name("al"));
    let alice = made(&store, wish).await;
    for login in [
        "alice",
        "ALICE",
        "al",
        "alice@example.org",
        " ALICE@EXAMPLE.ORG",
    ] {
        assert_eq!(
            store.find_account(login).await.unwrap().as_ref(),
            Some(&alice),
            "{login}"
        );
    }
    for login in ["", "alic", "example.org", "%", "\0", "alice@example.org.uk"] {
        assert_eq!(store.find_account(login).await.unwrap(), None, "{login}");
    }
    assert_eq!(store.account(alice.user).await.unwrap(), Some(alice));
    assert_eq!(store.account(UserId::HOUSE).await.unwrap(), None);
}

pub(super) async fn an_account_can_be_suspended_and_get_another_password(store: Any) {
    let alice = made(&store, wanted("alice")).await;
    made(&store, wanted("bob")).await;
    let (later, last) = (Timestamp::new(2_000), Timestamp::new(3_000));
    store
        .set_suspended(alice.user, true, Timestamp::new(1_000))
        .await
        .unwrap();
    store
        .set_password(alice.user, "other", later)
        .await
        .unwrap();
    let after = store.account(alice.user).await.unwrap().unwrap();
    assert_eq!(
        (after.suspended, after.password_hash.as_deref()),
        (true, Some("other"))
    );
    assert_eq!(after.updated_at, later);
    assert_eq!(after.token_epoch, 0);
    let changed = store.change_password(alice.user, "third", later).await;
    assert_eq!(changed.unwrap(), 1);
    let after = store.account(alice.user).await.unwrap().unwrap();
    assert_eq!(
        (after.token_epoch, after.password_hash.as_deref()),
        (1, Some("third"))
    );
    assert!(!store.token_holds(alice.user, "g", 0).await.unwrap());
    store.set_suspended(alice.user, false, last).await.unwrap();
    let after = store.account(alice.user).await.unwrap().unwrap();
    assert_eq!((after.suspended, after.updated_at), (false, last));
    let bob = store.find_account("bob").await.unwrap().unwrap();
    assert_eq!(
        (bob.suspended, bob.password_hash.as_deref()),
        (false, Some("hash"))
    );
}

pub(super) async fn raising_the_epoch_voids_earlier_tokens(store: Any) {
    let alice = made(&store, wanted("alice")).await.user;
    let guest = UserId::guest(1);
    for user in [alice, guest] {
        assert!(store.token_holds(user, "g", 0).await.unwrap());
        assert_eq!(store.raise_token_epoch(user).await.unwrap(), 1);
        assert_eq!(store.raise_token_epoch(user).await.unwrap(), 2);
        assert!(!store.token_holds(user, "g", 1).await.unwrap());
        assert!(store.token_holds(user, "g", 2).await.unwrap());
    }
    assert!(store.token_holds(UserId::guest(2), "g", 0).await.unwrap());
    assert_eq!(store.account(alice).await.unwrap().unwrap().token_epoch, 2);
}

pub(super) async fn a_revoked_log_in_is_void_until_it_is_forgotten(store: Any) {
    let alice = made(&store, wanted("alice")).await.user;
    let until = Timestamp::new(1_000);
    store.revoke_grant(alice, "g1", until).await.unwrap();
    store
        .revoke_grant(alice, "g1", Timestamp::new(5))
        .await
        .unwrap();
    store.prune(until).await.unwrap();
    assert!(!store.token_holds(alice, "g1", 0).await.unwrap());
    assert!(store.token_holds(alice, "g2", 0).await.unwrap());
    store.prune(until.plus_ms(1)).await.unwrap();
    assert!(store.token_holds(alice, "g1", 0).await.unwrap());
}

pub(super) async fn a_token_of_nobody_is_void(store: Any) {
    assert!(!store.token_holds(UserId::new(77), "g", 0).await.unwrap());
    assert!(!store.token_holds(UserId::HOUSE, "g", 0).await.unwrap());
}

pub(super) async fn many_log_ins_are_looked_after_at_once(store: Any) {
    let mut log_ins = Vec::new();
    for number in 0..1_000 {
        log_ins.push((UserId::guest(number), Arc::from("g"), 0));
    }
    let alice = made(&store, wanted("alice")).await.user;
    let erased = made(&store, wanted("bob")).await.user;
    let nobody = UserId::new(77);
    store
        .revoke_grant(alice, "ended", Timestamp::new(1_000))
        .await
        .unwrap();
    assert!(store.erase_user(erased, NOW).await.unwrap());
    let voided = UserId::guest(500);
    assert_eq!(store.raise_token_epoch(voided).await.unwrap(), 1);
    for (user, grant, epoch) in [
        (alice, "ended", 0),
        (alice, "another", 0),
        (nobody, "ended", 0),
        (erased, "g", 0),
        (voided, "g", 1),
        // Twice is told twice.
        (alice, "ended", 0),
    ] {
        log_ins.push((user, Arc::from(grant), epoch));
    }
    let ended = store.log_ins_ended(&log_ins).await.unwrap();
    assert_eq!(ended.len(), log_ins.len());
    let (of_guests, of_others) = ended.split_at(1_000);
    let ended_guests = of_guests.iter().enumerate().filter(|(_, ended)| **ended);
    assert_eq!(
        ended_guests.map(|(place, _)| place).collect::<Vec<_>>(),
        [500]
    );
    assert_eq!(of_others, [true, false, false, true, false, true]);
    assert!(store.log_ins_ended(&[]).await.unwrap().is_empty());
}

pub(super) async fn the_first_link_stays(store: Any) {
    let alice = made(&store, wanted("alice")).await;
    let bob = made(&store, wanted("bob")).await;
    assert_eq!(store.linked("https://id", "a1").await.unwrap(), None);
    store.link("https://id", "a1", alice.user).await.unwrap();
    store.link("https://id", "a1", bob.user).await.unwrap();
    store.link("https://id", "b1", bob.user).await.unwrap();
    assert_eq!(store.linked("https://id", "a1").await.unwrap(), Some(alice));
    assert_eq!(store.linked("https://id", "b1").await.unwrap(), Some(bob));
    assert_eq!(store.linked("https://other", "a1").await.unwrap(), None);
    store
        .link("https://id", "c1", UserId::new(99))
        .await
        .unwrap();
    assert_eq!(store.linked("https://id", "c1").await.unwrap(), None);
}

pub(super) async fn an_account_is_made_with_its_link(store: Any) {
    let there = |foreign: &str| Link {
        issuer: "there".into(),
        foreign: foreign.into(),
    };
    let linked = |called: &str, foreign: &str| wanted(called).with_link(there(foreign));
    let alice = made(&store, linked("alice", "7")).await;
    let found = store.linked("there", "7").await.unwrap();
    assert_eq!(found, Some(alice.clone()));
    // An account that isn't made leaves no link behind.
    let refused = store.create_account(linked("Alice", "8")).await.unwrap();
    assert_eq!(refused, Created::NameTaken);
    assert_eq!(store.linked("there", "8").await.unwrap(), None);
    // The first link stays.
    made(&store, linked("bob", "7")).await;
    assert_eq!(store.linked("there", "7").await.unwrap(), Some(alice));
}

pub(super) async fn a_hash_is_replaced_while_it_is_still_there(store: Any) {
    let alice = made(&store, wanted("alice")).await;
    let hash = async || {
        let account = store.account(alice.user).await.unwrap().unwrap();
        (account.password_hash.unwrap(), account.updated_at)
    };
    assert!(
        store
            .replace_hash(alice.user, "hash", "other")
            .await
            .unwrap()
    );
    assert_eq!(hash().await, ("other".into(), Timestamp::new(7)));
    // It was changed meanwhile: what was proven is the password of before.
    assert!(
        !store
            .replace_hash(alice.user, "hash", "late")
            .await
            .unwrap()
    );
    assert_eq!(hash().await.0, "other");
    let nobody = UserId::new(99);
    assert!(!store.replace_hash(nobody, "hash", "none").await.unwrap());
}

pub(super) async fn the_first_setting_stays(store: Any) {
    assert_eq!(store.setting("secret", "one").await.unwrap(), "one");
    assert_eq!(store.setting("secret", "two").await.unwrap(), "one");
    assert_eq!(store.setting("next_room", "x").await.unwrap(), "x");
    store.reserve_room().await.unwrap();
    store.check().await.unwrap();
}

pub(super) async fn blocks_have_a_direction(store: Any) {
    store.set_block(ALICE, BOB, true).await.unwrap();
    store.set_block(ALICE, BOB, true).await.unwrap();
    assert!(store.is_blocked(ALICE, BOB).await.unwrap());
    assert!(!store.is_blocked(BOB, ALICE).await.unwrap());
    store.set_block(ALICE, BOB, false).await.unwrap();
    assert!(!store.is_blocked(ALICE, BOB).await.unwrap());
}

pub(super) async fn old_cids_are_forgotten_and_the_newest_kept(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    let mut records = Vec::new();
    for number in 0..300 {
        let user = if number == 0 { BOB } else { ALICE };
        let cid = format!("c{number}");
        let post = Post::plain(text("hi"));
        let record = Arc::new(stage.decide(den, user, Some(&cid), post).await.unwrap());
        assert!(stage.engine.evolve(&record));
        records.push(record);
    }
    let last_at = stage.at;
    let after = chat_core::Seq::new(2);
    let append = Append {
        room: den,
        after,
        epoch: None,
        records: records.clone(),
        snapshot: None,
    };
    assert_eq!(store.append(vec![append]).await.unwrap(), [Appended::Done]);

    let key = |number| {
        let user = if number == 0 { BOB } else { ALICE };
        Key::Command(den, user, Cid::new(format!("c{number}")).unwrap())
    };
    let day = chat_core::limits::CID_WINDOW_MS;
    // The 44th oldest of Alice's is exactly a day old: it stays, though the rest may go.
    store.prune(records[43].at.plus_ms(day)).await.unwrap();
    assert_eq!(store.holder(&key(42)).await.unwrap(), None);
    assert!(store.holder(&key(43)).await.unwrap().is_some());
    store.prune(last_at.plus_ms(day + 1)).await.unwrap();
    for number in [0, 44, 299] {
        assert!(
            store.holder(&key(number)).await.unwrap().is_some(),
            "{number}"
        );
    }
    assert_eq!(store.holder(&key(43)).await.unwrap(), None);
    let again = stage
        .decide(den, ALICE, Some("c42"), Post::plain(text("again")))
        .await;
    assert_eq!(
        keep(&store, &[&Arc::new(again.unwrap())]).await,
        Appended::Done
    );
}
