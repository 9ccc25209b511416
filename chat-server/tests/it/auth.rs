//! Who somebody is: stories of accounts, guests and tokens.
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{Password, Timestamp};
use chat_server::auth::hashing::{Hasher, HashingCost};
use chat_server::auth::limiter::{AttemptRules, Limiter, Whence};
use chat_server::auth::{
    Accounts, AccountsConfig, AuthError, Authenticator, Identity, Secret, SignUp, SignedIn,
    TokenFault,
};
use chat_server::clock::ManualClock;
use chat_server::limits::ServerLimits;
use chat_server::store::memory::Memory;

mod brought;
mod elsewhere;
mod guessing;
mod hostile;
mod http;
mod passwords;
mod secrets;
mod tokens;

/// The secret that tests sign with.
const SECRET: &[u8] = b"a secret of tests";

/// A day in 2026, on the second.
const DAY: Timestamp = Timestamp::new(1_790_000_000_000);

struct House {
    clock: Arc<ManualClock>,
    store: Arc<Memory>,
    hasher: Arc<Hasher>,
    accounts: Arc<Accounts>,
}

impl House {
    async fn open() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut AccountsConfig)) -> Self {
        let cheap = HashingCost {
            memory_kib: 8,
            passes: 1,
        };
        Self::built(cheap, change).await
    }

    /// One that spends this on each hash.
    async fn at(cost: HashingCost) -> Self {
        Self::built(cost, |_| ()).await
    }

    async fn built(cost: HashingCost, change: impl FnOnce(&mut AccountsConfig)) -> Self {
        let clock = Arc::new(ManualClock::new(DAY));
        let store = Arc::new(Memory::new().unwrap());
        let hasher = Arc::new(Hasher::start(1, 64, cost).unwrap());
        let limits = ServerLimits::default();
        let limiter = Limiter::new(clock.clone(), AttemptRules::from(&limits));
        let mut config = AccountsConfig::from(&limits);
        config.secret = Secret::new(SECRET);
        change(&mut config);
        let accounts = Accounts::open(
            store.clone(),
            clock.clone(),
            hasher.clone(),
            limiter,
            config,
        );
        let accounts = Arc::new(accounts.await.unwrap());
        Self {
            clock,
            store,
            hasher,
            accounts,
        }
    }

    async fn sign_up(&self, name: &str) -> SignedIn {
        self.accounts.sign_up(&wish(name), 8).await.unwrap()
    }

    async fn log_in(&self, login: &str, word: &str) -> Result<SignedIn, AuthError> {
        let password = Password::new(word);
        self.accounts.log_in(login, &password, from(1)).await
    }

    async fn who(&self, token: &str) -> Result<Identity, AuthError> {
        self.accounts.authenticate(token).await?.holder()
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// A token of somebody who has his account elsewhere.
fn elsewhere_token(name: &str) -> String {
    let iat = DAY.number() / 1_000;
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET);
    let claims = serde_json::json!({"username": name, "iat": iat});
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
}

fn wish(name: &str) -> SignUp {
    SignUp {
        name: name.to_owned(),
        email: None,
        handle: None,
        password: password_of(name),
    }
}

fn password_of(name: &str) -> Password {
    Password::new(format!("sesame of {name}"))
}

fn from(number: u32) -> Whence<'static> {
    Whence::of(IpAddr::from((0x0a00_0000 + number).to_be_bytes()))
}

#[tokio::test]
async fn where_accounts_are_made_by_hand_nobody_signs_up() {
    let house = House::with(|config| config.sign_ups = false).await;
    let refused = house.accounts.sign_up_from(&wish("ann"), 8, from(1)).await;
    assert_eq!(refused, Err(AuthError::SignUpsClosed));
    let refused = house
        .accounts
        .log_in_or_sign_up("ann", &password_of("ann"), from(1))
        .await;
    assert_eq!(refused, Err(AuthError::SignUpsClosed));
    let ann = house.sign_up("ann").await;
    assert_eq!(house.who(ann.access.expose()).await.unwrap(), ann.identity);
}

#[tokio::test]
async fn an_account_is_reached_by_name_address_and_handle() {
    let house = House::open().await;
    let signed_up = house
        .accounts
        .sign_up(
            &SignUp {
                email: Some("ann@example.org".to_owned()),
                handle: Some("a1".to_owned()),
                ..wish("ann")
            },
            8,
        )
        .await
        .unwrap();
    for login in ["ann", "ANN", "Ann@Example.org", "a1"] {
        let signed_in = house.log_in(login, "sesame of ann").await.unwrap();
        assert_eq!(signed_in.identity.user, signed_up.identity.user);
        let identity = house.who(signed_in.access.expose()).await.unwrap();
        assert_eq!(identity, signed_in.identity);
        assert_eq!(identity.actor().name.as_str(), "ann");
    }
}

#[tokio::test]
async fn look_alikes_of_a_name_or_handle_cannot_sign_up() {
    let house = House::open().await;
    let ann = SignUp {
        handle: Some("boss".to_owned()),
        email: Some("ann@example.org".to_owned()),
        ..wish("paypal")
    };
    house.accounts.sign_up(&ann, 8).await.unwrap();
    for name in ["PayPal", "p\u{430}yp\u{430}l", "boss", "b\u{43e}ss"] {
        let refused = house.accounts.sign_up(&wish(name), 8).await;
        assert_eq!(refused.unwrap_err(), AuthError::NameTaken, "{name}");
    }
    let handle = SignUp {
        handle: Some("Paypal".to_owned()),
        ..wish("carl")
    };
    let refused = house.accounts.sign_up(&handle, 8).await;
    assert_eq!(refused.unwrap_err(), AuthError::HandleTaken);
    let email = SignUp {
        email: Some("ANN@example.org".to_owned()),
        ..wish("carl")
    };
    let refused = house.accounts.sign_up(&email, 8).await;
    assert_eq!(refused.unwrap_err(), AuthError::EmailTaken);
}

#[tokio::test]
async fn names_and_passwords_that_cannot_be_used_are_refused_by_field() {
    let house = House::open().await;
    for (name, word, field) in [
        ("a@b", "long enough", "name"),
        ("", "long enough", "name"),
        ("ann", "short", "password"),
    ] {
        let wish = SignUp {
            password: Password::new(word),
            ..wish(name)
        };
        let refused = house.accounts.sign_up(&wish, 8).await.unwrap_err();
        assert_eq!(refused.field(), Some(field));
    }
    let longest = SignUp {
        password: Password::new("x".repeat(1_025)),
        ..wish("ann")
    };
    let refused = house.accounts.sign_up(&longest, 8).await;
    let too_long = AuthError::PasswordTooLong { bytes_max: 1_024 };
    assert_eq!(refused.unwrap_err(), too_long);
    assert_eq!(house.hasher.done(), 0);
}

#[tokio::test]
async fn an_unknown_user_costs_the_same_work_and_hears_the_same_words() {
    let house = House::open().await;
    house.sign_up("ann").await;
    let mut work = Vec::new();
    for login in ["ann", "nobody"] {
        let before = house.hasher.done();
        let refused = house.log_in(login, "guess").await;
        assert_eq!(refused.unwrap_err(), AuthError::BadCredentials);
        work.push(house.hasher.done() - before);
    }
    assert_eq!(work, [1, 1]);
}

#[tokio::test]
async fn a_log_out_ends_one_log_in_and_leaves_the_others() {
    let house = House::open().await;
    let phone = house.sign_up("ann").await;
    let laptop = house.log_in("ann", "sesame of ann").await.unwrap();
    let accounts = &house.accounts;
    let revocation = accounts.log_out(&phone.identity, false).await.unwrap();
    assert!(phone.identity.falls_under(&revocation));
    assert!(!laptop.identity.falls_under(&revocation));
    let revoked = AuthError::TokenInvalid(TokenFault::Revoked);
    let refused = house.who(phone.access.expose()).await;
    assert_eq!(refused.unwrap_err(), revoked);
    let refused = accounts.refresh(phone.refresh.expose()).await;
    assert_eq!(refused.unwrap_err(), revoked);
    house.who(laptop.access.expose()).await.unwrap();
}

#[tokio::test]
async fn a_log_out_everywhere_ends_them_all() {
    let house = House::open().await;
    let phone = house.sign_up("ann").await;
    let laptop = house.log_in("ann", "sesame of ann").await.unwrap();
    let accounts = &house.accounts;
    let revocation = accounts.log_out(&phone.identity, true).await.unwrap();
    assert!(laptop.identity.falls_under(&revocation));
    assert!(house.who(laptop.access.expose()).await.is_err());
    house.log_in("ann", "sesame of ann").await.unwrap();
}

#[tokio::test]
async fn a_log_in_is_refreshed_until_its_end() {
    let house = House::open().await;
    let signed_in = house.sign_up("ann").await;
    let mut refresh = signed_in.refresh.clone();
    for _ in 0..29 {
        house.pass(24 * 3_600);
        let refused = house.who(signed_in.access.expose()).await;
        assert_eq!(refused.unwrap_err(), AuthError::TokenExpired);
        let fresh = house.accounts.refresh(refresh.expose()).await.unwrap();
        assert_eq!(fresh.identity.grant, signed_in.identity.grant);
        house.who(fresh.access.expose()).await.unwrap();
        refresh = fresh.refresh;
    }
    house.pass(24 * 3_600);
    let refused = house.accounts.refresh(refresh.expose()).await;
    assert_eq!(refused.unwrap_err(), AuthError::TokenExpired);
}

#[tokio::test]
async fn a_change_of_password_ends_what_came_before_and_begins_anew() {
    let house = House::open().await;
    let thief = house.sign_up("ann").await;
    let me = house.log_in("ann", "sesame of ann").await.unwrap();
    let (old, new) = (password_of("ann"), Password::new("another sesame"));
    let accounts = &house.accounts;
    let wrong = accounts.change_password(&me.identity, &new, &new, 8, from(1));
    assert_eq!(wrong.await.unwrap_err(), AuthError::BadCredentials);
    house.who(thief.access.expose()).await.unwrap();

    let changed = accounts.change_password(&me.identity, &old, &new, 8, from(1));
    let changed = changed.await.unwrap();
    assert!(thief.identity.falls_under(&changed.revocation));
    assert!(house.who(thief.access.expose()).await.is_err());
    assert!(accounts.refresh(thief.refresh.expose()).await.is_err());
    house.who(changed.signed_in.access.expose()).await.unwrap();
    assert!(house.log_in("ann", "sesame of ann").await.is_err());
    house.log_in("ann", "another sesame").await.unwrap();
}

#[tokio::test]
async fn a_suspended_account_is_out_until_it_may_act_again() {
    let house = House::open().await;
    let ann = house.sign_up("ann").await;
    let accounts = &house.accounts;
    let revocation = accounts.suspend(ann.identity.user).await.unwrap();
    assert!(ann.identity.falls_under(&revocation));
    let refused = house.who(ann.access.expose()).await;
    assert_eq!(refused.unwrap_err(), AuthError::Suspended);
    let refused = house.log_in("ann", "sesame of ann").await;
    assert_eq!(refused.unwrap_err(), AuthError::Suspended);
    // Who doesn't know the password doesn't learn of it.
    let refused = house.log_in("ann", "guess").await;
    assert_eq!(refused.unwrap_err(), AuthError::BadCredentials);

    accounts.reinstate(ann.identity.user).await.unwrap();
    assert!(house.who(ann.access.expose()).await.is_err());
    house.log_in("ann", "sesame of ann").await.unwrap();
}

#[tokio::test]
async fn guests_take_free_names_and_come_back_as_themselves() {
    let house = House::open().await;
    house.sign_up("ann").await;
    let refused = house.accounts.guest("\u{410}NN").await;
    assert_eq!(refused.unwrap_err(), AuthError::NameTaken);
    let (guest, token) = house.accounts.guest("zoe").await.unwrap();
    assert!(guest.user.is_guest());
    assert_eq!(house.who(token.expose()).await.unwrap(), guest);
    // Two guests may have one name, and are two.
    let (other, _) = house.accounts.guest("zoe").await.unwrap();
    assert_ne!(guest.user, other.user);

    house.accounts.log_out(&guest, false).await.unwrap();
    assert!(house.who(token.expose()).await.is_err());
    let (_, token) = house.accounts.guest("zoe").await.unwrap();
    house.sign_up("Zoe").await;
    let refused = house.who(token.expose()).await;
    assert_eq!(refused.unwrap_err(), AuthError::NameTaken);
}

#[tokio::test]
async fn where_guests_are_not_admitted_none_is() {
    let open = House::open().await;
    let (_, token) = open.accounts.guest("zoe").await.unwrap();
    let closed = House::with(|config| config.guests = false).await;
    let refused = closed.accounts.guest("zoe").await;
    assert_eq!(refused.unwrap_err(), AuthError::GuestsRefused);
    let refused = closed.who(token.expose()).await;
    assert_eq!(refused.unwrap_err(), AuthError::GuestsRefused);
}

#[tokio::test]
async fn a_log_in_that_signs_up_makes_one_account() {
    let house = House::open().await;
    let accounts = &house.accounts;
    let word = Password::new("p");
    let first = accounts.log_in_or_sign_up("ann", &word, from(1));
    let second = accounts.log_in_or_sign_up("ann", &word, from(1));
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.unwrap().identity.user, second.unwrap().identity.user);
    let wrong = Password::new("q");
    let refused = accounts.log_in_or_sign_up("ann", &wrong, from(1)).await;
    assert_eq!(refused.unwrap_err(), AuthError::BadCredentials);
}

#[tokio::test]
async fn who_made_an_account_here_counts_as_logged_in_from_here() {
    let house = House::open().await;
    let accounts = &house.accounts;
    let word = Password::new("p");
    let made = accounts.log_in_or_sign_up("john", &word, from(1));
    made.await.unwrap();
    let address = from(1).address;
    assert!(
        accounts
            .here_from("john", Whence::of(address))
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn an_address_is_trusted_for_the_life_of_a_token() {
    let house = House::open().await;
    house.sign_up("ann").await;
    let (home, cafe) = (from(1).address, from(2).address);
    house.log_in("ann", "sesame of ann").await.unwrap();
    assert!(
        house
            .accounts
            .here_from("ann", Whence::of(home))
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        house
            .accounts
            .here_from("ann", Whence::of(cafe))
            .await
            .unwrap()
            .is_none()
    );
    house.pass(24 * 3_600 - 1);
    assert!(
        house
            .accounts
            .here_from("ann", Whence::of(home))
            .await
            .unwrap()
            .is_some()
    );
    house.pass(1);
    assert!(
        house
            .accounts
            .here_from("ann", Whence::of(home))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_drawn_secret_stays_the_same_for_a_store() {
    let house = House::with(|config| config.secret = None).await;
    let ann = house.sign_up("ann").await;
    let limits = ServerLimits::default();
    let limiter = Limiter::new(house.clock.clone(), AttemptRules::from(&limits));
    let again = Accounts::open(
        house.store.clone(),
        house.clock.clone(),
        house.hasher.clone(),
        limiter,
        AccountsConfig::from(&limits),
    );
    let again = again.await.unwrap();
    again.authenticate(ann.access.expose()).await.unwrap();
    let elsewhere = House::with(|config| config.secret = None).await;
    assert_eq!(
        elsewhere.who(ann.access.expose()).await.unwrap_err(),
        AuthError::TokenInvalid(TokenFault::Signature)
    );
}
