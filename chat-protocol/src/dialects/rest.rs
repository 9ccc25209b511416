//! STUB
use chat_core::Record;

use crate::answer::Answer;
use crate::code::Refusal;
use crate::dialect::{Call, Form};

/// What a reply needs to know of its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ticket {
    /// Nothing that could be read.
    Unreadable,
}

/// Reads one frame.
pub(crate) fn decode(_: &str, _: Form, _: &mut Vec<Call>) {}

/// Spells the reply.
pub(crate) fn answer(_: &Ticket, _: &Result<Answer, Refusal>) -> Option<Vec<u8>> {
    None
}

/// Spells a record.
pub(crate) fn event(_: &Record) -> Option<Vec<u8>> {
    None
}
