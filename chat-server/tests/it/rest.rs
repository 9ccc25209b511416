//! Front ends of the `rest` dialect, over real HTTP and real sockets.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use chat_core::Timestamp;
use chat_server::config::{Listen, Secret};
use futures_util::{SinkExt, StreamExt};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::world::{Native, PATIENCE, Plain, Said, World, config, http};

mod doors;
mod tokens;

const SECRET: &str = "a secret that an older server had";

/// A server that signs as an older one did.
async fn world() -> World {
    let mut config = config();
    config.jwt_secret = Secret::new(SECRET);
    World::with(config).await
}

/// Somebody with an account and a token of the dialect.
struct Person {
    id: u64,
    token: String,
}

/// Sends a body to a route.
async fn post(address: SocketAddr, token: Option<&str>, route: &str, body: &Value) -> Said {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("content-type", "text/plain")];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    let path = format!("/v1/api/{route}");
    http(
        address,
        "POST",
        &path,
        &headers,
        body.to_string().as_bytes(),
    )
    .await
}

async fn sign_up(world: &World, name: &str) -> Person {
    let body = json!({"user_name": name, "email": format!("{name}@mail.com"), "password": "pass"});
    let said = post(world.address, None, "auth/signup", &body).await;
    assert_eq!(said.status, 200, "{}", said.body);
    let said = said.json();
    Person {
        id: said["user"]["ID"].as_u64().unwrap(),
        token: said["token"].as_str().unwrap().to_owned(),
    }
}

/// Makes a room; gives its number.
async fn create(world: &World, by: &Person, name: &str) -> u64 {
    let body = json!({ "name": name });
    let said = post(world.address, Some(&by.token), "chat/create", &body).await;
    assert_eq!(said.status, 200, "{}", said.body);
    said.json()["chatRoom"]["ID"].as_u64().unwrap()
}

/// A socket of the dialect.
struct Chat(WebSocketStream<TcpStream>);

impl Chat {
    /// Shakes hands; gives status and body of a refusal.
    async fn open(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, (u16, Value)> {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut request = format!("ws://{address}{path}")
            .into_client_request()
            .unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let shaken = tokio_tungstenite::client_async(request, stream);
        match timeout(PATIENCE, shaken).await.unwrap() {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => {
                let status = response.status().as_u16();
                // The body comes after the head, which is all that this client reads.
                Err((status, Value::Null))
            }
            Err(error) => panic!("no handshake: {error}"),
        }
    }

    async fn enter(world: &World, who: &Person, room: u64) -> Self {
        let path = format!("/ws?room_id={room}&jwt={}", who.token);
        Self::open(world.address, &path, &[]).await.unwrap()
    }

    async fn send(&mut self, frame: Value) {
        self.send_message(Message::text(frame.to_string())).await;
    }

    async fn send_message(&mut self, message: Message) {
        // What is wrong with a connection shows when it is read.
        drop(timeout(PATIENCE, self.0.send(message)).await.unwrap());
    }

    /// The next text, or the code that the connection ended with.
    async fn hear(&mut self) -> Result<String, u16> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.unwrap() {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// Says a line and hears it; nothing else came before.
    async fn say(&mut self, room: u64, who: (&str, u64), words: &str) {
        self.send(json!({"chatRoomId": room, "chatMessage": words}))
            .await;
        assert_eq!(self.hear().await.unwrap(), line(room, who, words));
    }
}

/// A chat line as everybody hears it.
fn line(room: u64, (name, id): (&str, u64), words: &str) -> String {
    format!(
        r#"{{"Type":1,"Body":{{"chatRoomId":{room},"chatMessage":"{words}","chatUser":"{name}","chatUserId":{id}}}}}{}"#,
        "\n"
    )
}

/// The answer to a handshake that is refused.
async fn refused(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let mut all = vec![
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    all.extend_from_slice(headers);
    let said = http(address, "GET", path, &all, b"").await;
    assert!(
        said.head.contains("access-control-allow-origin: *"),
        "{}",
        said.head
    );
    (said.status, said.json())
}

fn envelope(code: u16, message: &str) -> (u16, Value) {
    let body = json!({"Message": message, "Code": code, "Status": false});
    (code, body)
}

/// What a token says in its middle, as clients read it.
fn claims(token: &str) -> BTreeMap<String, Value> {
    jsonwebtoken::dangerous::insecure_decode(token)
        .unwrap()
        .claims
}

#[tokio::test]
async fn a_front_end_signs_up_makes_a_room_and_talks_in_it() {
    let world = world().await;
    let body = json!({"user_name": "user", "email": "email@mail.com", "password": "pass"});
    let said = post(world.address, None, "auth/signup", &body).await;
    let signed_up = said.json();
    let user = &signed_up["user"];
    assert_eq!(said.status, 200);
    assert!(
        said.head.contains("cache-control: no-store"),
        "{}",
        said.head
    );
    assert_eq!(
        (&user["UserName"], &user["Email"], &user["DeletedAt"]),
        (&json!("user"), &json!("email@mail.com"), &Value::Null)
    );
    assert!(user["CreatedAt"].as_str().unwrap().ends_with('Z'));
    let again = post(world.address, None, "auth/signup", &body).await;
    let expected = envelope(400, "email already exists");
    assert_eq!((again.status, again.json()), expected);

    let body = json!({"email": "email@mail.com", "password": "pass"});
    let said = post(world.address, None, "auth/login", &body).await.json();
    assert_eq!(said["user"], *user);
    let wrong = json!({"email": "email@mail.com", "password": "guess"});
    let nobody = json!({"email": "nobody@mail.com", "password": "pass"});
    for body in [wrong, nobody] {
        let said = post(world.address, None, "auth/login", &body).await;
        let expected = envelope(400, "invalid login credentials");
        assert_eq!((said.status, said.json()), expected);
    }

    let id = user["ID"].as_u64().unwrap();
    let token = said["token"].as_str().unwrap().to_owned();
    let inside = claims(&token);
    assert_eq!(
        (&inside["UserID"], &inside["UserName"], &inside["Email"]),
        (&json!(id), &json!("user"), &json!("email@mail.com"))
    );
    let now = std::time::SystemTime::now();
    let now_s = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    // Its holder has no way to refresh it, so it counts for a day.
    assert!(inside["exp"].as_u64().unwrap() > now_s + 23 * 3_600);

    let person = Person { id, token };
    let room = create(&world, &person, "Chat name").await;
    let mut chat = Chat::enter(&world, &person, room).await;
    chat.say(room, ("user", id), "Message").await;
    world.stop().await;
}

#[tokio::test]
async fn everybody_who_makes_a_room_of_one_name_is_in_the_same() {
    let world = world().await;
    let (ann, bob) = (sign_up(&world, "ann").await, sign_up(&world, "bob").await);
    let room = create(&world, &ann, "Chat name").await;
    assert_eq!(create(&world, &bob, "Chat name").await, room);
    assert_ne!(create(&world, &bob, "Another").await, room);

    // A room that is hidden from him is in his way, and no more than that.
    let mut native = world.connect().await;
    native.ok("hello", json!({"token": ann.token})).await;
    let hidden =
        json!({"name": "hidden", "alias": "hidden", "access": {"mode": "invite"}, "listed": false});
    native.ok("create_room", hidden).await;
    let body = json!({"name": "hidden"});
    let said = post(world.address, Some(&bob.token), "chat/create", &body).await;
    let expected = envelope(409, "this name is taken");
    assert_eq!((said.status, said.json()), expected);

    for number in 0..55 {
        let by = if number % 2 == 0 { &ann } else { &bob };
        create(&world, by, &format!("room {number}")).await;
    }
    let bearer = format!("Bearer {}", bob.token);
    let headers = [("authorization", bearer.as_str())];
    let path = "/v1/api/chat/rooms";
    let got = http(world.address, "GET", path, &headers, b"").await.json();
    let posted = http(world.address, "POST", path, &headers, b"")
        .await
        .json();
    assert_eq!(got, posted);
    let names: Vec<_> = got["chatRooms"].as_array().unwrap().iter().collect();
    assert_eq!(names.len(), 50);
    assert_eq!(names[0]["name"], "room 54");
    assert_eq!(names[49]["name"], "room 5");
    world.stop().await;
}

#[tokio::test]
async fn browsers_of_any_origin_are_told_what_they_may_do() {
    let world = world().await;
    for (method, path, status) in [
        ("OPTIONS", "/v1/api/auth/login", 204),
        ("OPTIONS", "/v1/api/anything", 204),
        ("POST", "/v1/api/auth/login", 400),
        ("GET", "/v1/api/auth/login", 405),
        ("POST", "/v1/api/auth/none", 404),
        ("GET", "/v1/api/", 404),
        ("GET", "/v1/api", 404),
        ("GET", "/v1/api/chat/rooms", 401),
    ] {
        let said = http(world.address, method, path, &[], b"").await;
        assert_eq!(said.status, status, "{method} {path}");
        for header in [
            "access-control-allow-origin: *\r\n",
            "access-control-allow-methods: post, get, options, put, delete\r\n",
            "access-control-allow-headers: accept, content-type, content-length, accept-encoding, authorization\r\n",
        ] {
            assert!(said.head.contains(header), "{method} {path}: {}", said.head);
        }
        assert_eq!(
            status == 405,
            said.head.contains("\r\nallow: post, options")
        );
    }
    let long = json!({"name": "x".repeat(70_000)});
    let said = post(world.address, None, "chat/create", &long).await;
    assert_eq!(
        (said.status, said.json()),
        envelope(413, "at most 65536 bytes")
    );
    world.stop().await;
}

#[tokio::test]
async fn everybody_in_the_room_hears_a_line_in_order_and_so_does_its_sender() {
    let world = world().await;
    let (ann, bob) = (sign_up(&world, "ann").await, sign_up(&world, "bob").await);
    let room = create(&world, &ann, "Chat name").await;
    let mut a = Chat::enter(&world, &ann, room).await;
    let path = format!("/v1/ws?room_id={room}&jwt={}", bob.token);
    let mut b = Chat::open(world.address, &path, &[]).await.unwrap();
    for number in 0..200 {
        // Another room in the frame, and another's name, don't count.
        let words = number.to_string();
        a.send(
            json!({"chatroomid": 9_999, "CHATMESSAGE": words, "chatUser": "eve", "chatUserId": 7}),
        )
        .await;
    }
    for number in 0..200 {
        let expected = line(room, ("ann", ann.id), &number.to_string());
        assert_eq!(a.hear().await.unwrap(), expected);
        assert_eq!(b.hear().await.unwrap(), expected);
    }

    let frame = json!({"chatRoomId": room, "chatMessage": "hi", "chatRoomName": "Chat name"});
    a.send_message(Message::binary(frame.to_string())).await;
    let expected = format!(
        r#"{{"Type":2,"Body":{{"chatRoomName":"Chat name","chatRoomId":{room},"chatMessage":"hi","chatUser":"ann","chatUserId":{}}}}}"#,
        ann.id
    );
    for chat in [&mut a, &mut b] {
        assert_eq!(chat.hear().await.unwrap(), format!("{expected}\n"));
    }
    world.stop().await;
}

#[tokio::test]
async fn native_people_and_those_of_other_dialects_are_in_the_same_room() {
    let world = world().await;
    let ann = sign_up(&world, "ann").await;
    let room = create(&world, &ann, "galaxy").await;
    let mut chat = Chat::enter(&world, &ann, room).await;

    let owner = world.account("owner").await;
    let mut native = world.enter(&owner).await;
    native.join(room).await;
    let mut guest = Plain::connect(world.address, "/").await;
    let join = json!({"type": "join", "payload": {"name": "alok", "roomId": "galaxy"}});
    guest.ask(&join.to_string()).await;

    native.post(room, "from native").await;
    let expected = line(room, ("owner", owner.id), "from native");
    assert_eq!(chat.hear().await.unwrap(), expected);
    assert_eq!(
        guest.hear().await.unwrap(),
        r#"message: {"msg":"from native","user":"owner"}"#
    );

    let words = json!({"type": "chat", "payload": {"roomId": "galaxy", "msg": "from rooms"}});
    guest.send(&words.to_string()).await;
    let heard: Value = serde_json::from_str(&chat.hear().await.unwrap()).unwrap();
    assert_eq!(heard["Body"]["chatMessage"], "from rooms");
    assert_eq!(heard["Body"]["chatUser"], "alok");
    assert!(heard["Body"]["chatUserId"].is_u64());

    chat.say(room, ("ann", ann.id), "from rest").await;
    assert_eq!(
        guest.hear().await.unwrap(),
        r#"message: {"msg":"from rest","user":"ann"}"#
    );
    loop {
        let event = native.event_of(room).await;
        if event["d"]["content"]["body"] == "from rest" {
            break;
        }
    }
    world.stop().await;
}
