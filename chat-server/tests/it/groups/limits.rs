//! What is too much: guesses, names, frames, groups.

use chat_core::Name;
use chat_server::Server;
use serde_json::json;

use super::{Person, err, make, sign_up, with_groups, world};
use crate::world::World;

#[tokio::test]
async fn guesses_are_counted_whether_the_user_exists_or_not() {
    let mut config = with_groups(&[]);
    config.server_limits.rate_limits = true;
    config.server_limits.attempts_burst = 3;
    let world = World::with(config).await;
    Person::member(&world, "Ann", &[]).await.leave().await;
    let nobody = json!({"type": "recomend-sign_up", "err": "No such user"});
    let wrong = err("wrong-password");
    let mut client = Person::at(&world).await;
    // Whoever made an account has a budget of her own where she did.
    for (logins, answer) in [
        (["Bob", "Cat", "Dan", "Eve"], nobody),
        (["Ann", "Ann1", "ann", "Ann"], wrong),
    ] {
        for (guesses, login) in logins.into_iter().enumerate() {
            let guess = json!({"type": "log_in", "name": login, "pwrd": "a guess"});
            let said = client.ask(guess).await;
            if guesses < 3 {
                assert_eq!(said, answer, "{login}");
            } else {
                let words = said["err"].as_str().unwrap();
                assert!(words.starts_with("too many attempts"), "{said}");
            }
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn names_that_deceive_are_refused_in_words() {
    let world = world().await;
    let mut client = Person::at(&world).await;
    for name in [
        "so\u{202e}koro",
        "so\nkoro",
        "so\u{200b}koro",
        &"x".repeat(81),
        &"x".repeat(2_000),
    ] {
        for wish in [
            json!({"type": "first-connect", "name": name, "group": "Plg"}),
            json!({"type": "make_group", "name": "sokoro", "group_name": name}),
            json!({"type": "sign-up", "name": name, "pwrd": "p", "id": "n1"}),
            json!({"type": "sign-up", "name": "New", "pwrd": "p", "id": name}),
        ] {
            let said = client.ask(wish.clone()).await;
            assert_eq!(said["type"], "err", "{wish}");
        }
    }
    let address = json!({"type": "sign-up", "name": "a@b", "pwrd": "p", "id": "n1"});
    assert_eq!(client.ask(address).await, err("name: may not contain an @"));
    assert_eq!(client.groups().await, json!(["Plg", "Amg"]));
    world.stop().await;
}

#[tokio::test]
async fn what_is_too_large_is_said_to_be() {
    let world = world().await;
    let mut sokoro = Person::guest(&world, "sokoro", "Plg").await;
    let long = "x".repeat(16 * 1024 + 1);
    let said = sokoro.ask(super::message("sokoro", "Plg", &long)).await;
    assert!(
        said["err"].as_str().unwrap().contains("over its limit"),
        "{said}"
    );
    let password = json!({"type": "sign-up", "name": "New", "pwrd": "x".repeat(1_025), "id": "n1"});
    assert_eq!(
        sokoro.ask(password).await,
        err("a password has at most 1024 bytes")
    );
    let many: Vec<_> = (0..51).map(|number| format!("g{number}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(
        sokoro.ask(sign_up("New", &many)).await,
        err("at most 50 groups")
    );
    // A frame over the limit is the last one.
    sokoro.0.send(&"x".repeat(64 * 1024 + 1)).await;
    sokoro.hears(err("at most 65536 bytes")).await;
    assert_eq!(sokoro.0.hear().await, Err(1009));
    world.stop().await;
}

#[tokio::test]
async fn nobody_makes_groups_without_end() {
    let mut config = with_groups(&[]);
    config.limits.rooms_created_a_day_max = 3;
    let world = World::with(config).await;
    let mut sokoro = Person::at(&world).await;
    for number in 0..3 {
        sokoro.send(make(&format!("g{number}"), "sokoro")).await;
    }
    let said = sokoro.ask(make("g3", "sokoro")).await;
    assert_eq!(said, err("no more than 3 rooms created in a day"));
    assert_eq!(sokoro.groups().await, json!(["g0", "g1", "g2"]));
    world.stop().await;
}

#[tokio::test]
async fn any_number_of_groups_exists_from_the_beginning() {
    let names: Vec<String> = (0..60).map(|number| format!("g{number}")).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut config = with_groups(&names);
    // Named twice, made once.
    config.groups.push(Name::new("G0").unwrap());
    let world = World::with(config).await;
    assert_eq!(Person::at(&world).await.groups().await, json!(names));
    world.stop().await;

    let long = "x".repeat(65);
    names.push(&long);
    let error = Server::builder(with_groups(&names))
        .start()
        .await
        .unwrap_err();
    assert!(
        error.to_string().starts_with("can't make the group xxx"),
        "{error}"
    );
}
