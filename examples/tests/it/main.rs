//! Every example is run, as a person would run it.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod hello;
mod replay;
