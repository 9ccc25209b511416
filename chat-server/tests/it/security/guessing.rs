//! People who guess: by every door, from one address and from many, at one account and at many, and
//! at the passwords of rooms. The one they guess at comes in all the while.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use chat_core::Timestamp;
use chat_server::auth::hashing::HashingCost;
use chat_server::clock::ManualClock;
use chat_server::config::{Config, Listen};
use chat_server::{Server, config};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};

use crate::people::Kind;
use crate::world::{Account, PASSWORD, Plain, World, by, raw_over};

/// A server with its default limits, whose clock stands still: nothing that was spent comes back.
async fn world(change: impl FnOnce(&mut Config)) -> World {
    let cheap = HashingCost {
        memory_kib: 8,
        passes: 1,
    };
    world_at(cheap, change).await
}

/// One that spends this on each hash.
async fn world_at(cost: HashingCost, change: impl FnOnce(&mut Config)) -> World {
    let mut config = Config::default();
    config.store = config::StoreUrl::Memory;
    config.workers = std::num::NonZeroUsize::new(2);
    config.limits.posts_limited = false;
    config.server_limits.commands_burst = 100_000;
    config.server_limits.silent_sockets_per_address_max = 10_000;
    change(&mut config);
    let clock = ManualClock::new(Timestamp::new(1_790_000_000_000));
    let server = Server::builder(config).clock(Arc::new(clock)).hashing(cost);
    let server = server.start().await.unwrap();
    let address = server.listen(Listen::local(0)).await.unwrap();
    World { server, address }
}

/// A connection from one of the many addresses that this machine has for itself.
async fn from(number: u16, to: SocketAddr) -> TcpStream {
    let [high, low] = number.to_be_bytes();
    let socket = TcpSocket::new_v4().unwrap();
    let own = IpAddr::V4(Ipv4Addr::new(127, 1, high, low));
    socket.bind(SocketAddr::new(own, 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// What a request from an address is answered with: status and body.
async fn post(world: &World, number: u16, path: &str, token: &str, body: &Value) -> (u16, String) {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let said = raw_over(from(number, world.address).await, request.as_bytes()).await;
    (said.status, said.body)
}

/// The doors at which one logs in with a password.
const DOORS: [Kind; 4] = [Kind::Native, Kind::Rest, Kind::Actions, Kind::Groups];

/// What became of a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It was right.
    Right,
    /// It was compared and is wrong.
    Wrong,
    /// It wasn't looked at.
    Unheard,
}

async fn guess(world: &World, kind: Kind, number: u16, login: &str, password: &str) -> Fate {
    let (path, body, wrong) = match kind {
        Kind::Native => (
            "/v1/auth/login",
            json!({"login": login, "password": password}),
            "bad_credentials",
        ),
        Kind::Rest => (
            "/v1/api/auth/login",
            json!({"email": login, "password": password}),
            "invalid login credentials",
        ),
        Kind::Actions => (
            "/api/login",
            json!({"username": login, "password": password}),
            "Invalid username or password",
        ),
        Kind::Groups => {
            let stream = from(number, world.address).await;
            let mut socket = Plain::over(stream, world.address, "/").await;
            let frame = json!({"type": "log_in", "name": login, "pwrd": password});
            let said = socket.ask(&frame.to_string()).await;
            return if said.contains("login-accept") {
                Fate::Right
            } else if said.contains("wrong-password") {
                Fate::Wrong
            } else {
                Fate::Unheard
            };
        }
        Kind::Rooms | Kind::Socketio => unreachable!("nobody logs in there"),
    };
    let (status, said) = post(world, number, path, "", &body).await;
    if status == 200 {
        Fate::Right
    } else if said.contains(wrong) {
        Fate::Wrong
    } else {
        Fate::Unheard
    }
}

/// How many guesses were compared.
fn heard(fates: &[Fate]) -> usize {
    assert!(!fates.contains(&Fate::Right), "a guess was right");
    fates.iter().filter(|fate| **fate == Fate::Wrong).count()
}

/// Home, where the owners of all accounts live.
const HOME: u16 = 1;

async fn sign_up(world: &World, number: u16, name: &str) -> (u16, String) {
    let body = json!({"name": name, "password": PASSWORD});
    post(world, number, "/v1/auth/signup", "", &body).await
}

#[tokio::test]
async fn an_address_has_one_budget_for_all_doors_and_all_accounts() {
    let world = world(|_| ()).await;
    for number in 0_u16..20 {
        // Each at home at an address of his own.
        let (status, _) = sign_up(&world, 100 + number, &format!("user{number}")).await;
        assert_eq!(status, 201);
    }
    let mut fates = Vec::new();
    for number in 0_u16..20 {
        let kind = DOORS[usize::from(number) % DOORS.len()];
        let login = format!("user{number}");
        fates.push(guess(&world, kind, 7, &login, "a guess").await);
    }
    assert_eq!(heard(&fates), 5, "{fates:?}");
    for number in 0_u16..20 {
        let kind = DOORS[usize::from(number) % DOORS.len()];
        let login = format!("user{number}");
        let came = guess(&world, kind, 100 + number, &login, PASSWORD).await;
        assert_eq!(came, Fate::Right, "{login} is locked out at {kind:?}");
    }
    world.stop().await;
}

#[tokio::test]
async fn an_account_has_one_budget_for_all_doors_and_all_addresses() {
    let world = world(|_| ()).await;
    assert_eq!(sign_up(&world, HOME, "victim").await.0, 201);
    let mut fates = Vec::new();
    for number in 0_u16..200 {
        let kind = DOORS[usize::from(number) % DOORS.len()];
        fates.push(guess(&world, kind, 1_000 + number, "victim", "a guess").await);
        if number % 20 == 0 {
            for kind in DOORS {
                let came = guess(&world, kind, HOME, "victim", PASSWORD).await;
                assert_eq!(came, Fate::Right, "the victim is locked out at {kind:?}");
            }
        }
    }
    assert_eq!(heard(&fates), 5);
    // A name that nobody has is counted in the same way, or the difference would tell.
    let mut fates = Vec::new();
    for number in 0_u16..200 {
        let kind = [Kind::Native, Kind::Rest][usize::from(number) % 2];
        fates.push(guess(&world, kind, 2_000 + number, "nobody", "a guess").await);
    }
    assert_eq!(heard(&fates), 5);
    world.stop().await;
}

#[tokio::test]
async fn however_many_passwords_are_hashed_a_member_logs_in() {
    let cost = HashingCost {
        memory_kib: 2_048,
        passes: 1,
    };
    let world = world_at(cost, |config| config.server_limits.hashing_queue_max = 1).await;
    assert_eq!(sign_up(&world, HOME, "victim").await.0, 201);
    let (came, refused) = (Cell::new(0), Cell::new(0));
    // Half of them sign up, half guess; each time from an address with a budget of its own.
    let flood = (0_u16..24).map(async |flooder| {
        for number in 0_u16.. {
            if came.get() == 12 {
                break;
            }
            let (address, name) = (
                5_000 + flooder * 256 + number / 4,
                format!("{flooder}-{number}"),
            );
            let (path, body) = match flooder % 2 {
                0 => (
                    "/v1/auth/signup",
                    json!({"name": name, "password": PASSWORD}),
                ),
                _ => (
                    "/v1/auth/login",
                    json!({"login": name, "password": PASSWORD}),
                ),
            };
            let (status, _) = post(&world, address, path, "", &body).await;
            refused.set(refused.get() + u32::from(status == 503));
        }
    });
    let victim = async {
        while came.get() < 12 {
            let kind = DOORS[came.get() % DOORS.len()];
            let fate = guess(&world, kind, HOME, "victim", PASSWORD).await;
            assert_eq!(fate, Fate::Right, "the victim is kept out at {kind:?}");
            came.set(came.get() + 1);
        }
    };
    tokio::join!(futures_util::future::join_all(flood), victim);
    assert!(refused.get() > 0, "the queues were never full");
    world.stop().await;
}

#[tokio::test]
async fn a_room_has_one_budget_for_all_guessers_and_keeps_nobody_out_who_was_in() {
    let world = world(|_| ()).await;
    let mut accounts = Vec::new();
    for number in 0_u16..22 {
        let (status, said) = sign_up(&world, 100 + number, &format!("user{number}")).await;
        assert_eq!(status, 201);
        let said: Value = serde_json::from_str(&said).unwrap();
        accounts.push(said["token"].as_str().unwrap().to_owned());
    }
    let command = async |number: u16, op: &str, d: Value| {
        let token = &accounts[usize::from(number)];
        let body = json!({"id": 1, "op": op, "d": d});
        let (_, said) = post(&world, 100 + number, "/v1/cmd", token, &body).await;
        serde_json::from_str::<Value>(&said).unwrap()
    };
    let access = json!({"mode": "password", "password": "sesame"});
    let made = command(
        20,
        "create_room",
        json!({"name": "Vault", "alias": "Vault", "access": access, "listed": true}),
    );
    let room = made.await["ok"]["room"].clone();
    let right = json!({"room": room, "password": "sesame"});
    let member = command(21, "join", right.clone()).await;
    assert!(member["ok"].is_object(), "{member}");
    let mut heard = 0;
    for number in 0_u16..20 {
        let guess = json!({"room": room, "password": format!("guess {number}")});
        let said = command(number, "join", guess).await;
        heard += usize::from(said["err"]["code"] == "wrong_password");
        let code = Kind::Rooms.spell(room.as_u64().unwrap(), "");
        let join = json!({"name": "guest", "roomId": code, "pass": "a guess"});
        let stream = from(3_000 + number, world.address).await;
        let mut socket = Plain::over(stream, world.address, "/").await;
        let said = socket
            .ask(&json!({"type": "join", "payload": join}).to_string())
            .await;
        heard += usize::from(said.contains("Invalid Pass Key!"));
        if number % 5 == 0 {
            command(21, "leave", json!({"room": room})).await;
            let back = command(21, "join", right.clone()).await;
            assert!(back["ok"].is_object(), "a member is locked out: {back}");
        }
    }
    assert_eq!(heard, 5);
    world.stop().await;
}

#[tokio::test]
async fn an_address_makes_so_many_accounts_by_whatever_door() {
    let world = world(|_| ()).await;
    let mut made = 0;
    for number in 0..40 {
        let name = format!("sock{number}");
        made += usize::from(make(&world, DOORS[number % DOORS.len()], 7, &name).await);
    }
    assert_eq!(made, 30);
    // Whether a name is taken isn't told either, from there.
    let (status, said) = sign_up(&world, 7, "sock0").await;
    assert_eq!(status, 429, "{said}");
    assert!(make(&world, Kind::Groups, 8, "somebody else").await);
    // Whoever has an account logs in from there as ever.
    assert_eq!(
        guess(&world, Kind::Actions, 7, "sock0", PASSWORD).await,
        Fate::Right
    );
    world.stop().await;
}

async fn make(world: &World, kind: Kind, number: u16, name: &str) -> bool {
    let (path, body) = match kind {
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
            let stream = from(number, world.address).await;
            let mut socket = Plain::over(stream, world.address, "/").await;
            let id = format!("{name}-id");
            let frame =
                json!({"type": "sign-up", "name": name, "pwrd": PASSWORD, "id": id, "groups": []});
            return socket.ask(&frame.to_string()).await.contains("\"data\"");
        }
        Kind::Native | Kind::Rooms | Kind::Socketio => {
            return sign_up(world, number, name).await.0 == 201;
        }
    };
    post(world, number, path, "", &body).await.0 == 200
}

#[tokio::test]
async fn guests_of_one_address_make_so_many_rooms_a_day_however_often_they_come() {
    let world = world(|config| config.limits.rooms_created_a_day_max = 2).await;
    let create = async |number: u16, name: &str| {
        let stream = from(number, world.address).await;
        let mut socket = Plain::over(stream, world.address, "/").await;
        let room = json!({"name": name, "visibility": "public", "pass": ""});
        let said = socket
            .ask(&json!({"type": "create", "payload": room}).to_string())
            .await;
        said.contains("Room created successfully")
    };
    let mut made = 0;
    for number in 0..12 {
        made += usize::from(create(7, &format!("room {number}")).await);
    }
    assert_eq!(made, 8);
    assert!(create(8, "of another").await);
    world.stop().await;
}

#[tokio::test]
async fn somebody_sets_so_many_passwords_of_rooms_whatever_he_opens_for_it() {
    let mut config = crate::world::config();
    config.server_limits.rate_limits = true;
    let world = World::with(config).await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let access = json!({"mode": "password", "password": "sesame"});
    let mut a = world.enter(&ann).await;
    let room = a
        .create(json!({"name": "Vault", "access": access, "listed": true}))
        .await;
    let d = json!({"room": room, "access": access});
    for _ in 0..9 {
        a.ok("set_access", d.clone()).await;
    }
    let mut again = world.enter(&ann).await;
    assert_eq!(again.code("set_access", d.clone()).await, "rate_limited");
    let line = json!({"id": 1, "op": "set_access", "d": d}).to_string();
    let said = by(&world, &ann, "POST", "/v1/cmd", &line).await;
    assert!(said.body.contains("rate_limited"), "{}", said.body);
    // What needs no hash is another matter, and so is what others do.
    let open = json!({"room": room, "access": {"mode": "open"}});
    a.ok("set_access", open).await;
    let mut b = world.enter(&bob).await;
    b.create(json!({"name": "Another", "access": access, "listed": true}))
        .await;
    world.stop().await;
}

#[tokio::test]
async fn of_guests_who_claim_a_name_in_the_same_moment_one_has_it() {
    let mut config = crate::world::config();
    config.groups = vec![chat_core::Name::new("Plg").unwrap()];
    let world = World::with(config).await;
    for round in 0..12 {
        let mut sockets = Vec::new();
        for _ in 0..6 {
            sockets.push(Plain::connect(world.address, "/").await);
        }
        let name = format!("guest{round}");
        let connect = json!({"type": "first-connect", "name": name, "group": "Plg"}).to_string();
        for socket in &mut sockets {
            socket.send(&connect).await;
        }
        let mut granted = 0;
        for socket in &mut sockets {
            loop {
                let said = socket.hear().await.unwrap();
                if said.contains("acknowledge-connect") {
                    granted += 1;
                    break;
                }
                if said.contains("reject-connect") {
                    break;
                }
            }
        }
        assert_eq!(granted, 1, "round {round}");
    }
    world.stop().await;
}

#[tokio::test]
async fn nobody_is_nicknamed_like_somebody_elses_account() {
    let world = World::new().await;
    let (ann, bob): (Account, Account) = (world.account("ann").await, world.account("bob").await);
    let mut host = world.enter(&ann).await;
    let room = host.create(json!({"name": "Den"})).await;
    let mut other = world.enter(&bob).await;
    other.join(room).await;
    for nickname in ["ann", "ANN", "\u{430}nn"] {
        let wish = json!({"room": room, "nickname": nickname});
        assert_eq!(other.code("set_nickname", wish).await, "name_taken");
    }
    for (who, nickname) in [(&mut other, "Bob"), (&mut host, "ann")] {
        let wish = json!({"room": room, "nickname": nickname});
        who.ok("set_nickname", wish).await;
    }
    world.stop().await;
}
