//! Both faces with the client that front ends use, in its own language.

use super::peer::{SECRET, with_secret};
use crate::require;
use crate::world::World;

#[tokio::test]
async fn front_ends_of_both_faces_hear_the_words_they_know() {
    let Some(node) = require::socketio_clients("the socketio dialect in Node.js") else {
        return;
    };
    let (open, closed) = (World::new().await, World::with(with_secret()).await);
    let mut client = node.command("socketio_faces.mjs");
    client.arg(open.address.to_string());
    client.arg(closed.address.to_string()).arg(SECRET);
    let output = tokio::task::spawn_blocking(move || client.output());
    let output = output.await.unwrap().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    open.stop().await;
    closed.stop().await;
}
