//! The server's parts and the program, tested from outside.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod cli;
mod clients;
mod require;
//! The integration tests of the server, as one program.

mod store;
