//! Every bound that the engine holds, in one place, each visible to clients.

use serde::{Deserialize, Serialize};

/// The bounds of an engine. [`Limits::default`] is what the documentation speaks of.
///
/// Further ones may come, so one begins with those and changes some.
///
/// ```
/// use chat_core::{Engine, Limits};
///
/// let mut limits = Limits::default();
/// limits.body_bytes_max = 4_000;
/// let engine = Engine::new(limits);
/// assert_eq!(engine.limits().pins_max, 50);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Longest message body, in bytes of UTF-8.
    pub body_bytes_max: usize,
    /// Most bytes of a message's labels, keys and values together.
    pub ext_bytes_max: usize,
    /// Most attachments of a message.
    pub attachments_max: usize,
    /// Most users whom a message mentions.
    pub mentions_max: usize,
    /// Most different reactions on a message.
    pub reactions_distinct_max: usize,
    /// Most reactions on a message, over all users.
    pub reactions_max: usize,
    /// Most pinned messages of a room.
    pub pins_max: usize,
    /// Longest name of a room or a user, in Unicode scalar values.
    pub name_chars_max: usize,
    /// Longest topic, in Unicode scalar values.
    pub topic_chars_max: usize,
    /// Longest nickname, in Unicode scalar values.
    pub nickname_chars_max: usize,
    /// Longest alias, in Unicode scalar values.
    pub alias_chars_max: usize,
    /// Most members of a group.
    pub group_members_max: u64,
    /// Most members of a channel.
    pub channel_members_max: u64,
    /// Guests of one address who enter a room unasked and are in it at a time, where half of the
    /// room's places aren't more.
    pub room_guests_per_address_max: u64,
    /// Most open invitations of a room.
    pub invites_max: usize,
    /// Most bans, and most mutes, in force in a room.
    pub bans_max: usize,
    /// Most groups to which a room grants a role.
    pub grants_max: usize,
    /// Most rooms that a user is a member of.
    pub rooms_joined_max: u64,
    /// Most rooms that a user creates in a day.
    pub rooms_created_a_day_max: u64,
    /// Whether posts per user and room are bounded: `posts_burst` at once, then one every
    /// [`POST_REFILL_MS`].
    pub posts_limited: bool,
    /// Posts of a user to a room at once; at most [`POSTS_BURST_MAX`].
    pub posts_burst: u64,
    /// Longest slow mode, in seconds; at most [`SLOW_MODE_S_MAX`].
    pub slow_mode_s_max: u64,
    /// How long a message may be edited, in milliseconds.
    pub edit_window_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 16 * 1024,
            ext_bytes_max: 4 * 1024,
            attachments_max: 10,
            mentions_max: 50,
            reactions_distinct_max: 20,
            reactions_max: 10_000,
            pins_max: 50,
            name_chars_max: 80,
            topic_chars_max: 1000,
            nickname_chars_max: 40,
            alias_chars_max: 64,
            group_members_max: 256,
            channel_members_max: 10_000,
            room_guests_per_address_max: 16,
            invites_max: 1_000,
            bans_max: 10_000,
            grants_max: 50,
            rooms_joined_max: 1_000,
            rooms_created_a_day_max: 50,
            posts_limited: true,
            posts_burst: 10,
            slow_mode_s_max: SLOW_MODE_S_MAX,
            edit_window_ms: DAY_MS,
        }
    }
}

/// A day in milliseconds.
#[doc(hidden)]
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Cids of a room that memory holds; older ones are known to the store alone.
pub const CIDS_HELD: usize = 256;

/// Messages of a room whose head memory holds; older ones are asked for.
pub const HEADS_HELD: usize = 256;

/// How long a cid is remembered at least, in milliseconds.
pub const CID_WINDOW_MS: u64 = DAY_MS;

/// Milliseconds after which a budget of posts holds one more. Fixed, since the budget is part of a
/// room's state, and state may depend on nothing but the log.
pub const POST_REFILL_MS: u64 = 500;

/// The longest slow mode that any limit may allow, in seconds. A room remembers for this long who
/// posted; what lay further back could not be enforced.
pub const SLOW_MODE_S_MAX: u64 = 6 * 60 * 60;

/// The most posts at once that any limit may allow: as many as a budget regains while it is
/// remembered.
pub const POSTS_BURST_MAX: u64 = SLOW_MODE_S_MAX * 1000 / POST_REFILL_MS;
