//! The server's parts and the program, tested from outside.
//! Tests of the server from outside.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod auth;
mod cli;
mod clients;
mod require;
//! The integration tests of the server, as one program.

mod store;
