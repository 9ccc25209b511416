//! Socket.IO 5 over Engine.IO 4, with the events of the `socketio` dialect's first face
//! (`001_d6713a1b7337502b.txt`).

use super::{Carrier, Driver, Guest, Step, Verdict, says};

/// A guest connects to the namespace, joins a room by its name, which makes it, and sends messages.
///
/// The join asks for an acknowledgement, the messages don't: a plain server sends none.
#[derive(Debug)]
pub(super) struct Socketio(pub(super) Carrier);

impl Driver for Socketio {
    fn path(&self, _: &Guest) -> String {
        let transport = match self.0 {
            Carrier::WebSocket => "websocket",
            Carrier::Polling => "polling",
        };
        format!("/socket.io/?EIO=4&transport={transport}")
    }

    fn carrier(&self) -> Carrier {
        self.0
    }

    fn echoes(&self) -> bool {
        false
    }

    fn enter(&self, me: &Guest, room: &mut Option<String>, heard: Option<&[u8]>) -> Step {
        let room = room.get_or_insert_with(|| me.room_name.clone());
        let name = &me.name;
        match heard {
            None => Step::Wait,
            Some([b'0', ..]) => Step::Say("40".to_owned()),
            Some([b'2']) => Step::Say("3".to_owned()),
            Some([b'4', b'0', ..]) => Step::Say(format!(
                r#"420["joinRoom",{{"roomId":"{room}","username":"{name}"}}]"#
            )),
            Some(refused @ [b'4', b'3', ..]) if says(refused, r#""success":false"#) => {
                Step::Refused
            }
            Some([b'4', b'3', ..]) => Step::In,
            Some([b'4', b'4', ..] | [b'1']) => Step::Refused,
            Some(_) => Step::Wait,
        }
    }

    fn post(&self, me: &Guest, room: &str, line: &str) -> String {
        let name = &me.name;
        format!(r#"42["message",{{"roomId":"{room}","message":"{line}","sender":"{name}"}}]"#)
    }

    fn judge(&self, heard: &[u8]) -> Verdict {
        match heard {
            b"2" => Verdict::Answer("3"),
            [b'4', b'1' | b'4', ..] | b"1" => Verdict::Refusal,
            _ => Verdict::Noise,
        }
    }
}
