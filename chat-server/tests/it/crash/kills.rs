//! The program killed at any moment, under load. `KILLS=n` kills it so often under 200 clients in 20
//! rooms who say 500 lines a second.

use std::env;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::program::Program;
use super::talker::{Talker, all_talk, compare};
use crate::world::{Native, sign_up};
use chat_server::simulation::Dice;

/// How much is asked of the program.
struct Load {
    kills: usize,
    rooms: usize,
    clients: usize,
    pace: Duration,
}

impl Load {
    fn wished() -> Self {
        match env::var("KILLS") {
            Ok(kills) => Self {
                kills: kills.parse().unwrap(),
                rooms: 20,
                clients: 10,
                pace: Duration::from_millis(400),
            },
            Err(_) => Self {
                kills: 4,
                rooms: 3,
                clients: 5,
                pace: Duration::from_millis(20),
            },
        }
    }
}

#[tokio::test]
async fn whoever_talks_while_it_is_killed_loses_nothing_and_hears_all_once() {
    let load = Load::wished();
    let mut dice = Dice::new(env::var("SEED").map_or(7, |it| it.parse().unwrap()));
    let folder = TempDir::new().unwrap();
    let mut server = Program::start(folder.path());
    let mut talkers = crowd(&server, &load).await;
    let mut kills = 0;
    // Where the disk is slow, it takes more of them until enough was said.
    while kills < load.kills || said(&talkers) <= 20 * load.kills && kills < 10 * load.kills {
        kills += 1;
        let talking = all_talk(talkers, server.address, usize::MAX / 2);
        // The moment is what this test is about: any will do.
        let moment = Duration::from_millis(100 + dice.draw() % 900);
        let (talked, ()) = tokio::join!(talking, async {
            tokio::time::sleep(moment).await;
            server.kill();
        });
        talkers = talked.into_iter().map(|(talker, _)| talker).collect();
        server = Program::start(folder.path());
    }
    // Whoever doesn't know sends it again, and goes on.
    let talked = all_talk(talkers, server.address, 1).await;
    assert!(talked.iter().all(|(_, lasted)| *lasted));
    let talkers: Vec<_> = talked.into_iter().map(|(talker, _)| talker).collect();
    compare(server.address, &talkers).await;
    let acknowledged = said(&talkers);
    let heard: usize = talkers.iter().map(|it| it.heard.len()).sum();
    assert!(acknowledged > 20 * load.kills, "{acknowledged} lines");
    println!("{kills} kills, {acknowledged} lines, heard {heard} times");
}

/// How many lines were acknowledged.
fn said(talkers: &[Talker]) -> usize {
    talkers.iter().map(|it| it.acknowledged.len()).sum()
}

/// For each room a user, and several sessions of his that talk in it.
async fn crowd(server: &Program, load: &Load) -> Vec<Talker> {
    let mut talkers = Vec::new();
    for number in 0..load.rooms {
        let account = sign_up(server.address, &format!("user {number}")).await;
        let mut client = Native::connect(server.address).await;
        client.hello(&account).await;
        let room = client
            .create(json!({"name": format!("Den {number}")}))
            .await;
        for who in 0..load.clients {
            let mut talker = Talker::new(&account, room, format!("{number}-{who}"));
            talker.pace = load.pace;
            talkers.push(talker);
        }
    }
    talkers
}
