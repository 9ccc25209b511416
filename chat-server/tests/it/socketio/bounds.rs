//! Much of everything.

use serde_json::json;

use super::peer::{Peer, about, said};
use crate::world::{World, config};

#[tokio::test]
async fn events_of_any_width_and_depth_are_read_or_refused() {
    let world = World::new().await;
    let mut ann = Peer::joined(&world, "den", "ann").await;
    let mut bob = Peer::joined(&world, "den", "bob").await;
    ann.hear().await;

    let many = "0,".repeat(200_000);
    let message = r#"{"roomId":"den","message":"one of many"}"#;
    ann.socket
        .send(&format!(r#"42["message",{message},{many}0]"#))
        .await;
    assert_eq!(bob.message().await, said("den", "ann", "one of many"));

    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    ann.socket
        .send(&format!(
            r#"421["message",{{"roomId":"den","message":{deep}}}]"#
        ))
        .await;
    let refused = r#"431[{"success":false,"error":"message is not acceptable"}]"#;
    assert_eq!(ann.socket.text().await, refused);
    ann.socket.send(&format!(r#"422["message",{deep}]"#)).await;
    assert!(
        ann.socket
            .text()
            .await
            .starts_with(r#"432[{"success":false"#)
    );

    let long = "x".repeat(100_000);
    for event in [
        about("joinRoom", &long, "ann"),
        about("joinRoom", "den2", &long),
        about("joinRoom", &"y".repeat(65), "ann"),
        json!(["create_room", long]),
        json!(["join_room", long]),
        json!(["leave_room", long]),
        json!(["send_message", {"roomId": "den", "message": long}]),
        json!([long]),
    ] {
        ann.refused(event).await;
    }
    ann.granted(said("den", "ann", "still here")).await;
    assert_eq!(bob.message().await, said("den", "ann", "still here"));

    ann.socket
        .send(&format!("42{}", said("den", "ann", "z".repeat(1_100_000))))
        .await;
    ann.socket.ends().await;
    assert_eq!(bob.hear().await, about("userLeft", "den", "ann"));
    world.stop().await;
}

#[tokio::test]
async fn who_floods_is_slowed_down_and_then_sent_away() {
    let mut config = config();
    config.server_limits.rate_limits = true;
    config.server_limits.commands_burst = 20;
    config.server_limits.command_refill_ms = 60_000;
    let world = World::with(config).await;
    let mut ann = Peer::joined(&world, "den", "ann").await;
    let mut eve = Peer::guest(&world).await;
    for id in 0..250 {
        eve.socket
            .send(&format!(r#"42{id}["leave_room","den"]"#))
            .await;
    }
    let mut refused = 0;
    while let Some(said) = eve.socket.hear().await {
        let said = said.into_text().unwrap();
        assert!(said.starts_with("43"), "{said}");
        refused += usize::from(said.contains("too fast"));
    }
    assert_eq!(refused, 200);
    for nothing in ["430[]", r#"42["nothing"]"#] {
        let mut eve = Peer::guest(&world).await;
        for _ in 0..250 {
            eve.socket.send(nothing).await;
        }
        eve.socket.ends().await;
    }
    ann.granted(said("den", "ann", "undisturbed")).await;
    world.stop().await;
}

#[tokio::test]
async fn whoever_attaches_much_is_heard_without_it_and_nothing_large_waits() {
    let world = World::new().await;
    let mut eve = Peer::guest(&world).await;
    eve.socket.send(r#"4516-7["leave_room","den"]"#).await;
    for _ in 0..16 {
        eve.socket.send_binary(&vec![0; 900_000]).await;
    }
    let said = eve.socket.hear().await.unwrap().into_text().unwrap();
    assert!(said.starts_with("437["), "{said}");
    let large = "x".repeat(70_000);
    eve.socket
        .send(&format!(r#"451-["message","{large}"]"#))
        .await;
    eve.socket.ends().await;
    world.stop().await;
}
