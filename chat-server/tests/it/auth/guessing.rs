//! Stories of people who guess passwords.

use chat_core::Password;
use chat_server::auth::AuthError;
use chat_server::auth::limiter::Whence;

use super::{House, from, password_of};

async fn guess(house: &House, login: &str, whence: Whence<'_>) -> AuthError {
    let guess = Password::new("guess");
    let outcome = house.accounts.log_in(login, &guess, whence).await;
    outcome.unwrap_err()
}

#[tokio::test]
async fn one_address_gets_five_guesses_and_then_waits() {
    let house = House::open().await;
    house.sign_up("ann").await;
    for _ in 0..5 {
        assert_eq!(
            guess(&house, "ann", from(6)).await,
            AuthError::BadCredentials
        );
    }
    let done = house.hasher.done();
    for login in ["ann", "bob", "nobody"] {
        assert_eq!(
            guess(&house, login, from(6)).await,
            AuthError::RateLimited { retry_ms: 12_000 }
        );
    }
    assert_eq!(house.hasher.done(), done, "a refused guess costs no work");
    house.pass(12);
    assert_eq!(
        guess(&house, "ann", from(6)).await,
        AuthError::BadCredentials
    );
}

#[tokio::test]
async fn two_hundred_addresses_get_no_further_and_lock_nobody_out() {
    let house = House::open().await;
    house.sign_up("ann").await;
    let home = from(1);
    let password = password_of("ann");
    house.accounts.log_in("ann", &password, home).await.unwrap();

    let mut heard = 0;
    for number in 0..1_000 {
        let refused = guess(&house, "ann", from(100 + number % 200)).await;
        heard += u32::from(refused == AuthError::BadCredentials);
        if number % 100 == 50 {
            // The victim logs in as ever.
            house.accounts.log_in("ann", &password, home).await.unwrap();
        }
        house.clock.advance(std::time::Duration::from_millis(60));
    }
    // One minute: the burst, and one more each 12 s.
    assert!((5..=10).contains(&heard), "{heard}");
}

#[tokio::test]
async fn the_spelling_of_a_login_makes_no_new_budget() {
    let house = House::open().await;
    house.sign_up("ann").await;
    for (number, login) in ["ann", "ANN", " ann", "\u{430}nn", "Ann"]
        .iter()
        .enumerate()
    {
        let number = u32::try_from(number).unwrap();
        let refused = guess(&house, login, from(100 + number)).await;
        assert_eq!(refused, AuthError::BadCredentials);
    }
    let refused = guess(&house, "aNN", from(200)).await;
    assert_eq!(refused, AuthError::RateLimited { retry_ms: 12_000 });
}

#[tokio::test]
async fn guesses_at_an_old_password_count_as_well() {
    let house = House::open().await;
    let thief = house.sign_up("ann").await.identity;
    let (guess, new) = (Password::new("guess"), Password::new("mine from here"));
    let mut refusals = Vec::new();
    for _ in 0..6 {
        let change = house
            .accounts
            .change_password(&thief, &guess, &new, 8, from(9));
        refusals.push(change.await.unwrap_err());
    }
    let last = refusals.pop();
    assert!(refusals.iter().all(|it| *it == AuthError::BadCredentials));
    assert_eq!(last, Some(AuthError::RateLimited { retry_ms: 12_000 }));
}
