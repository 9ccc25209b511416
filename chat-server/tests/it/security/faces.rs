//! What the older dialects, their lists and histories, and sockets that merely listen get to see.

use serde_json::{Value, json};

use super::house::{House, Mark, Someone, Standing, Which};
use super::reading::check;
use crate::events::reader::Reader;
use crate::people::{Kind, Person};
use crate::world::{Native, Plain, Said, by, http};

/// Every route that answers with what was said, with who there is, or with rooms: method, path and
/// body, and what the owner reads by it in the room that is hidden. `ROOM` is the room's number.
const ROUTES: &[(&str, &str, &str, &[Mark])] = &[
    ("GET", "/v1/rooms", "", &[Mark::Name]),
    ("GET", "/v1/rooms/ROOM/messages", "", &[Mark::Line]),
    (
        "GET",
        "/v1/rooms/ROOM/messages?before=1000",
        "",
        &[Mark::Line],
    ),
    ("GET", "/v1/rooms/ROOM/messages?after=0", "", &[Mark::Line]),
    (
        "GET",
        "/v1/rooms/ROOM/messages?around=LINE",
        "",
        &[Mark::Line],
    ),
    (
        "GET",
        "/v1/rooms/ROOM/messages?thread=LINE",
        "",
        &[Mark::Line],
    ),
    ("GET", "/v1/search?q=xyzzy&room=ROOM", "", &[Mark::Line]),
    ("GET", "/v1/me", "", &[]),
    ("GET", "/v1/api/chat/rooms", "", &[]),
    ("POST", "/v1/api/chat/rooms", "", &[]),
    (
        "POST",
        "/v1/api/chat/room-messages",
        r#"{"roomId":ROOM}"#,
        &[Mark::Line],
    ),
    ("POST", "/v1/api/chat/create", r#"{"name":"ALIAS"}"#, &[]),
    ("GET", "/api/rooms", "", &[]),
    ("GET", "/api/chat-history/room_ROOM", "", &[Mark::Line]),
    ("GET", "/api/chat-history/ALIAS", "", &[Mark::Line]),
    (
        "POST",
        "/api/join-room",
        r#"{"roomId":"room_ROOM","username":"WHO"}"#,
        &[],
    ),
    (
        "POST",
        "/api/create-room",
        r#"{"roomName":"ALIAS","creator":"WHO"}"#,
        &[],
    ),
    ("GET", "/metrics", "", &[]),
    ("GET", "/readyz", "", &[]),
];

/// Routes whose answers don't end, and that have a test of their own.
const STREAMS: &[&str] = &["/v1/events"];

/// Routes that take nothing but what somebody says of himself.
const OWN_ROUTES: &[&str] = &[
    "/v1/account",
    "/v1/auth/signup",
    "/v1/auth/login",
    "/v1/auth/refresh",
    "/v1/auth/logout",
    "/v1/auth/password",
    "/v1/auth/guest",
    "/v1/cmd",
    "/healthz",
];

#[tokio::test]
async fn no_route_shows_a_room_to_whoever_may_not_read_it() {
    let house = House::open().await;
    every_described_route_has_a_row(&house).await;
    for who in &house.people {
        for room in &house.rooms {
            for (method, path, body, shows) in ROUTES {
                let filled = |text: &str| {
                    text.replace("ROOM", &room.id.to_string())
                        .replace("LINE", &room.line.to_string())
                        .replace("ALIAS", &room.alias)
                        .replace("WHO", &who.name)
                };
                let said = ask(&house, who, method, &filled(path), &filled(body)).await;
                let asked = format!("{method} {} {}", filled(path), filled(body));
                check(who, &asked, &said.body);
                if who.standing == Standing::Owner && room.which == Which::Hidden {
                    let seen = Mark::of(room.which, &said.body);
                    let all = shows.iter().all(|mark| seen.contains(mark));
                    assert!(all, "{asked} shows too little: {}", said.body);
                }
            }
        }
    }
    house.world.stop().await;
}

async fn ask(house: &House, who: &Someone, method: &str, path: &str, body: &str) -> Said {
    if who.standing == Standing::Nobody {
        return http(house.world.address, method, path, &[], body.as_bytes()).await;
    }
    by(&house.world, &who.account, method, path, body).await
}

async fn every_described_route_has_a_row(house: &House) {
    let said = http(house.world.address, "GET", "/v1/openapi.json", &[], b"").await;
    for path in said.json()["paths"].as_object().unwrap().keys() {
        let spelled = path.replace("{id}", "ROOM");
        let asked = |path: &str| path.split('?').next() == Some(&spelled);
        let asked = ROUTES.iter().any(|(_, path, _, _)| asked(path));
        assert!(
            asked || STREAMS.contains(&path.as_str()) || OWN_ROUTES.contains(&path.as_str()),
            "{path} has no row"
        );
    }
}

#[tokio::test]
async fn whoever_is_turned_away_by_an_older_dialect_has_heard_nothing() {
    let mut house = House::open().await;
    let mut listening = Vec::new();
    for who in house.people.clone() {
        for room in house.rooms.clone() {
            for kind in Kind::OLDER {
                let name: &'static str = who.name.clone().leak();
                let called = (room.id, room.alias.as_str());
                // People of the groups dialect come by a password, and a password is no token.
                let no_password = kind == Kind::Groups && !may_log_in(&who);
                // There a room is made by joining it, and these have no name; and whoever isn't known
                // has been sent away before he could.
                let nameless = matches!(room.which, Which::Deleted | Which::Direct)
                    || !who.standing.is_known();
                // Whoever is invited may come in.
                let invited = who.standing == Standing::Invited;
                if no_password || invited || kind == Kind::Socketio && nameless {
                    continue;
                }
                let entered = Person::enter(&house.world, kind, (name, &who.account), called).await;
                match entered {
                    Ok(person) if who.standing.reads(room.which) => {
                        listening.push((who.clone(), room.which, person.socket))
                    }
                    Ok(_) => panic!(
                        "{:?} is in the {:?} room by {kind:?}",
                        who.standing, room.which
                    ),
                    Err(said) => check(&who, &format!("entering by {kind:?}"), &said),
                }
            }
            if who.standing.is_known() {
                let socket = resume(&house, &who, room.id).await;
                listening.push((who.clone(), room.which, socket));
            }
        }
    }
    // What is said, typed and moved from here on is heard by those alone who may.
    talk(&mut house).await;
    let mut heard_live = 0;
    for (who, which, mut socket) in listening {
        let heard = socket.ping().await.join("\n");
        for which in Which::ALL {
            let hears = !Mark::of(which, &heard).is_empty();
            assert!(
                !hears || who.standing.reads(which),
                "{:?} hears {heard}",
                who.standing
            );
        }
        heard_live += usize::from(!Mark::of(which, &heard).is_empty());
    }
    println!("{heard_live} sockets heard their room");
    assert!(heard_live > 50, "{heard_live}");
    house.world.stop().await;
}

#[tokio::test]
async fn no_stream_shows_a_room_to_whoever_may_not_read_it() {
    let mut house = House::open().await;
    let epoch = house.world.server.node().store().epoch();
    let mut listening = Vec::new();
    for who in house.people.clone() {
        for room in house.rooms.clone() {
            let named = format!("/v1/events?rooms={}", room.id);
            let called = format!("/v1/events?rooms={}", room.alias);
            // Each claims to have been there, and to have heard nothing yet.
            let digit = u32::try_from(room.id)
                .ok()
                .and_then(|id| char::from_digit(id, 36));
            let last_id = format!("{}-0~{epoch}", digit.unwrap());
            for path in [&named, &called, "/v1/events"] {
                match Reader::ask(&house.world, &who.account, path, &last_id).await {
                    Ok(mut reader) => {
                        check(&who, path, &missed(&mut reader).await);
                        listening.push((who.clone(), reader));
                    }
                    Err(said) => check(&who, path, &said.body),
                }
            }
        }
    }
    talk(&mut house).await;
    house.world.stop().await;
    let mut heard = 0;
    for (who, mut reader) in listening {
        let said = reader.rest().await;
        assert_eq!(said.last().unwrap()["code"], 4000);
        let said = Value::from(said).to_string();
        for which in Which::ALL {
            let hears = !Mark::of(which, &said).is_empty();
            assert!(!hears || who.standing.reads(which), "{who:?}: {said}");
        }
        heard += usize::from(said.contains("posted"));
    }
    println!("{heard} streams told something");
    assert!(heard > 30, "{heard}");
}

/// What a reader hears first: of each room that it has, what it has missed.
async fn missed(reader: &mut Reader) -> String {
    let welcome = reader.welcome().await;
    let mut said = vec![welcome["rooms"].to_string()];
    let states = welcome["rooms"].as_object().unwrap().values();
    for _ in states.filter(|state| state["st"] != "gone") {
        loop {
            let frame = reader.frame().await;
            said.push(frame.to_string());
            if frame["sys"] == "synced" {
                break;
            }
        }
    }
    said.join("\n")
}

/// Lets something be said and pass in every room in which that is possible.
async fn talk(house: &mut House) {
    for room in house.rooms.clone() {
        if !matches!(room.which, Which::Archived | Which::Deleted) {
            let typing = json!({"room": room.id, "on": true});
            house.host.ok("typing", typing).await;
            house.host.post(room.id, &Mark::Line.word(room.which)).await;
        }
    }
}

fn may_log_in(who: &Someone) -> bool {
    who.standing.is_known() && !matches!(who.standing, Standing::Guest | Standing::Visitor)
}

/// A socket of the native dialect that claims to have been in a room before.
async fn resume(house: &House, who: &Someone, room: u64) -> Plain {
    let mut socket = Plain::connect(house.world.address, "/v1/ws").await;
    let epoch = house.world.server.node().store().epoch();
    let d = json!({
        "token": who.account.token, "resume": {room.to_string(): [epoch, 0]}, "subscribe": [room],
    });
    let hello = json!({"id": 1, "op": "hello", "d": d}).to_string();
    let mut said = socket.ask(&hello).await;
    for frame in socket.ping().await {
        said.push_str(&frame);
    }
    let which = house.rooms.iter().find(|it| it.id == room).unwrap().which;
    check(who, "resuming", &said);
    if !who.standing.reads(which) {
        let gone = format!(r#""{room}":{{"st":"gone"}}"#);
        assert!(said.contains(&gone), "{:?} {which:?}: {said}", who.standing);
    }
    socket
}

#[tokio::test]
async fn lists_of_the_older_dialects_name_listed_rooms_and_nothing_else() {
    let house = House::open().await;
    for (path, frame) in [
        ("/", r#"{"type":"query","payload":{"query":"rooms"}}"#),
        ("/", r#"{"type":"get_groups"}"#),
    ] {
        let mut socket = Plain::connect(house.world.address, path).await;
        let said = socket.ask(frame).await;
        for which in Which::ALL {
            let seen = Mark::of(which, &said);
            let published = which == Which::Listed;
            assert!(published || seen.is_empty(), "{which:?} in {said}");
        }
        assert!(said.contains("listed"), "{said}");
    }
    house.world.stop().await;
}

#[tokio::test]
async fn a_handshake_does_not_tell_a_hidden_room_from_none() {
    let house = House::open().await;
    let mut owner: Native = house.world.connect().await;
    let token = &house.people[0].account.token;
    owner.ok("hello", json!({"token": token})).await;
    let made = json!({"name": "Open but hidden", "listed": false, "access": {"mode": "open"}});
    let open = owner.ok("create_room", made).await["room"]
        .as_u64()
        .unwrap();
    let hidden = house.room(Which::Hidden).id;
    for who in &house.people {
        if !matches!(
            who.standing,
            Standing::Guest | Standing::Stranger | Standing::Kicked
        ) {
            continue;
        }
        let mut answers: Vec<Value> = Vec::new();
        for room in [4_444, open, hidden] {
            let path = format!("/ws?room_id={room}&jwt={}", who.account.token);
            let tried = Plain::try_connect(house.world.address, &path).await;
            answers.push(json!(tried.err()));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{:?}: {answers:?}", who.standing);
    }
    house.world.stop().await;
}
