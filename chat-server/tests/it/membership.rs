//! Who belongs to a room, and what that means for what he hears.

use std::time::Instant;

use serde_json::{Value, json};

use crate::world::{Account, Native, PATIENCE, World};

/// A room of Ann's with Bob in it, each on a worker of their own.
struct Den {
    world: World,
    ann: Account,
    a: Native,
    bob: Account,
    b: Native,
    room: u64,
}

impl Den {
    async fn new(d: Value) -> Self {
        let world = World::new().await;
        let (ann, bob) = (world.account("ann").await, world.account("bob").await);
        let mut a = world.enter_on(0, &ann).await;
        let mut b = world.enter_on(1, &bob).await;
        let room = a.create(d).await;
        a.ok("invite", json!({"room": room, "user": bob.id})).await;
        b.join(room).await;
        a.rest().await;
        b.rest().await;
        Self {
            world,
            ann,
            a,
            bob,
            b,
            room,
        }
    }
}

/// Whether any of these frames concerns the room.
fn hears(frames: &[Value], room: u64) -> bool {
    frames.iter().any(|frame| frame["room"] == room)
}

#[tokio::test]
async fn whoever_is_kicked_hears_of_it_and_nothing_after() {
    let Den {
        world,
        mut a,
        bob,
        mut b,
        room,
        ..
    } = Den::new(json!({"name": "Den"})).await;
    let mut second = world.enter_on(0, &bob).await;
    second.synced(room).await;
    a.post(room, "before").await;
    a.ok(
        "kick",
        json!({"room": room, "user": bob.id, "reason": "noise"}),
    )
    .await;
    a.post(room, "after").await;
    for client in [&mut b, &mut second] {
        assert_eq!(
            client.event("posted").await["d"]["content"]["body"],
            "before"
        );
        let kicked = client.event("kicked").await;
        assert_eq!(
            (&kicked["d"]["user"], &kicked["d"]["reason"]),
            (&json!(bob.id), &json!("noise"))
        );
        let rest = client.rest().await;
        assert!(!hears(&rest, room), "{rest:?}");
        assert_eq!(
            client
                .code("post", json!({"room": room, "body": "me?"}))
                .await,
            "not_a_member"
        );
        assert_eq!(
            client.code("history", json!({"room": room})).await,
            "not_a_member"
        );
    }
    // An open room lets him in again, and he hears it again, once for each session.
    b.ok("join", json!({"room": room})).await;
    for client in [&mut b, &mut second] {
        client.synced(room).await;
        client.event("joined").await;
    }
    a.post(room, "again").await;
    for client in [&mut b, &mut second] {
        client.event("posted").await;
        assert!(!hears(&client.rest().await, room));
    }
    world.stop().await;
}

#[tokio::test]
async fn a_ban_outlives_invitations_and_a_mute_leaves_the_ears_open() {
    let Den {
        world,
        mut a,
        bob,
        mut b,
        room,
        ..
    } = Den::new(json!({"name": "Den"})).await;
    let until = 4_000_000_000_000_u64;
    let him = json!({"room": room, "user": bob.id});
    let mut muted = him.clone();
    muted["until"] = json!(until);
    a.ok("mute", muted).await;
    b.event("muted").await;
    let refused = b.refused("post", json!({"room": room, "body": "hm"})).await;
    assert_eq!(
        (&refused["code"], &refused["details"]["until"]),
        (&json!("muted"), &json!(until))
    );
    a.post(room, "listen").await;
    b.event("posted").await;
    a.ok("unmute", him.clone()).await;
    b.event("unmuted").await;
    b.post(room, "thanks").await;

    a.ok("ban", him.clone()).await;
    b.event("posted").await;
    b.event("banned").await;
    assert_eq!(b.code("join", json!({"room": room})).await, "banned");
    assert_eq!(
        a.ok("bans", json!({"room": room})).await["items"][0]["user"],
        bob.id
    );
    a.post(room, "in peace").await;
    assert!(!hears(&b.rest().await, room));
    a.ok("unban", him).await;
    b.join(room).await;
    world.stop().await;
}

#[tokio::test]
async fn roles_are_given_and_the_room_is_handed_over() {
    let Den {
        world,
        ann,
        mut a,
        bob,
        mut b,
        room,
    } = Den::new(json!({"name": "Den"})).await;
    assert_eq!(
        b.code("archive", json!({"room": room})).await,
        "permission_denied"
    );
    let role = json!({"room": room, "user": bob.id, "role": "moderator"});
    a.ok("set_role", role).await;
    assert_eq!(b.event("role_changed").await["d"]["role"], "moderator");
    assert_eq!(
        b.code("kick", json!({"room": room, "user": ann.id})).await,
        "outranked"
    );
    assert_eq!(a.code("leave", json!({"room": room})).await, "last_owner");
    a.ok("transfer_ownership", json!({"room": room, "to": bob.id}))
        .await;
    b.event("ownership_transferred").await;
    let members = b.ok("members", json!({"room": room})).await;
    let role_of = |user: u64| {
        let cards = members["items"].as_array().unwrap();
        let card = cards.iter().find(|it| it["user"]["id"] == user);
        card.unwrap()["role"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (role_of(bob.id), role_of(ann.id)),
        ("owner".to_owned(), "admin".to_owned())
    );
    b.ok("archive", json!({"room": room})).await;
    assert_eq!(
        a.code("post", json!({"room": room, "body": "?"})).await,
        "archived"
    );
    b.ok("unarchive", json!({"room": room})).await;
    a.ok("leave", json!({"room": room})).await;
    b.ok("delete_room", json!({"room": room})).await;
    assert_eq!(
        b.code("history", json!({"room": room})).await,
        "room_not_found"
    );
    world.stop().await;
}

#[tokio::test]
async fn nobody_outside_learns_of_a_room_that_is_not_listed() {
    let Den {
        world,
        mut a,
        mut b,
        room,
        ..
    } = Den::new(json!({"name": "Vault", "preset": "private_group", "alias": "vault"})).await;
    let eve = world.account("eve").await;
    let mut e = world.enter_on(1, &eve).await;
    a.post(room, "the-secret-of-the-vault").await;
    b.event("posted").await;
    let mut heard = Vec::new();
    let room_ops = [
        "join",
        "leave",
        "history",
        "members",
        "bans",
        "invites",
        "pins",
        "markers",
        "presence",
        "permissions",
        "room",
        "snapshot",
    ];
    for op in room_ops {
        for it in [json!(room), json!("vault")] {
            let there = e.refused(op, json!({"room": it})).await;
            let nowhere = e.refused(op, json!({"room": 999_999})).await;
            assert_eq!(there, nowhere, "{op} tells that there is a room");
            heard.push(there);
        }
    }
    for op in ["post", "typing", "mark_read", "kick", "explain"] {
        let d = json!({"room": room, "body": "?", "on": true, "idx": 1, "user": 1, "permission": "read"});
        assert_eq!(e.code(op, d).await, "room_not_found", "{op}");
    }
    let gone = e.ok("subscribe", json!({"rooms": [room]})).await;
    assert_eq!(gone["rooms"][room.to_string()]["st"], "gone");
    heard.push(e.ok("directory", json!({"search": "Vault"})).await);
    heard.extend(e.rest().await);
    let all = format!("{heard:?}");
    assert!(
        !all.contains("Vault") && !all.contains("secret-of"),
        "{all}"
    );
    // Nor by making one of the same name than that the name is taken.
    let d = json!({"name": "Vault", "alias": "vault"});
    assert_eq!(e.code("create_room", d).await, "name_taken");
    world.stop().await;
}

#[tokio::test]
async fn two_people_have_one_direct_room_until_one_blocks_the_other() {
    let Den {
        world,
        ann,
        mut a,
        bob,
        mut b,
        ..
    } = Den::new(json!({"name": "Den"})).await;
    let made = a.ok("open_direct", json!({"user": bob.id})).await;
    let room = made["room"].as_u64().unwrap();
    a.synced(room).await;
    b.synced(room).await;
    let same = b.ok("open_direct", json!({"user": ann.id})).await;
    assert_eq!((&same["room"], &same["dup"]), (&json!(room), &json!(true)));
    a.post(room, "psst").await;
    assert_eq!(b.event_of(room).await["ev"], "room_created");
    assert_eq!(b.event_of(room).await["d"]["content"]["body"], "psst");
    b.ok("block", json!({"user": ann.id})).await;
    assert_eq!(
        a.code("post", json!({"room": room, "body": "hey?"})).await,
        "blocked"
    );
    b.ok("unblock", json!({"user": ann.id})).await;
    a.post(room, "sorry").await;
    assert_eq!(b.event_of(room).await["d"]["content"]["body"], "sorry");
    for op in ["leave", "archive"] {
        a.refused(op, json!({"room": room})).await;
    }
    world.stop().await;
}

#[tokio::test]
async fn a_group_opens_a_room_to_its_members_as_long_as_they_are() {
    let world = World::new().await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.enter_on(0, &ann).await;
    let mut b = world.enter_on(1, &bob).await;
    let group = a.create(json!({"name": "Crew", "kind": "group"})).await;
    // Two rooms, so that one of them belongs to the other worker than the group does.
    for name in ["deck", "hold"] {
        let room = a
            .create(json!({"name": name, "listed": false, "access": {"mode": "invite"}}))
            .await;
        let grant = json!({"room": room, "group": group, "role": "moderator"});
        a.ok("set_grant", grant).await;
        assert_eq!(
            b.code("history", json!({"room": room})).await,
            "room_not_found"
        );
        b.ok("join", json!({"room": group})).await;
        b.synced(group).await;
        let began = Instant::now();
        loop {
            // Within a second, not at once: the room hears of the group from another log.
            let attached = b.ok("subscribe", json!({"rooms": [room]})).await;
            match attached["rooms"][room.to_string()]["st"].as_str() {
                Some("new") => break,
                Some("gone") => assert!(began.elapsed() < PATIENCE, "{attached}"),
                _ => panic!("{attached}"),
            }
        }
        b.synced(room).await;
        b.post(room, "aye").await;
        assert_eq!(b.event_of(room).await["d"]["content"]["body"], "aye");
        let mine = b.ok("permissions", json!({"room": room})).await;
        assert_eq!(mine["role"], "moderator");

        a.ok("kick", json!({"room": group, "user": bob.id})).await;
        loop {
            // And so it is when he is gone from the group.
            let posted = a
                .ok("post", json!({"room": room, "body": "is he gone?"}))
                .await;
            let still = b.call("post", json!({"room": room, "body": "no"})).await;
            if let Err(refused) = still {
                assert_eq!(refused["code"], "room_not_found", "{posted}");
                break;
            }
        }
        b.rest().await;
        a.post(room, "he is").await;
        assert!(!hears(&b.rest().await, room));
    }
    world.stop().await;
}

#[tokio::test]
async fn who_is_invited_is_told_and_may_decline() {
    let Den {
        world,
        mut a,
        mut b,
        room,
        ..
    } = Den::new(json!({"name": "Club", "access": {"mode": "invite"}, "listed": false})).await;
    let cat = world.account("cat").await;
    let mut c = world.enter_on(1, &cat).await;
    let her = json!({"room": room, "user": cat.id});
    a.ok("invite", her.clone()).await;
    assert_eq!(c.event("invited").await["room"], room);
    assert_eq!(
        a.ok("invites", json!({"room": room})).await["items"][0]["user"],
        cat.id
    );
    c.ok("decline_invite", json!({"room": room})).await;
    assert_eq!(
        c.code("join", json!({"room": room})).await,
        "room_not_found"
    );
    a.ok("invite", her).await;
    c.join(room).await;
    c.ok("set_nickname", json!({"room": room, "nickname": "Kitty"}))
        .await;
    c.post(room, "hello").await;
    for kind in [
        "invited",
        "invite_declined",
        "invited",
        "joined",
        "nickname_changed",
    ] {
        b.event(kind).await;
    }
    assert_eq!(b.event("posted").await["by"]["name"], "Kitty");
    world.stop().await;
}

#[tokio::test]
async fn a_guest_comes_back_as_himself_by_his_token() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut a = world.enter_on(0, &ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let mut guest = world.connect().await;
    let welcome = guest.ok("hello", json!({"guest": {"name": "Gus"}})).await;
    guest.ok("visit", json!({"room": room})).await;
    guest.ok("subscribe", json!({"rooms": [room]})).await;
    guest.synced(room).await;
    guest.post(room, "hi").await;
    assert_eq!(a.event("posted").await["by"]["name"], "Gus");
    guest.leave().await;
    a.signal("departed").await;
    let mut again = world.connect().await;
    let token = json!({"token": welcome["guest_token"]});
    assert_eq!(again.ok("hello", token).await["user"], welcome["user"]);
    assert_eq!(
        again.code("post", json!({"room": room, "body": "?"})).await,
        "not_a_member"
    );
    let mut thief = world.connect().await;
    assert_eq!(
        thief.code("hello", json!({"guest": {"name": "ann"}})).await,
        "name_taken"
    );
    world.stop().await;
}
