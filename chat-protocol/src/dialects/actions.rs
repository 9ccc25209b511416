//! STUB
use chat_core::Record;

use crate::answer::Answer;
use crate::code::Refusal;
use crate::dialect::{Call, Say};
use crate::signal::Signal;
use crate::voice::Voice;

/// What a reply needs to know of its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ticket {
    /// Nothing that could be read.
    Unreadable,
}

/// Whether a socket's first frame is in this dialect.
pub(crate) fn recognises(_: &str) -> bool {
    false
}

/// Reads one frame.
pub(crate) fn decode(_: &str, _: &mut Vec<Call>) {}

/// Spells the reply.
pub(crate) fn answer(_: &Ticket, _: &Result<Answer, Refusal>, _: Say<'_>) {}

/// Spells a record.
pub(crate) fn event(_: &Record, _: &Voice) -> Option<Vec<u8>> {
    None
}

/// Spells a signal.
pub(crate) fn signal(_: &Signal, _: &Voice, _: Say<'_>) {}
