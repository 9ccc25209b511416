//! Strangers: whatever they send, nothing panics, every answer is one, and what gets through is
//! sound.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it means, and passes the rest over"
)]

mod frames;
mod json;
pub(crate) mod names;
pub(crate) mod properties;
mod world;

#[path = "../../../chat-core/tests/it/check/proofs.rs"]
mod proofs;
#[expect(dead_code, reason = "the engine's tests need more of it")]
#[path = "../../../chat-core/tests/it/check/shell.rs"]
mod shell;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

/// Conversations in an ordinary run; each has up to 48 messages.
const CONVERSATIONS: u32 = 48;

fn conversations() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CONVERSATIONS;
    }
    config
}

proptest! {
    #![proptest_config(conversations())]

    #[test]
    fn whole_conversations_of_strangers_leave_sound_rooms(tape in vec(any::<u8>(), 0..1_200)) {
        frames::converse(&tape);
    }
}

proptest! {
    #[test]
    fn shaped_messages_are_heard(tape in vec(any::<u8>(), 0..60)) {
        let (dialect, text) = frames::one(&tape);
        properties::first_message(&text);
        properties::message(dialect, &text, chat_protocol::Form::Text);
        properties::server_frame(&text);
    }
}
