//! Engine.IO as clients of other people's making speak it: the cases of the published protocol
//! tests, and what they leave open.

mod chat;
pub(crate) mod client;
mod libraries;
mod packets;
mod polling;
mod refusals;
mod socket;
mod upgrade;
