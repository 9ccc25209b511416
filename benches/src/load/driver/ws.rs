//! Plain WebSocket servers.

use super::{Driver, Guest, Step, Verdict};

/// No protocol: whoever is connected to `/?room=NAME` is in that room, and what he sends goes to
/// everybody there.
#[derive(Debug)]
pub(super) struct Ws;

impl Driver for Ws {
    fn path(&self, me: &Guest) -> String {
        format!("/?room={}", me.room_name)
    }

    fn echoes(&self) -> bool {
        true
    }

    fn enter(&self, me: &Guest, room: &mut Option<String>, _: Option<&[u8]>) -> Step {
        room.get_or_insert_with(|| me.room_name.clone());
        Step::In
    }

    fn post(&self, _: &Guest, _: &str, line: &str) -> String {
        line.to_owned()
    }

    fn judge(&self, _: &[u8]) -> Verdict {
        Verdict::Noise
    }
}
