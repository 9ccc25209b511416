//! Every example is run, as a person would run it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

mod bot;
mod hello;
mod person;
mod program;
mod replay;
mod server;
mod terminal;
