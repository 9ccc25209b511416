//! Every example is run, as a person would run it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that can't go on has failed, and waits for one thing among many"
)]

mod bot;
mod dialects;
mod echo;
mod embed;
mod hello;
mod person;
mod program;
mod replay;
mod server;
mod simulate_store;
mod socketio_conformance;
mod terminal;
