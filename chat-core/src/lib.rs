//! A chat engine as a pure, deterministic state machine: rooms, membership, authorization, groups.
//!
//! It knows no socket, no disk, no clock and no randomness: time and drawn numbers come in with the
//! request, everything else it can't know it asks for. So it runs anywhere, tests run in
//! microseconds, and a room's log is all that is needed to have the room again.
//!
//! # Three verbs
//!
//! * [`Engine::decide`] judges a [`Request`] and changes nothing. The answer is a new
//!   [`Record`], the number of an old one, or something the engine has to know first.
//! * [`Engine::evolve`] applies a record. It is the only way in which state changes.
//! * [`Record::effects`] tells the shell what to do about a record: a few instructions, never one
//!   per member.
//!
//! # A conversation
//!
//! ```
//! use chat_core::commands::{Command, CreateRoom, Join, Post};
//! use chat_core::{Actor, Decision, Engine, Name, Need, Rejection, Request};
//! use chat_core::{RoomId, Standing, Text, Timestamp, UserId};
//!
//! let mut engine = Engine::default();
//! let room = RoomId::new(1);
//! let alice = Actor::new(UserId::new(1), Name::new("alice")?);
//! let bob = Actor::new(UserId::new(2), Name::new("bob")?);
//!
//! let mut say = |actor: &Actor, command: Command| {
//!     let mut request = Request::new(room, actor.clone(), Timestamp::new(1_000), command);
//!     loop {
//!         let decision = engine.decide(&request)?;
//!         match &decision {
//!             // A store would know in how many rooms the actor is: supply it, decide again.
//!             Decision::Need(Need::Standing) => request.facts.standing = Some(Standing::default()),
//!             Decision::New(record) => {
//!                 assert!(engine.evolve(record));
//!                 return Ok(decision);
//!             }
//!             _ => return Ok::<_, Rejection>(decision),
//!         }
//!     }
//! };
//!
//! say(&alice, CreateRoom::named(Name::new("den")?).into())?;
//! let hello = Post::plain(Text::new("hello")?);
//! assert_eq!(say(&bob, hello.clone().into()), Err(Rejection::NotAMember));
//! say(&bob, Join::default().into())?;
//! assert!(matches!(say(&bob, hello.into())?, Decision::New(record) if record.seq.number() == 3));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! [`Need`] says what else the engine may ask for, and shows the loop.
//!
//! # What may grow
//!
//! [`Command`], [`Event`], [`Rejection`], [`Effect`] and [`Need`] are exhaustive on purpose: a shell
//! that meets a new one without a word about it is wrong, so a new one is a breaking release. What is
//! `#[non_exhaustive]` grows without notice.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

pub mod commands;
pub mod event;
pub mod limits;
#[cfg(sabotage)]
pub mod sabotage;

mod bucket;
mod content;
mod directory;
mod distinct;
mod effect;
mod engine;
mod erasable;
mod id;
mod judge;
mod key;
mod name;
mod policy;
mod rejection;
mod request;
mod room;
mod signal;
mod spelled;

pub use self::bucket::Bucket;
pub use self::commands::Command;
pub use self::content::{
    Attachment, BadReaction, Content, Format, NulInText, Password, Reaction, SecretHash, Text,
};
pub use self::directory::Directory;
#[doc(hidden)]
pub use self::distinct::distinct_keys;
pub use self::effect::{Effect, Effects};
pub use self::engine::{Engine, Explanation, Inquiry, Judgement};
pub use self::erasable::Words;
pub use self::event::{
    Access, Author, Event, Features, History, Kind, Record, Retention, Via, Way,
};
pub use self::id::{BadCid, Cid, Idx, NUMBER_MAX, NumberTooLarge, RoomId, Seq, Timestamp, UserId};
pub use self::judge::{Effective, Step};
pub use self::key::Key;
pub use self::limits::Limits;
pub use self::name::{BadName, Name};
pub use self::policy::{Override, Overrides, Permission, Permissions, Role, Rule};
pub use self::rejection::{Counted, Field, Rejection};
pub use self::request::{
    Actor, Decision, Facts, MessageFact, Need, Proof, Request, Standing, Used,
};
pub use self::room::{Created, Head, Lifecycle, Member, Room};
pub use self::signal::Signal;
