//! Clients of other people, in their own language.

use crate::require;

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
