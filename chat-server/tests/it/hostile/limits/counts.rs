//! How many there are of something.

use serde_json::{Value, json};

use super::{den, too_much};
use crate::world::{Native, World, config};

const MAX: u64 = 3;

/// Does the same for one after the other, and hears that there is one too many.
async fn fill(client: &mut Native, op: &str, call: impl Fn(u64) -> Value, max: u64) {
    for number in 0..max {
        client.ok(op, call(number)).await;
    }
    too_much(client, op, call(max), "too_many", max).await;
}

#[tokio::test]
async fn what_is_gathered_has_an_end() {
    let (world, _, mut a, room) = den(|config| {
        let limits = &mut config.limits;
        limits.reactions_distinct_max = 3;
        limits.reactions_max = 5;
        limits.pins_max = 3;
        limits.invites_max = 3;
        limits.bans_max = 3;
        limits.grants_max = 3;
    })
    .await;
    let bob = world.account("bob").await;
    let mut b = world.enter(&bob).await;
    b.join(room).await;
    let mut said = Vec::new();
    for line in 0..=MAX {
        said.push(a.post(room, &format!("line {line}")).await);
    }
    let mut people = Vec::new();
    let mut groups = Vec::new();
    for number in 0..=MAX {
        people.push(world.account(&format!("somebody {number}")).await.id);
        groups.push(
            a.create(json!({"name": format!("crew {number}"), "kind": "group"}))
                .await,
        );
    }
    let at = |list: &[u64], number: u64| list[usize::try_from(number).unwrap()];
    let react =
        |number: u64| json!({"room": room, "message": said[0], "reaction": format!("r{number}")});
    fill(&mut a, "react", react, MAX).await;
    // Two more of those that are there, and no more.
    for number in 0..2 {
        b.ok("react", react(number)).await;
    }
    too_much(&mut b, "react", react(2), "too_many", 5).await;
    fill(
        &mut a,
        "pin",
        |number| json!({"room": room, "message": at(&said, number)}),
        MAX,
    )
    .await;
    let of = |number: u64| json!({"room": room, "user": at(&people, number)});
    fill(&mut a, "invite", of, MAX).await;
    fill(&mut a, "ban", of, MAX).await;
    let grant = |number: u64| json!({"room": room, "group": at(&groups, number), "role": "member"});
    fill(&mut a, "set_grant", grant, MAX).await;
    world.stop().await;
}

#[tokio::test]
async fn rooms_and_people_have_only_so_many_of_each_other() {
    let mut config = config();
    config.limits.group_members_max = 2;
    config.limits.channel_members_max = 3;
    config.limits.rooms_joined_max = 4;
    config.limits.rooms_created_a_day_max = 5;
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let group = a.create(json!({"name": "crew", "kind": "group"})).await;
    let channel = a.create(json!({"name": "Den"})).await;
    let mut others = Vec::new();
    for name in ["bob", "cat", "dan"] {
        let account = world.account(name).await;
        others.push(world.enter(&account).await);
    }
    for (room, places) in [(group, 1), (channel, 2)] {
        for (number, other) in others.iter_mut().enumerate() {
            let joined = other.call("join", json!({"room": room})).await;
            match joined {
                Ok(_) => assert!(number < places, "{number} joined {room}"),
                Err(refusal) => {
                    assert!(number >= places, "{number} didn't join {room}");
                    assert_eq!(refusal["code"], "room_full", "{refusal}");
                }
            }
        }
    }
    // Two more make four rooms, which is as many as she may be in.
    let more = |number: u64| json!({"name": format!("more {number}")});
    for number in 0..2 {
        a.ok("create_room", more(number)).await;
    }
    too_much(&mut a, "create_room", more(2), "too_many", 4).await;
    // Out of one she may make one more, which is the fifth of the day, and no sixth.
    for outside in [2, 3] {
        let d = json!({"name": format!("more {outside}"), "join": false});
        if outside == 2 {
            a.ok("create_room", d).await;
        } else {
            too_much(&mut a, "create_room", d, "too_many", 5).await;
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn the_guests_of_an_address_leave_places_to_others() {
    let mut config = config();
    config.server_limits.rate_limits = true;
    config.limits.room_guests_per_address_max = 4;
    let world = World::with(config).await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let small = a.create(json!({"name": "Nook", "capacity": 7})).await;
    let large = a.create(json!({"name": "Hall", "capacity": 10})).await;
    let mut guests = Vec::new();
    for number in 0..6 {
        let mut guest = world.connect().await;
        let hello = json!({"guest": {"name": format!("gus {number}")}});
        let user = guest.ok("hello", hello).await["user"]["id"].as_u64();
        guests.push((guest, user.unwrap()));
    }
    // Four of the few places, and half of the many.
    for (room, most) in [(small, 4), (large, 5)] {
        let join = json!({"room": room});
        for (number, (guest, _)) in guests.iter_mut().enumerate() {
            if number < most {
                guest.ok("join", join.clone()).await;
            } else {
                too_much(guest, "join", join.clone(), "too_many", most as u64).await;
            }
        }
    }
    let join = json!({"room": small});
    // Who is in is in, and a place that is left is for whoever is next.
    guests[0].0.ok("join", join.clone()).await;
    guests[0].0.ok("leave", join.clone()).await;
    guests[4].0.ok("join", join.clone()).await;
    too_much(&mut guests[0].0, "join", join.clone(), "too_many", 4).await;
    // Whoever has an account, or was asked to come, isn't one of many.
    let bob = world.account("bob").await;
    world.enter(&bob).await.join(small).await;
    let (asked, id) = &mut guests[5];
    a.ok("invite", json!({"room": small, "user": id})).await;
    asked.ok("join", join).await;
    world.stop().await;
}

#[tokio::test]
async fn a_page_has_as_many_items_as_it_may() {
    let (world, ann, mut a, room) = den(|config| {
        config.server_limits.page_items = 3;
        config.server_limits.page_items_max = 5;
    })
    .await;
    for line in 0..8 {
        a.post(room, &format!("line {line}")).await;
    }
    for (limit, items) in [
        (Value::Null, 3),
        (json!(1), 1),
        (json!(4), 4),
        (json!(5), 5),
        (json!(6), 5),
        (json!(1_000_000), 5),
    ] {
        let mut d = json!({"room": room});
        if !limit.is_null() {
            d["limit"] = limit.clone();
        }
        let page = a.ok("history", d).await;
        assert_eq!(page["items"].as_array().unwrap().len(), items, "{limit}");
    }
    a.ok("subscribe", json!({"rooms": [room]})).await;
    let (mut guests, mut all) = (Vec::new(), Vec::new());
    for number in 0..11 {
        let mut guest = world.connect().await;
        let hello = json!({"guest": {"name": format!("gus {number}")}});
        all.push(guest.ok("hello", hello).await["user"]["id"].as_u64());
        guest.join(room).await;
        guests.push(guest);
    }
    all.push(Some(ann.id));
    all.sort_unstable();
    let (mut here, mut wish) = (Vec::new(), json!({"room": room}));
    for items in [5, 5, 2] {
        let page = a.ok("presence", wish.clone()).await;
        let part = page["items"].as_array().unwrap();
        assert_eq!(part.len(), items, "{page}");
        here.extend(part.iter().map(|it| it["user"]["id"].as_u64()));
        let next = page["next"].as_str().and_then(|it| it.parse::<u64>().ok());
        wish["after"] = json!(next);
    }
    assert_eq!(here, all);
    assert!(wish["after"].is_null(), "{wish}");
    world.stop().await;
}
