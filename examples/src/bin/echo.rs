//! A server for those who test whether it speaks WebSocket: every message comes back as it was
//! sent, over the same sockets that the chat runs on.
//!
//! ```text
//! cargo run -p chat-examples --bin echo
//! ```
//!
//! The Autobahn suite (`wstest -m fuzzingclient`, cases 1 to 7, 9 and 10) fails in nothing. Its
//! cases 6.4.3 and 6.4.4 come out as not strict: a text is checked with each of its frames, so that
//! a frame that begins badly is refused only when all of it is there. Bounds on frames make that a
//! matter of little time. 7.1.6, 7.13.1 and 7.13.2 only inform.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use chat_server::Server;
use chat_server::config::{Config, StoreUrl};
use chat_server::websocket::{Peer, Settings};
use clap::Parser;

/// An echo over WebSocket.
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 9001)))]
    listen: SocketAddr,
    /// Ends after this many seconds.
    #[arg(long)]
    seconds: Option<u64>,
}

/// The longest message that tests of the protocol are known to send.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let mut config = Config::default();
    config.store = StoreUrl::Memory;
    let server = Server::builder(config).start().await?;
    let mut settings = Settings::default();
    settings.message_bytes_max = MESSAGE_BYTES_MAX;
    settings.outbox_bytes_max = 2 * MESSAGE_BYTES_MAX;
    let application = server.websocket(settings, echo);
    let address = server.listen_for(args.listen, &application).await?;
    println!("listening on ws://{address}");
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

async fn echo(peer: &mut Peer) {
    while let Some(message) = peer.next().await {
        peer.send(&message);
    }
}
