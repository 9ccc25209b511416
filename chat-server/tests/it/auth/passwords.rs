//! What becomes of a password: how it is hashed, how much of it counts, what a wrong one costs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::{Password, UserId};
use chat_server::auth::AuthError;
use chat_server::auth::hashing::{HashError, Hasher, HashingCost};
use chat_server::auth::limiter::Whence;
use chat_server::store::Store;

use super::{House, from, wish};

#[tokio::test]
async fn a_stored_password_is_an_argon2id_hash_at_the_promised_cost() {
    let hasher = Hasher::start(1, 1, HashingCost::default()).unwrap();
    let password = Password::new("sesame");
    let hash = hasher.hash(&password).await.unwrap();
    let mut parts = hash.split('$').skip(1);
    assert_eq!(parts.next(), Some("argon2id"), "{hash}");
    assert_eq!(parts.next(), Some("v=19"));
    let costs: Vec<_> = parts.next().unwrap().split(',').collect();
    let cost = |name: &str| {
        let found = costs.iter().find_map(|cost| cost.strip_prefix(name));
        found.unwrap().parse::<u32>().unwrap()
    };
    assert!(
        cost("m=") >= 19 * 1_024 && cost("t=") >= 2 && cost("p=") >= 1,
        "{hash}"
    );
    // 16 random bytes of salt and 32 of hash, in base 64.
    assert_eq!(parts.next().unwrap().len(), 22);
    assert_eq!(parts.next().unwrap().len(), 43);
    let again = hasher.hash(&password).await.unwrap();
    assert_ne!(hash, again, "two hashes have the same salt");
}

#[tokio::test]
async fn every_byte_of_a_password_counts_and_too_many_are_refused_unhashed() {
    let house = House::open().await;
    for bytes in [1, 8, 71, 72, 73, 1_023, 1_024] {
        let name = format!("user{bytes}");
        let mut word = "x".repeat(bytes);
        let mut wish = wish(&name);
        wish.password = Password::new(word.clone());
        house.accounts.sign_up(&wish, 1).await.unwrap();
        house.log_in(&name, &word).await.unwrap();
        word.replace_range(bytes - 1.., "y");
        let other = house.log_in(&name, &word).await.unwrap_err();
        assert_eq!(other, AuthError::BadCredentials, "{bytes} bytes");
    }
    let done = house.hasher.done();
    for bytes in [0, 1_025, 60_000] {
        let word = Password::new("x".repeat(bytes));
        let mut wish = wish("another");
        wish.password = word.clone();
        house.accounts.sign_up(&wish, 1).await.unwrap_err();
        let known = house.log_in("user8", "xxxxxxxx").await.unwrap();
        let who = house.who(known.access.expose()).await.unwrap();
        let hashed = house.hasher.done();
        for login in ["user8", "nobody"] {
            let whence = from(7);
            house
                .accounts
                .log_in(login, &word, whence)
                .await
                .unwrap_err();
        }
        let (old, new) = (Password::new("xxxxxxxx"), Password::new("long enough"));
        for (old, new) in [(&word, &new), (&old, &word)] {
            let changed = house.accounts.change_password(&who, old, new, 8, from(7));
            changed.await.unwrap_err();
        }
        house
            .accounts
            .set_password("user8", &word)
            .await
            .unwrap_err();
        assert_eq!(house.hasher.done(), hashed, "{bytes} bytes were hashed");
    }
    // The log-ins that were right, and nothing else.
    assert_eq!(house.hasher.done(), done + 3);
}

#[tokio::test]
async fn whatever_is_wrong_with_a_log_in_costs_one_hash_and_says_the_same() {
    let house = House::open().await;
    let mut whole = wish("ann");
    whole.email = Some("ann@mail.example".to_owned());
    whole.handle = Some("ann1".to_owned());
    house.accounts.sign_up(&whole, 8).await.unwrap();
    let sue = house.sign_up("sue").await.identity.user;
    house.accounts.suspend(sue).await.unwrap();
    // Somebody who has his account elsewhere has no password here.
    let token = super::elsewhere_token("tim");
    house.who(&token).await.unwrap();
    let long = "x".repeat(5_000);
    let logins = [
        "ann",
        "ANN",
        "ann@mail.example",
        "ann1",
        "sue",
        "tim",
        "nobody",
        "no@where",
        "",
        "'",
        long.as_str(),
    ];
    for (number, login) in (50..).zip(logins) {
        let done = house.hasher.done();
        let guess = Password::new("a guess");
        let refused = house.accounts.log_in(login, &guess, from(number)).await;
        assert_eq!(
            refused.unwrap_err(),
            AuthError::BadCredentials,
            "{login:.20}"
        );
        assert_eq!(house.hasher.done(), done + 1, "{login:.20}");
    }
    // A suspension is told to whoever knows the password, and to nobody else.
    let known = house.log_in("sue", "sesame of sue").await.unwrap_err();
    assert_eq!(known, AuthError::Suspended);
}

#[tokio::test]
async fn a_flood_of_passwords_takes_no_more_memory_than_the_pool_has() {
    let cost = HashingCost {
        memory_kib: 1_024,
        passes: 1,
    };
    let (threads, queue) = (2, 4);
    let hasher = Arc::new(Hasher::start(threads, queue, cost).unwrap());
    let flood = (0..200).map(|number| {
        let hasher = hasher.clone();
        tokio::spawn(async move {
            let password = Password::new(format!("flood {number}"));
            hasher.hash(&password).await
        })
    });
    let flood: Vec<_> = flood.collect();
    let (mut made, mut busy) = (0, 0);
    for outcome in flood {
        match outcome.await.unwrap() {
            Ok(_) => made += 1,
            Err(HashError::Busy) => busy += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(made + busy, 200);
    assert!(busy > 0 && made >= threads, "{made} made, {busy} refused");
    assert_eq!(hasher.done(), made as u64);
}

/// Log-ins whose times are compared.
const ROUNDS: usize = 60;

/// Prints how long refusals take; for a quiet machine:
/// `cargo test -p chat-server --test it auth::passwords::times -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "it measures time, which says something on a quiet machine alone"]
async fn times_of_an_unknown_user_and_a_wrong_password_are_alike() {
    let house = House::at(HashingCost::default()).await;
    house.sign_up("ann").await;
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for (login, times) in ["ann", "nobody"].into_iter().zip(&mut times) {
            let whence: Whence<'static> = from(1_000 + u32::try_from(round).unwrap());
            let began = Instant::now();
            let guess = Password::new("a guess");
            drop(house.accounts.log_in(login, &guess, whence).await);
            times.push(began.elapsed());
        }
        // So that the account's budget is full again.
        house.pass(3_600);
    }
    let [known, unknown] = times.map(|mut times: Vec<Duration>| {
        times.sort_unstable();
        (times[ROUNDS / 4], times[ROUNDS / 2], times[3 * ROUNDS / 4])
    });
    println!("quartiles: wrong password {known:?}, unknown user {unknown:?}");
    let apart = known.1.abs_diff(unknown.1);
    assert!(apart < known.1 / 10, "the medians are {apart:?} apart");
}

#[tokio::test]
async fn a_guests_number_has_no_password() {
    let house = House::open().await;
    let (guest, _) = house.accounts.guest("gus").await.unwrap();
    assert!(house.store.account(guest.user).await.unwrap().is_none());
    let (old, new) = (Password::new("x"), Password::new("long enough"));
    let change = house
        .accounts
        .change_password(&guest, &old, &new, 8, from(1));
    assert_eq!(change.await.unwrap_err(), AuthError::AccountNeeded);
    assert!(house.accounts.suspend(UserId::guest(7)).await.is_err());
}
