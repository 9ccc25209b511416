//! The routes of the actions dialect: what is read, and what is replied to the byte.

use chat_core::Name;
use chat_protocol::answer::{Answer, LobbyRoom, Mode, Transcript};
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::{NameRule, Op, Token};
use chat_protocol::http::{Asked, Proof, Reply, Request, Site};
use proptest::prelude::{any, proptest};
use serde_json::{Value, json};

use crate::given::card;

const SITE: Site = Site::Actions;

fn ask(method: &str, path: &str, body: &str) -> Result<Asked, Reply> {
    SITE.ask(&Request {
        method,
        path,
        authorization: Some("Bearer abcd1234"),
        body: body.as_bytes(),
    })
}

fn op((method, path, body): (&str, &str, &str)) -> Op {
    ask(method, path, body).unwrap().op.unwrap()
}

fn told(reply: Reply) -> (u16, String) {
    (reply.status, String::from_utf8(reply.body).unwrap())
}

/// Status and body of the reply to a request that is answered so.
#[track_caller]
fn replied(request: (&str, &str, &str), answer: &Result<Answer, Refusal>) -> (u16, String) {
    let (method, path, body) = request;
    let asked = ask(method, path, body).unwrap();
    assert!(asked.op.is_ok(), "{:?}", asked.op);
    told(asked.ticket.reply(answer))
}

/// Status and body of the reply to a request that nobody needs to look at.
#[track_caller]
fn refused(method: &str, path: &str, body: &str) -> (u16, String) {
    match ask(method, path, body) {
        Ok(asked) => {
            let refusal = asked.op.expect_err("refused as it stands");
            told(asked.ticket.reply(&Err(refusal)))
        }
        Err(reply) => told(reply),
    }
}

fn failed(status: u16, message: &str) -> (u16, String) {
    let message = Value::from(message);
    (
        status,
        format!(r#"{{"status":"failed","message":{message}}}"#),
    )
}

fn techtalk(id: u64) -> chat_protocol::answer::RoomCard {
    card(id, Name::new("TechTalk").ok(), Mode::Open)
}

const LOGIN: (&str, &str, &str) = (
    "POST",
    "/api/login",
    r#"{"username":"john_doe","password":"securepassword"}"#,
);
const CREATE: (&str, &str, &str) = (
    "POST",
    "/api/create-room",
    r#"{"roomName":"TechTalk","creator":"john_doe"}"#,
);
const ROOMS: (&str, &str, &str) = ("GET", "/api/rooms", "");
const JOIN: (&str, &str, &str) = (
    "POST",
    "/api/join-room",
    r#"{"roomId":"room_12345","username":"john_doe"}"#,
);
const HISTORY: (&str, &str, &str) = ("GET", "/api/chat-history/room_12345", "");

#[test]
fn only_logging_in_needs_no_token() {
    for (method, path, body) in [LOGIN, CREATE, ROOMS, JOIN, HISTORY] {
        let proof = |authorization, body: &str| {
            let asked = SITE.ask(&Request {
                method,
                path,
                authorization,
                body: body.as_bytes(),
            });
            asked.unwrap().proof
        };
        if path == "/api/login" {
            assert_eq!(proof(None, body), Proof::Unasked);
            continue;
        }
        let token = |text: &str| Proof::Token(Token::new(text));
        for body in [body, "{"] {
            assert_eq!(proof(None, body), Proof::Missing);
            assert_eq!(proof(Some(" "), body), Proof::Missing);
            assert_eq!(proof(Some("Bearer abcd1234"), body), token("abcd1234"));
            assert_eq!(proof(Some("bearer  abcd1234 "), body), token("abcd1234"));
            assert_eq!(proof(Some("abcd1234"), body), token("abcd1234"));
            assert_eq!(proof(Some("Basic am9obg=="), body), token("Basic am9obg=="));
        }
        for (code, words) in [
            (Code::Unauthenticated, "Authorization header missing"),
            (Code::TokenInvalid, "Invalid or expired token"),
            (Code::TokenExpired, "Invalid or expired token"),
        ] {
            let said = replied((method, path, body), &Err(Refusal::new(code)));
            assert_eq!(said, failed(401, words));
        }
    }
}

#[test]
fn whoever_logs_in_gets_a_token() {
    let Op::LogIn {
        login,
        password,
        make,
    } = op(LOGIN)
    else {
        panic!("a log-in");
    };
    assert_eq!((&*login, password.expose()), ("john_doe", "securepassword"));
    assert!(make, "there is no way to sign up");
    let card = serde_json::from_value(json!({
        "user": {"id": 1, "name": "john_doe"}, "email": null, "handle": null,
        "created_at": 1, "updated_at": 1, "token": "abcd1234", "rooms": [],
    }));
    assert_eq!(
        replied(LOGIN, &Ok(Answer::SignedIn(card.unwrap()))),
        (200, r#"{"status":"success","token":"abcd1234"}"#.to_owned())
    );
    assert_eq!(
        replied(LOGIN, &Err(Refusal::new(Code::BadCredentials))),
        failed(401, "Invalid username or password")
    );
    assert_eq!(
        replied(LOGIN, &Err(Refusal::new(Code::Suspended))).0,
        403,
        "in the envelope of the others"
    );
    assert_eq!(
        replied(LOGIN, &Err(Refusal::rate_limited(1_400))),
        failed(429, "too fast: wait 2 s")
    );
    for body in [
        r#"{"username":"john_doe"}"#,
        r#"{"password":"p"}"#,
        r#"{"username":"","password":"p"}"#,
        r#"{"username":"john_doe","password":null}"#,
        "{}",
    ] {
        assert_eq!(
            refused("POST", "/api/login", body),
            failed(400, "Username and password are required")
        );
    }
}

#[test]
fn rooms_are_made_under_names_of_their_own() {
    let Op::Found { command } = op(CREATE) else {
        panic!("a room to be made");
    };
    assert_eq!(command.name.as_str(), "TechTalk");
    assert!(!command.join && command.listed == Some(true));
    let founded = |already| Answer::Founded {
        room: Box::new(techtalk(12345)),
        already,
    };
    assert_eq!(
        replied(CREATE, &Ok(founded(false))),
        (
            201,
            r#"{"status":"success","message":"Room created successfully","roomId":"room_12345","roomName":"TechTalk"}"#
                .to_owned()
        )
    );
    assert_eq!(
        replied(CREATE, &Ok(founded(true))),
        failed(200, "RoomName already exists")
    );
    assert_eq!(
        replied(CREATE, &Err(Refusal::new(Code::NameTaken))),
        failed(200, "RoomName already exists")
    );
    assert_eq!(
        refused("POST", "/api/create-room", r#"{"creator":"john_doe"}"#),
        failed(400, "roomName is required")
    );
    assert_eq!(
        refused("POST", "/api/create-room", r#"{"roomName":" "}"#),
        failed(400, "a name may not be empty")
    );
}

#[test]
fn the_list_of_rooms_is_bare_and_bounded() {
    let listed = |ids: std::ops::RangeInclusive<u64>, name: &str| {
        let rooms = ids.map(|id| LobbyRoom {
            card: card(id, Name::new(name).ok(), Mode::Open),
            people: Vec::new(),
        });
        replied(ROOMS, &Ok(Answer::Lobby(rooms.collect())))
    };
    assert_eq!(
        listed(1..=2, "TechTalk"),
        (
            200,
            r#"[{"roomId":"room_1","roomName":"TechTalk"},{"roomId":"room_2","roomName":"TechTalk"}]"#
                .to_owned()
        )
    );
    assert_eq!(replied(ROOMS, &Ok(Answer::Lobby(Vec::new()))).1, "[]");
    let mut named = techtalk(7);
    named.alias = Name::new("talk").ok();
    let (card, people) = (named, Vec::new());
    assert_eq!(
        replied(ROOMS, &Ok(Answer::Lobby(vec![LobbyRoom { card, people }]))).1,
        r#"[{"roomId":"room_7","roomName":"talk"}]"#,
        "the name by which it can be joined"
    );
    let many: Vec<Value> = serde_json::from_str(&listed(1..=3_000, "den").1).unwrap();
    assert_eq!(many.len(), 1_000);
    let long = listed(1..=1_000, &"é".repeat(500)).1;
    assert!(long.len() <= 256 * 1024 && long.len() > 200 * 1024);
}

#[test]
fn joining_is_answered_by_the_name_of_the_room() {
    let Op::Enter(wish) = op(JOIN) else {
        panic!("a wish to enter");
    };
    assert_eq!(wish.name, Name::new("john_doe").ok());
    let entered = |room| Answer::Entered {
        room: Box::new(room),
        name: Name::new("john_doe").unwrap(),
        already: false,
    };
    assert_eq!(
        replied(JOIN, &Ok(entered(techtalk(12345)))),
        (
            200,
            r#"{"status":"success","message":"Joined room TechTalk","roomId":"room_12345"}"#
                .to_owned()
        )
    );
    let nameless = card(12345, None, Mode::Open);
    assert_eq!(
        replied(JOIN, &Ok(entered(nameless))).1,
        r#"{"status":"success","message":"Joined room room_12345","roomId":"room_12345"}"#
    );
    assert_eq!(
        replied(JOIN, &Err(Refusal::new(Code::RoomNotFound))),
        failed(200, "Room does not exist")
    );
    assert_eq!(
        replied(JOIN, &Err(Refusal::new(Code::Banned))),
        failed(403, "banned from this room")
    );
    assert_eq!(
        refused("POST", "/api/join-room", r#"{"username":"john_doe"}"#),
        failed(400, "roomId is required")
    );
    assert_eq!(
        refused(
            "POST",
            "/api/join-room",
            r#"{"roomId":"room_1","username":""}"#
        ),
        failed(400, "a name may not be empty")
    );
}

#[test]
fn a_history_tells_who_said_what_and_when() {
    let said = |seq: u64, at: u64, by: &str, body: Option<&str>| {
        let content = body.map(|body| json!({"body": body}));
        let mut message = json!({"seq": seq, "idx": seq, "at": at, "by": {"id": 1, "name": by}});
        if let Some(content) = content {
            message["content"] = content;
        }
        serde_json::from_value(message).unwrap()
    };
    let transcript = Transcript {
        room: techtalk(12345),
        messages: vec![
            said(1, 1_733_832_000_000, "john_doe", Some("Hello!")),
            said(2, 1_733_832_030_000, "jane_doe", None),
            said(3, 1_733_832_060_999, "jane_doe", Some("Hi!")),
        ],
    };
    let transcript = Answer::Transcript(Box::new(transcript));
    assert_eq!(
        replied(HISTORY, &Ok(transcript)),
        (
            200,
            concat!(
                r#"{"roomId":"room_12345","messages":["#,
                r#"{"sender":"john_doe","message":"Hello!","timestamp":"2024-12-10T12:00:00Z"},"#,
                r#"{"sender":"jane_doe","message":"Hi!","timestamp":"2024-12-10T12:01:00Z"}]}"#
            )
            .to_owned()
        )
    );
    assert_eq!(
        replied(HISTORY, &Err(Refusal::new(Code::RoomNotFound))),
        failed(404, "Room does not exist")
    );
    assert_eq!(
        replied(HISTORY, &Err(Refusal::new(Code::NotAMember))),
        failed(403, "You are not in this room")
    );
}

#[test]
fn whoever_joins_may_not_take_another_s_name() {
    let Op::Enter(wish) = op(JOIN) else {
        panic!("a wish to come in");
    };
    assert_eq!(wish.name.as_ref().map(Name::as_str), Some("john_doe"));
    assert_eq!(wish.rule, NameRule::Address, "not merely a guest's name");
    assert_eq!(wish.called, "room_12345");
}

#[test]
fn what_is_no_route_is_said_in_the_envelope() {
    for (method, path) in [
        ("GET", "/api/login"),
        ("PUT", "/api/create-room"),
        ("POST", "/api/rooms"),
        ("DELETE", "/api/join-room/"),
        ("POST", "/api/chat-history/room_1"),
    ] {
        let said = ask(method, path, "{}").unwrap_err();
        assert!(said.allow.is_some_and(|it| !it.contains(method)));
        assert_eq!(told(said), failed(405, "Method not allowed"), "{path}");
    }
    for path in [
        "/api",
        "/api/",
        "/api/logout",
        "/api/chat-history",
        "/api/chat-history/",
        "/api/chat-history/room_1/2",
        "/api/rooms/1",
    ] {
        assert_eq!(refused("GET", path, ""), failed(404, "Not found"), "{path}");
    }
    assert!(ask("GET", "/api/rooms/", "").is_ok(), "a slash is no harm");
}

#[test]
fn unreadable_bodies_are_said_to_be_so() {
    for path in ["/api/login", "/api/create-room", "/api/join-room"] {
        for body in ["", "{", "[]", "null", "\u{0}", r#"{"username":}"#] {
            assert_eq!(
                refused("POST", path, body),
                failed(400, "Invalid request body"),
                "{path} {body:?}"
            );
        }
    }
    let large = SITE.refuse(&Refusal::too_large(64));
    assert_eq!(told(large), failed(413, "at most 64 bytes"));
}

proptest! {
    #[test]
    fn whatever_is_asked_has_a_reply(path in "/api/[a-z-]{0,14}(/\\PC{0,12})?", body in any::<Vec<u8>>(), post in any::<bool>()) {
        let method = if post { "POST" } else { "GET" };
        let reply = match SITE.ask(&Request { method, path: &path, authorization: None, body: &body }) {
            Ok(asked) => {
                let refusal = asked.op.err().unwrap_or_else(|| Refusal::new(Code::Unavailable));
                asked.ticket.reply(&Err(refusal))
            }
            Err(reply) => reply,
        };
        assert!((400..=599).contains(&reply.status));
        assert!(serde_json::from_slice::<Value>(&reply.body).unwrap()["status"] == "failed");
    }
}
