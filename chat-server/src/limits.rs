//! Every bound that the server holds beside the engine's, in one place.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The bounds of a server. [`ServerLimits::default`] is what the documentation speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ServerLimits {
    /// Longest frame of a client, in bytes.
    pub frame_bytes_max: usize,
    /// Longest frame before the client has said who it is, in bytes.
    pub frame_unauthenticated_bytes_max: usize,
    /// Longest body of an HTTP request, in bytes.
    pub http_body_bytes_max: usize,
    /// Sessions of one user.
    pub sessions_per_user_max: usize,
    /// Rooms that one session is attached to.
    pub rooms_per_session_max: usize,
    /// Bytes that wait for one session's socket before it counts as too slow.
    pub outbox_bytes_max: usize,
    /// Whether commands per session are bounded by the two limits that follow, and log-ins too.
    pub rate_limits: bool,
    /// Commands of a session at once.
    pub commands_burst: u64,
    /// Milliseconds after which a further command is allowed.
    pub command_refill_ms: u64,
    /// Attempts with a password at once, for each account, address and room.
    pub attempts_burst: u64,
    /// Milliseconds after which a further attempt is allowed.
    pub attempt_refill_ms: u64,
    /// Guests that an address may become at once.
    pub guests_burst: u64,
    /// Milliseconds after which a further one is allowed.
    pub guest_refill_ms: u64,
    /// Rooms that the guests of an address enter at once.
    pub guest_joins_burst: u64,
    /// Milliseconds after which they enter a further one.
    pub guest_join_refill_ms: u64,
    /// Commands at once of all guests of an address.
    pub guest_commands_burst: u64,
    /// Milliseconds after which they are allowed a further one.
    pub guest_command_refill_ms: u64,
    /// How long a client may take to say hello, in milliseconds.
    pub hello_ms_max: u64,
    /// How long a client may take to send an HTTP request's headers, in milliseconds.
    pub header_read_ms_max: u64,
    /// How long an HTTP request may take after its headers, its body included, and how long its
    /// client may take to read the answer, in milliseconds.
    pub request_ms_max: u64,
    /// How often a client is pinged, in milliseconds.
    pub ping_ms: u64,
    /// How long a client may take to answer a ping, in milliseconds.
    pub pong_ms_max: u64,
    /// Sockets of one address which have not said who they are.
    pub silent_sockets_per_address_max: usize,
    /// Connections of this process.
    pub connections_max: usize,
    /// Connections of one address: of IPv6, those of a /64.
    pub connections_per_address_max: usize,
    /// Records that one resume catches up with, per room.
    pub catch_up_records_max: u64,
    /// Items of a page unless the client says how many.
    pub page_items: usize,
    /// Most items of a page.
    pub page_items_max: usize,
    /// Requests that wait for one worker.
    pub mailbox_requests_max: usize,
    /// Requests that are decided in one turn.
    pub batch_requests_max: usize,
    /// How long the store may take to append before it counts as unavailable, in milliseconds.
    pub append_ms_max: u64,
    /// Passwords that wait to be hashed: as many of those who log in from where they were right
    /// before, of others who log in, and of all else.
    pub hashing_queue_max: usize,
    /// How long a room without listeners stays in memory, in milliseconds.
    pub room_idle_ms: u64,
    /// How often a node compares what it knows with what others wrote, in milliseconds.
    pub poll_ms: u64,
    /// How long a guest stays a member after his last session, in milliseconds.
    pub guest_grace_ms: u64,
    /// How long an access token counts, in milliseconds.
    pub token_ms: u64,
    /// How long a log-in can be refreshed, in milliseconds.
    pub grant_ms: u64,
    /// How long a guest may come back as himself, in milliseconds.
    pub guest_token_ms: u64,
    /// Shortest password of an account made in the native dialect, in bytes.
    pub password_bytes_min: usize,
}

impl ServerLimits {
    /// How long nothing may be heard of a client.
    pub(crate) const fn silence(&self) -> Duration {
        Duration::from_millis(self.ping_ms + self.pong_ms_max)
    }
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            frame_bytes_max: 64 * 1024,
            frame_unauthenticated_bytes_max: 16 * 1024,
            http_body_bytes_max: 64 * 1024,
            sessions_per_user_max: 16,
            rooms_per_session_max: 1_000,
            outbox_bytes_max: 1024 * 1024,
            rate_limits: true,
            commands_burst: 60,
            command_refill_ms: 50,
            attempts_burst: 5,
            attempt_refill_ms: 12_000,
            // A school comes in at once, and stays behind one address.
            guests_burst: 1_000,
            guest_refill_ms: 500,
            guest_joins_burst: 1_000,
            guest_join_refill_ms: 200,
            guest_commands_burst: 5_000,
            guest_command_refill_ms: 2,
            hello_ms_max: 10_000,
            header_read_ms_max: 10_000,
            request_ms_max: 30_000,
            ping_ms: 25_000,
            pong_ms_max: 10_000,
            silent_sockets_per_address_max: 256,
            connections_max: 100_000,
            connections_per_address_max: 10_000,
            catch_up_records_max: 1_000,
            page_items: 50,
            page_items_max: 200,
            mailbox_requests_max: 4_096,
            batch_requests_max: 1_024,
            append_ms_max: 1_800,
            hashing_queue_max: 256,
            room_idle_ms: 5 * 60_000,
            poll_ms: 2_000,
            guest_grace_ms: 24 * 60 * 60_000,
            token_ms: 60 * 60_000,
            grant_ms: 30 * 24 * 60 * 60_000,
            guest_token_ms: 30 * 24 * 60 * 60_000,
            password_bytes_min: 8,
        }
    }
}
