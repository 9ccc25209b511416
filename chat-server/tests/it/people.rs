//! People who speak one dialect each, on real sockets.

use std::time::Duration;

use chat_core::RoomId;
use chat_protocol::Spelling;
use serde_json::{Value, json};

use crate::world::{Account, PASSWORD, Plain, World};

/// Lines that somebody says when he talks.
pub(crate) const LINES: usize = 10;

/// How somebody speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Native,
    Rooms,
    Socketio,
    Rest,
    Actions,
    Groups,
}

/// Somebody in the room.
pub(crate) struct Person {
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    pub(crate) socket: Plain,
    /// The room as he calls it.
    pub(crate) room: String,
}

/// What a frame means to whoever reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Somebody said something.
    Line(String, String),
    /// Anything else, as it is.
    Other(String),
}

impl Kind {
    /// The older ones.
    pub(crate) const OLDER: [Self; 5] = [
        Self::Rooms,
        Self::Socketio,
        Self::Rest,
        Self::Actions,
        Self::Groups,
    ];

    /// The room as a client of this kind spells it.
    pub(crate) fn spell(self, room: u64, alias: &str) -> String {
        let id = RoomId::new(room);
        match self {
            Self::Native | Self::Rest => room.to_string(),
            Self::Rooms => Spelling::Code.write(id),
            Self::Actions => Spelling::Prefixed.write(id),
            Self::Socketio | Self::Groups => alias.to_owned(),
        }
    }
}

impl Person {
    pub(crate) fn of(kind: Kind, name: &'static str, socket: Plain, room: String) -> Self {
        Self {
            kind,
            name,
            socket,
            room,
        }
    }

    /// Comes into a room with an account; gives what he is told if he may not.
    pub(crate) async fn enter(
        world: &World,
        kind: Kind,
        who: (&'static str, &Account),
        (room, alias): (u64, &str),
    ) -> Result<Self, String> {
        let (name, account) = who;
        let spelled = kind.spell(room, alias);
        let path = match kind {
            Kind::Native => "/v1/ws".to_owned(),
            Kind::Rooms | Kind::Groups => "/".to_owned(),
            Kind::Socketio => "/socket.io/?EIO=4&transport=websocket".to_owned(),
            Kind::Rest => format!("/ws?room_id={spelled}&jwt={}", account.token),
            Kind::Actions => "/chat".to_owned(),
        };
        let socket = Plain::try_connect(world.address, &path).await;
        let socket = socket.map_err(|status| status.to_string())?;
        let mut person = Self::of(kind, name, socket, spelled);
        let Some((enter, granted)) = person.introduce(account).await else {
            return Ok(person);
        };
        person.socket.send(&enter).await;
        let said = person.other().await;
        if said.starts_with(granted) {
            Ok(person)
        } else {
            Err(said)
        }
    }

    /// Says who he is; gives what he enters by and the begin of what he is told then, if he isn't
    /// in yet.
    async fn introduce(&mut self, account: &Account) -> Option<(String, &'static str)> {
        let (name, room, token) = (self.name, self.room.clone(), &account.token);
        Some(match self.kind {
            Kind::Native => {
                self.ask("hello", json!({"token": token})).await;
                self.ask("join", json!({"room": self.number()})).await;
                self.ask("subscribe", json!({"rooms": [self.number()]}))
                    .await;
                return None;
            }
            Kind::Rest => {
                self.settle().await;
                return None;
            }
            Kind::Rooms => {
                let join = json!({"name": name, "roomId": room, "pass": "", "token": token});
                (
                    json!({"type": "join", "payload": join}).to_string(),
                    r#"{"code":0"#,
                )
            }
            Kind::Socketio => {
                self.other().await;
                self.socket
                    .send(&format!("40{}", json!({"token": token})))
                    .await;
                assert!(self.other().await.starts_with("40{"));
                let join = json!(["joinRoom", {"roomId": room, "username": name}]);
                (format!("421{join}"), r#"431[{"success":true}"#)
            }
            Kind::Actions => {
                let join = json!({
                    "action": "join", "username": name, "roomId": room, "token": token,
                });
                (join.to_string(), r#"{"action":"joined""#)
            }
            Kind::Groups => {
                let log_in = json!({"type": "log_in", "name": name, "pwrd": PASSWORD}).to_string();
                self.socket.send(&log_in).await;
                assert!(self.other().await.starts_with(r#"{"type":"login-accept""#));
                let connect = json!({"type": "first-connect", "name": name, "group": room});
                (connect.to_string(), r#"{"type":"acknowledge-connect""#)
            }
        })
    }

    pub(crate) fn number(&self) -> u64 {
        self.room.parse().unwrap()
    }

    pub(crate) fn line(&self, number: usize) -> String {
        format!("{} of {}", number + 1, self.name)
    }

    /// Says his lines at random times; gives everything that anybody was heard to say.
    pub(crate) async fn talk(mut self) -> (Self, Vec<(String, String)>) {
        for number in 0..LINES {
            let wait = getrandom::u64().unwrap() % 4_000;
            tokio::time::sleep(Duration::from_micros(wait)).await;
            self.say(&self.line(number)).await;
        }
        let due = if self.kind.echoes() { 6 } else { 5 } * LINES;
        let mut lines = Vec::with_capacity(due);
        while lines.len() < due {
            if let Heard::Line(sender, text) = self.hear().await {
                lines.push((sender, text));
            }
        }
        (self, lines)
    }

    pub(crate) async fn say(&mut self, text: &str) {
        let room = &self.room;
        let frame = match self.kind {
            Kind::Native => json!({"op": "post", "d": {"room": self.number(), "body": text}}),
            Kind::Rooms => json!({"type": "chat", "payload": {"roomId": room, "msg": text}}),
            Kind::Socketio => {
                let message = json!({"roomId": room, "message": text, "sender": self.name});
                return self
                    .socket
                    .send(&format!("42{}", json!(["message", message])))
                    .await;
            }
            Kind::Rest => json!({"chatRoomId": self.number(), "chatMessage": text}),
            Kind::Actions => json!({"action": "send-message", "roomId": room, "message": text}),
            Kind::Groups => {
                json!({"type": "message", "name": self.name, "group": room, "Text": text})
            }
        };
        self.socket.send(&frame.to_string()).await;
    }

    /// Asks something in the native dialect; what else comes is passed over.
    pub(crate) async fn ask(&mut self, op: &str, d: Value) -> Value {
        self.socket
            .send(&json!({"id": 1, "op": op, "d": d}).to_string())
            .await;
        loop {
            let frame = self.other().await;
            let frame: Value = serde_json::from_str(&frame).unwrap();
            if frame["re"] == 1 {
                assert!(frame["err"].is_null(), "{frame}");
                return frame["ok"].clone();
            }
        }
    }

    /// Hears what the others' coming has left to be heard: the last of it is an answer.
    pub(crate) async fn settle(&mut self) {
        let again = json!(["joinRoom", {"roomId": self.room, "username": self.name}]);
        let again = format!("429{again}");
        let (asked, answered) = match self.kind {
            Kind::Native => (r#"{"id":1,"op":"limits","d":{}}"#, r#"{"re":1,"#),
            Kind::Rooms => (r#"{"type":"query","payload":{"query":"rooms"}}"#, "["),
            Kind::Socketio => (again.as_str(), "439["),
            // It hears lines and nothing else.
            Kind::Rest => {
                let heard = self.socket.ping().await;
                return assert!(heard.is_empty(), "{heard:?}");
            }
            Kind::Actions => ("{}", r#"{"action":"error""#),
            Kind::Groups => (r#"{"type":"get_groups"}"#, r#"{"type":"active-groups""#),
        };
        self.socket.send(asked).await;
        while !self.other().await.starts_with(answered) {}
    }

    pub(crate) async fn hear(&mut self) -> Heard {
        loop {
            let frame = self.socket.hear().await.unwrap();
            match frame.as_str() {
                "2" => self.socket.send("3").await,
                text if text.starts_with(r#"{"sys":"ping""#) => {}
                text => return self.kind.read(text),
            }
        }
    }

    /// Whether a person of the rooms dialect is told that he is in the room.
    pub(crate) async fn is_inside(&mut self) -> bool {
        let asked = json!({"query": "userInRoom", "roomId": self.room});
        let asked = json!({"type": "query", "payload": asked}).to_string();
        self.socket.send(&asked).await;
        match self.other().await.as_str() {
            r#"{"code":0,"message":"User exists in the room"}"# => true,
            r#"{"code":1,"message":"User does not exist in the room"}"# => false,
            said => panic!("{said}"),
        }
    }

    /// The next frame, which is no line.
    pub(crate) async fn other(&mut self) -> String {
        match self.hear().await {
            Heard::Other(frame) => frame,
            line @ Heard::Line(..) => panic!("{} hears {line:?}", self.name),
        }
    }
}

impl Kind {
    /// Whether somebody hears himself.
    pub(crate) const fn echoes(self) -> bool {
        match self {
            Self::Native | Self::Rest | Self::Actions => true,
            Self::Rooms | Self::Socketio | Self::Groups => false,
        }
    }

    fn read(self, frame: &str) -> Heard {
        let line = match self {
            Self::Native => json_at(frame).and_then(|it| {
                (it["ev"] == "posted")
                    .then(|| (it["by"]["name"].clone(), it["d"]["content"]["body"].clone()))
            }),
            Self::Rooms => frame
                .strip_prefix("message: ")
                .and_then(json_at)
                .map(|it| (it["user"].clone(), it["msg"].clone())),
            Self::Socketio => frame.strip_prefix("42").and_then(json_at).and_then(|it| {
                let said = &it[1];
                (it[0] == "message").then(|| (said["sender"].clone(), said["message"].clone()))
            }),
            Self::Rest => json_at(frame).map(|it| {
                assert!(frame.ends_with('\n'), "{frame:?}");
                (
                    it["Body"]["chatUser"].clone(),
                    it["Body"]["chatMessage"].clone(),
                )
            }),
            Self::Actions => json_at(frame).and_then(|it| {
                (it["action"] == "new-message")
                    .then(|| (it["sender"].clone(), it["message"].clone()))
            }),
            Self::Groups => json_at(frame).and_then(|it| {
                (it["type"] == "message").then(|| (it["name"].clone(), it["Text"].clone()))
            }),
        };
        match line {
            Some((Value::String(sender), Value::String(text))) => Heard::Line(sender, text),
            Some(_) => panic!("{self:?}: {frame}"),
            None => Heard::Other(frame.to_owned()),
        }
    }
}

fn json_at(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}
