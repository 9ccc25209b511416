//! The server's parts and the program, tested from outside.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests measure real time, and run their clients side by side"
)]

mod auth;
mod cli;
mod clients;
mod conversation;
mod crash;
mod http;
mod import;
mod languages;
mod membership;
mod mounted;
mod rejections;
mod require;
mod resume;
mod session;
mod slow;
mod store;
mod turn;
mod world;
