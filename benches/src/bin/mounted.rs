//! Our server within a web application, behind streams that it doesn't know, as those of TLS would be: what it
//! can't take over, it reads and writes through the application's HTTP.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;

use axum::extract::{ConnectInfo, Request, connect_info::Connected};
use axum::middleware::map_request;
use axum::serve::{IncomingStream, Listener};
use chat_benches::versus::trial::lift_limits;
use chat_server::Server;
use chat_server::config::{Config, StoreUrl};
use tokio::io::{Join, join};
use tokio::net::TcpListener;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut config = Config::default();
    config.store = StoreUrl::Memory;
    config.workers = NonZeroUsize::new(1);
    lift_limits(&mut config);
    let chat = Server::builder(config).start().await?;

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening on {}", listener.local_addr()?);
    let app = chat.router().layer(map_request(address_of));
    let service = app.into_make_service_with_connect_info::<Peer>();
    axum::serve(Veil(listener), service).await?;
    Ok(())
}

/// Has the chat see an address where it looks for it.
async fn address_of(
    ConnectInfo(Peer(address)): ConnectInfo<Peer>,
    mut request: Request,
) -> Request {
    request.extensions_mut().insert(ConnectInfo(address));
    request
}

/// A listener whose streams aren't sockets any more.
struct Veil(TcpListener);

impl Listener for Veil {
    type Io = Join<OwnedReadHalf, OwnedWriteHalf>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        stream.set_nodelay(true).unwrap_or_default();
        let (read, write) = stream.into_split();
        (join(read, write), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

#[derive(Clone)]
struct Peer(SocketAddr);

impl Connected<IncomingStream<'_, Veil>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Veil>) -> Self {
        Self(*stream.remote_addr())
    }
}
