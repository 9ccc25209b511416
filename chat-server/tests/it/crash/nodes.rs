//! Programs on one PostgreSQL database, one of which is killed at any moment.

use std::env;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::program::Program;
use super::talker::{Talker, all_talk, compare};
use crate::postgres;
use crate::world::{Native, sign_up};
use chat_server::simulation::Dice;

/// Lines that each says at the other one meanwhile.
const LINES: usize = 25;

#[tokio::test]
async fn a_node_that_is_killed_takes_nothing_with_it_that_was_acknowledged() {
    let Some(database) = postgres::shared("a_node_that_is_killed_takes_nothing_with_it") else {
        return;
    };
    // How often one of the two is killed.
    let kills: usize = env::var("KILLS").map_or(3, |kills| kills.parse().unwrap());
    let url = database.schema().await;
    let folder = TempDir::new().unwrap();
    let often = "[server_limits]\npoll_ms = 50\n";
    std::fs::write(folder.path().join("chat.toml"), often).unwrap();
    let start = || Program::run(Program::command_on(folder.path(), &url));
    let (mut dies, stays) = (start(), start());
    let mut dice = Dice::new(7);
    let (mut here, mut there) = crowd(&dies).await;
    for _ in 0..kills {
        let talking = all_talk(here, dies.address, usize::MAX / 2);
        let others = all_talk(there, stays.address, LINES);
        // The moment is what this test is about: any will do.
        let moment = Duration::from_millis(50 + dice.draw() % 400);
        let (talked, others, ()) = tokio::join!(talking, others, async {
            tokio::time::sleep(moment).await;
            dies.kill();
        });
        assert!(others.iter().all(|(_, lasted)| *lasted));
        // Those whose node died go to the other one, and the others to the one that comes.
        there = talked.into_iter().map(|(talker, _)| talker).collect();
        here = others.into_iter().map(|(talker, _)| talker).collect();
        dies = start();
    }
    // Whoever doesn't know sends it again, and goes on.
    here.append(&mut there);
    let talked = all_talk(here, stays.address, 1).await;
    assert!(talked.iter().all(|(_, lasted)| *lasted));
    let talkers: Vec<_> = talked.into_iter().map(|(talker, _)| talker).collect();
    compare(dies.address, &talkers).await;
    let acknowledged: usize = talkers.iter().map(|it| it.acknowledged.len()).sum();
    assert!(acknowledged > kills * LINES, "{acknowledged} lines");
}

/// In each of two rooms some who talk at the one node, and some who do at the other.
async fn crowd(server: &Program) -> (Vec<Talker>, Vec<Talker>) {
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for number in 0..2 {
        let account = sign_up(server.address, &format!("user {number}")).await;
        let mut client = Native::connect(server.address).await;
        client.hello(&account).await;
        let name = format!("Den {number}");
        let room = client.create(json!({"name": name})).await;
        for (node, talkers) in [&mut here, &mut there].into_iter().enumerate() {
            for who in 0..2 {
                let name = format!("{number}-{node}-{who}");
                let mut talker = Talker::new(&account, room, name);
                talker.pace = Duration::from_millis(10);
                talkers.push(talker);
            }
        }
    }
    (here, there)
}
