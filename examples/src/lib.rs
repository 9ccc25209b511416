//! What the example programs share: a connection to a chat server that keeps itself up.
//!
//! The programs are in `src/bin`, and each one begins with what it shows and how to run it:
//!
//! | program | shows |
//! |---|---|
//! | `hello` | the engine alone: two people, no server |
//! | `replay` | a room from its log, from snapshot and tail, and with its words erased |
//! | `dialects` | one conversation in six spellings: the codecs alone |
//! | `embed` | the server inside an axum application that has its own users |
//! | `bot` | a client that answers each question once, whatever happens to the connection |
//! | `terminal` | a chat client for the command line |
//! | `simulate_store` | a store of one's own in a simulated world, and one that breaks its word |
//! | `echo` | the sockets alone, for those who test WebSocket |
//! | `socketio_conformance` | the lines alone, for those who test Engine.IO and Socket.IO |

pub mod connection;
pub mod http;

pub use self::connection::{Connection, draw_cid};

/// The code in the READMEs compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../../chat-core/README.md")]
#[doc = include_str!("../../chat-server/README.md")]
pub struct Readme;
