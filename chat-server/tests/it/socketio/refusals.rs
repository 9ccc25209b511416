//! What makes no sense, and harms nobody.

use serde_json::json;

use super::peer::{Peer, about, said};
use crate::world::World;

#[tokio::test]
async fn what_is_missing_is_told_to_whoever_asks_and_else_passed_over() {
    let world = World::new().await;
    let mut ann = Peer::joined(&world, "den", "ann").await;
    for event in [
        "joinRoom",
        "message",
        "leaveRoom",
        "typing",
        "create_room",
        "join_room",
        "leave_room",
        "send_message",
        "dance",
    ] {
        for args in [
            json!([event]),
            json!([event, null]),
            json!([event, {}, 1]),
            json!([event, []]),
        ] {
            ann.emit(args.clone()).await;
            let why = ann.refused(args).await;
            assert!(!why.is_empty());
        }
    }
    ann.granted(said("den", "ann", "still here")).await;
    world.stop().await;
}

#[tokio::test]
async fn a_message_with_binary_data_is_refused_and_the_next_one_heard() {
    let world = World::new().await;
    let mut ann = Peer::joined(&world, "den", "ann").await;
    let mut bob = Peer::joined(&world, "den", "bob").await;
    ann.hear().await;
    let data = r#"["message",{"roomId":"den","message":{"_placeholder":true,"num":0}}]"#;
    ann.socket.send(&format!("451-7{data}")).await;
    ann.socket.send_binary(&[1, 2, 3]).await;
    let refused = r#"437[{"success":false,"error":"binary data can't be sent"}]"#;
    assert_eq!(ann.socket.text().await, refused);
    // Without a callback nothing is said.
    ann.socket.send(&format!("451-{data}")).await;
    ann.socket.send_binary(&[1, 2, 3]).await;
    ann.granted(said("den", "ann", "words")).await;
    assert_eq!(bob.message().await, said("den", "ann", "words"));
    world.stop().await;
}

#[tokio::test]
async fn a_room_that_is_not_open_is_not_made_again_by_joining_it() {
    let world = World::new().await;
    let owner = world.account("owner").await;
    let mut owner = world.enter(&owner).await;
    let vault = json!({"name": "vault", "alias": "vault", "access": {"mode": "invite"}});
    owner.create(vault).await;
    let mut eve = Peer::guest(&world).await;
    let first = eve.refused(about("joinRoom", "vault", "eve")).await;
    let second = eve.refused(json!(["join_room", "vault"])).await;
    assert_eq!(first, second);
    eve.refused(said("vault", "eve", "hello?")).await;
    world.stop().await;
}
