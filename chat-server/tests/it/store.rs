//! The contract of a store, kept by every adapter.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that panics has failed, and says where"
)]

mod marks;
#[cfg(feature = "postgres")]
mod postgres;
mod recount;
mod sqlite;
mod tending;
mod trimming;
mod upkeep;

use chat_server::store::conformance::{self, Any, stage};
use chat_server::store::memory::Memory;
use chat_server::store::sqlite::Sqlite;

/// Tells each story to each adapter.
macro_rules! contract {
    ($($module:ident::$story:ident,)*) => {
        mod on_memory {
            $(#[tokio::test]
            async fn $story() {
                let name = concat!(stringify!($module), "::", stringify!($story));
                super::tell(name, std::sync::Arc::new(super::Memory::new().unwrap())).await;
            })*

            #[tokio::test]
            async fn lists_equal_a_naive_recount() {
                let store = std::sync::Arc::new(super::Memory::new().unwrap());
                super::recount::lists_equal_a_naive_recount(store).await;
            }
        }

        mod on_sqlite {
            $(#[tokio::test]
            async fn $story() {
                let folder = tempfile::tempdir().unwrap();
                let store = super::Sqlite::open(folder.path().join("chat.db")).unwrap();
                let name = concat!(stringify!($module), "::", stringify!($story));
                super::tell(name, std::sync::Arc::new(store)).await;
            })*

            #[tokio::test]
            async fn lists_equal_a_naive_recount() {
                let folder = tempfile::tempdir().unwrap();
                let store = super::Sqlite::open(folder.path().join("chat.db")).unwrap();
                super::recount::lists_equal_a_naive_recount(std::sync::Arc::new(store)).await;
            }
        }

        #[cfg(feature = "postgres")]
        mod on_postgres {
            $(#[tokio::test]
            async fn $story() {
                let name = concat!(stringify!($module), "::", stringify!($story));
                if let Some(store) = super::postgres::empty(name).await {
                    super::tell(name, store).await;
                }
            })*

            #[tokio::test]
            async fn lists_equal_a_naive_recount() {
                if let Some(store) = super::postgres::empty("lists_equal_a_naive_recount").await {
                    super::recount::lists_equal_a_naive_recount(store).await;
                }
            }
        }
    };
}

/// Tells the story of this name to a store.
async fn tell(name: &str, store: Any) {
    let mut stories = conformance::stories().iter();
    stories
        .find(|it| it.name() == name)
        .unwrap()
        .tell(store)
        .await;
}

chat_server::for_each_story!(contract);
