//! What is written: names, labels, lists.

use serde_json::{Value, json};

use super::{den, too_much};
use crate::world::{World, config, http};

/// What a call of this size looks like.
type Sized = fn(room: u64, size: usize) -> Value;

#[tokio::test]
async fn what_is_written_is_measured_to_the_unit() {
    const MAX: usize = 12;
    let (world, _, mut a, room) = den(|config| {
        let limits = &mut config.limits;
        limits.body_bytes_max = 1_000;
        limits.ext_bytes_max = MAX;
        limits.attachments_max = MAX;
        limits.mentions_max = MAX;
        limits.name_chars_max = MAX;
        limits.topic_chars_max = MAX;
        limits.nickname_chars_max = MAX;
        limits.alias_chars_max = MAX;
        limits.slow_mode_s_max = MAX as u64;
        limits.channel_members_max = 1_000;
    })
    .await;
    let calls: [(&str, &str, Sized); 9] = [
        (
            "post",
            "too_large",
            |room, size| json!({"room": room, "body": "x", "ext": {"key": "ü".repeat(size / 2 - 2) + &"x".repeat(1 + size % 2)}}),
        ),
        (
            "post",
            "too_many",
            |room, size| json!({"room": room, "body": "x", "attachments": vec![json!({"url": "a:b"}); size]}),
        ),
        (
            "post",
            "too_many",
            |room, size| json!({"room": room, "body": "x", "mentions": (1..=size).collect::<Vec<_>>()}),
        ),
        (
            "create_room",
            "too_large",
            |_, size| json!({"name": "ü".repeat(size)}),
        ),
        (
            "update_room",
            "too_large",
            |room, size| json!({"room": room, "name": "名".repeat(size)}),
        ),
        (
            "update_room",
            "too_large",
            |room, size| json!({"room": room, "topic": "ü".repeat(size)}),
        ),
        (
            "set_nickname",
            "too_large",
            |room, size| json!({"room": room, "nickname": "ü".repeat(size)}),
        ),
        (
            "update_room",
            "too_large",
            |room, size| json!({"room": room, "alias": "y".repeat(size)}),
        ),
        (
            "update_room",
            "too_large",
            |room, size| json!({"room": room, "slow_mode_s": size}),
        ),
    ];
    for (op, code, call) in calls {
        for size in [MAX - 1, MAX] {
            a.ok(op, call(room, size)).await;
        }
        too_much(&mut a, op, call(room, MAX + 1), code, MAX as u64).await;
    }
    world.stop().await;
}

#[tokio::test]
async fn a_password_is_as_short_as_it_may_be() {
    let mut config = config();
    config.server_limits.password_bytes_min = 12;
    let world = World::with(config).await;
    for (bytes, status) in [(11, 422), (12, 201), (13, 201), (1_024, 201), (1_025, 413)] {
        let body = json!({"name": format!("p{bytes}"), "password": "x".repeat(bytes)}).to_string();
        let said = http(
            world.address,
            "POST",
            "/v1/auth/signup",
            &[],
            body.as_bytes(),
        )
        .await;
        assert_eq!(said.status, status, "{bytes}: {}", said.body);
    }
    world.stop().await;
}
