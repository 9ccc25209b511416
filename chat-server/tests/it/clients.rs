//! Clients of other people, in their own language.

use crate::require;
use crate::world::World;

#[test]
fn the_websocket_client_of_node_can_be_loaded() {
    let Some(node) = require::node("clients in Node.js") else {
        return;
    };
    let output = node.command("loads.js").output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn a_front_end_of_the_rooms_dialect_hears_the_words_it_knows() {
    talks_to_a_server("the rooms dialect", "rooms.mjs").await;
}

#[tokio::test]
async fn both_front_ends_of_the_actions_dialect_hear_the_words_they_know() {
    talks_to_a_server("the actions dialect", "actions.mjs").await;
}

/// Runs a client that ends well if it heard what it expects.
async fn talks_to_a_server(what: &str, script: &str) {
    let Some(node) = require::node(&format!("{what} in Node.js")) else {
        return;
    };
    let world = World::new().await;
    let mut client = node.command(script);
    client.arg(world.address.to_string());
    let output = tokio::task::spawn_blocking(move || client.output());
    let output = output.await.unwrap().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    world.stop().await;
}
