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
    let Some(node) = require::node("the rooms dialect in Node.js") else {
        return;
    };
    let world = World::new().await;
    let mut client = node.command("rooms.mjs");
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
