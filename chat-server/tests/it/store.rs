//! The contract of a store, kept by every adapter.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that panics has failed, and says where"
)]

mod marks;
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
        const STORIES: &[&str] = &[$(concat!(stringify!($module), "::", stringify!($story)),)*];

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

contract! {
    append::what_was_appended_is_there,
    append::an_append_behind_the_head_is_a_conflict,
    append::an_alias_is_held_by_one_room,
    append::an_alias_that_was_given_up_can_be_taken,
    append::two_people_have_one_direct_room,
    append::a_cid_is_used_once_in_its_room,
    append::a_creations_cid_is_used_once_by_its_user,
    append::a_refused_append_claims_nothing,
    append::every_key_that_is_taken_is_told_at_once,
    append::one_refusal_leaves_the_others_committed,
    append::callers_at_the_same_time_are_all_served,
    append::of_many_who_race_for_a_position_one_wins,
    append::a_log_without_its_beginning_is_refused,
    append::reserved_numbers_are_never_given_twice,
    append::a_room_loads_as_its_log_folds,
    append::a_room_loads_from_snapshot_and_tail,
    append::records_come_in_parts,
    append::a_position_continues_under_its_epoch,
    messages::a_page_ends_where_it_was_asked_to,
    messages::nothing_outside_the_bounds_is_shown,
    messages::a_thread_is_its_first_message_and_the_answers,
    messages::an_edit_replaces_what_was_said,
    messages::a_deleted_message_keeps_its_place_and_loses_its_words,
    messages::reactions_are_counted_in_the_order_they_came,
    messages::heads_say_what_decisions_need,
    lists::a_card_follows_its_room,
    lists::the_directory_shows_listed_rooms_in_parts,
    lists::the_directory_is_searched_by_name_and_alias,
    lists::a_search_for_rooms_looks_at_so_many_and_says_where_to_go_on,
    lists::members_come_in_the_order_of_their_numbers,
    lists::who_has_gone_is_listed_no_more,
    lists::the_peer_of_a_direct_room_is_known_by_name,
    lists::a_deleted_room_is_in_no_list,
    lists::standing_counts_rooms,
    lists::markers_never_go_back,
    lists::markers_come_in_parts,
    lists::who_joins_has_nothing_unread,
    lists::an_edit_moves_its_mentions,
    lists::guests_who_stay_away_are_found,
    erasing::an_erased_person_leaves_facts_and_no_words,
    erasing::what_an_erased_person_still_writes_is_kept_without_words,
    erasing::a_nickname_goes_with_its_bearer,
    erasing::whose_rooms_are_to_be_left_is_known,
    erasing::an_erased_number_is_nobodys_again,
    searching::messages_are_found_by_what_they_say_today,
    searching::nothing_outside_its_scope_is_found,
    searching::a_search_goes_on_where_it_was_left_off,
    searching::search_equals_a_naive_reading,
    trimming::a_trimmed_room_begins_where_it_is_kept_from,
    trimming::rooms_past_their_time_are_found,
    trimming::a_trimmed_room_is_let_alone_for_an_hour_and_a_quiet_one_for_ever,
    trimming::what_is_overdue_equals_a_naive_reading,
    accounts::names_and_handles_are_unique_together,
    accounts::an_account_is_found_by_any_of_its_names,
    accounts::an_account_can_be_suspended_and_get_another_password,
    accounts::raising_the_epoch_voids_earlier_tokens,
    accounts::a_revoked_log_in_is_void_until_it_is_forgotten,
    accounts::a_token_of_nobody_is_void,
    accounts::the_first_link_stays,
    accounts::an_account_is_made_with_its_link,
    accounts::a_hash_is_replaced_while_it_is_still_there,
    accounts::the_first_setting_stays,
    accounts::blocks_have_a_direction,
    accounts::old_cids_are_forgotten_and_the_newest_kept,
}

#[tokio::test]
async fn no_story_is_left_out() {
    let told: Vec<&str> = conformance::stories().iter().map(|it| it.name()).collect();
    assert_eq!(told, STORIES);
}
