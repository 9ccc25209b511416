//! The native protocol.

use super::{Driver, Guest, Step, Verdict, between, says};
use crate::load::line::ID;

/// `chat.v1.json` at `/v1/ws`: a guest says hello, makes a room or joins it, and posts.
#[derive(Debug)]
pub(super) struct Native;

impl Driver for Native {
    fn path(&self, _: &Guest) -> String {
        "/v1/ws".to_owned()
    }

    fn subprotocol(&self) -> Option<&'static str> {
        Some("chat.v1.json")
    }

    fn echoes(&self) -> bool {
        true
    }

    fn enter(&self, me: &Guest, room: &mut Option<String>, heard: Option<&[u8]>) -> Step {
        let Some(heard) = heard else {
            let name = &me.name;
            return Step::Say(format!(
                r#"{{"id":1,"op":"hello","d":{{"guest":{{"name":"{name}"}}}}}}"#
            ));
        };
        if says(heard, r#""err":"#) {
            return Step::Refused;
        }
        if says(heard, r#"{"re":1,"#) {
            return Step::Say(match room {
                Some(room) => format!(r#"{{"id":2,"op":"join","d":{{"room":{room}}}}}"#),
                None => {
                    let name = &me.room_name;
                    format!(r#"{{"id":2,"op":"create_room","d":{{"name":"{name}"}}}}"#)
                }
            });
        }
        if says(heard, r#"{"re":2,"#) {
            let made = between(heard, r#""room":"#, &[',', '}']);
            room.get_or_insert_with(|| made.unwrap_or_default().to_owned());
            return Step::In;
        }
        Step::Wait
    }

    fn credential<'a>(&self, heard: &'a [u8]) -> Option<&'a str> {
        between(heard, r#""guest_token":""#, &['"'])
    }

    fn post(&self, _: &Guest, room: &str, line: &str) -> String {
        format!(r#"{{"id":{ID},"op":"post","d":{{"room":{room},"body":"{line}"}}}}"#)
    }

    fn judge(&self, heard: &[u8]) -> Verdict {
        let refused = says(heard, r#""err":"#) || says(heard, r#"{"sys":"lagged"}"#);
        if refused {
            Verdict::Refusal
        } else {
            Verdict::Noise
        }
    }
}
