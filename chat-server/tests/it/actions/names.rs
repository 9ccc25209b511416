//! Whose name somebody may go by.

use std::sync::Arc;
use std::time::Duration;

use chat_core::Timestamp;
use chat_server::Server;
use chat_server::auth::hashing::HashingCost;
use chat_server::clock::ManualClock;
use chat_server::config::{ActionsNames, Listen};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::{create, enter, error, hears, join, join_by, log_in, moved, send, welcome};
use crate::world::{Plain, World, config, http};

const ANOTHERS: &str = "The token is another user's";
const INVALID: &str = "Invalid or expired token";
const REGISTERED: &str = "This name is registered, log in to use it";

#[tokio::test]
async fn a_token_has_to_be_that_of_the_name() {
    let world = World::new().await;
    let at = world.address;
    let (john, jane) = (log_in(at, "john").await, log_in(at, "jane").await);
    let room = create(at, &john, "TechTalk").await;

    // In the frame.
    let mut a = Plain::connect(at, "/chat").await;
    assert_eq!(a.ask(&join_by(&room, "jane", &john)).await, error(ANOTHERS));
    assert_eq!(a.ask(&join_by(&room, "eve", &john)).await, error(ANOTHERS));
    assert_eq!(
        a.ask(&join_by(&room, "john", "a.b.c")).await,
        error(INVALID)
    );
    assert_eq!(
        a.ask(&join_by(&room, "john", &john)).await,
        welcome(&room, "TechTalk")
    );

    // In the query, where it counts for every room; one in the frame goes before it.
    let mut b = Plain::connect(at, &format!("/chat?token={jane}")).await;
    assert_eq!(b.ask(&join(&room, "john")).await, error(ANOTHERS));
    assert_eq!(b.ask(&join_by(&room, "jane", &john)).await, error(ANOTHERS));
    assert_eq!(
        b.ask(&join(&room, "jane")).await,
        welcome(&room, "TechTalk")
    );
    assert_eq!(a.hear().await.unwrap(), moved("user-joined", "jane"));
    let mut c = Plain::connect(at, "/somewhere?token=a.b.c").await;
    assert_eq!(c.ask(&join(&room, "eve")).await, error(INVALID));

    // In the header.
    let mut request = format!("ws://{at}/chat").into_client_request().unwrap();
    let bearer = format!("Bearer {jane}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let stream = TcpStream::connect(at).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    for (name, said) in [
        ("john", error(ANOTHERS)),
        ("Jane", welcome(&room, "TechTalk")),
    ] {
        socket.send(Message::text(join(&room, name))).await.unwrap();
        let heard = socket.next().await.unwrap().unwrap();
        assert_eq!(heard.into_text().unwrap().as_str(), said);
    }
    // She goes by the name of her account, and wasn't gone: nobody is told of her second socket.
    socket
        .send(Message::text(send(&room, "it's me")))
        .await
        .unwrap();
    hears(&mut a, &room, "jane", "it's me").await;
    world.stop().await;
}

#[tokio::test]
async fn a_registered_name_is_for_whoever_logged_in_from_there() {
    let clock = Arc::new(ManualClock::new(Timestamp::new(1_733_832_000_000)));
    let config = config();
    let token_ms = config.jwt_ttl_hours * 60 * 60_000;
    let cheap = HashingCost {
        memory_kib: 8,
        passes: 1,
    };
    let builder = Server::builder(config).clock(clock.clone()).hashing(cheap);
    let server = builder.start().await.unwrap();
    let address = server.listen(Listen::local(0)).await.unwrap();
    let world = World { server, address };
    let john = log_in(address, "john").await;
    let room = create(address, &john, "TechTalk").await;

    let mut first = enter(&world, &room, "TechTalk", "john").await;
    first.send(&send(&room, "as himself")).await;
    hears(&mut first, &room, "john", "as himself").await;
    drop(first);

    clock.advance(Duration::from_millis(token_ms));
    let mut late = Plain::connect(address, "/chat").await;
    assert_eq!(late.ask(&join(&room, "John")).await, error(REGISTERED));
    assert_eq!(
        late.ask(&join(&room, "somebody")).await,
        welcome(&room, "TechTalk"),
        "a free name is a guest's"
    );
    log_in(address, "john").await;
    enter(&world, &room, "TechTalk", "john").await;
    world.stop().await;
}

#[tokio::test]
async fn who_is_vouched_for_by_an_address_goes_with_the_log_in_that_vouches() {
    let world = World::new().await;
    let at = world.address;
    let room = create(at, &log_in(at, "john").await, "TechTalk").await;
    let john = log_in(at, "john").await;
    let mut thief = enter(&world, &room, "TechTalk", "john").await;
    let bearer = format!("Bearer {john}");
    let headers = [("authorization", bearer.as_str())];
    let said = http(at, "POST", "/v1/auth/logout", &headers, b"").await;
    assert_eq!(said.status, 204);
    while thief.hear().await.is_ok() {}
    let mut late = Plain::connect(at, "/chat").await;
    assert_eq!(late.ask(&join(&room, "john")).await, error(REGISTERED));
    world.stop().await;
}

#[tokio::test]
async fn who_logs_out_everywhere_vouches_for_nobody() {
    let clock = Arc::new(ManualClock::new(Timestamp::new(1_733_832_000_000)));
    let builder = Server::builder(config()).clock(clock.clone());
    let server = builder.start().await.unwrap();
    let address = server.listen(Listen::local(0)).await.unwrap();
    let world = World { server, address };
    let john = log_in(address, "john").await;
    let room = create(address, &john, "TechTalk").await;
    let mut first = enter(&world, &room, "TechTalk", "john").await;

    clock.advance(Duration::from_millis(1));
    let bearer = format!("Bearer {john}");
    let headers = [("authorization", bearer.as_str())];
    let out = http(
        address,
        "POST",
        "/v1/auth/logout",
        &headers,
        br#"{"all":true}"#,
    )
    .await;
    assert_eq!(out.status, 204);
    assert_eq!(first.hear().await, Err(1008));
    let mut late = Plain::connect(address, "/chat").await;
    assert_eq!(late.ask(&join(&room, "john")).await, error(REGISTERED));

    clock.advance(Duration::from_millis(1));
    log_in(address, "john").await;
    enter(&world, &room, "TechTalk", "john").await;
    world.stop().await;
}

#[tokio::test]
async fn an_operator_decides_what_a_registered_name_is_worth() {
    for (names, said) in [
        (ActionsNames::Strict, Err(REGISTERED)),
        (ActionsNames::Session, Ok(true)),
        (ActionsNames::Open, Ok(false)),
    ] {
        let mut config = config();
        config.actions_names = names;
        let world = World::with(config).await;
        let ann = world.account("ann").await;
        let mut host = world.enter(&ann).await;
        let number = host
            .create(json!({"name": "TechTalk", "alias": "TechTalk"}))
            .await;
        let john = log_in(world.address, "john").await;
        let mut socket = Plain::connect(world.address, "/chat").await;
        let heard = socket.ask(&join("TechTalk", "john")).await;
        match said {
            Err(words) => {
                assert_eq!(heard, error(words), "{names:?}");
                let heard = socket.ask(&join_by("TechTalk", "john", &john)).await;
                assert_eq!(heard, welcome("TechTalk", "TechTalk"));
            }
            Ok(himself) => {
                assert_eq!(heard, welcome("TechTalk", "TechTalk"), "{names:?}");
                let members = host.ok("members", json!({"room": number})).await;
                let count = members["items"].as_array().unwrap().len();
                assert_eq!(count == 2, himself, "{names:?}");
            }
        }
        world.stop().await;
    }
}
