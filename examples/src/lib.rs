//! What the example programs share: a connection to a chat server that keeps itself up.
//!
//! The programs are in `src/bin`, and each one begins with what it shows and how to run it:
//!
//! | program | shows |
//! |---|---|
//! | `hello` | the engine alone: two people, no server |
//! | `replay` | a room from its log, from snapshot and tail, and with its words erased |
//! | `embed` | the server inside an axum application that has its own users |
//! | `bot` | a client that answers each question once, whatever happens to the connection |
//! | `terminal` | a chat client for the command line |

pub mod connection;
pub mod http;

pub use self::connection::{Connection, draw_cid};

/// The code in the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
