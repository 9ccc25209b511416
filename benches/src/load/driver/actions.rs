//! The `actions` dialect (`003_10331393eb4d24c0.txt`).

use super::{Driver, Guest, Step, Verdict, between, says};
use crate::load::http;
use crate::load::plan::Plan;

/// Rooms are made over HTTP by somebody who logs in; guests join them at `/chat` and send messages.
#[derive(Debug)]
pub(super) struct Actions;

impl Driver for Actions {
    fn path(&self, _: &Guest) -> String {
        "/chat".to_owned()
    }

    fn echoes(&self) -> bool {
        true
    }

    fn prepare(&self, plan: &Plan) -> Result<Vec<Option<String>>, String> {
        let mut token = String::new();
        let mut rooms = Vec::new();
        for room in 0..plan.rooms {
            // Nobody makes more than fifty rooms a day.
            if room % ROOMS_EACH == 0 {
                let login = format!(
                    r#"{{"username":"host-{:04x}-{room}","password":"as good as any"}}"#,
                    plan.run
                );
                token = ask(plan, "/api/login", "", &login, r#""token":""#)?;
            }
            let wish = format!(r#"{{"roomName":"{}"}}"#, plan.room_name(room));
            let made = ask(plan, "/api/create-room", &token, &wish, r#""roomId":""#)?;
            rooms.push(Some(made));
        }
        Ok(rooms)
    }

    fn enter(&self, me: &Guest, room: &mut Option<String>, heard: Option<&[u8]>) -> Step {
        match heard {
            None => Step::Say(format!(
                r#"{{"action":"join","username":"{}","roomId":"{}"}}"#,
                me.name,
                room.as_deref().unwrap_or_default()
            )),
            Some(heard) if says(heard, r#""action":"joined""#) => Step::In,
            Some(heard) if says(heard, r#""action":"error""#) => Step::Refused,
            Some(_) => Step::Wait,
        }
    }

    fn post(&self, _: &Guest, room: &str, line: &str) -> String {
        format!(r#"{{"action":"send-message","roomId":"{room}","message":"{line}"}}"#)
    }

    fn judge(&self, heard: &[u8]) -> Verdict {
        if says(heard, r#""action":"error""#) {
            Verdict::Refusal
        } else {
            Verdict::Noise
        }
    }
}

const ROOMS_EACH: usize = 50;

/// Posts JSON, and gives the text that follows these words in the answer.
fn ask(plan: &Plan, path: &str, token: &str, json: &str, key: &str) -> Result<String, String> {
    let answer = http::ask(plan, path, token, json).map_err(|why| format!("{path}: {why}"))?;
    let found = between(answer.as_bytes(), key, &['"']).map(str::to_owned);
    found.ok_or_else(|| format!("{path}: {answer}"))
}
