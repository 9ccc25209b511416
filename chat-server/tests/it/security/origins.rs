//! Pages of other origins: what they may open, what they may read, and that they act for nobody.

use chat_server::config::Config;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::{PASSWORD, PATIENCE, World, config, http};

const FRONT: &str = "https://front.example";

/// What somebody says of the page that he comes from. `HOST` is the server's own host and port.
const SAID: &[(&str, Page)] = &[
    ("", Page::None),
    ("origin: http://HOST\r\n", Page::Own),
    // A proxy before the server speaks TLS for it.
    ("origin: https://HOST\r\n", Page::Own),
    ("origin: https://front.example\r\n", Page::Named),
    ("origin: HTTPS://FRONT.example\r\n", Page::Named),
    ("origin: http://front.example\r\n", Page::Foreign),
    ("origin: https://front.example:8443\r\n", Page::Foreign),
    ("origin: https://front.example.\r\n", Page::Foreign),
    (
        "origin: https://front.example.evil.example\r\n",
        Page::Foreign,
    ),
    ("origin: https://evil-front.example\r\n", Page::Foreign),
    ("origin: https://sub.front.example\r\n", Page::Foreign),
    (
        "origin: https://front.example@evil.example\r\n",
        Page::Foreign,
    ),
    ("origin: https://front.example/\r\n", Page::Foreign),
    ("origin: https://evil.example\r\n", Page::Foreign),
    ("origin: null\r\n", Page::Foreign),
    ("origin: \r\n", Page::Foreign),
    ("origin: file://\r\n", Page::Foreign),
    ("origin: HOST\r\n", Page::Foreign),
    ("origin: ftp://HOST\r\n", Page::Foreign),
    ("origin: http://HOST.evil.example\r\n", Page::Foreign),
    ("origin: http://evil.example/HOST\r\n", Page::Foreign),
    ("origin: http://HOST1\r\n", Page::Foreign),
    ("origin: http://127.0.0.1\r\n", Page::Foreign),
    (
        "origin: https://evil.example, http://HOST\r\n",
        Page::Foreign,
    ),
    (
        "origin: http://HOST\r\norigin: https://evil.example\r\n",
        Page::Foreign,
    ),
    (
        "origin: https://evil.example\r\norigin: http://HOST\r\n",
        Page::Foreign,
    ),
    ("origin: \u{e9}\r\n", Page::Foreign),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    None,
    Own,
    /// One of those that the operator names.
    Named,
    Foreign,
}

/// Every way by which a WebSocket comes in; `ROOM` and `TOKEN` are a room and a token.
const DOORS: &[(&str, bool)] = &[
    ("/v1/ws", true),
    ("/chat", false),
    ("/", false),
    ("/any/path", false),
    ("/ws", false),
    ("/ws?room_id=ROOM&jwt=TOKEN", false),
    ("/v1/ws?room_id=ROOM&jwt=TOKEN", false),
    ("/socket.io/?EIO=4&transport=websocket", false),
];

fn named() -> Config {
    let mut config = config();
    config.origins = vec![FRONT.to_owned()];
    config
}

#[tokio::test]
async fn a_page_opens_a_socket_if_it_is_ours_or_named() {
    for (config, strict) in [(config(), false), (named(), true)] {
        let world = World::with(config).await;
        let ann = world.account("ann").await;
        let mut host = world.enter(&ann).await;
        let room = host.create(json!({"name": "Den"})).await;
        for (path, native) in DOORS {
            let path = path
                .replace("ROOM", &room.to_string())
                .replace("TOKEN", &ann.token);
            for (said, page) in SAID {
                let welcome = match page {
                    Page::None | Page::Own => true,
                    Page::Named => strict || !native,
                    Page::Foreign => !strict && !native,
                };
                let status = knock(&world, &path, said).await;
                assert_eq!(
                    status == 101,
                    welcome,
                    "{path} {said:?}: {status}, strict {strict}"
                );
            }
        }
        world.stop().await;
    }
}

/// The status of a handshake with these further headers.
async fn knock(world: &World, path: &str, said: &str) -> u16 {
    let host = world.address.to_string();
    let said = said.replace("HOST", &host);
    let native = if path == "/v1/ws" {
        "sec-websocket-protocol: chat.v1.json\r\n"
    } else {
        ""
    };
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{native}{said}\r\n"
    );
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    timeout(PATIENCE, stream.read_exact(&mut head))
        .await
        .unwrap()
        .unwrap();
    std::str::from_utf8(&head[9..]).unwrap().parse().unwrap()
}

#[tokio::test]
async fn answers_are_readable_for_pages_only_where_a_token_is_needed_to_get_any() {
    let world = World::with(named()).await;
    let ann = world.account("ann").await;
    let bearer = format!("Bearer {}", ann.token);
    let polling = "/socket.io/?EIO=4&transport=polling";
    for (method, path, everybody, listed) in [
        ("GET", "/v1/rooms", false, false),
        ("GET", "/v1/me", false, false),
        ("OPTIONS", "/v1/cmd", false, false),
        ("OPTIONS", "/v1/auth/login", false, false),
        ("GET", "/metrics", false, false),
        ("GET", "/v1/api/chat/rooms", true, false),
        ("OPTIONS", "/v1/api/chat/rooms", true, false),
        ("GET", "/api/rooms", true, false),
        ("OPTIONS", "/api/login", true, false),
        ("GET", polling, false, true),
        ("OPTIONS", polling, false, true),
        ("OPTIONS", "/v1/events", false, true),
    ] {
        for (origin, named) in [
            ("https://evil.example", false),
            (FRONT, true),
            ("null", false),
        ] {
            let headers = [
                ("authorization", bearer.as_str()),
                ("origin", origin),
                ("access-control-request-headers", "authorization"),
            ];
            let said = http(world.address, method, path, &headers, b"").await;
            let told = said.head.lines();
            let told = told.filter_map(|line| line.strip_prefix("access-control-allow-origin: "));
            let due = match (everybody, listed && named) {
                (true, _) => vec!["*"],
                (false, true) => vec![FRONT],
                (false, false) => vec![],
            };
            assert_eq!(
                told.collect::<Vec<_>>(),
                due,
                "{method} {path} for {origin}"
            );
            // With credentials, everybody would be told what he alone may read.
            let credentials = said.head.contains("access-control-allow-credentials: true");
            assert!(!(everybody && credentials), "{method} {path}");
            assert!(
                !said.head.contains("set-cookie"),
                "{method} {path}: {}",
                said.head
            );
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn nothing_that_a_browser_sends_by_itself_says_who_somebody_is() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let basic = "Basic YW5uOmNvcnJlY3QgaG9yc2U=";
    let cookie = format!(
        "token={0}; session={0}; jwt={0}; Authorization=Bearer {0}",
        ann.token
    );
    for (method, path) in [
        ("GET", "/v1/me"),
        ("GET", "/v1/rooms"),
        ("POST", "/v1/cmd"),
        ("POST", "/v1/auth/logout"),
        ("POST", "/v1/auth/password"),
        ("GET", "/v1/api/chat/rooms"),
        ("POST", "/v1/api/chat/create"),
        ("GET", "/api/rooms"),
        ("POST", "/api/create-room"),
    ] {
        for headers in [[("cookie", cookie.as_str())], [("authorization", basic)]] {
            let said = http(world.address, method, path, &headers, b"{}").await;
            assert_eq!(
                said.status, 401,
                "{method} {path} {headers:?}: {}",
                said.body
            );
        }
        for query in ["token", "jwt", "access_token"] {
            let path = format!("{path}?{query}={}", ann.token);
            let said = http(world.address, method, &path, &[], b"{}").await;
            assert_eq!(said.status, 401, "{method} {path}: {}", said.body);
        }
    }
    world.stop().await;
}

/// Joins by a name without a token, as a page of this origin; gives what is said.
async fn join_from(world: &World, name: &str, origin: Option<&str>) -> String {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;

    let mut request = format!("ws://{}/chat", world.address)
        .into_client_request()
        .unwrap();
    if let Some(origin) = origin {
        request
            .headers_mut()
            .insert("origin", origin.parse().unwrap());
    }
    let stream = TcpStream::connect(world.address).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    let join = json!({"action": "join", "username": name, "roomId": "Den"}).to_string();
    socket.send(Message::text(join)).await.unwrap();
    let said = timeout(PATIENCE, socket.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    said.into_text().unwrap().as_str().to_owned()
}

#[tokio::test]
async fn whoever_looks_at_a_page_elsewhere_does_not_lend_it_his_name() {
    let world = World::new().await;
    let owner = world.account("owner").await;
    let mut host = world.enter(&owner).await;
    host.create(json!({"name": "Den", "alias": "Den"})).await;
    let own = format!("http://{}", world.address);
    // Ann logs in on a page that is served elsewhere, Bob on one of ours, Cat by no page at all.
    for (name, origin) in [
        ("ann", Some(FRONT)),
        ("bob", Some(own.as_str())),
        ("cat", None),
    ] {
        let body = json!({"username": name, "password": PASSWORD}).to_string();
        let headers: Vec<_> = origin
            .map(|origin| ("origin", origin))
            .into_iter()
            .collect();
        let said = http(
            world.address,
            "POST",
            "/api/login",
            &headers,
            body.as_bytes(),
        )
        .await;
        assert_eq!(said.status, 200, "{}", said.body);
    }
    for (name, origin, granted) in [
        ("ann", Some(FRONT), true),
        ("ann", None, true),
        ("ann", Some(own.as_str()), true),
        ("ann", Some("https://evil.example"), false),
        ("ann", Some("null"), false),
        ("bob", Some(own.as_str()), true),
        ("bob", Some(FRONT), false),
        ("bob", Some("https://evil.example"), false),
        ("cat", None, true),
        ("cat", Some("https://evil.example"), false),
    ] {
        let said = join_from(&world, name, origin).await;
        let joined = said.starts_with(r#"{"action":"joined""#);
        assert_eq!(joined, granted, "{name} from {origin:?}: {said}");
    }
    world.stop().await;
}
