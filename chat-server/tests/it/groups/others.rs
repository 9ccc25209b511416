//! Groups and everybody else: those who speak other dialects, and those who keep order.

use serde_json::json;

use super::{Person, accepted, err, make, message, rejected, world};
use crate::world::{Plain, World};

#[tokio::test]
async fn people_of_three_dialects_talk_in_one_group() {
    let world = world().await;
    let mut sokoro = Person::guest(&world, "sokoro", "Plg").await;
    let ann = world.account("ann").await;
    let mut native = world.enter(&ann).await;
    let joined = native.ok("room", json!({"room": "Plg"})).await;
    let room = joined["id"].as_u64().unwrap();
    assert_eq!(
        (&joined["kind"], &joined["name"]),
        (&json!("group"), &json!("Plg"))
    );
    native.join(room).await;
    sokoro.hears_added("ann", "Plg").await;

    let mut old = Plain::connect(world.address, "/").await;
    let rooms = old
        .ask(r#"{"type":"query","payload":{"query":"rooms"}}"#)
        .await;
    assert!(
        rooms.contains(r#""name":"Plg""#) && rooms.contains(r#"{"name":"sokoro"}"#),
        "{rooms}"
    );
    let join = r#"{"type":"join","payload":{"name":"alok","roomId":"Plg","pass":""}}"#;
    assert!(old.ask(join).await.contains("Successfully joined"));
    sokoro.hears_added("alok", "Plg").await;

    old.send(r#"{"type":"chat","payload":{"roomId":"Plg","msg":"from rooms"}}"#)
        .await;
    sokoro.hears_line("alok", "from rooms").await;
    native.post(room, "from far").await;
    sokoro.hears_line("ann", "from far").await;
    sokoro.say("Plg", "from Plg").await;
    let lines = ["ann\",\"from far", "sokoro\",\"from Plg"];
    for line in lines {
        let (user, msg) = line.split_once("\",\"").unwrap();
        let said = format!(r#"message: {{"msg":"{msg}","user":"{user}"}}"#);
        assert_eq!(old.hear().await.unwrap(), said);
    }
    let mut heard = Vec::new();
    while heard.len() < 3 {
        let event = native.event_of(room).await;
        if event["ev"] == "posted" {
            heard.push(event["d"]["content"]["body"].clone());
        }
    }
    assert_eq!(heard, ["from rooms", "from far", "from Plg"]);
    // Who leaves leaves no word.
    drop(old);
    native.signal("departed").await;
    native.post(room, "he is gone").await;
    sokoro.hears_line("ann", "he is gone").await;
    world.stop().await;
}

#[tokio::test]
async fn every_listed_room_is_listed_by_a_name_that_works() {
    let world = world().await;
    let ann = world.account("ann").await;
    let mut native = world.enter(&ann).await;
    let plain = native.create(json!({"name": "Plg"})).await;
    native
        .create(json!({"name": "General", "alias": "den"}))
        .await;
    native
        .create(json!({"name": "hidden", "alias": "hidden", "listed": false}))
        .await;
    let mut sokoro = Person::at(&world).await;
    let groups = sokoro.groups().await;
    assert_eq!(
        groups,
        json!(["Plg", "Amg", format!("room_{plain}"), "den"])
    );
    for group in groups.as_array().unwrap() {
        sokoro.enter("sokoro", group.as_str().unwrap()).await;
    }
    sokoro.say(&format!("room_{plain}"), "hi").await;
    while native.event_of(plain).await["ev"] != "posted" {}
    // What isn't listed isn't there, whatever is asked of it.
    assert_eq!(
        sokoro.first_connect("sokoro", "hidden").await,
        rejected("No such group")
    );
    assert_eq!(
        sokoro.ask(message("sokoro", "hidden", "hi")).await,
        err("No such group")
    );
    assert_eq!(
        sokoro.ask(make("hidden", "sokoro")).await,
        err("this name is taken")
    );
    world.stop().await;
}

#[tokio::test]
async fn rooms_that_a_member_joined_elsewhere_are_his_here_but_not_what_is_said_in_private() {
    let world = world().await;
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let mut native = world.enter(&ann).await;
    let room = native.create(json!({"name": "lounge"})).await;
    let hidden = json!({"name": "hidden", "alias": "hidden", "listed": false});
    native.create(hidden).await;
    let direct = native.ok("open_direct", json!({"user": bob.id})).await;
    let direct = direct["room"].as_u64().unwrap();
    let mut client = Person::at(&world).await;
    let log_in = json!({"type": "log_in", "name": "ann", "pwrd": crate::world::PASSWORD});
    let data = json!({"name": "ann", "id": "ann", "groups": [format!("room_{room}"), "hidden"]});
    assert_eq!(
        client.ask(log_in).await,
        json!({"type": "login-accept", "data": data})
    );
    let mut other = world.enter(&bob).await;
    other.post(direct, "between us").await;
    native.post(room, "for all").await;
    client.hears_line("ann", "for all").await;
    client.say("hidden", "for members").await;
    world.stop().await;
}

#[tokio::test]
async fn a_member_who_is_muted_kicked_or_banned_is() {
    let world = world().await;
    let mut bob = Person::member(&world, "Bob", &[]).await;
    kept_in_order(&world, &mut bob, "Bob").await;
    // Nor does the ban end with his connection.
    bob.leave().await;
    let mut bob = Person::at(&world).await;
    assert_eq!(bob.log_in("Bob1").await, accepted("Bob", &[]));
    let said = bob.first_connect("Bob", "den").await;
    assert_eq!(said, err("banned from this room"));
    world.stop().await;
}

#[tokio::test]
async fn a_guest_who_is_muted_kicked_or_banned_is() {
    let world = world().await;
    let mut eve = Person::at(&world).await;
    kept_in_order(&world, &mut eve, "eve").await;
    // Nor does the ban end with the name.
    let said = eve.first_connect("adam", "den").await;
    assert_eq!(said, err("banned from this room"));
    world.stop().await;
}

/// Somebody is muted, kicked, and banned at last, by somebody who speaks the native dialect.
async fn kept_in_order(world: &World, person: &mut Person, name: &str) {
    let ann = world.account("ann").await;
    let mut native = world.enter(&ann).await;
    let room = native.create(json!({"name": "den", "alias": "den"})).await;
    let mut witness = Person::guest(world, "witness", "den").await;
    person.enter(name, "den").await;
    witness.hears_added(name, "den").await;
    let here = native.ok("presence", json!({"room": room})).await;
    let here = here["items"].as_array().unwrap();
    let card = here.iter().find(|it| it["user"]["name"] == name).unwrap();
    let about = json!({"room": room, "user": card["user"]["id"]});
    let line = message(name, "den", "hi");

    let mut mute = about.clone();
    mute["until"] = json!(4_000_000_000_000_u64);
    native.ok("mute", mute).await;
    let said = person.ask(line.clone()).await;
    assert_eq!(said, err("muted in this room"));

    native.ok("kick", about.clone()).await;
    let said = person.ask(line.clone()).await;
    assert_eq!(said, err("Join the group first"));
    // A kick is no ban; who may not speak still may not.
    person.enter(name, "den").await;
    witness.hears_added(name, "den").await;
    let said = person.ask(line.clone()).await;
    assert_eq!(said, err("muted in this room"));

    native.ok("ban", about).await;
    native.post(room, "peace").await;
    let said = person.ask(line).await;
    assert!(
        said == err("Join the group first") || said == err("banned from this room"),
        "{said}"
    );
    let said = person.first_connect(name, "den").await;
    assert_eq!(said, err("banned from this room"));
    witness.hears_line("ann", "peace").await;
}
