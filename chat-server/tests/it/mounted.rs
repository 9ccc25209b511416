//! The server as a part of somebody else's application.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use chat_core::commands::{Join, Post};
use chat_core::{Actor, Cid, Command, Name, Text, UserId};
use chat_protocol::code::Code;
use chat_protocol::{Answer, Op, RoomRef};
use chat_server::clock::{Clock, SystemClock};
use chat_server::config::{Config, Listen, StoreUrl};
use chat_server::metrics::Metrics;
use chat_server::{Addresses, RunError, serve, store};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::world::{Native, World, http};

#[tokio::test]
async fn an_application_that_mounts_the_server_has_its_sockets_too() {
    let world = World::new().await;
    let app = Router::new()
        .route("/", get(|| async { "somebody else's page" }))
        .nest("/chat", world.server.router());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let host = tokio::spawn(async move { axum::serve(listener, app).await });

    let page = http(address, "GET", "/", &[], b"").await;
    assert_eq!(page.body, "somebody else's page");
    let (ann, bob) = (world.account("ann").await, world.account("bob").await);
    let stream = TcpStream::connect(address).await.unwrap();
    let mut a = Native::below(stream, address, "/chat").await;
    a.hello(&ann).await;
    let room = a.create(json!({"name": "Den"})).await;
    let mut b = world.enter(&bob).await;
    b.join(room).await;
    b.event("joined").await;
    a.event("joined").await;
    for line in 0..200 {
        let body = format!("{line} {}", "x".repeat(10_000));
        a.post(room, &body).await;
        for client in [&mut a, &mut b] {
            assert_eq!(client.event("posted").await["d"]["content"]["body"], *body);
        }
    }
    // The sockets end with the server, and the application goes on.
    world.stop().await;
    assert_eq!(a.closed().await, 4000);
    let page = http(address, "GET", "/", &[], b"").await;
    assert_eq!(page.status, 200);
    host.abort();
}

#[tokio::test]
async fn a_server_that_finds_an_address_taken_gives_everything_else_back() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = StoreUrl::Sqlite(folder.path().join("chat.db"));
    let mut config = Config::default();
    config.store = store.clone();
    config.listen = vec![
        Listen::local(0),
        Listen::local(taken.local_addr().unwrap().port()),
    ];
    let metrics = Metrics::new(SystemClock::new().now());
    let listening = |_: &Addresses| panic!("it doesn't listen everywhere");
    let failed = serve(config, metrics, listening, std::future::pending()).await;
    assert!(matches!(failed, Err(RunError::Listen { .. })), "{failed:?}");
    // Nobody holds the file any more.
    store::open(&store).unwrap();
}

#[tokio::test]
async fn an_application_speaks_for_its_people_without_a_socket() {
    let world = World::new().await;
    let ann = world.account("ann").await;
    let mut a = world.enter(&ann).await;
    let room = a.create(json!({"name": "Den", "alias": "den"})).await;
    let clerk = world.account("clerk").await;
    let clerk = Actor::new(UserId::new(clerk.id), Name::new("clerk").unwrap());
    let in_den = |cid: &str, command: Command| Op::InRoom {
        room: Some(RoomRef::named("den")),
        cid: Some(Cid::new(cid).unwrap()),
        command,
    };
    let post = || in_den("1", Post::plain(Text::new("closing time").unwrap()).into());

    let refused = world.server.act(&clerk, post()).await.unwrap_err();
    assert_eq!(refused.code, Code::NotAMember);
    let join: Command = Join::default().into();
    world.server.act(&clerk, in_den("0", join)).await.unwrap();
    let done = world.server.act(&clerk, post()).await.unwrap();
    let again = world.server.act(&clerk, post()).await.unwrap();
    a.event("joined").await;
    let heard = a.event("posted").await;
    assert_eq!(heard["room"], room);
    assert_eq!(heard["by"]["name"], "clerk");
    assert_eq!(heard["d"]["content"]["body"], "closing time");
    let (
        Answer::Done { seq, dup: false },
        Answer::Done {
            seq: same,
            dup: true,
        },
    ) = (done, again)
    else {
        panic!("one effect");
    };
    assert_eq!(seq, same);

    let rooms = world.server.act(&clerk, Op::Rooms { after: None }).await;
    assert!(matches!(rooms, Ok(Answer::Rooms(_))), "{rooms:?}");
    let connect = Op::Disconnect {};
    let refused = world.server.act(&clerk, connect).await.unwrap_err();
    assert_eq!(refused.code, Code::BadFrame);
    world.server.suspend(clerk.id).await.unwrap();
    let refused = world.server.act(&clerk, post()).await.unwrap_err();
    assert_eq!(refused.code, Code::Suspended);
    world.server.erase_user(clerk.id).await.unwrap();
    let refused = world.server.act(&clerk, post()).await.unwrap_err();
    assert_eq!(refused.code, Code::Unauthenticated);
    world.stop().await;
}
