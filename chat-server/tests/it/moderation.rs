//! What a moderator does in the native dialect holds for everybody, whatever he speaks; and what is
//! private is private from every side.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::people::{Heard, Kind, Person};
use crate::world::{Account, Native, Plain, World, by, http};

/// The year 2100, in milliseconds.
const FAR: u64 = 4_102_444_800_000;

/// The name of the room for people of a kind.
fn den(kind: Kind) -> String {
    format!("Den{kind:?}")
}

/// Bob, in a room of the host's for people of his kind.
async fn enter_den(world: &World, host: &mut Native, kind: Kind, bob: &Account) -> (Person, u64) {
    let alias = den(kind);
    let room = host.create(json!({"name": alias, "alias": alias})).await;
    let entered = Person::enter(world, kind, ("bob", bob), (room, &alias)).await;
    let person = entered.unwrap_or_else(|said| panic!("{kind:?}: {said}"));
    (person, room)
}

#[tokio::test]
async fn who_is_muted_is_not_heard_whatever_he_speaks() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let bob = world.account("bob").await;
    let mut host = world.enter(&ann).await;
    for kind in Kind::OLDER {
        let (mut person, room) = enter_den(&world, &mut host, kind, &bob).await;
        assert_eq!(host.event_of(room).await["ev"], "joined", "{kind:?}");
        person.say("one").await;
        assert_eq!(host.event_of(room).await["d"]["content"]["body"], "one");
        if kind.echoes() {
            let one = Heard::Line("bob".to_owned(), "one".to_owned());
            assert_eq!(person.hear().await, one);
        }
        host.ok("mute", json!({"room": room, "user": bob.id, "until": FAR}))
            .await;
        assert_eq!(host.event_of(room).await["ev"], "muted");
        person.say("two").await;
        person.settle().await;
        host.ok("unmute", json!({"room": room, "user": bob.id}))
            .await;
        assert_eq!(host.event_of(room).await["ev"], "unmuted", "{kind:?}");
        person.say("three").await;
        assert_eq!(
            host.event_of(room).await["d"]["content"]["body"],
            "three",
            "{kind:?}"
        );
    }
    world.stop().await;
}

#[tokio::test]
async fn who_is_banned_hears_nothing_more_and_does_not_come_back_whatever_he_speaks() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let bob = world.account("bob").await;
    let mut host = world.enter(&ann).await;
    for kind in Kind::OLDER {
        let (mut person, room) = enter_den(&world, &mut host, kind, &bob).await;
        host.post(room, "before").await;
        let before = Heard::Line("ann".to_owned(), "before".to_owned());
        assert_eq!(person.hear().await, before, "{kind:?}");
        host.ok("ban", json!({"room": room, "user": bob.id})).await;
        host.post(room, "after").await;
        person.settle().await;
        let again = Person::enter(&world, kind, ("bob", &bob), (room, &den(kind))).await;
        assert!(again.is_err(), "{kind:?} is in again");
    }
    world.stop().await;
}

#[tokio::test]
async fn who_is_suspended_or_logged_out_is_cut_off_whatever_he_speaks() {
    let world = World::new().await;
    let mut host = world.enter(&world.account("ann").await).await;
    let room = host.create(json!({"name": "Den", "alias": "Den"})).await;
    let names = [
        "bob", "cat", "dan", "eve", "fay", "gus", "hal", "ida", "joe", "kit",
    ];
    for (kind, names) in Kind::OLDER.into_iter().zip(names.chunks_exact(2)) {
        for (name, suspended) in names.iter().zip([true, false]) {
            let account = world.account(name).await;
            let who = (*name, &account);
            let entered = Person::enter(&world, kind, who, (room, "Den")).await;
            let mut person = entered.unwrap_or_else(|said| panic!("{kind:?}: {said}"));
            assert_eq!(host.event_of(room).await["ev"], "joined", "{kind:?}");
            let began = Instant::now();
            if suspended {
                let id = account.id.try_into().unwrap();
                world.server.suspend(id).await.unwrap();
            } else {
                let all = r#"{"all":true}"#;
                let out = by(&world, &account, "POST", "/v1/auth/logout", all).await;
                assert_eq!(out.status, 204);
            }
            while person.socket.hear().await.is_ok() {}
            assert!(began.elapsed() < Duration::from_secs(5), "{kind:?}");
            for path in ["/v1/api/chat/rooms", "/api/rooms"] {
                let refused = by(&world, &account, "GET", path, "").await;
                assert!(
                    [401, 403].contains(&refused.status),
                    "{path}: {}",
                    refused.body
                );
            }
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn a_private_room_shows_in_no_list_and_lets_no_stranger_in() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let bob = world.account("bob").await;
    let mut host = world.enter(&ann).await;
    let vault =
        json!({"name": "Vault", "alias": "Vault", "access": {"mode": "invite"}, "listed": false});
    let room = host.create(vault).await;
    host.post(room, "a secret").await;
    for kind in Kind::OLDER {
        let entered = Person::enter(&world, kind, ("bob", &bob), (room, "Vault")).await;
        assert!(entered.is_err(), "{kind:?} is in");
    }

    for (path, method) in [("/v1/api/chat/rooms", "GET"), ("/api/rooms", "GET")] {
        let list = by(&world, &bob, method, path, "").await;
        assert_eq!(list.status, 200, "{path}: {}", list.body);
        assert!(!list.body.contains("Vault"), "{path}: {}", list.body);
    }
    let asked = json!({"roomId": room}).to_string();
    let said = by(&world, &bob, "POST", "/v1/api/chat/room-messages", &asked).await;
    assert!(
        said.status >= 400 && !said.body.contains("a secret"),
        "{}",
        said.body
    );
    for spelled in [format!("room_{room}"), "Vault".to_owned()] {
        let path = format!("/api/chat-history/{spelled}");
        let said = by(&world, &bob, "GET", &path, "").await;
        assert_eq!(said.status, 404, "{}", said.body);
        let join = json!({"roomId": spelled, "username": "bob"}).to_string();
        let said = by(&world, &bob, "POST", "/api/join-room", &join).await;
        assert!(said.body.contains("Room does not exist"), "{}", said.body);
        assert_eq!(
            http(world.address, "GET", &path, &[], b"").await.status,
            401
        );
    }
    for (asked, list) in [
        (r#"{"type":"query","payload":{"query":"rooms"}}"#, "["),
        (r#"{"type":"get_groups"}"#, r#"{"type":"active-groups""#),
    ] {
        let mut socket = Plain::connect(world.address, "/").await;
        let said = socket.ask(asked).await;
        assert!(said.starts_with(list) && !said.contains("Vault"), "{said}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_socket_ends_with_the_first_of_the_log_ins_that_it_came_by() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let bob = world.account("bob").await;
    let mut host = world.enter(&ann).await;
    let (mut sockets, mut rooms) = (Vec::new(), Vec::new());
    for alias in ["One", "Two"] {
        rooms.push(host.create(json!({"name": alias, "alias": alias})).await);
    }
    for _ in 0..2 {
        let socket = Plain::connect(world.address, "/").await;
        let mut both = Person::of(Kind::Rooms, "both", socket, String::new());
        for (account, room) in [(&ann, rooms[0]), (&bob, rooms[1])] {
            let room = Kind::Rooms.spell(room, "");
            let join = json!({"name": "x", "roomId": room, "pass": "", "token": account.token});
            let join = json!({"type": "join", "payload": join}).to_string();
            both.socket.send(&join).await;
            assert!(both.other().await.starts_with(r#"{"code":0"#));
        }
        sockets.push(both);
    }
    // The one who was proven first logs out: the other's log-in doesn't keep the sockets.
    let said = by(&world, &ann, "POST", "/v1/auth/logout", "{}").await;
    assert_eq!(said.status, 204, "{}", said.body);
    for mut person in sockets {
        assert_eq!(person.socket.hear().await, Err(1008));
    }
    world.stop().await;
}
