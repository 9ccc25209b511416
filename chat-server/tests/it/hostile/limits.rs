//! Every limit that is published, held to the byte: one less, as many, one more.

mod counts;
mod sizes;
mod spans;
mod transports;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use chat_core::Limits;
use chat_server::limits::ServerLimits;
use serde_json::{Value, json};

use crate::world::{Account, Native, World, config};

/// Each limit, and the test that reaches it: the file below this crate, and the function.
const STORIES: [(&str, &str, &str); 67] = [
    (
        "body_bytes_max",
        HERE_TRANSPORTS,
        "a_body_is_as_long_as_it_may_be_on_every_transport",
    ),
    (
        "ext_bytes_max",
        HERE_SIZES,
        "what_is_written_is_measured_to_the_unit",
    ),
    (
        "attachments_max",
        HERE_SIZES,
        "what_is_written_is_measured_to_the_unit",
    ),
    (
        "mentions_max",
        HERE_SIZES,
        "what_is_written_is_measured_to_the_unit",
    ),
    (
        "name_chars_max",
        HERE_SIZES,
        "what_is_written_is_measured_to_the_unit",
    ),
    (
        "topic_chars_max",
        HERE_SIZES,
        "what_is_written_is_measured_to_the_unit",
    ),
    (
        "nickname_chars_max",
        HERE_SIZES,
        "what_is_written_is_measured_to_the_unit",
    ),
    (
        "alias_chars_max",
        HERE_SIZES,
        "what_is_written_is_measured_to_the_unit",
    ),
    (
        "slow_mode_s_max",
        HERE_SIZES,
        "what_is_written_is_measured_to_the_unit",
    ),
    (
        "reactions_distinct_max",
        HERE_COUNTS,
        "what_is_gathered_has_an_end",
    ),
    ("reactions_max", HERE_COUNTS, "what_is_gathered_has_an_end"),
    ("pins_max", HERE_COUNTS, "what_is_gathered_has_an_end"),
    ("invites_max", HERE_COUNTS, "what_is_gathered_has_an_end"),
    ("bans_max", HERE_COUNTS, "what_is_gathered_has_an_end"),
    ("grants_max", HERE_COUNTS, "what_is_gathered_has_an_end"),
    (
        "group_members_max",
        HERE_COUNTS,
        "rooms_and_people_have_only_so_many_of_each_other",
    ),
    (
        "channel_members_max",
        HERE_COUNTS,
        "rooms_and_people_have_only_so_many_of_each_other",
    ),
    (
        "room_guests_per_address_max",
        HERE_COUNTS,
        "the_guests_of_an_address_leave_places_to_others",
    ),
    (
        "rooms_joined_max",
        HERE_COUNTS,
        "rooms_and_people_have_only_so_many_of_each_other",
    ),
    (
        "rooms_created_a_day_max",
        HERE_COUNTS,
        "rooms_and_people_have_only_so_many_of_each_other",
    ),
    (
        "posts_limited",
        HERE_SPANS,
        "posts_have_a_budget_that_fills_again_to_the_millisecond",
    ),
    (
        "posts_burst",
        HERE_SPANS,
        "posts_have_a_budget_that_fills_again_to_the_millisecond",
    ),
    (
        "edit_window_ms",
        HERE_SPANS,
        "a_message_may_be_edited_up_to_the_last_millisecond",
    ),
    (
        "rate_limits",
        HERE_SPANS,
        "commands_have_a_budget_that_fills_again_to_the_millisecond",
    ),
    (
        "commands_burst",
        HERE_SPANS,
        "commands_have_a_budget_that_fills_again_to_the_millisecond",
    ),
    (
        "command_refill_ms",
        HERE_SPANS,
        "commands_have_a_budget_that_fills_again_to_the_millisecond",
    ),
    (
        "guests_burst",
        HERE_SPANS,
        "what_the_guests_of_an_address_do_is_one_budget",
    ),
    (
        "guest_refill_ms",
        HERE_SPANS,
        "what_the_guests_of_an_address_do_is_one_budget",
    ),
    (
        "guest_joins_burst",
        HERE_SPANS,
        "what_the_guests_of_an_address_do_is_one_budget",
    ),
    (
        "guest_join_refill_ms",
        HERE_SPANS,
        "what_the_guests_of_an_address_do_is_one_budget",
    ),
    (
        "guest_commands_burst",
        HERE_SPANS,
        "what_the_guests_of_an_address_do_is_one_budget",
    ),
    (
        "guest_command_refill_ms",
        HERE_SPANS,
        "what_the_guests_of_an_address_do_is_one_budget",
    ),
    (
        "frame_bytes_max",
        HERE_TRANSPORTS,
        "a_frame_is_as_long_as_it_may_be_on_every_transport",
    ),
    (
        "frame_unauthenticated_bytes_max",
        HERE_TRANSPORTS,
        "a_strangers_frame_is_shorter",
    ),
    (
        "http_body_bytes_max",
        HERE_TRANSPORTS,
        "a_body_over_http_is_as_long_as_it_may_be",
    ),
    (
        "page_items",
        HERE_COUNTS,
        "a_page_has_as_many_items_as_it_may",
    ),
    (
        "page_items_max",
        HERE_COUNTS,
        "a_page_has_as_many_items_as_it_may",
    ),
    (
        "page_bytes_max",
        "tests/it/hostile/pages.rs",
        "whoever_pages_through_long_messages_gets_all_of_them_and_stays",
    ),
    (
        "post_refill_ms",
        HERE_SPANS,
        "posts_have_a_budget_that_fills_again_to_the_millisecond",
    ),
    (
        "cids_held",
        CORE_BOUNDARIES,
        "the_newest_256_cids_are_remembered",
    ),
    (
        "cid_window_ms",
        CORE_BOUNDARIES,
        "memory_forgets_cids_after_a_day_and_not_before",
    ),
    (
        "rooms_per_session_max",
        "tests/it/hostile/swarm.rs",
        "a_session_hears_as_many_rooms_as_it_may_and_is_told_when_there_are_no_more",
    ),
    (
        "rooms_per_listener_max",
        "tests/it/events.rs",
        "a_listener_has_as_many_rooms_as_an_id_can_name",
    ),
    (
        "poll_ms",
        "tests/it/cluster.rs",
        "without_a_bus_lines_come_late_and_not_never",
    ),
    (
        "append_ms_max",
        "tests/it/hostile/storm.rs",
        "a_store_that_does_not_answer_is_given_up_when_its_time_is_over",
    ),
    (
        "outbox_bytes_max",
        "src/outbox/tests.rs",
        "what_waits_is_bounded_to_the_byte",
    ),
    (
        "connections_max",
        "src/places.rs",
        "an_address_has_its_share_and_all_together_no_more_than_there_are",
    ),
    (
        "connections_per_address_max",
        "tests/it/hostile/floods.rs",
        "each_address_has_its_share_and_hears_when_it_is_used_up",
    ),
    (
        "silent_sockets_per_address_max",
        "tests/it/hostile/floods.rs",
        "sockets_that_say_nothing_are_few_and_leave_the_rest_alone",
    ),
    (
        "header_read_ms_max",
        "tests/it/hostile/slowness.rs",
        "whatever_comes_byte_by_byte_ends_at_its_deadline",
    ),
    (
        "request_ms_max",
        "tests/it/hostile/slowness.rs",
        "whatever_comes_byte_by_byte_ends_at_its_deadline",
    ),
    (
        "ping_ms",
        "tests/it/hostile/slowness.rs",
        "who_vanishes_without_a_word_is_given_up",
    ),
    (
        "pong_ms_max",
        "tests/it/hostile/slowness.rs",
        "who_vanishes_without_a_word_is_given_up",
    ),
    (
        "mailbox_requests_max",
        "tests/it/hostile/storm.rs",
        "at_three_times_what_it_can_do_it_refuses_in_words_and_keeps_what_it_took",
    ),
    (
        "batch_requests_max",
        "tests/it/hostile/storm.rs",
        "at_three_times_what_it_can_do_it_refuses_in_words_and_keeps_what_it_took",
    ),
    (
        "hello_ms_max",
        "tests/it/session.rs",
        "who_does_not_say_hello_in_time_is_sent_away",
    ),
    (
        "sessions_per_user_max",
        "tests/it/session.rs",
        "nobody_has_more_sessions_than_allowed",
    ),
    (
        "catch_up_records_max",
        "tests/it/resume.rs",
        "a_position_that_is_of_no_use_is_reset_with_its_reason",
    ),
    (
        "attempts_burst",
        "src/auth/limiter/tests.rs",
        "five_wrong_passwords_for_an_account_are_the_limit_until_the_budget_refills",
    ),
    (
        "attempt_refill_ms",
        "src/auth/limiter/tests.rs",
        "five_wrong_passwords_for_an_account_are_the_limit_until_the_budget_refills",
    ),
    (
        "hashing_queue_max",
        "src/auth/hashing/tests.rs",
        "a_full_queue_refuses_at_once",
    ),
    (
        "password_bytes_min",
        HERE_SIZES,
        "a_password_is_as_short_as_it_may_be",
    ),
    (
        "token_ms",
        HERE_SPANS,
        "tokens_and_log_ins_end_to_the_second",
    ),
    (
        "grant_ms",
        HERE_SPANS,
        "tokens_and_log_ins_end_to_the_second",
    ),
    (
        "guest_token_ms",
        HERE_SPANS,
        "tokens_and_log_ins_end_to_the_second",
    ),
    (
        "guest_grace_ms",
        "tests/it/session.rs",
        "a_guest_is_a_member_until_a_day_after_he_was_last_here",
    ),
    (
        "room_idle_ms",
        "src/turn/slot/tests.rs",
        "a_room_stays_for_as_long_as_it_may_idle_and_not_a_millisecond_longer",
    ),
];

const CORE_BOUNDARIES: &str = "../chat-core/tests/it/boundaries.rs";
const HERE_COUNTS: &str = "tests/it/hostile/limits/counts.rs";
const HERE_SIZES: &str = "tests/it/hostile/limits/sizes.rs";
const HERE_SPANS: &str = "tests/it/hostile/limits/spans.rs";
const HERE_TRANSPORTS: &str = "tests/it/hostile/limits/transports.rs";

#[tokio::test]
async fn every_limit_that_is_published_is_reached_by_a_test() {
    let world = World::new().await;
    let mut client = Native::connect(world.address).await;
    let welcome = client.ok("hello", json!({"guest": {"name": "Gus"}})).await;
    let limits = client.ok("limits", json!({})).await;
    assert_eq!(limits, welcome["limits"]);
    let limits = limits.as_object().unwrap();
    let published: BTreeSet<_> = limits.keys().cloned().collect();
    for kept in [
        serde_json::to_value(Limits::default()).unwrap(),
        serde_json::to_value(ServerLimits::default()).unwrap(),
    ] {
        let mut kept = kept.as_object().unwrap().keys();
        assert_eq!(
            kept.find(|it| !published.contains(*it)),
            None,
            "unpublished"
        );
    }
    world.stop().await;
    let told: BTreeSet<_> = STORIES
        .iter()
        .map(|(limit, ..)| (*limit).to_owned())
        .collect();
    let missing: Vec<_> = published.symmetric_difference(&told).collect();
    assert!(
        missing.is_empty(),
        "without a story, or without a limit: {missing:?}"
    );
    for (limit, file, story) in STORIES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.contains(&format!("fn {story}(")),
            "{limit}: no {story} in {file}"
        );
    }
}

/// Ann, and a room of hers.
async fn den(
    change: impl FnOnce(&mut chat_server::config::Config),
) -> (World, Account, Native, u64) {
    let mut config = config();
    change(&mut config);
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    (world, ann, a, room)
}

/// Hears that something is too much, and how much would have been enough.
async fn too_much(client: &mut Native, op: &str, d: Value, code: &str, max: u64) {
    let refused = client.refused(op, d.clone()).await;
    assert_eq!(refused["code"], code, "{op} {d}: {refused}");
    assert_eq!(refused["details"]["max"], max, "{op} {d}: {refused}");
}
