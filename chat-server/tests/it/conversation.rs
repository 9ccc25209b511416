//! People who talk to each other: what each of them hears, over real sockets and two workers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::world::{Account, Native, Plain, World};

/// Ann, who made a room on this worker, and Bob, who joined it from the other one.
async fn ann_and_bob(world: &World) -> (Account, Native, Account, Native, u64) {
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut a = world.enter_on(0, &ann).await;
    let mut b = world.enter_on(1, &bob).await;
    let room = a.create(json!({"name": "Den"})).await;
    b.join(room).await;
    b.event("joined").await;
    a.event("joined").await;
    (ann, a, bob, b, room)
}

#[tokio::test]
async fn everybody_hears_every_line_once_and_in_the_same_order() {
    const LINES: usize = 60;
    let world = World::new().await;
    let mut people = Vec::new();
    for (worker, name) in [(0, "ann"), (1, "bob"), (0, "cat"), (1, "dan")] {
        let account = world.account(name).await;
        people.push((account.id, world.enter_on(worker, &account).await));
    }
    // Two rooms in a row belong to two workers.
    let mut rooms = Vec::new();
    for name in ["even", "odd"] {
        let room = people[0].1.create(json!({"name": name})).await;
        for (_, client) in &mut people[1..] {
            client.join(room).await;
        }
        rooms.push(room);
    }
    for line in 0..LINES {
        for (id, client) in &mut people {
            let cid = format!("{id}-{line}");
            for room in &rooms {
                let d = json!({"room": room, "body": cid, "cid": cid});
                client.ask("post", d).await;
            }
        }
    }
    let mut told: Vec<BTreeMap<u64, Vec<(u64, String)>>> = Vec::new();
    for (me, client) in &mut people {
        let mut heard: BTreeMap<u64, Vec<(u64, String)>> = BTreeMap::new();
        let mut last: BTreeMap<u64, u64> = BTreeMap::new();
        while heard.values().map(Vec::len).sum::<usize>() < 2 * 4 * LINES {
            let event = client.any_event().await;
            let (room, seq) = (event["room"].as_u64().unwrap(), event["seq"].as_u64());
            let before = last.insert(room, seq.unwrap());
            assert!(before.is_none_or(|before| seq == Some(before + 1)));
            if event["ev"] != "posted" {
                continue;
            }
            let own = event["by"]["id"] == *me;
            assert_eq!(event.get("cid").is_some(), own, "{event}");
            let body = event["d"]["content"]["body"].as_str().unwrap().to_owned();
            heard.entry(room).or_default().push((seq.unwrap(), body));
        }
        told.push(heard);
    }
    for heard in &told {
        assert_eq!(heard, &told[0]);
        for lines in heard.values() {
            for (id, _) in &people {
                let his: Vec<_> = lines
                    .iter()
                    .filter_map(|(_, body)| body.strip_prefix(&format!("{id}-")))
                    .map(|line| line.parse::<usize>().unwrap())
                    .collect();
                assert!(his.into_iter().eq(0..LINES), "each line of {id}, in order");
            }
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn the_reply_comes_before_the_event_whatever_was_asked() {
    let world = World::new().await;
    let (_, mut a, bob, mut b, room) = ann_and_bob(&world).await;
    let (cat, dan) = (world.account("cat").await, world.account("dan").await);
    b.rest().await;
    a.rest().await;
    a.ok("update_room", json!({"room": room, "alias": "den"}))
        .await;
    a.event("room_updated").await;
    a.ok(
        "set_role",
        json!({"room": room, "user": bob.id, "role": "admin"}),
    )
    .await;
    a.event("role_changed").await;
    b.event("room_updated").await;
    b.event("role_changed").await;
    // Once from the worker of the room, once from the other, once by the room's name.
    for (place, room_ref) in [(0, json!(room)), (1, json!(room)), (2, json!("den"))] {
        let wishes = [
            ("post", json!({"body": "hi"}), "posted"),
            (
                "update_room",
                json!({"topic": format!("t{place}")}),
                "room_updated",
            ),
            ("invite", json!({"user": cat.id}), "invited"),
            ("revoke_invite", json!({"user": cat.id}), "invite_revoked"),
            ("ban", json!({"user": dan.id}), "banned"),
            ("unban", json!({"user": dan.id}), "unbanned"),
        ];
        for (op, mut d, event) in wishes {
            d["room"] = room_ref.clone();
            let (speaker, other) = match place {
                0 => (&mut a, &mut b),
                _ => (&mut b, &mut a),
            };
            let id = speaker.ask(op, d).await;
            let first = speaker.frame().await;
            assert_eq!(first["re"], id, "{op} {place}: {first}");
            let second = speaker.frame().await;
            assert_eq!(second["ev"], event, "{op} {place}: {second}");
            assert_eq!(first["ok"]["seq"], second["seq"], "{first}");
            other.event(event).await;
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn a_message_is_edited_answered_pinned_and_erased() {
    let world = World::new().await;
    let (_, mut a, _, mut b, room) = ann_and_bob(&world).await;
    let first = a.post(room, "frist").await;
    let on = |field: &str, value: Value| {
        let mut d = json!({"room": room, "message": first});
        d[field] = value;
        d
    };
    a.ok("edit", on("body", json!("first"))).await;
    b.ok("react", on("reaction", json!("👍🏽"))).await;
    a.ok("react", on("reaction", json!("👍🏽"))).await;
    b.ok("react", on("reaction", json!("🎉"))).await;
    b.ok("unreact", on("reaction", json!("🎉"))).await;
    a.ok("pin", json!({"room": room, "message": first})).await;
    let answer = json!({"room": room, "body": "aye", "reply_to": first, "thread": first});
    b.ok("post", answer).await;
    for client in [&mut a, &mut b] {
        for kind in ["posted", "edited", "reacted", "reacted", "reacted"] {
            client.event(kind).await;
        }
        for kind in ["unreacted", "pinned", "posted"] {
            client.event(kind).await;
        }
    }
    let message = b
        .ok("message", json!({"room": room, "message": first}))
        .await;
    assert_eq!(message["content"]["body"], "first");
    assert_eq!(
        message["reactions"],
        json!([{"reaction": "👍🏽", "count": 2, "mine": true}])
    );
    assert!(message["edited_at"].is_u64(), "{message}");
    let pins = b.ok("pins", json!({"room": room})).await;
    assert_eq!(pins["items"][0]["seq"], first);
    let thread = b
        .ok("history", json!({"room": room, "thread": first}))
        .await;
    let bodies: Vec<_> = thread["items"].as_array().unwrap().iter().collect();
    assert_eq!(bodies.last().unwrap()["content"]["body"], "aye");

    a.ok("unpin", json!({"room": room, "message": first})).await;
    a.ok("delete", json!({"room": room, "message": first}))
        .await;
    b.event("unpinned").await;
    b.event("deleted").await;
    let gone = b
        .ok("message", json!({"room": room, "message": first}))
        .await;
    assert!(gone["deleted_at"].is_u64() && gone.get("content").is_none());
    // Whoever reads the log afterwards meets neither the body nor its first version.
    let records = b.ok("records", json!({"room": room, "since": 0})).await;
    let log = records.to_string();
    assert!(
        !log.contains("frist") && !log.contains("\"first\""),
        "{log}"
    );
    world.stop().await;
}

#[tokio::test]
async fn unread_lines_are_counted_until_they_are_read() {
    let world = World::new().await;
    let (_, mut a, bob, mut b, room) = ann_and_bob(&world).await;
    a.post(room, "one").await;
    let d = json!({"room": room, "body": "two, @bob", "mentions": [bob.id]});
    a.ok("post", d).await;
    let third = a.post(room, "three").await;
    a.ok("delete", json!({"room": room, "message": third}))
        .await;
    let mine = b.ok("rooms", json!({})).await;
    let counts = |mine: &Value| {
        let it = &mine["items"][0];
        (it["unread"].as_u64(), it["mentions"].as_u64())
    };
    assert_eq!(counts(&mine), (Some(2), Some(1)));
    b.ok("mark_read", json!({"room": room, "idx": 1})).await;
    assert_eq!(a.signal("read").await["d"]["idx"], 1);
    assert_eq!(counts(&b.ok("rooms", json!({})).await), (Some(1), Some(1)));
    // Whoever speaks has read what was said before.
    b.post(room, "four").await;
    assert_eq!(counts(&b.ok("rooms", json!({})).await), (Some(0), Some(0)));
    assert_eq!(counts(&a.ok("rooms", json!({})).await), (Some(1), Some(0)));
    let markers = a.ok("markers", json!({"room": room})).await;
    let of_bob = json!({"user": bob.id, "idx": 4});
    assert!(markers["items"].as_array().unwrap().contains(&of_bob));
    world.stop().await;
}

#[tokio::test]
async fn a_room_knows_who_is_there_and_who_is_typing() {
    let world = World::new().await;
    let (_, mut a, bob, mut b, room) = ann_and_bob(&world).await;
    assert_eq!(a.signal("arrived").await["by"]["id"], bob.id);
    b.ok("typing", json!({"room": room, "on": true})).await;
    let typing = a.signal("typing").await;
    assert_eq!(
        (&typing["by"]["name"], &typing["d"]["on"]),
        (&json!("bob"), &json!(true))
    );
    b.ok("set_status", json!({"status": "away", "text": "tea"}))
        .await;
    a.signal("status").await;
    // A second session of his neither arrives nor departs.
    let second = world.enter_on(0, &bob).await;
    second.leave().await;
    let present = a.ok("presence", json!({"room": room})).await;
    let cards = present["items"].as_array().unwrap();
    let card = cards.iter().find(|it| it["user"]["id"] == bob.id).unwrap();
    assert_eq!(
        (&card["status"], &card["text"]),
        (&json!("away"), &json!("tea"))
    );
    assert_eq!(cards.len(), 2);
    b.leave().await;
    assert_eq!(a.signal("departed").await["by"]["id"], bob.id);
    assert!(a.rest().await.iter().all(|frame| frame["sig"] != "arrived"));
    let present = a.ok("presence", json!({"room": room})).await;
    assert_eq!(present["items"].as_array().unwrap().len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_history_is_read_page_by_page() {
    let world = World::new().await;
    let (_, mut a, _, mut b, room) = ann_and_bob(&world).await;
    let mut posted = Vec::new();
    for line in 0..25 {
        posted.push(a.post(room, &line.to_string()).await);
    }
    let mut read = Vec::new();
    let mut before = None;
    loop {
        let mut d = json!({"room": room, "limit": 10});
        if let Some(before) = before {
            d["before"] = json!(before);
        }
        let page = b.ok("history", d).await;
        let seqs: Vec<_> = page["items"].as_array().unwrap().iter().collect();
        let Some(first) = seqs.first() else { break };
        before = first["seq"].as_u64();
        read.splice(0..0, seqs.iter().map(|it| it["seq"].as_u64().unwrap()));
    }
    assert_eq!(read, posted);
    let d = json!({"room": room, "after": posted[4], "limit": 3});
    let after = b.ok("history", d).await;
    let seqs: Vec<_> = after["items"].as_array().unwrap().iter().collect();
    assert!(
        seqs.iter()
            .map(|it| it["seq"].as_u64().unwrap())
            .eq(posted[5..8].iter().copied())
    );
    let d = json!({"room": room, "around": posted[12], "limit": 5});
    let around = b.ok("history", d).await;
    assert!(
        around["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["seq"] == posted[12])
    );
    world.stop().await;
}

#[tokio::test]
async fn a_line_reaches_people_of_both_dialects_and_nobody_twice() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut a = world.enter_on(1, &ann).await;
    let room = a.create(json!({"name": "galaxy", "alias": "galaxy"})).await;
    let mut old = Plain::connect(world.address, "/anything").await;
    let mut other = Plain::connect(world.address, "/").await;
    for (client, name) in [(&mut old, "olaf"), (&mut other, "otto")] {
        let join = json!({"type": "join", "payload": {"name": name, "roomId": "galaxy"}});
        let said = client.ask(&join.to_string()).await;
        assert_eq!(
            said,
            r#"{"code":0,"message":"Successfully joined the Room: galaxy"}"#
        );
    }
    old.send(r#"{"type":"chat","payload":{"roomId":"galaxy","msg":"Hello"}}"#)
        .await;
    let heard = a.event_of(room).await;
    assert_eq!(
        (&heard["d"]["content"]["body"], &heard["by"]["name"]),
        (&json!("Hello"), &json!("olaf"))
    );
    assert_eq!(
        other.hear().await.unwrap(),
        r#"message: {"msg":"Hello","user":"olaf"}"#
    );
    a.post(room, "and hello to you").await;
    // The first thing that Olaf hears is what somebody else said.
    for client in [&mut old, &mut other] {
        let heard = client.hear().await.unwrap();
        assert_eq!(heard, r#"message: {"msg":"and hello to you","user":"ann"}"#);
    }
    world.stop().await;
}

#[tokio::test]
async fn an_older_socket_is_answered_in_the_order_of_its_requests() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let mut old = Plain::connect(world.address, "/").await;
    for alias in ["one", "two"] {
        a.create(json!({"name": alias, "alias": alias})).await;
        let join = json!({"type": "join", "payload": {"name": "olaf", "roomId": alias}});
        old.ask(&join.to_string()).await;
    }
    // The refusal comes from the room's worker, the answer from the socket's.
    let long = "x".repeat(16 * 1024 + 1);
    for _ in 0..20 {
        for room in ["one", "two"] {
            let chat = json!({"type": "chat", "payload": {"roomId": room, "msg": long}});
            old.send(&chat.to_string()).await;
        }
        let query = json!({"type": "query", "payload": {"query": "userInRoom", "roomId": "one"}});
        old.send(&query.to_string()).await;
    }
    for _ in 0..20 {
        for _ in 0..2 {
            let refused = old.hear().await.unwrap();
            assert!(refused.contains("over its limit"), "{refused}");
        }
        let answer = old.hear().await.unwrap();
        assert_eq!(answer, r#"{"code":0,"message":"User exists in the room"}"#);
    }
    world.stop().await;
}
