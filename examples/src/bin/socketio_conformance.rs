//! A server for those who test whether it speaks Engine.IO 4 and Socket.IO 5: echoes of what they
//! send, over the same lines and packets that the chat runs on.
//!
//! `/socket.io/` has the namespaces `/` and `/custom`. Whoever enters hears `auth` with what he
//! said of himself; `message` is answered by `message-back`, and `message-with-ack` is acknowledged,
//! each with the same arguments. `/engine.io/` gives every message back.
//!
//! ```text
//! cargo run -p chat-examples --bin socketio_conformance
//! ```

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use chat_protocol::socketio::{Packet, Whole};
use chat_server::Server;
use chat_server::config::{Config, StoreUrl};
use chat_server::engineio::{self, Cors, Line};
use chat_server::socketio::{self, Incoming, Peer};
use clap::Parser;
use serde_json::value::RawValue;

/// Echoes for tests of Engine.IO 4 and Socket.IO 5.
#[derive(Parser)]
struct Args {
    /// Where to listen, on this machine alone; 0 picks a free port.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Ends after this many seconds.
    #[arg(long)]
    seconds: Option<u64>,
}

/// Clients of the tests look at one message at a time: what came with it would pass them by.
const ASIDE: Duration = Duration::from_millis(25);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let mut config = Config::default();
    config.store = StoreUrl::Memory;
    config.lift_rate_limits();
    let server = Server::builder(config).start().await?;
    let application = application(&server);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let address = server.listen_for(address, &application).await?;
    println!("listening on http://{address}");
    // Some look for `localhost` here; not every machine has it.
    let other = SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()));
    if server.listen_for(other, &application).await.is_ok() {
        println!("listening on http://{other}");
    }
    let end = async {
        match args.seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = end => {}
        ended = tokio::signal::ctrl_c() => ended?,
    }
    server.stop().await;
    Ok(())
}

fn application(server: &Server) -> Router {
    let mut line = engineio::Settings::default();
    line.ping_interval_ms = 300;
    line.ping_timeout_ms = 200;
    line.payload_bytes_max = 1_000_000;
    line.cors = Cors::Everybody;
    let mut settings = socketio::Settings::default();
    settings.line = line.clone();
    settings.namespaces = vec!["/".to_owned(), "/custom".to_owned()];
    settings.connect_ms_max = 1_000;
    Router::new()
        .nest("/engine.io/", server.engine_io(line, echo))
        .nest("/socket.io/", server.socket_io(settings, converse))
}

async fn echo(line: &mut Line) {
    while let Some(message) = line.next().await {
        line.send(&message);
    }
}

async fn converse(peer: &mut Peer<'_>) {
    while let Some(incoming) = peer.next().await {
        match incoming {
            Incoming::Connect { namespace, auth } => {
                peer.accept(&namespace);
                tokio::time::sleep(ASIDE).await;
                let auth = auth.unwrap_or_else(nothing);
                let event = Packet::event("auth", &[auth]).within(&namespace);
                peer.send(&event, &[]);
            }
            Incoming::Event(event) => answer(peer, &event),
            Incoming::Ack(_) | Incoming::Disconnect { .. } => {}
        }
    }
}

fn answer(peer: &Peer<'_>, event: &Whole<'static>) {
    let packet = &event.packet;
    let answer = match (packet.name().as_deref(), packet.id) {
        (Some("message"), _) => Packet::event("message-back", &packet.args()),
        (Some("message-with-ack"), Some(id)) => Packet::ack(id, &packet.args()),
        (_, _) => return,
    };
    let answer = answer
        .within(&packet.namespace)
        .followed_by(packet.attachments);
    peer.send(&answer, &event.attachments);
}

fn nothing() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an object is JSON")
}
