//! The JSON command enum and every wire dialect of the chat engine, as pure codecs.
//!
//! Nothing here touches a socket, a store or a clock: text comes in, values come out, and back.
//!
//! * [`Dialect`] is the seam. [`Dialect::decode`] turns a frame into [`Call`]s, each a wish or a
//!   question ([`Op`]) with a [`Ticket`] for its reply; [`Ticket::answer`] spells the reply. A
//!   [`Voice`] is how one seat hears a room: [`Voice::event`] and [`Voice::signal`] spell what
//!   happens there.
//! * [`http`] is the same for the dialects with a face over plain HTTP.
//! * [`command`] is the one list of ops, [`code`] the one list of reasons to refuse.
//! * [`engineio`] and [`socketio`] are the packets that one dialect travels in.
//! * [`client`] is the other side: positions, gaps and repeats of a native client.
//! * `schema`, behind the feature of that name, publishes the native frames as JSON Schema.
//!
//! # One room, two dialects
//!
//! ```
//! use chat_core::commands::{Command, Post};
//! use chat_core::event::Posted;
//! use chat_core::{Author, Content, Idx, Name, Record, RoomId, Seq, Timestamp, UserId};
//! use chat_protocol::{Answer, Dialect, Form, Hearer, Op, Voice};
//!
//! // A native client says hello to room 12.
//! let mut calls = Vec::new();
//! let frame = r#"{"id":7,"op":"post","d":{"room":12,"body":"hello"}}"#;
//! Dialect::Native.decode(frame, Form::Text, &mut calls);
//! let call = calls.pop().unwrap();
//! let Ok(Op::InRoom { command: Command::Post(post), .. }) = call.op else { panic!("a post") };
//!
//! // The engine made it a fact: here, by hand.
//! let record = Record {
//!     room: RoomId::new(12),
//!     seq: Seq::new(42),
//!     at: Timestamp::new(1_730_000_000_123),
//!     by: Author { id: UserId::new(3), name: Some(Name::new("ann")?) },
//!     via: None,
//!     cid: None,
//!     event: Posted {
//!         idx: Idx::new(1),
//!         reply_to: None,
//!         thread: None,
//!         mentions: Default::default(),
//!         mention_all: false,
//!         content: Some(Content::plain(post.body)),
//!     }
//!     .into(),
//! };
//!
//! // Ann hears that it is done, and everybody hears it in his own words.
//! let done = Ok(Answer::Done { seq: record.seq, dup: false });
//! call.ticket.answer(&done, &mut |said| {
//!     assert_eq!(said, br#"{"re":7,"ok":{"seq":42}}"#);
//! });
//! Voice::of(Dialect::Native).event(&record, Hearer::Other, &mut |said| {
//!     assert_eq!(
//!         said,
//!         br#"{"ev":"posted","room":12,"seq":42,"at":1730000000123,"by":{"id":3,"name":"ann"},"d":{"idx":1,"content":{"body":"hello"}}}"#,
//!     );
//! });
//! Voice::of(Dialect::Rooms).event(&record, Hearer::Other, &mut |said| {
//!     assert_eq!(said, br#"message: {"msg":"hello","user":"ann"}"#);
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod answer;
pub mod client;
pub mod close;
pub mod code;
pub mod command;
pub mod dialect;
mod dialects;
pub mod engineio;
pub mod event;
pub mod frame;
pub mod http;
mod json;
pub mod log;
pub mod room_ref;
#[cfg(feature = "schema")]
pub mod schema;
pub mod server_frame;
pub mod signal;
pub mod socketio;
pub mod spelling;
pub mod system;
pub mod time;
pub mod voice;

pub use self::answer::Answer;
pub use self::close::Close;
pub use self::code::{Class, Code, Refusal};
pub use self::command::Op;
pub use self::dialect::{Call, Dialect, Form, Ticket};
pub use self::event::encode_record;
pub use self::frame::Frame;
pub(crate) use self::json::json;
pub use self::room_ref::RoomRef;
pub use self::server_frame::ServerFrame;
pub use self::signal::Signal;
pub use self::spelling::Spelling;
pub use self::system::System;
pub use self::voice::{Face, Hearer, Voice};
