//! Passwords and tokens show in no log, whatever is spoken and however much is logged.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::world::{Plain, http};

const SECRET: &str = "a-signing-secret-that-is-long-enough";

/// A server that logs all it can, in a process of its own.
struct Talkative {
    child: Child,
    address: SocketAddr,
    log: Option<JoinHandle<String>>,
}

impl Drop for Talkative {
    /// Or a test that fails would wait for the end of its log.
    fn drop(&mut self) {
        drop(self.child.kill());
    }
}

impl Talkative {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chat-server"))
            .env_clear()
            .env("CHAT_LOG", "trace")
            .env("JWT_SECRET", SECRET)
            .args(["--listen", "127.0.0.1:0", "--store", "memory:"])
            .args(["--rate-limits", "off"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = tokio::task::spawn_blocking(move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        let mut first = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut first).unwrap();
        let address = first.trim().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("{first:?}"));
        Self {
            child,
            address: address.parse().unwrap(),
            log: Some(log),
        }
    }

    /// Stops it; gives all that it logged.
    async fn stop(mut self) -> String {
        let stopped = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(stopped.unwrap().success());
        assert!(self.child.wait().unwrap().success());
        self.log.take().unwrap().await.unwrap()
    }

    /// Posts a body; gives the tokens that come back.
    async fn tokens(&self, path: &str, body: Value) -> Vec<String> {
        let body = body.to_string();
        let said = http(self.address, "POST", path, &[], body.as_bytes()).await;
        let answer: Value = serde_json::from_str(&said.body).unwrap_or_default();
        ["token", "refresh_token"]
            .iter()
            .filter_map(|name| answer[name].as_str().map(str::to_owned))
            .collect()
    }

    /// Says something on a socket, and hears an answer if the connection is made.
    async fn say(&self, path: &str, frames: &[String]) {
        let Ok(mut socket) = Plain::try_connect(self.address, path).await else {
            return;
        };
        for frame in frames {
            socket.send(frame).await;
        }
        socket.leave().await;
    }

    /// Logs in and guesses in every dialect that has passwords; gives the tokens that come of it.
    async fn prove(&self, password: &str, wrong: &str) -> Vec<String> {
        let mut tokens = Vec::new();
        let mail = "rea@mail.example";
        let rest = json!({"user_name": "rea", "email": mail, "password": password});
        let native = json!({"name": "ned", "password": password});
        for (path, body) in [
            ("/v1/auth/signup", native),
            ("/v1/api/auth/signup", rest),
            (
                "/api/login",
                json!({"username": "abe", "password": password}),
            ),
        ] {
            let made = self.tokens(path, body).await;
            assert!(!made.is_empty(), "{path}");
            tokens.extend(made);
        }
        for guess in [password, wrong] {
            for (path, body) in [
                ("/v1/auth/login", json!({"login": "ned", "password": guess})),
                (
                    "/v1/api/auth/login",
                    json!({"email": mail, "password": guess}),
                ),
                ("/api/login", json!({"username": "abe", "password": guess})),
            ] {
                tokens.extend(self.tokens(path, body).await);
            }
        }
        let sign_up = json!({"type": "sign-up", "name": "gil", "pwrd": password, "id": "g1"});
        let log_in = |guess: &str| json!({"type": "log_in", "name": "gil", "pwrd": guess});
        let frames = [sign_up, log_in(password), log_in(wrong)];
        self.say("/", &frames.map(|frame| frame.to_string())).await;
        let room = json!({"name": "Den", "visibility": "private", "pass": password});
        let join = json!({"name": "roo", "roomId": "AAAAB", "pass": wrong});
        let frames = [("create", room), ("join", join)]
            .map(|(kind, payload)| json!({"type": kind, "payload": payload}).to_string());
        self.say("/", &frames).await;
        tokens
    }

    /// Says something in every dialect, and in ways that nobody can read; gives what people would
    /// be told of it.
    async fn talk(&self, token: &str, words: &str, pass: &str) -> String {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let mut answers = String::new();
        let access = json!({"mode": "password", "password": pass});
        let room = json!({"name": "Talk", "alias": "Talk", "access": access});
        let frames = [
            json!({"id": 1, "op": "create_room", "d": room}),
            json!({"id": 2, "op": "post", "d": {"room": "Talk", "body": words}}),
            json!({"id": 3, "op": "edit", "d": {"room": "Talk", "message": 2, "body": words}}),
            json!({"id": 4, "op": "join", "d": {"room": "Talk", "password": [pass]}}),
            json!({"id": 5, "op": "post", "d": {"room": "Talk", "body": {"body": words}}}),
        ];
        for frame in frames {
            let body = frame.to_string();
            let said = http(self.address, "POST", "/v1/cmd", &headers, body.as_bytes()).await;
            answers.push_str(&said.body);
        }
        let half = json!({"password": pass, "body": words}).to_string();
        for path in [
            "/v1/cmd",
            "/v1/auth/login",
            "/v1/api/auth/login",
            "/api/login",
        ] {
            let cut = &half.as_bytes()[..half.len() - 1];
            let said = http(self.address, "POST", path, &headers, cut).await;
            assert!(
                said.status >= 400 || path == "/v1/cmd",
                "{path}: {}",
                said.body
            );
            answers.push_str(&said.body);
        }
        self.chat(token, words, pass).await;
        let metrics = http(self.address, "GET", "/metrics", &[], b"").await;
        answers + &metrics.body
    }

    /// Says something on sockets.
    async fn chat(&self, token: &str, words: &str, pass: &str) {
        let half = json!({"password": pass, "body": words}).to_string();
        let chat = json!({"type": "chat", "payload": {"roomId": "Open", "msg": words}});
        let join =
            json!({"type": "join", "payload": {"name": "roo", "roomId": "Open", "pass": pass}});
        let open = json!({"type": "create", "payload": {"name": "Open", "visibility": "public", "pass": ""}});
        let group = json!({"type": "message", "name": "gil", "group": "Open", "Text": words});
        let connect = json!({"type": "first-connect", "name": "gil", "group": "Open"});
        let act = json!({"action": "join", "username": "abby", "roomId": "Open"});
        let send = json!({"action": "send-message", "roomId": "Open", "message": words});
        let line = json!({"chatRoomId": 2, "chatMessage": words});
        let event = json!(["message", {"roomId": "Open", "message": words}]);
        let enter = json!(["joinRoom", {"roomId": "Open", "username": "sid"}]);
        let rest = format!("/ws?room_id=2&jwt={token}");
        for (path, frames) in [
            (
                "/",
                vec![
                    open.to_string(),
                    join.to_string(),
                    chat.to_string(),
                    half.clone(),
                ],
            ),
            (
                "/",
                vec![connect.to_string(), group.to_string(), half[1..].to_owned()],
            ),
            (
                "/chat",
                vec![act.to_string(), send.to_string(), half[1..].to_owned()],
            ),
            (rest.as_str(), vec![line.to_string(), half[1..].to_owned()]),
            (
                "/socket.io/?EIO=4&transport=websocket",
                vec![
                    format!("40{}", json!({"token": token})),
                    format!("421{enter}"),
                    format!("42{event}"),
                    format!("42[{half}"),
                ],
            ),
            ("/v1/ws", vec![half[1..].to_owned(), words.to_owned()]),
        ] {
            self.say(path, &frames).await;
        }
    }

    /// Shows a token wherever one can be shown.
    async fn show(&self, token: &str) {
        for (path, frame) in [
            (
                "/v1/ws",
                json!({"id": 1, "op": "hello", "d": {"token": token}}),
            ),
            (
                "/",
                json!({"type": "join", "payload": {"name": "x", "roomId": "AAAAB", "token": token}}),
            ),
            (
                "/chat",
                json!({"action": "join", "username": "x", "roomId": "Den", "token": token}),
            ),
        ] {
            self.say(path, &[frame.to_string(), token.to_owned()]).await;
        }
        let events = [
            format!("40{}", json!({ "token": token })),
            format!(
                "42{}",
                json!(["joinRoom", {"roomId": token, "username": token}])
            ),
            // Whoever speaks where he isn't is sent away, and that is logged.
            format!("42/{token},{}", json!([token])),
        ];
        self.say("/socket.io/?EIO=4&transport=websocket", &events)
            .await;
        for path in [
            "/ws?room_id=1&jwt=",
            "/v1/ws?room_id=1&jwt=",
            "/chat?token=",
        ] {
            self.say(&format!("{path}{token}"), &[]).await;
        }
        let bearer = format!("Bearer {token}");
        let cookie = format!("session={token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("cookie", cookie.as_str()),
        ];
        for path in ["/v1/me", "/v1/api/chat/rooms", "/api/rooms"] {
            http(self.address, "GET", path, &headers, b"").await;
        }
        for path in [
            "/elsewhere?jwt=",
            "/v1/api/chat/rooms?jwt=",
            "/v1/me?token=",
        ] {
            http(self.address, "GET", &format!("{path}{token}"), &[], b"").await;
        }
        let refresh = json!({ "refresh_token": token });
        self.tokens("/v1/auth/refresh", refresh).await;
    }
}

#[tokio::test]
async fn no_log_shows_a_password_or_a_token_of_any_dialect() {
    let server = Talkative::start();
    let (password, wrong) = ("correct-horse-battery", "incorrect-horse-battery");
    let mut tokens = server.prove(password, wrong).await;
    let now = jsonwebtoken::get_current_timestamp();
    for (claims, secret) in [
        (json!({"id": 7, "username": "sam", "iat": now}), SECRET),
        (
            json!({"UserID": 7, "UserName": "tim", "exp": now + 60}),
            SECRET,
        ),
        (json!({"username": "joe", "iat": now}), "another secret"),
    ] {
        let key = EncodingKey::from_secret(secret.as_bytes());
        tokens.push(encode(&Header::default(), &claims, &key).unwrap());
    }
    for token in &tokens {
        server.show(token).await;
    }
    let (words, pass) = ("canary-in-the-body", "canary-at-the-door");
    let told = server.talk(&tokens[0], words, pass).await;
    assert!(
        told.contains("chat_sessions") && told.contains("\"ok\""),
        "{told}"
    );
    for secret in [words, pass] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
    let log = server.stop().await;
    // It was a log with everything in it.
    for line in ["shutting down", "a socket.io client is sent away"] {
        assert!(log.contains(line), "{log}");
    }
    for secret in [SECRET, password, wrong, words, pass] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    for token in &tokens {
        for part in token.split('.').skip(1) {
            assert!(!log.contains(part), "{part}: {log}");
        }
    }
}

#[test]
fn no_command_prints_a_secret_that_it_was_given() {
    let folder = tempfile::TempDir::new().unwrap();
    let store = format!("sqlite:{}", folder.path().join("chat.db").display());
    let (secret, token, password) = (
        "canary-of-signing",
        "canary-of-operators",
        "canary-of-users",
    );
    std::fs::write(
        folder.path().join("broken.toml"),
        format!("jwt_secret = '{secret}\n"),
    )
    .unwrap();
    std::fs::write(
        folder.path().join("odd.toml"),
        format!("admin_token = ['{token}', 1.5]\n"),
    )
    .unwrap();
    let mut said = String::new();
    for words in [
        vec!["check-config"],
        vec!["check-config", "--workers", "none"],
        vec!["check-config", "-c", "broken.toml"],
        vec!["check-config", "-c", "odd.toml"],
        vec!["config", "default"],
        vec!["user", "add", "ann", "--password-stdin"],
        vec!["user", "passwd", "ann", "--password-stdin"],
        vec!["user", "suspend", "ann"],
        vec!["user", "suspend", "nobody"],
        vec!["user", "suspend", "ann", "--at", "http://127.0.0.1:1"],
        vec!["user", "suspend", "ann", "--at", "ftp://nowhere"],
        vec!["verify"],
        vec!["backup", "copy.db"],
        vec!["health", "--url", "http://127.0.0.1:1"],
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chat-server"))
            .current_dir(folder.path())
            .env_clear()
            .env("CHAT_LOG", "trace")
            .env("CHAT_STORE", &store)
            .env("CHAT_JWT_SECRET", secret)
            .env("CHAT_ADMIN_TOKEN", token)
            .args(&words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Whoever doesn't read it has no use for it.
        drop(writeln!(child.stdin.take().unwrap(), "{password}"));
        let output = child.wait_with_output().unwrap();
        said.push_str(&format!("{words:?}:\n"));
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        said.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    assert!(
        said.contains("ok\n") && said.contains("broken.toml"),
        "{said}"
    );
    for canary in [secret, token, password, "canary"] {
        assert!(!said.contains(canary), "{said}");
    }
}
