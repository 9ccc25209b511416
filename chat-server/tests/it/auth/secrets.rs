//! What nobody hears, whatever happens.

use std::io;
use std::sync::{Arc, Mutex};

use chat_core::Timestamp;
use chat_server::auth::AuthError;
use chat_server::store::Store;
use tracing_subscriber::fmt::MakeWriter;

use super::{House, SECRET, wish};

#[tokio::test]
async fn a_damaged_hash_is_the_operators_trouble_and_admits_nobody() {
    let house = House::open().await;
    let ann = house.sign_up("ann").await.identity.user;
    house
        .store
        .set_password(ann, "damaged", Timestamp::new(1))
        .await
        .unwrap();
    for word in ["damaged", "sesame of ann"] {
        let refused = house.log_in("ann", word).await;
        assert_eq!(refused.unwrap_err(), AuthError::Unavailable);
    }
}

#[tokio::test]
async fn no_password_secret_or_token_is_logged_at_any_level() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // As long as there is one alone, whether a line is of interest is what the thread says that comes
    // to it first: that of another test has none.
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    let house = House::open().await;
    let ann = house.sign_up("ann").await;
    house.log_in("ann", "sesame, wrong").await.unwrap_err();
    house.who("sesame.sesame.sesame").await.unwrap_err();
    house.who(ann.access.expose()).await.unwrap();
    let damaged =
        house
            .store
            .set_password(ann.identity.user, "sesame of hashes", Timestamp::new(1));
    damaged.await.unwrap();
    house.log_in("ann", "sesame of ann").await.unwrap_err();

    let said = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(said.contains("a stored hash can't be read"), "{said}");
    for hidden in ["sesame", "a secret of tests", ann.access.expose()] {
        assert!(!said.contains(hidden), "{hidden} in {said}");
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_password_secret_or_token_shows_in_debug_output() {
    let house = House::open().await;
    let ann = house.sign_up("ann").await;
    let secret = String::from_utf8(SECRET.to_vec()).unwrap();
    let account = house.accounts.account(&ann.identity).await.unwrap();
    let shown = format!(
        "{:?} {:?} {:?} {:?} {:?}",
        house.accounts,
        house.hasher,
        ann,
        wish("ann"),
        account,
    );
    for hidden in ["sesame", &secret, ann.access.expose(), ann.refresh.expose()] {
        assert!(!shown.contains(hidden), "{hidden} in {shown}");
    }
}
