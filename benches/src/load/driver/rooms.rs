//! The `rooms` dialect.

use super::{Driver, Guest, Step, Verdict, between, says};

/// JSON at any path: the first guest makes the room, all join it under their names, and chat.
#[derive(Debug)]
pub(super) struct Rooms;

impl Driver for Rooms {
    fn path(&self, _: &Guest) -> String {
        "/".to_owned()
    }

    fn echoes(&self) -> bool {
        false
    }

    fn enter(&self, me: &Guest, room: &mut Option<String>, heard: Option<&[u8]>) -> Step {
        if let Some(made) = heard.and_then(|heard| between(heard, "Room id: ", &['"'])) {
            *room = Some(made.to_owned());
            return Step::Say(join(me, made));
        }
        match (heard, room) {
            (None, Some(room)) => Step::Say(join(me, room)),
            (None, None) => {
                let name = &me.room_name;
                Step::Say(format!(
                    r#"{{"type":"create","payload":{{"name":"{name}","visibility":"public","pass":""}}}}"#
                ))
            }
            (Some(heard), _) if says(heard, "Successfully joined") => Step::In,
            (Some(heard), _) if says(heard, r#""code":1"#) => Step::Refused,
            (Some(_), _) => Step::Wait,
        }
    }

    fn post(&self, _: &Guest, room: &str, line: &str) -> String {
        format!(r#"{{"type":"chat","payload":{{"roomId":"{room}","msg":"{line}"}}}}"#)
    }

    fn judge(&self, heard: &[u8]) -> Verdict {
        if says(heard, r#""code":1"#) {
            Verdict::Refusal
        } else {
            Verdict::Noise
        }
    }
}

fn join(me: &Guest, room: &str) -> String {
    let name = &me.name;
    format!(r#"{{"type":"join","payload":{{"name":"{name}","roomId":"{room}","pass":""}}}}"#)
}
