//! People without an account, who are whoever they say as long as nobody else is.

use serde_json::json;
use tokio::task::JoinSet;

use super::{Person, err, make, message, rejected, world};
use crate::world::World;

#[tokio::test]
async fn guests_talk_in_a_group_and_hear_who_comes() {
    let world = world().await;
    let mut sokoro = Person::guest(&world, "sokoro", "Plg").await;
    let mut skr = Person::guest(&world, "skr", "Plg").await;
    let elsewhere = Person::guest(&world, "elsewhere", "Amg").await;
    sokoro.hears_added("skr", "Plg").await;
    sokoro.send(message("sokoro", "Plg", "hi")).await;
    skr.hears_line("sokoro", "hi").await;
    // He speaks as whoever he came in as, and neither hears himself nor his own coming.
    skr.send(message("sokoro", "Plg", "hi yourself")).await;
    sokoro.hears_line("skr", "hi yourself").await;
    sokoro.say("Plg", "bye").await;
    skr.hears_line("sokoro", "bye").await;
    // Who leaves is missed by nobody, and who comes to another group is none of theirs.
    elsewhere.leave().await;
    let mut third = Person::guest(&world, "third", "Plg").await;
    skr.leave().await;
    third.say("Plg", "where is skr?").await;
    sokoro.hears_added("third", "Plg").await;
    sokoro.hears_line("third", "where is skr?").await;
    world.stop().await;
}

#[tokio::test]
async fn a_name_is_used_once_in_a_group_until_its_bearer_is_gone() {
    let world = world().await;
    let ann = world.account("ann").await;
    let mut witness = world.enter(&ann).await;
    witness.ok("join", json!({"room": "Plg"})).await;
    let first = Person::guest(&world, "sokoro", "Plg").await;
    let mut second = Person::at(&world).await;
    for name in ["sokoro", "SOKORO", " sokoro "] {
        let said = second.first_connect(name, "Plg").await;
        assert_eq!(said, rejected("User Exists"), "{name:?}");
    }
    second.enter("sokoro", "Amg").await;
    first.leave().await;
    witness.signal("departed").await;
    second.enter("sokoro", "Plg").await;
    // Once more, and it is acknowledged once more.
    second.enter("sokoro", "Plg").await;
    world.stop().await;
}

#[tokio::test]
async fn a_line_is_for_those_who_are_in_a_group_that_exists() {
    let world = world().await;
    let mut sokoro = Person::at(&world).await;
    let said = sokoro.first_connect("sokoro", "Nowhere").await;
    assert_eq!(said, rejected("No such group"));
    assert_eq!(
        sokoro.ask(message("sokoro", "Nowhere", "hi")).await,
        err("No such group")
    );
    assert_eq!(
        sokoro.ask(message("sokoro", "Plg", "hi")).await,
        err("Join the group first")
    );
    sokoro.enter("sokoro", "Amg").await;
    assert_eq!(
        sokoro.ask(message("sokoro", "Plg", "hi")).await,
        err("Join the group first")
    );
    assert_eq!(
        sokoro.ask(message("sokoro", "Amg", " ")).await,
        err("there is nothing to post")
    );
    world.stop().await;
}

#[tokio::test]
async fn a_group_is_made_in_silence_and_its_maker_is_in_it() {
    let world = world().await;
    let mut sokoro = Person::at(&world).await;
    sokoro.send(make("NewG", "sokoro")).await;
    assert_eq!(sokoro.groups().await, json!(["Plg", "Amg", "NewG"]));
    let mut skr = Person::guest(&world, "skr", "NewG").await;
    sokoro.hears_added("skr", "NewG").await;
    sokoro.say("NewG", "welcome").await;
    skr.hears_line("sokoro", "welcome").await;
    // It is not made again: whoever wants it is in it.
    let mut third = Person::at(&world).await;
    third.send(make("newg", "third")).await;
    assert_eq!(third.groups().await, json!(["Plg", "Amg", "NewG"]));
    third.say("NewG", "thanks").await;
    skr.hears_added("third", "NewG").await;
    skr.hears_line("third", "thanks").await;
    // Its maker leaves, and it stays.
    sokoro.leave().await;
    assert_eq!(skr.groups().await, json!(["Plg", "Amg", "NewG"]));
    // Who doesn't say his name is called what he is called elsewhere.
    skr.send(json!({"type": "make_group", "group_name": "Quiet"}))
        .await;
    let said = skr
        .ask(json!({"type": "first-connect", "group": "Quiet"}))
        .await;
    assert_eq!(said["name"], "skr");
    let mut nobody = Person::at(&world).await;
    let made = json!({"type": "make_group", "group_name": "Nobody's"});
    assert_eq!(nobody.ask(made).await, err("say who you are first"));
    world.stop().await;
}

#[tokio::test]
async fn whoever_makes_a_group_at_the_same_time_meets_the_others() {
    const PEOPLE: usize = 8;
    let world = World::new().await;
    let mut making = JoinSet::new();
    for number in 0..PEOPLE {
        let mut person = Person::at(&world).await;
        making.spawn(async move {
            person.send(make("Plg", &format!("guest {number}"))).await;
            person.send(json!({"type": "get_groups"})).await;
            let mut said = person.hear().await;
            while said["type"] == "user-added" {
                said = person.hear().await;
            }
            assert_eq!(said["groups"], json!(["Plg"]));
            person
        });
    }
    let mut people = making.join_all().await;
    people[0].say("Plg", "all here?").await;
    for person in &mut people[1..] {
        loop {
            let said = person.hear().await;
            if said["type"] == "message" {
                assert_eq!(said["Text"], "all here?");
                break;
            }
            assert_eq!(said["type"], "user-added");
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_and_what_is_unknown_is_not() {
    let world = world().await;
    let mut sokoro = Person::at(&world).await;
    assert_eq!(sokoro.groups().await, json!(["Plg", "Amg"]));
    for noise in [
        "{",
        "[]",
        "null",
        r#"{"type":"message","group":"Plg"}"#,
        r#"{"Type":"x"}"#,
    ] {
        sokoro.0.send(noise).await;
        sokoro.hears(err("Invalid message")).await;
    }
    sokoro.0.send(r#"{"type":"dance"}"#).await;
    sokoro.0.send(r#"{"type":"leave","group":"Plg"}"#).await;
    assert_eq!(sokoro.groups().await, json!(["Plg", "Amg"]));
    world.stop().await;
}

#[tokio::test]
async fn the_dialect_is_told_by_the_first_frame_on_any_path() {
    let world = world().await;
    for (path, first, answer) in [
        ("/", r#"{"type":"get_groups"}"#, "active-groups"),
        (
            "/chat/room",
            r#"{"type":"message","name":"a","group":"Plg","Text":"b"}"#,
            "err",
        ),
        (
            "/ws",
            r#"{"type":"log_in","name":"a","pwrd":"b"}"#,
            "recomend-sign_up",
        ),
        ("/any", r#"{"type":"sign-up","name":"a"}"#, "err"),
        (
            "/any",
            r#"{"type":"first-connect","name":"a","group":"b"}"#,
            "reject-connect",
        ),
        (
            "/any",
            r#"{"type":"make_group","name":"a","group_name":""}"#,
            "err",
        ),
    ] {
        let mut client = Person(crate::world::Plain::connect(world.address, path).await);
        client.0.send("before anything is known").await;
        client.0.send(first).await;
        assert_eq!(client.hear().await["type"], answer, "{path} {first}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_port_of_its_own_answers_in_its_words_from_the_first_frame_on() {
    let world = world().await;
    let listen = "groups=127.0.0.1:0".parse().unwrap();
    let address = world.server.listen(listen).await.unwrap();
    let mut client = Person(crate::world::Plain::connect(address, "/").await);
    client.0.send("hello?").await;
    client.hears(err("Invalid message")).await;
    client
        .0
        .send(r#"{"type":"create","payload":{"name":"galaxy"}}"#)
        .await;
    assert_eq!(client.groups().await, json!(["Plg", "Amg"]));
    client.enter("sokoro", "Plg").await;
    world.stop().await;
}
