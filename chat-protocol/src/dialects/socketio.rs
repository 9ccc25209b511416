//! Events over [Socket.IO](crate::socketio), with tokens that the server signs.
//!
//! Two front ends are in use, and each has events of its own. The first names a room in everything
//! and makes it by joining it: `joinRoom`, `message`, `leaveRoom`, `typing`. The second makes rooms
//! by `create_room` and enters by the id that it is told: `join_room`, `send_message`,
//! `leave_room`. A seat hears the events of the face by which it was taken.
//!
//! Texts are whole messages of Engine.IO, with the `4` that they begin with. A message may be any
//! JSON value: a string is a plain body, anything else a body with format `json`, kept to the byte.

mod asking;
mod speaking;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::code::{Code, Refusal};
use crate::command::{Op, Token};
use crate::dialect::Call;
use crate::socketio::{INVALID_NAMESPACE, Kind, MAIN, Packet};

pub(crate) use self::speaking::{answer, event, signal};

/// What a reply needs to know of its packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ticket {
    /// The wish to enter the main namespace.
    Connect,
    /// The wish to enter a namespace that there isn't.
    Elsewhere(String),
    /// Leaving the main namespace.
    Disconnect,
    /// An event.
    Event(Asked, Option<u64>),
    /// Nothing that could be read, or that may be said.
    Unreadable,
}

/// What an event's acknowledgement tells beside success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The id of the room that was made.
    Key,
    /// The name of the room that was entered.
    Name,
    /// Nothing.
    Plain,
}

/// Reads one packet.
pub(crate) fn decode(text: &str, calls: &mut Vec<Call>) {
    let Ok(packet) = Packet::decode(text) else {
        calls.push(unreadable());
        return;
    };
    let call = match packet.kind {
        Kind::Connect if packet.namespace == MAIN => Call {
            ticket: Ticket::Connect.into(),
            op: Ok(Op::Connect {
                token: token(packet.data.as_deref()),
            }),
        },
        Kind::Connect => {
            let refusal = Refusal::new(Code::BadArgument).with_words(INVALID_NAMESPACE);
            Call {
                ticket: Ticket::Elsewhere(packet.namespace.into_owned()).into(),
                op: Err(refusal),
            }
        }
        // Nobody is in another namespace.
        _ if packet.namespace != MAIN => unreadable(),
        Kind::Disconnect => Call {
            ticket: Ticket::Disconnect.into(),
            op: Ok(Op::Disconnect {}),
        },
        Kind::Event => {
            let (asked, op) = asking::read(&packet);
            Call {
                ticket: Ticket::Event(asked, packet.id).into(),
                op,
            }
        }
        // Nothing of ours asks for one. It is passed over, but not for nothing.
        Kind::Ack => Call {
            ticket: Ticket::Event(Asked::Plain, None).into(),
            op: Err(Refusal::unknown_command("ack")),
        },
        Kind::ConnectError => unreadable(),
    };
    calls.push(call);
}

fn unreadable() -> Call {
    Call {
        ticket: Ticket::Unreadable.into(),
        op: Err(Refusal::bad_frame("this is no packet")),
    }
}

/// The token that a client connects with. One that is no text is one that proves nothing.
fn token(auth: Option<&RawValue>) -> Option<Token> {
    #[derive(Deserialize)]
    struct Auth<'a> {
        #[serde(borrow, default)]
        token: Option<&'a RawValue>,
    }
    let auth = auth?.get();
    let Ok(auth) = serde_json::from_str::<Auth<'_>>(auth) else {
        return Some(Token::new(auth));
    };
    let json = auth.token?.get();
    let token = serde_json::from_str(json).unwrap_or_else(|_| json.to_owned());
    (!token.is_empty()).then(|| Token::new(token))
}
