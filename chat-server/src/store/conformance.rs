//! The contract of a store, as stories that each adapter has to pass.
//!
//! Whoever writes a [`Store`] of his own has each of them told to it, by the feature `conformance`:
//! what was appended is there, of many who race for a position one wins, an erased person leaves
//! facts and no words, and so on. A store that passes is still to be tried in a world of crashes: by
//! [`crate::simulation`].
//!
//! # Examples
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use std::sync::Arc;
//!
//! use chat_server::store::conformance;
//! use chat_server::store::memory::Memory;
//!
//! for story in conformance::stories() {
//!     println!("{}", story.name());
//!     // A store of your own takes its place: an empty one for each story.
//!     story.tell(Arc::new(Memory::named(story.name()))).await;
//! }
//! # }
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::missing_panics_doc,
    reason = "a story that panics has failed, and says where"
)]

mod accounts;
mod append;
mod erasing;
mod lists;
mod messages;
mod searching;
#[doc(hidden)]
pub mod stage;
#[doc(hidden)]
pub mod trimming;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use super::Store;

/// Any store, as the stories see it.
pub type Any = Arc<dyn Store>;

/// One clause of the contract.
#[derive(Clone, Copy)]
pub struct Story {
    name: &'static str,
    tell: fn(Any) -> Told,
}

type Told = Pin<Box<dyn Future<Output = ()>>>;

impl Story {
    /// What a store does that passes, after what it is about.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Tells it to a store that nothing was written to yet, within a runtime of tokio whose time is
    /// enabled.
    ///
    /// # Panics
    ///
    /// If the store breaks the contract: the message says how.
    pub async fn tell(&self, store: Any) {
        (self.tell)(store).await;
    }
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Story").field(&self.name).finish()
    }
}

/// All stories. The order means nothing.
#[must_use]
pub const fn stories() -> &'static [Story] {
    STORIES
}

macro_rules! stories {
    ($($module:ident::$story:ident,)*) => {
        const STORIES: &[Story] = &[$(Story {
            name: concat!(stringify!($module), "::", stringify!($story)),
            tell: |store| Box::pin($module::$story(store)),
        },)*];
    };
}

/// Hands the names of all stories, as `module::story`, to a macro of yours, so that each may become a
/// test of its own; [`stories`](crate::store::conformance::stories) has them under these names.
#[macro_export]
macro_rules! for_each_story {
    ($told:ident) => {
        $told! {
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
            lists::the_rooms_of_many_are_told_at_once,
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
            accounts::many_log_ins_are_looked_after_at_once,
            accounts::the_first_link_stays,
            accounts::an_account_is_made_with_its_link,
            accounts::a_hash_is_replaced_while_it_is_still_there,
            accounts::the_first_setting_stays,
            accounts::blocks_have_a_direction,
            accounts::old_cids_are_forgotten_and_the_newest_kept,
        }
    };
}

for_each_story!(stories);
