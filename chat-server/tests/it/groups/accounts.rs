//! People with an account: members of their groups for good.

use std::sync::Arc;
use std::time::Duration;

use chat_core::Timestamp;
use chat_server::Server;
use chat_server::clock::ManualClock;
use chat_server::config::StoreUrl;
use serde_json::json;

use super::{Person, accepted, err, make, message, rejected, sign_up, with_groups, world};
use crate::world::World;

#[tokio::test]
async fn who_signs_up_is_somebody_at_once() {
    let world = world().await;
    let mut ann = Person::at(&world).await;
    assert_eq!(
        ann.ask(sign_up("Ann", &["Plg", "Nowhere"])).await,
        json!({"type": "sign-up", "data": {"name": "Ann", "receiverName": "Ann", "id": "Ann1", "groups": ["Plg"]}})
    );
    let mut guest = Person::guest(&world, "guest", "Plg").await;
    ann.hears_added("guest", "Plg").await;
    ann.say("Plg", "hi").await;
    guest.hears_line("Ann", "hi").await;
    for (name, id) in [
        ("Bob", "Ann1"),
        ("Bob", "ANN"),
        ("ann", "b1"),
        ("Ann1", "b1"),
    ] {
        let wish = json!({"type": "sign-up", "name": name, "pwrd": "p", "id": id, "groups": []});
        let mut other = Person::at(&world).await;
        assert_eq!(other.ask(wish).await, err("Similar IDs"), "{name} {id}");
    }
    let mut bob = Person::at(&world).await;
    let said = bob
        .ask(json!({"type": "sign-up", "name": "Bob", "pwrd": "p"}))
        .await;
    assert_eq!(
        (&said["data"]["id"], &said["data"]["groups"]),
        (&json!("Bob"), &json!([]))
    );
    world.stop().await;
}

#[tokio::test]
async fn a_log_in_tells_a_wrong_password_from_no_user_at_all() {
    let world = world().await;
    Person::member(&world, "Ann", &[]).await.leave().await;
    let mut client = Person::at(&world).await;
    for login in ["Ann1", "Ann", "ann"] {
        let wish = json!({"type": "log_in", "name": login, "pwrd": "a guess"});
        assert_eq!(client.ask(wish).await, err("wrong-password"), "{login}");
    }
    let nobody = json!({"type": "recomend-sign_up", "err": "No such user"});
    for login in ["Bob", "nobody@mail.example", "", &"x".repeat(5_000)] {
        assert_eq!(client.log_in(login).await, nobody, "{login}");
    }
    // He is nobody yet.
    assert_eq!(
        client.ask(message("Ann", "Plg", "hi")).await,
        err("Join the group first")
    );
    for login in ["Ann1", "Ann", "ANN"] {
        assert_eq!(client.log_in(login).await, accepted("Ann", &[]), "{login}");
    }
    assert!(
        !client
            .ask(json!({"type": "log_in", "name": "Ann1", "pwrd": ""}))
            .await
            .to_string()
            .contains("secret")
    );
    world.stop().await;
}

#[tokio::test]
async fn membership_outlives_connections_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = with_groups(&["Plg", "Amg"]);
    config.store = StoreUrl::Sqlite(folder.path().join("chat.db"));
    let world = World::with(config.clone()).await;
    let mut ann = Person::member(&world, "Ann", &[]).await;
    ann.enter("Ann", "Amg").await;
    ann.send(make("Ann's", "Ann")).await;
    assert_eq!(ann.groups().await, json!(["Plg", "Amg", "Ann's"]));
    ann.leave().await;
    let mut ann = Person::at(&world).await;
    assert_eq!(ann.log_in("Ann1").await, accepted("Ann", &["Amg", "Ann's"]));
    ann.leave().await;
    world.stop().await;

    // The groups of the configuration are there already, and stay what they are.
    let world = World::with(config).await;
    let mut guest = Person::guest(&world, "guest", "Amg").await;
    assert_eq!(guest.groups().await, json!(["Plg", "Amg", "Ann's"]));
    let mut ann = Person::at(&world).await;
    assert_eq!(ann.log_in("Ann1").await, accepted("Ann", &["Amg", "Ann's"]));
    guest.say("Amg", "there you are").await;
    ann.hears_line("guest", "there you are").await;
    ann.say("Amg", "again").await;
    // That a member is here again is no news, nor that he says so.
    guest.hears_line("Ann", "again").await;
    ann.enter("Ann", "Amg").await;
    ann.say("Amg", "and again").await;
    guest.hears_line("Ann", "and again").await;
    let plg = ann.first_connect("whoever", "Plg").await;
    assert_eq!(
        plg,
        json!({"type": "acknowledge-connect", "name": "Ann", "Group": "Plg"})
    );
    world.stop().await;
}

#[tokio::test]
async fn two_devices_of_a_member_hear_each_other_and_count_once() {
    let world = world().await;
    let mut guest = Person::guest(&world, "guest", "Plg").await;
    let mut phone = Person::member(&world, "Ann", &["Plg"]).await;
    guest.hears_added("Ann", "Plg").await;
    let mut laptop = Person::at(&world).await;
    assert_eq!(laptop.log_in("Ann1").await, accepted("Ann", &["Plg"]));
    laptop.enter("Ann", "Plg").await;
    phone.say("Plg", "from the phone").await;
    laptop.hears_line("Ann", "from the phone").await;
    guest.hears_line("Ann", "from the phone").await;
    phone.leave().await;
    laptop.say("Plg", "from the laptop").await;
    guest.hears_line("Ann", "from the laptop").await;
    world.stop().await;
}

#[tokio::test]
async fn a_name_belongs_to_its_account() {
    let world = world().await;
    let mut guest = Person::guest(&world, "Ann", "Plg").await;
    // Who registers it has it, whoever uses it at the time.
    let mut ann = Person::member(&world, "Ann", &[]).await;
    ann.enter("Ann", "Plg").await;
    guest.hears_added("Ann", "Plg").await;
    guest.leave().await;
    let mut other = Person::at(&world).await;
    for name in ["Ann", "ANN", "Ann1", "\u{410}nn"] {
        let said = other.first_connect(name, "Amg").await;
        assert_eq!(said, rejected("User Exists"), "{name}");
    }
    let made = other.ask(make("Mine", "Ann")).await;
    assert_eq!(made, err("This name is registered, log in to use it"));
    // Whoever is signed in goes by his own name, whatever he says.
    let said = ann.first_connect("Zoe", "Amg").await;
    assert_eq!(said["name"], "Ann");
    other.enter("Zoe", "Amg").await;
    ann.hears_added("Zoe", "Amg").await;
    ann.send(message("Zoe", "Amg", "it's me")).await;
    other.hears_line("Ann", "it's me").await;
    world.stop().await;
}

#[tokio::test]
async fn who_logs_in_is_no_guest_any_more() {
    let world = world().await;
    Person::member(&world, "Ann", &["Plg"]).await.leave().await;
    let mut witness = Person::guest(&world, "witness", "Amg").await;
    let mut client = Person::guest(&world, "somebody", "Amg").await;
    witness.hears_added("somebody", "Amg").await;
    assert_eq!(client.log_in("Ann").await, accepted("Ann", &["Plg"]));
    assert_eq!(
        client.ask(message("somebody", "Amg", "hi")).await,
        err("Join the group first")
    );
    client.enter("Ann", "Amg").await;
    client.say("Amg", "hi").await;
    witness.hears_added("Ann", "Amg").await;
    witness.hears_line("Ann", "hi").await;
    // The name that he had as a guest is free.
    Person::guest(&world, "somebody", "Amg").await;
    world.stop().await;
}

#[tokio::test]
async fn a_log_in_lasts_longer_than_a_token() {
    let mut config = with_groups(&["Plg"]);
    config.workers = std::num::NonZeroUsize::new(1);
    config.server_limits.token_ms = 20_000;
    let clock = Arc::new(ManualClock::new(Timestamp::new(1_790_000_000_000)));
    let world = World::started(Server::builder(config).clock(clock.clone())).await;
    let mut ann = Person::member(&world, "Ann", &["Plg"]).await;
    let bob = world.account("bob").await;
    let mut native = world.enter(&bob).await;
    // The same worker looks after both: whoever has a token to renew is told, and sent away.
    native.system("token_expiring").await;
    clock.advance(Duration::from_millis(20_000));
    native.closed().await;
    assert_eq!(ann.groups().await, json!(["Plg"]));
    ann.enter("Ann", "Plg").await;
    world.stop().await;
}
