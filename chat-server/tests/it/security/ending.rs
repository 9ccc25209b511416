//! What ends a log-in ends every connection of it, in every dialect and over every transport.

use std::num::NonZeroUsize;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::{Timestamp, UserId};
use chat_server::Server;
use chat_server::clock::ManualClock;
use chat_server::config::{Config, Listen, Secret};
use chat_server::store::Store;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::engineio::client::Poller;
use crate::events::reader::Reader;
use crate::hostile::watched::Watched;
use crate::people::{Kind, Person};
use crate::world::{Account, PASSWORD, World, by, config, http};

/// What ends log-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    LogOut,
    LogOutEverywhere,
    Password,
    /// By the command line, of a server that runs.
    Suspension,
    /// Of the account, by whoever has its password.
    Deletion,
    /// By the application around the server.
    Erasure,
}

const ENDINGS: [Ending; 6] = [
    Ending::LogOut,
    Ending::LogOutEverywhere,
    Ending::Password,
    Ending::Suspension,
    Ending::Deletion,
    Ending::Erasure,
];

/// How somebody is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Socket(Kind),
    Polling,
    Events,
}

const WAYS: [Way; 8] = [
    Way::Socket(Kind::Native),
    Way::Socket(Kind::Rooms),
    Way::Socket(Kind::Socketio),
    Way::Socket(Kind::Rest),
    Way::Socket(Kind::Actions),
    Way::Socket(Kind::Groups),
    Way::Polling,
    Way::Events,
];

enum Connected {
    Socket(Box<Person>),
    Polling(Poller),
    Events(Box<Reader>),
}

impl Connected {
    async fn by(way: Way, world: &World, name: &'static str, account: &Account, room: u64) -> Self {
        let kind = match way {
            Way::Socket(kind) => kind,
            Way::Polling => return Self::Polling(poll(world, &account.token).await),
            Way::Events => {
                let mut reader = Reader::of(world, account).await;
                reader.welcome().await;
                return Self::Events(Box::new(reader));
            }
        };
        let entered = Person::enter(world, kind, (name, account), (room, "Den")).await;
        Self::Socket(Box::new(
            entered.unwrap_or_else(|said| panic!("{way:?}: {said}")),
        ))
    }

    /// Reads until the server ends it.
    async fn ends(self) {
        match self {
            Self::Socket(mut person) => while person.socket.hear().await.is_ok() {},
            Self::Events(mut reader) => while reader.next().await.is_some() {},
            Self::Polling(poller) => while poller.poll().await.status == 200 {},
        }
    }
}

/// Somebody in the room by Socket.IO who polls.
async fn poll(world: &World, token: &str) -> Poller {
    let poller = Poller::open(world.address, "/socket.io/").await;
    poller.say(format!("40{}", json!({"token": token}))).await;
    assert!(poller.hear().await.starts_with("40{"));
    poller.say(r#"421["joinRoom",{"roomId":"Den"}]"#).await;
    assert!(poller.hear().await.starts_with(r#"431[{"success":true}"#));
    poller
}

const ADMIN_TOKEN: &str = "an operator's own words";

fn with_admin() -> Config {
    let mut config = config();
    config.admin_token = Secret::new(ADMIN_TOKEN);
    config
}

/// Ends log-ins of an account.
async fn end(world: &World, admin: &str, ending: Ending, name: &str, account: &Account) {
    let change = json!({"old": PASSWORD, "new": "another password"}).to_string();
    let proof = json!({"password": PASSWORD}).to_string();
    let (method, path, body, status) = match ending {
        Ending::LogOut => ("POST", "/v1/auth/logout", "{}", 204),
        Ending::LogOutEverywhere => ("POST", "/v1/auth/logout", r#"{"all":true}"#, 204),
        Ending::Password => ("POST", "/v1/auth/password", change.as_str(), 200),
        Ending::Deletion => ("DELETE", "/v1/account", proof.as_str(), 204),
        Ending::Erasure => {
            let erased = world.server.erase_user(UserId::new(account.id)).await;
            return erased.unwrap();
        }
        Ending::Suspension => {
            let said = suspend(admin, ADMIN_TOKEN, &[name]);
            return assert!(said.is_ok(), "{said:?}");
        }
    };
    let said = by(world, account, method, path, body).await;
    assert_eq!(said.status, status, "{ending:?}: {}", said.body);
}

#[tokio::test]
async fn whoever_hangs_up_before_he_is_answered_has_ended_it_all_the_same() {
    let store = Watched::new();
    let shared: Arc<dyn Store> = store.clone();
    // One thread: what it is told after the hanging up it hears after it.
    let mut config = config();
    config.workers = NonZeroUsize::new(1);
    let world = World::started(Server::builder(config).store(shared)).await;
    let change = json!({"old": PASSWORD, "new": "another password"}).to_string();
    let proof = json!({"password": PASSWORD}).to_string();
    for (name, method, path, body) in [
        ("ann", "POST", "/v1/auth/logout", "{}"),
        ("bob", "POST", "/v1/auth/logout", r#"{"all":true}"#),
        ("cat", "POST", "/v1/auth/password", change.as_str()),
        ("dan", "DELETE", "/v1/account", proof.as_str()),
    ] {
        let account = world.account(name).await;
        let mut thief = world.enter(&account).await;
        store.endings_hang.send_replace(true);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             content-length: {}\r\n\r\n{body}",
            account.token,
            body.len()
        );
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        store.ender().await;
        drop(stream);
        for _ in 0..3 {
            let said = http(world.address, "GET", "/healthz", &[], b"").await;
            assert_eq!(said.status, 200);
        }
        store.endings_hang.send_replace(false);
        assert_eq!(thief.closed().await, 4501, "{path} of {name}");
        let again = by(&world, &account, "GET", "/v1/me", "").await;
        assert_eq!(again.status, 401, "{path} of {name}");
    }
    world.stop().await;
}

/// Runs the command that an operator runs; gives what it says if it fails.
fn suspend(admin: &str, token: &str, words: &[&str]) -> Result<(), String> {
    let said = Command::new(env!("CARGO_BIN_EXE_chat-server"))
        .env_clear()
        .env("CHAT_ADMIN_TOKEN", token)
        .args(["user", "suspend", "--at", admin])
        .args(words)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    if said.status.success() {
        Ok(())
    } else {
        Err(words)
    }
}

#[tokio::test]
async fn what_ends_a_log_in_ends_every_connection_of_it_whatever_it_speaks() {
    let world = World::with(with_admin()).await;
    let admin = world.server.listen_admin(Listen::local(0)).await.unwrap();
    let admin = format!("http://{admin}");
    let owner = world.account("owner").await;
    let mut host = world.enter(&owner).await;
    let room = host.create(json!({"name": "Den", "alias": "Den"})).await;
    let mut longest = Duration::ZERO;
    for ending in ENDINGS {
        for way in WAYS {
            // There a log-in is the socket's own, and another one's end is none of its business.
            if (ending, way) == (Ending::LogOut, Way::Socket(Kind::Groups)) {
                continue;
            }
            let name: &'static str = format!("{ending:?} {way:?}").leak();
            let account = world.account(name).await;
            let mut connections = Vec::new();
            for _ in 0..2 {
                connections.push(Connected::by(way, &world, name, &account, room).await);
            }
            end(&world, &admin, ending, name, &account).await;
            let began = Instant::now();
            for connection in connections {
                connection.ends().await;
            }
            longest = longest.max(began.elapsed());
            assert!(
                began.elapsed() < Duration::from_secs(5),
                "{ending:?} {way:?}"
            );
            let again = by(&world, &account, "GET", "/v1/me", "").await;
            assert!(
                [401, 403].contains(&again.status),
                "{ending:?}: {}",
                again.body
            );
        }
    }
    println!("the longest took {longest:?}");
    world.stop().await;
}

/// A server on one worker that speaks to nobody unasked, so that time passes by leaps.
async fn timed() -> (World, Arc<ManualClock>) {
    let mut config = config();
    config.workers = NonZeroUsize::new(1);
    config.server_limits.token_ms = TOKEN_MS;
    config.server_limits.ping_ms = 100 * TOKEN_MS;
    let clock = Arc::new(ManualClock::new(Timestamp::new(1_790_000_000_000)));
    let server = Server::builder(config).clock(clock.clone());
    let server = server.start().await.unwrap();
    let address = server.listen(Listen::local(0)).await.unwrap();
    (World { server, address }, clock)
}

const TOKEN_MS: u64 = 3_600_000;

/// The frame by which somebody enters one more room, with a token.
fn enter_by(kind: Kind, name: &str, room: &str, token: &str) -> String {
    match kind {
        Kind::Actions => {
            json!({"action": "join", "username": name, "roomId": room, "token": token})
        }
        Kind::Native | Kind::Rooms | Kind::Socketio | Kind::Rest | Kind::Groups => {
            let join = json!({"name": name, "roomId": room, "pass": "", "token": token});
            json!({"type": "join", "payload": join})
        }
    }
    .to_string()
}

#[tokio::test]
async fn a_token_that_runs_out_ends_its_sockets_and_one_that_is_refreshed_goes_on() {
    let (world, clock) = timed().await;
    let pass = |ms: u64| clock.advance(Duration::from_millis(ms));
    let owner = world.account("owner").await;
    let mut host = world.enter(&owner).await;
    let den = host.create(json!({"name": "Den", "alias": "Den"})).await;
    let hall = host.create(json!({"name": "Hall", "alias": "Hall"})).await;
    drop(host);
    pass(TOKEN_MS / 2);
    let (mut going, mut staying) = (Vec::new(), Vec::new());
    for way in WAYS {
        // There a log-in is by a password, and lasts as long as the socket.
        if way == Way::Socket(Kind::Groups) {
            continue;
        }
        let name: &'static str = format!("{way:?}").leak();
        let account = world.account(name).await;
        let goes = Connected::by(way, &world, name, &account, den).await;
        going.push((way, goes));
        if let Way::Socket(kind @ (Kind::Rooms | Kind::Actions)) = way {
            let in_den = (den, "Den");
            let stays = Person::enter(&world, kind, (name, &account), in_den).await;
            staying.push((stays.unwrap(), account));
        }
    }
    pass(TOKEN_MS - 1_000);
    for (stays, account) in &mut staying {
        let fresh = world.refreshed(account).await;
        let room = stays.kind.spell(hall, "Hall");
        let enter = enter_by(stays.kind, stays.name, &room, &fresh);
        stays.socket.send(&enter).await;
        let said = stays.other().await;
        assert!(said.contains("joined"), "{said}");
    }
    pass(1_000);
    for (way, goes) in going {
        goes.ends().await;
        println!("{way:?} has ended");
    }
    // What ended those has looked at these, too.
    for (stays, _) in &mut staying {
        stays.settle().await;
    }
    pass(TOKEN_MS - 1_000);
    for (stays, _) in staying {
        Connected::Socket(Box::new(stays)).ends().await;
    }
    world.stop().await;
}

#[tokio::test]
async fn an_operator_is_who_has_the_token_and_no_page_is_one() {
    let world = World::with(with_admin()).await;
    let listening = world.server.listen_admin(Listen::local(0)).await.unwrap();
    let admin = format!("http://{listening}");
    let bob = world.account("bob").await;
    let body = json!({"name": "bob"}).to_string();
    let good = format!("Bearer {ADMIN_TOKEN}");
    let users = format!("Bearer {}", bob.token);
    for (at, headers, status) in [
        (listening, vec![], 401),
        (
            listening,
            vec![("authorization", "Bearer guessed guessed!")],
            401,
        ),
        (listening, vec![("authorization", users.as_str())], 401),
        (
            listening,
            vec![
                ("authorization", good.as_str()),
                ("origin", "http://localhost"),
            ],
            401,
        ),
        // Where everybody comes there is no such path, whoever asks.
        (world.address, vec![("authorization", good.as_str())], 404),
    ] {
        let said = http(at, "POST", "/admin/suspend", &headers, body.as_bytes()).await;
        assert_eq!(said.status, status, "{headers:?}: {}", said.body);
    }
    assert_eq!(by(&world, &bob, "GET", "/v1/me", "").await.status, 200);

    let refused = suspend(&admin, "guessed guessed guessed", &["bob"]);
    assert!(refused.unwrap_err().contains("the admin token is another"));
    assert!(suspend(&admin, ADMIN_TOKEN, &["nobody"]).is_err());
    suspend(&admin, ADMIN_TOKEN, &["bob"]).unwrap();
    assert_eq!(by(&world, &bob, "GET", "/v1/me", "").await.status, 403);
    suspend(&admin, ADMIN_TOKEN, &["bob", "--lift"]).unwrap();
    let again = world.log_in("bob").await;
    assert_eq!(by(&world, &again, "GET", "/v1/me", "").await.status, 200);
    world.stop().await;
}

#[tokio::test]
async fn without_a_token_of_his_nothing_is_done_at_an_operators_address() {
    let world = World::new().await;
    let listening = world.server.listen_admin(Listen::local(0)).await.unwrap();
    world.account("bob").await;
    for headers in [
        vec![],
        vec![("authorization", "Bearer ")],
        vec![("authorization", "Bearer x")],
    ] {
        let said = http(
            listening,
            "POST",
            "/admin/suspend",
            &headers,
            br#"{"name":"bob"}"#,
        )
        .await;
        assert_eq!(said.status, 404, "{}", said.body);
    }
    world.stop().await;
}
