//! Stories of people whose passwords another server hashed.

use std::time::{Duration, Instant};

use chat_core::{Name, Password};
use chat_server::auth::AuthError;
use chat_server::auth::hashing::{Hasher, HashingCost};
use chat_server::store::{Created, NewAccount, Store};

use super::{DAY, House};

/// The hash that bcrypt made of `U*U` at cost 5, as its authors published it.
const HASH: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

impl House {
    async fn bring(&self, name: &str) {
        let account = NewAccount::new(Name::new(name).unwrap(), DAY).with_password_hash(HASH);
        let made = self.store.create_account(account).await.unwrap();
        assert!(matches!(made, Created::Account(_)));
    }

    async fn hash_of(&self, name: &str) -> String {
        let account = self.store.find_account(name).await.unwrap();
        account.unwrap().password_hash.unwrap()
    }
}

#[tokio::test]
async fn a_hash_from_elsewhere_gives_way_at_the_first_log_in_and_ends_none() {
    let house = House::open().await;
    house.bring("ann").await;
    let operators = house.accounts.token_for("ann").await.unwrap();
    let refused = house.log_in("ann", "U*V").await;
    assert_eq!(refused, Err(AuthError::BadCredentials));
    assert_eq!(house.hash_of("ann").await, HASH);
    let first = house.log_in("ann", "U*U").await.unwrap();
    let hash = house.hash_of("ann").await;
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    let second = house.log_in("ann", "U*U").await.unwrap();
    assert_eq!(house.hash_of("ann").await, hash, "once");
    assert!(house.log_in("ann", "U*V").await.is_err());
    for signed_in in [&operators, &first, &second] {
        let token = signed_in.access.expose();
        assert_eq!(house.who(token).await.unwrap(), signed_in.identity);
    }
}

#[tokio::test]
async fn an_unknown_user_takes_as_long_as_one_with_a_hash_from_elsewhere() {
    let cheap = HashingCost {
        memory_kib: 8,
        passes: 1,
    };
    let hasher = Hasher::start(1, 1, cheap).unwrap();
    let password = Password::new("U*V");
    // At cost 9 one comparison takes far longer than everything else that is done here.
    let costly = HASH.replacen("$05$", "$09$", 1);
    let ours = hasher.hash(&password).await.unwrap();
    let other = Password::new("U*W");
    let mut times = [Duration::MAX; 3];
    for _ in 0..3 {
        for (index, best) in times.iter_mut().enumerate() {
            let began = Instant::now();
            let fits = match index {
                0 => hasher.verify(&password, &costly).await,
                1 => hasher.verify(&other, &ours).await,
                _ => hasher.verify_nobody(&password).await,
            };
            assert_eq!(fits, Ok(false));
            *best = began.elapsed().min(*best);
        }
    }
    let [elsewhere, here, nobody] = times;
    assert!(here > elsewhere / 2 && nobody > elsewhere / 2, "{times:?}");
}
