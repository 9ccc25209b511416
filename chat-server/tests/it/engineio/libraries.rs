//! The clients that front ends use, in their own language.

use super::client::Echo;
use crate::require;
use crate::world::World;

#[tokio::test]
async fn the_clients_of_front_ends_speak_with_us_by_every_transport() {
    let Some(node) = require::socketio_clients("Socket.IO clients in Node.js") else {
        return;
    };
    let (echo, world) = (Echo::new().await, World::new().await);
    let mut client = node.command("socketio.mjs");
    client.args([echo.address.to_string(), world.address.to_string()]);
    let output = tokio::task::spawn_blocking(move || client.output());
    let output = output.await.unwrap().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    world.stop().await;
    echo.stop().await;
}
