//! Six people of six kinds in one room, each by his own spelling of it.

use std::time::Duration;

use chat_core::RoomId;
use chat_protocol::Spelling;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::world::{Plain, World, http};

/// Lines that each of them says.
const LINES: usize = 10;

/// How somebody speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Native,
    Rooms,
    Socketio,
    Rest,
    Actions,
    Groups,
}

/// Somebody in the room.
struct Person {
    kind: Kind,
    name: &'static str,
    socket: Plain,
    /// The room as he calls it.
    room: String,
}

/// What a frame means to whoever reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    /// Somebody said something.
    Line(String, String),
    /// Anything else, as it is.
    Other(String),
}

#[tokio::test]
async fn six_people_of_six_kinds_hear_every_line_once_and_in_one_order() {
    let world = World::new().await;
    let (mut ann, room) = host(&world).await;
    let mut people = guests(&world, room).await;
    people.insert(0, {
        ann.settle().await;
        ann
    });
    for person in &mut people {
        person.settle().await;
    }

    let mut talking = JoinSet::new();
    for person in people {
        talking.spawn(person.talk());
    }
    let mut people = Vec::new();
    let mut heard = Vec::new();
    for (person, lines) in talking.join_all().await {
        heard.push((person.kind, person.name, lines));
        people.push(person);
    }
    people.sort_by_key(|person| person.kind as usize);

    let whole = &heard.iter().find(|it| it.0 == Kind::Native).unwrap().2;
    assert_eq!(whole.len(), 6 * LINES);
    for (kind, name, lines) in &heard {
        let own = |sender: &str| !kind.echoes() && sender == *name;
        let due: Vec<_> = whole.iter().filter(|(sender, _)| !own(sender)).collect();
        assert_eq!(lines.iter().collect::<Vec<_>>(), due, "{kind:?}");
    }
    for person in &people {
        let said: Vec<_> = whole.iter().filter(|it| it.0 == person.name).collect();
        let due = (0..LINES).map(|number| person.line(number));
        assert!(said.into_iter().map(|it| it.1.clone()).eq(due), "{}", person.name);
    }

    part(people).await;
    world.stop().await;
}

/// One is kicked, one's connection breaks, one leaves: who can be told of that is told.
async fn part(people: Vec<Person>) {
    let Ok([mut ann, mut roo, sue, mut rea, mut abe, mut guy]) = <[Person; 6]>::try_from(people)
    else {
        panic!("six people")
    };
    let mut sue = sue;

    let here = ann.ask("presence", json!({"room": ann.number()})).await;
    let here = here["items"].as_array().unwrap().clone();
    let kicked = here.iter().find(|it| it["user"]["name"] == "roo").unwrap();
    let kick = json!({"room": ann.number(), "user": kicked["user"]["id"]});
    ann.ask("kick", kick).await;
    assert_eq!(sue.notice().await, r#"42["userLeft",{"roomId":"Den","username":"roo"}]"#);
    assert_eq!(abe.notice().await, r#"{"action":"user-left","username":"roo"}"#);
    let inside = json!({"query": "userInRoom", "roomId": roo.room});
    roo.socket.send(&json!({"type": "query", "payload": inside}).to_string()).await;
    assert_eq!(
        roo.socket.hear().await.unwrap(),
        r#"{"code":1,"message":"User does not exist in the room"}"#
    );

    drop(sue);
    assert_eq!(abe.notice().await, r#"{"action":"user-left","username":"sue"}"#);

    let leave = json!({"action": "leave", "username": "abe", "roomId": abe.room});
    abe.socket.send(&leave.to_string()).await;
    abe.socket.send("{}").await;
    assert!(abe.notice().await.contains("Invalid message format"));

    // Whoever has no word for all that hears the next line as the next thing.
    ann.say("are you there?").await;
    let line = || Heard::Line("ann".to_owned(), "are you there?".to_owned());
    assert_eq!(rea.hear().await, line());
    assert_eq!(guy.hear().await, line());
    let inside = json!({"query": "userInRoom", "roomId": roo.room});
    roo.socket.send(&json!({"type": "query", "payload": inside}).to_string()).await;
    assert!(roo.socket.hear().await.unwrap().contains("does not exist in the room"));
    abe.socket.send("{}").await;
    assert!(abe.notice().await.contains("Invalid message format"));
}

/// The one who made the room, in the native dialect.
async fn host(world: &World) -> (Person, u64) {
    let account = world.account("ann").await;
    let socket = Plain::connect(world.address, "/v1/ws").await;
    let mut ann = Person::of(Kind::Native, "ann", socket, String::new());
    ann.ask("hello", json!({"token": account.token})).await;
    let made = ann
        .ask("create_room", json!({"name": "Den", "alias": "Den", "listed": true}))
        .await;
    let room = made["room"].as_u64().unwrap();
    ann.room = room.to_string();
    (ann, room)
}

/// The five others, each by his own spelling.
async fn guests(world: &World, number: u64) -> Vec<Person> {
    let id = RoomId::new(number);
    let at = world.address;

    let code = Spelling::Code.write(id);
    let mut roo = Person::of(Kind::Rooms, "roo", Plain::connect(at, "/").await, code);
    let join = json!({"name": "roo", "roomId": roo.room, "pass": ""});
    roo.socket.send(&json!({"type": "join", "payload": join}).to_string()).await;
    assert!(roo.other().await.starts_with(r#"{"code":0,"#));

    let socket = Plain::connect(at, "/socket.io/?EIO=4&transport=websocket").await;
    let mut sue = Person::of(Kind::Socketio, "sue", socket, "Den".to_owned());
    assert!(sue.other().await.starts_with("0{"));
    sue.socket.send("40").await;
    assert!(sue.other().await.starts_with("40{"));
    sue.socket.send(r#"421["joinRoom",{"roomId":"Den","username":"sue"}]"#).await;
    assert_eq!(sue.other().await, r#"431[{"success":true}]"#);

    let body = json!({"user_name": "rea", "email": "rea@mail.example", "password": "a secret"});
    let body = body.to_string();
    let said = http(at, "POST", "/v1/api/auth/signup", &[], body.as_bytes()).await;
    let token = said.json()["token"].as_str().unwrap().to_owned();
    let path = format!("/ws?room_id={number}&jwt={token}");
    let socket = Plain::connect(at, &path).await;
    let rea = Person::of(Kind::Rest, "rea", socket, number.to_string());

    let socket = Plain::connect(at, "/chat").await;
    let mut abe = Person::of(Kind::Actions, "abe", socket, Spelling::Prefixed.write(id));
    let join = json!({"action": "join", "username": "abe", "roomId": abe.room});
    abe.socket.send(&join.to_string()).await;
    assert!(abe.other().await.contains("Welcome to Den!"));

    let socket = Plain::connect(at, "/").await;
    let mut guy = Person::of(Kind::Groups, "guy", socket, "Den".to_owned());
    let connect = json!({"type": "first-connect", "name": "guy", "group": "Den"});
    guy.socket.send(&connect.to_string()).await;
    let acknowledged = r#"{"type":"acknowledge-connect","name":"guy","Group":"Den"}"#;
    assert_eq!(guy.other().await, acknowledged);
    vec![roo, sue, rea, abe, guy]
}

impl Person {
    fn of(kind: Kind, name: &'static str, socket: Plain, room: String) -> Self {
        Self {
            kind,
            name,
            socket,
            room,
        }
    }

    fn number(&self) -> u64 {
        self.room.parse().unwrap()
    }

    fn line(&self, number: usize) -> String {
        format!("{} of {}", number + 1, self.name)
    }

    /// Says his lines at random times; gives everything that anybody was heard to say.
    async fn talk(mut self) -> (Self, Vec<(String, String)>) {
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

    async fn say(&mut self, text: &str) {
        let room = &self.room;
        let frame = match self.kind {
            Kind::Native => json!({"op": "post", "d": {"room": self.number(), "body": text}}),
            Kind::Rooms => json!({"type": "chat", "payload": {"roomId": room, "msg": text}}),
            Kind::Socketio => {
                let message = json!({"roomId": room, "message": text, "sender": self.name});
                return self.socket.send(&format!("42{}", json!(["message", message]))).await;
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
    async fn ask(&mut self, op: &str, d: Value) -> Value {
        self.socket.send(&json!({"id": 1, "op": op, "d": d}).to_string()).await;
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
    async fn settle(&mut self) {
        let (asked, answered) = match self.kind {
            Kind::Native => (r#"{"id":1,"op":"limits","d":{}}"#, r#"{"re":1,"#),
            Kind::Rooms => (r#"{"type":"query","payload":{"query":"rooms"}}"#, "["),
            Kind::Socketio => (r#"429["joinRoom",{"roomId":"Den","username":"sue"}]"#, "439["),
            // It hears lines and nothing else.
            Kind::Rest => return,
            Kind::Actions => ("{}", r#"{"action":"error""#),
            Kind::Groups => (r#"{"type":"get_groups"}"#, r#"{"type":"active-groups""#),
        };
        self.socket.send(asked).await;
        while !self.other().await.starts_with(answered) {}
    }

    async fn hear(&mut self) -> Heard {
        loop {
            let frame = self.socket.hear().await.unwrap();
            match frame.as_str() {
                "2" => self.socket.send("3").await,
                text if text.starts_with(r#"{"sys":"ping""#) => {}
                text => return self.kind.read(text),
            }
        }
    }

    /// The next frame, which is no line.
    async fn other(&mut self) -> String {
        match self.hear().await {
            Heard::Other(frame) => frame,
            line @ Heard::Line(..) => panic!("{} hears {line:?}", self.name),
        }
    }

    async fn notice(&mut self) -> String {
        self.other().await
    }
}

impl Kind {
    /// Whether somebody hears himself.
    const fn echoes(self) -> bool {
        match self {
            Self::Native | Self::Rest | Self::Actions => true,
            Self::Rooms | Self::Socketio | Self::Groups => false,
        }
    }

    fn read(self, frame: &str) -> Heard {
        let line = match self {
            Self::Native => json_at(frame).and_then(|it| {
                (it["ev"] == "posted").then(|| (it["by"]["name"].clone(), it["d"]["content"]["body"].clone()))
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
                (it["Body"]["chatUser"].clone(), it["Body"]["chatMessage"].clone())
            }),
            Self::Actions => json_at(frame).and_then(|it| {
                (it["action"] == "new-message").then(|| (it["sender"].clone(), it["message"].clone()))
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
