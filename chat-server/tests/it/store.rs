//! The contract of a store, kept by every adapter.

mod append;
mod stage;

use std::sync::Arc;

use chat_server::store::Store;
use chat_server::store::memory::Memory;
use chat_server::store::sqlite::Sqlite;

/// Runs each story against each adapter.
macro_rules! contract {
    ($($module:ident::$story:ident,)*) => {
        mod on_memory {
            $(#[tokio::test]
            async fn $story() {
                let store = std::sync::Arc::new(super::Memory::new().unwrap());
                super::$module::$story(store).await;
            })*
        }

        mod on_sqlite {
            $(#[tokio::test]
            async fn $story() {
                let folder = tempfile::tempdir().unwrap();
                let store = super::Sqlite::open(folder.path().join("chat.db")).unwrap();
                super::$module::$story(std::sync::Arc::new(store)).await;
            })*
        }
    };
}

contract! {
    append::what_was_appended_is_there,
    append::an_append_behind_the_head_is_a_conflict,
    append::an_alias_is_held_by_one_room,
    append::an_alias_that_was_given_up_can_be_taken,
    append::two_people_have_one_direct_room,
    append::a_cid_is_used_once_in_its_room,
    append::a_creations_cid_is_used_once_by_its_user,
    append::a_refused_append_claims_nothing,
    append::one_refusal_leaves_the_others_committed,
    append::callers_at_the_same_time_are_all_served,
    append::of_many_who_race_for_a_position_one_wins,
    append::a_log_without_its_beginning_is_refused,
    append::reserved_numbers_are_never_given_twice,
    append::a_room_loads_as_its_log_folds,
    append::a_room_loads_from_snapshot_and_tail,
    append::records_come_in_parts,
    append::a_position_continues_under_its_epoch,
}

/// Any store, as the stories see it.
type Any = Arc<dyn Store>;
