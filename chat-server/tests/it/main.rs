//! The server's parts, tested from outside.

mod auth;
//! Tests of the server from outside.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod cli;
mod clients;
mod require;
