//! The time of day moved to and fro while people talk.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::program::Program;
use super::shim::{Field, Shim};
use super::talker::{Talker, all_talk, compare};
use crate::world::{Native, PASSWORD, http, sign_up};

const HOUR_MS: i64 = 3_600_000;

/// Each client is looked after once a second here, and sent away if it is silent for ten. The disk may
/// be as slow as it likes.
const CONFIG: &str = "[server_limits]\nping_ms = 1000\nappend_ms_max = 60000\n";

#[tokio::test]
async fn whoever_moves_the_time_of_day_changes_no_order_and_cuts_nobody_off() {
    let folder = TempDir::new().unwrap();
    let Some(shim) = Shim::new("a clock that jumps", folder.path()) else {
        return;
    };
    fs::write(folder.path().join("chat.toml"), CONFIG).unwrap();
    let mut command = shim.command();
    command.args(["--config", "chat.toml"]);
    let server = Program::run(command);
    let ann = sign_up(server.address, "ann").await;
    let mut client = Native::connect(server.address).await;
    client.hello(&ann).await;
    let mut talkers = Vec::new();
    for number in 0..2 {
        let room = client
            .create(json!({"name": format!("Den {number}")}))
            .await;
        for who in 0..4 {
            let mut talker = Talker::new(&ann, room, format!("{number}-{who}"));
            talker.pace = Duration::from_millis(50);
            talkers.push(talker);
        }
    }
    let jumps = async {
        while sessions(server.address).await < 9 {}
        for hours in [5, -5, 30 * 24, -1, 0] {
            shim.set(Field::ShiftMs, hours * HOUR_MS);
            // Long enough for everybody to be looked after; a slow machine sees less of it.
            tokio::time::sleep(Duration::from_millis(1_100)).await;
        }
    };
    let talking = async { tokio::join!(all_talk(talkers, server.address, 100), jumps) };
    let listening = async { while client.event_or_end().await.is_some() {} };
    let (talked, ()) = tokio::select! {
        talked = talking => talked,
        () = listening => panic!("the listener was cut off"),
    };
    for (talker, lasted) in &talked {
        assert!(lasted, "{} was cut off", talker.name);
        assert_eq!(talker.refused, 0);
    }
    let talkers: Vec<_> = talked.into_iter().map(|(talker, _)| talker).collect();
    compare(server.address, &talkers).await;
    client.ok("limits", json!({})).await;
}

/// A token says itself when it ends, in the time of day: who comes with it is judged by that, and
/// whoever has come stays for as long as it lasted then.
#[tokio::test]
async fn a_token_counts_at_the_door_by_the_time_of_day_and_inside_by_how_long_it_has_been() {
    let folder = TempDir::new().unwrap();
    let Some(shim) = Shim::new("tokens and a clock that jumps", folder.path()) else {
        return;
    };
    let server = shim.start();
    let ann = sign_up(server.address, "ann").await;
    let mut inside = Native::connect(server.address).await;
    inside.hello(&ann).await;

    shim.set(Field::ShiftMs, 5 * HOUR_MS);
    let mut client = Native::connect(server.address).await;
    let code = client.code("hello", json!({"token": ann.token})).await;
    assert_eq!(code, "token_expired");
    let login = json!({"login": "ann", "password": PASSWORD}).to_string();
    let said = http(
        server.address,
        "POST",
        "/v1/auth/login",
        &[],
        login.as_bytes(),
    )
    .await;
    assert_eq!(said.status, 200, "{}", said.body);
    let later = said.json()["token"].clone();

    let mut client = Native::connect(server.address).await;
    client.ok("hello", json!({"token": later})).await;

    // Back again, the first counts as before, and the other was made in the future.
    shim.set(Field::ShiftMs, 0);
    for (token, is_good) in [(&json!(ann.token), true), (&later, false)] {
        let mut newcomer = Native::connect(server.address).await;
        let said = newcomer.call("hello", json!({"token": token})).await;
        assert_eq!(said.is_ok(), is_good, "{said:?}");
    }
    for mut stays in [inside, client] {
        stays.ok("limits", json!({})).await;
    }
}

/// How many sessions have said who they are.
async fn sessions(address: SocketAddr) -> usize {
    let said = http(address, "GET", "/metrics", &[], b"").await;
    let line = said
        .body
        .lines()
        .find_map(|it| it.strip_prefix("chat_sessions "));
    line.unwrap_or_else(|| panic!("{}", said.body))
        .parse()
        .unwrap()
}
