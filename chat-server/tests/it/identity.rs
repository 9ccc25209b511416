//! One account, whatever its owner speaks: the same password, the same tokens, the same name.

use chat_server::config::{ActionsNames, RegisteredNames, Secret};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::people::{Kind, Person};
use crate::world::{Account, PASSWORD, Plain, Said, World, config, http};

const SECRET: &str = "a secret that older servers had, too";

/// The dialects in which one proves a password.
const BY_PASSWORD: [Kind; 4] = [Kind::Native, Kind::Rest, Kind::Actions, Kind::Groups];

async fn post(world: &World, path: &str, body: Value) -> Said {
    let body = body.to_string();
    http(world.address, "POST", path, &[], body.as_bytes()).await
}

async fn ask(world: &World, path: &str, frame: Value) -> String {
    let mut socket = Plain::connect(world.address, path).await;
    socket.ask(&frame.to_string()).await
}

/// Whose token an answer holds; none if it holds none.
async fn bearer_of(world: &World, said: &Said) -> Option<(u64, String)> {
    let answer = said.json();
    let token = answer["token"].as_str()?;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let me = http(world.address, "GET", "/v1/me", &headers, b"")
        .await
        .json();
    let name = me["name"].as_str().unwrap().to_owned();
    Some((me["id"].as_u64().unwrap(), name))
}

/// Makes an account as a client of this kind does.
async fn make(world: &World, kind: Kind, name: &str) {
    let (path, body) = match kind {
        Kind::Native => (
            "/v1/auth/signup",
            json!({"name": name, "password": PASSWORD}),
        ),
        Kind::Rest => {
            let email = format!("{name}@mail.example");
            let body = json!({"user_name": name, "email": email, "password": PASSWORD});
            ("/v1/api/auth/signup", body)
        }
        Kind::Actions => (
            "/api/login",
            json!({"username": name, "password": PASSWORD}),
        ),
        Kind::Groups => {
            let id = format!("{name}-1");
            let frame =
                json!({"type": "sign-up", "name": name, "pwrd": PASSWORD, "id": id, "groups": []});
            let said = ask(world, "/", frame).await;
            return assert!(said.starts_with(r#"{"type":"sign-up","data""#), "{said}");
        }
        Kind::Rooms | Kind::Socketio => unreachable!("nobody signs up there"),
    };
    let said = post(world, path, body).await;
    let made = bearer_of(world, &said).await;
    assert_eq!(made.unwrap().1, name, "{}", said.body);
}

/// Logs in as a client of this kind does; gives the name that he is told, or that his token has.
async fn log_in(world: &World, kind: Kind, login: &str, password: &str) -> Option<String> {
    let (path, body) = match kind {
        Kind::Native => (
            "/v1/auth/login",
            json!({"login": login, "password": password}),
        ),
        Kind::Rest => (
            "/v1/api/auth/login",
            json!({"email": login, "password": password}),
        ),
        Kind::Actions => (
            "/api/login",
            json!({"username": login, "password": password}),
        ),
        Kind::Groups => {
            let frame = json!({"type": "log_in", "name": login, "pwrd": password});
            let said = ask(world, "/", frame).await;
            let said: Value = serde_json::from_str(&said).unwrap();
            return said["data"]["name"].as_str().map(str::to_owned);
        }
        Kind::Rooms | Kind::Socketio => unreachable!("nobody logs in there"),
    };
    let said = post(world, path, body).await;
    bearer_of(world, &said).await.map(|(_, name)| name)
}

#[tokio::test]
async fn an_account_made_in_one_dialect_logs_in_by_every_other() {
    let world = World::new().await;
    for maker in BY_PASSWORD {
        let name = format!("by{maker:?}");
        make(&world, maker, &name).await;
        let mut logins = vec![name.clone()];
        match maker {
            Kind::Rest => logins.push(format!("{name}@mail.example")),
            Kind::Groups => logins.push(format!("{name}-1")),
            Kind::Native | Kind::Rooms | Kind::Socketio | Kind::Actions => {}
        }
        for (kind, login) in BY_PASSWORD
            .into_iter()
            .flat_map(|kind| logins.iter().map(move |login| (kind, login)))
        {
            let wrong = log_in(&world, kind, login, "another password").await;
            assert_eq!(wrong, None, "{login} made by {maker:?}, wrong by {kind:?}");
            let known = log_in(&world, kind, login, PASSWORD).await;
            assert_eq!(
                known.as_ref(),
                Some(&name),
                "{login} made by {maker:?}, by {kind:?}"
            );
        }
    }
    world.stop().await;
}

fn signed(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(&Header::default(), claims, &key).unwrap()
}

/// Who is heard to speak in a room.
async fn speaker(host: &mut crate::world::Native, room: u64) -> (u64, String) {
    loop {
        let event = host.event_of(room).await;
        if event["ev"] == "posted" {
            let name = event["by"]["name"].as_str().unwrap().to_owned();
            return (event["by"]["id"].as_u64().unwrap(), name);
        }
    }
}

#[tokio::test]
async fn a_token_of_any_older_server_proves_the_same_person_in_every_dialect() {
    let mut config = config();
    config.jwt_secret = Secret::new(SECRET);
    let world = World::with(config).await;
    let owner = world.account("owner").await;
    let mut host = world.enter(&owner).await;
    let now = jsonwebtoken::get_current_timestamp();
    for (name, claims) in [
        ("sam", json!({"id": 1, "username": "sam", "iat": now})),
        (
            "tim",
            json!({"UserID": 1, "UserName": "tim", "Email": "tim@mail.example", "exp": now + 600}),
        ),
        ("joe", json!({"username": "joe", "iat": now})),
    ] {
        let alias = format!("Den-{name}");
        let made = json!({"name": alias, "alias": alias, "listed": true});
        let room = host.create(made).await;
        let stranger = Account {
            id: 0,
            token: signed(&claims),
            refresh: String::new(),
        };
        let mut users = Vec::new();
        for kind in [
            Kind::Native,
            Kind::Rooms,
            Kind::Socketio,
            Kind::Rest,
            Kind::Actions,
        ] {
            let entered = Person::enter(&world, kind, (name, &stranger), (room, &alias)).await;
            let mut person = entered.unwrap_or_else(|said| panic!("{name}, {kind:?}: {said}"));
            person.say("it's me").await;
            users.push(speaker(&mut host, room).await);
        }
        let join = json!({"action": "join", "username": name, "roomId": alias});
        let mut socket =
            Plain::connect(world.address, &format!("/chat?token={}", stranger.token)).await;
        let said = socket.ask(&join.to_string()).await;
        assert!(said.starts_with(r#"{"action":"joined""#), "{said}");
        let line = json!({"action": "send-message", "roomId": alias, "message": "me, too"});
        socket.send(&line.to_string()).await;
        users.push(speaker(&mut host, room).await);
        let bearer = format!("Bearer {}", stranger.token);
        let headers = [("authorization", bearer.as_str())];
        for path in ["/v1/api/chat/rooms", "/api/rooms", "/v1/rooms"] {
            let said = http(world.address, "GET", path, &headers, b"").await;
            assert_eq!(said.status, 200, "{name}, {path}: {}", said.body);
        }
        users.dedup();
        let [(id, known)] = users.as_slice() else {
            panic!("{name} is several people: {users:?}")
        };
        assert_eq!(known, name);
        assert_ne!(*id, owner.id, "a number from elsewhere is a number here");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_token_whose_name_has_a_password_here_is_refused_in_every_dialect() {
    let mut config = config();
    config.jwt_secret = Secret::new(SECRET);
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let mut host = world.enter(&ann).await;
    let room = host.create(json!({"name": "Den", "alias": "Den"})).await;
    let now = jsonwebtoken::get_current_timestamp();
    for claims in [
        json!({"id": ann.id, "username": "ann", "iat": now}),
        json!({"UserID": ann.id, "UserName": "Ann", "Email": "", "exp": now + 600}),
        json!({"username": "ANN", "iat": now}),
    ] {
        let token = signed(&claims);
        let frame = json!({"id": 1, "op": "hello", "d": {"token": token}});
        let said = ask(&world, "/v1/ws", frame).await;
        assert!(said.contains(r#""code":"token_invalid""#), "{said}");
        let code = Kind::Rooms.spell(room, "Den");
        let join = json!({"name": "ann", "roomId": code, "token": token});
        let said = ask(&world, "/", json!({"type": "join", "payload": join})).await;
        assert!(said.starts_with(r#"{"code":1,"#), "{said}");
        let join = json!({"action": "join", "username": "ann", "roomId": "Den", "token": token});
        let said = ask(&world, "/chat", join).await;
        assert!(said.starts_with(r#"{"action":"error""#), "{said}");
        let mut socket =
            Plain::connect(world.address, "/socket.io/?EIO=4&transport=websocket").await;
        socket.hear().await.unwrap();
        let said = socket.ask(&format!("40{}", json!({"token": token}))).await;
        assert_eq!(said, r#"44{"message":"Authentication error"}"#);
        let path = format!("/ws?room_id={room}&jwt={token}");
        let refused = Plain::try_connect(world.address, &path).await;
        assert_eq!(refused.err(), Some(401));
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        for path in ["/v1/api/chat/rooms", "/api/rooms", "/v1/rooms"] {
            let said = http(world.address, "GET", path, &headers, b"").await;
            assert_eq!(said.status, 401, "{path}: {}", said.body);
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn a_registered_name_is_refused_to_guests_of_every_dialect() {
    let mut config = config();
    // Else whoever comes from where its owner logged in may have it in one of them.
    config.actions_names = ActionsNames::Strict;
    let world = World::with(config).await;
    let owner = world.account("owner").await;
    let mut host = world.enter(&owner).await;
    let room = host.create(json!({"name": "Den", "alias": "Den"})).await;
    let words = "This name is registered, log in to use it";
    for maker in BY_PASSWORD {
        let name = format!("by{maker:?}");
        make(&world, maker, &name).await;
        // The same to the eye: its second letter is Cyrillic.
        for name in [
            name.clone(),
            name.to_uppercase(),
            name.replacen('y', "\u{443}", 1),
        ] {
            refused_to_guests(&world, room, &name, words).await;
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn a_guest_is_not_called_like_an_account_in_a_room_either() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut host = world.enter(&ann).await;
    let room = host.create(json!({"name": "Den"})).await;
    let mut guest = world.connect().await;
    guest.ok("hello", json!({"guest": {"name": "gus"}})).await;
    guest.join(room).await;
    for nickname in ["ann", "Ann", "\u{430}nn"] {
        let wish = json!({"room": room, "nickname": nickname});
        assert_eq!(guest.code("set_nickname", wish).await, "name_taken");
    }
    for nickname in [json!("anna"), Value::Null] {
        let wish = json!({"room": room, "nickname": nickname});
        guest.ok("set_nickname", wish).await;
    }
    host.ok("set_nickname", json!({"room": room, "nickname": "Ann"}))
        .await;
    world.stop().await;
}

async fn refused_to_guests(world: &World, room: u64, name: &str, words: &str) {
    let frame = json!({"id": 1, "op": "hello", "d": {"guest": {"name": name}}});
    let said = ask(world, "/v1/ws", frame).await;
    assert!(said.contains(r#""code":"name_taken""#), "{name}: {said}");
    let said = post(world, "/v1/auth/guest", json!({"name": name})).await;
    assert_eq!(said.status, 409, "{name}: {}", said.body);

    let join = json!({"name": name, "roomId": Kind::Rooms.spell(room, "Den"), "pass": ""});
    let said = ask(world, "/", json!({"type": "join", "payload": join})).await;
    assert_eq!(said, json!({"code": 1, "message": words}).to_string());

    let mut socket = Plain::connect(world.address, "/socket.io/?EIO=4&transport=websocket").await;
    socket.hear().await.unwrap();
    assert!(socket.ask("40").await.starts_with("40{"));
    let join = json!(["joinRoom", {"roomId": "Den", "username": name}]);
    let said = socket.ask(&format!("421{join}")).await;
    assert_eq!(
        said,
        format!(r#"431[{{"success":false,"error":"{words}"}}]"#)
    );

    let join = json!({"action": "join", "username": name, "roomId": "Den"});
    let said = ask(world, "/chat", join).await;
    let refused = format!(r#"{{"action":"error","status":"failed","message":"{words}"}}"#);
    assert_eq!(said, refused);

    let connect = json!({"type": "first-connect", "name": name, "group": "Den"});
    let said = ask(world, "/", connect).await;
    assert_eq!(said, r#"{"type":"reject-connect","err":"User Exists"}"#);

    // There are no guests in the one that is left, and nobody signs up under the name.
    let email = "another@mail.example";
    let body = json!({"user_name": name, "email": email, "password": PASSWORD});
    let said = post(world, "/v1/api/auth/signup", body).await;
    assert_eq!(said.status, 400, "{name}: {}", said.body);
}

#[tokio::test]
async fn where_names_are_free_a_guest_bears_an_accounts_and_is_a_guest_all_the_same() {
    let mut config = config();
    config.registered_names = RegisteredNames::Free;
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let mut host = world.enter(&ann).await;
    let room = host.create(json!({"name": "Den", "alias": "Den"})).await;
    let code = Kind::Rooms.spell(room, "Den");
    let join = json!({"type": "join", "payload": {"name": "ann", "roomId": code, "pass": ""}});
    let chat = json!({"type": "chat", "payload": {"roomId": code, "msg": "it's me"}});
    let act = json!({"action": "join", "username": "ann", "roomId": "Den"});
    let send = json!({"action": "send-message", "roomId": "Den", "message": "it's me"});
    for (path, enter, granted, say) in [
        ("/", join, r#"{"code":0"#, chat),
        ("/chat", act, r#"{"action":"joined""#, send),
    ] {
        let mut socket = Plain::connect(world.address, path).await;
        let said = socket.ask(&enter.to_string()).await;
        assert!(said.starts_with(granted), "{said}");
        socket.send(&say.to_string()).await;
        let (id, name) = speaker(&mut host, room).await;
        assert_eq!(name, "ann");
        assert_ne!(id, ann.id, "a guest is taken for the account");
        socket.leave().await;
    }
    world.stop().await;
}
