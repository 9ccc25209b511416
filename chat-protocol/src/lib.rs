//! The JSON command enum and every wire dialect of the chat engine, as pure codecs.

pub mod answer;
pub mod client;
pub mod close;
pub mod code;
pub mod command;
pub mod dialect;
pub mod dialects;
pub mod event;
pub mod frame;
pub mod room_ref;
pub mod server_frame;
pub mod signal;
pub mod spelling;
pub mod system;

pub use self::answer::Answer;
pub use self::close::Close;
pub use self::code::{Class, Code, Refusal};
pub use self::command::Op;
pub use self::dialect::{Call, Dialect, Ticket};
pub use self::event::encode_record;
pub use self::room_ref::RoomRef;
pub use self::signal::Signal;
pub use self::spelling::Spelling;
pub use self::system::System;

/// Encodes what can't fail to be JSON: our own types, whose maps have numbers or texts as keys.
pub(crate) fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("our own types are JSON")
}
