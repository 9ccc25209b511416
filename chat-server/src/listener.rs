//! From a TCP connection to HTTP, and from HTTP to a byte stream of our own.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tower::ServiceExt;

use crate::node::Connected;
use crate::outbox::Wire;
use crate::worker::Worker;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4_096;

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// How long to wait when the system has no descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// Binds an address for ourselves alone: a second server on it fails, instead of sharing it.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // So that a restart doesn't wait for connections that have just ended; it doesn't let two
    // listeners share an address.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Accepts connections for one worker, and serves them there.
pub(crate) async fn accept(worker: Rc<Worker>, listener: Arc<TcpListener>, router: Router) {
    let listener = listener
        .try_clone()
        .and_then(tokio::net::TcpListener::from_std);
    let listener = match listener {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "a worker can't listen");
            return;
        }
    };
    while !worker.node.is_stopping() {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Some(connected) = worker.node.connect() else {
                    continue;
                };
                let router = router.clone();
                let limit = worker.node.limits().header_read_ms_max;
                // A socket that refuses this is about to fail anyway.
                drop(stream.set_nodelay(true));
                spawn_local(async move {
                    let connected = Arc::new(connected);
                    serve(
                        stream,
                        peer,
                        router,
                        Duration::from_millis(limit),
                        connected,
                    )
                    .await;
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "can't accept connections at the moment");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
}

/// Whether an error of `accept` concerns a connection that is gone already.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Serves one connection. Its place goes along with what it is upgraded to.
pub(crate) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    header_read: Duration,
    place: Arc<Connected>,
) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(place.clone());
        router.clone().oneshot(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_read)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, %peer, "a connection ended");
    }
}

/// Takes a connection over from HTTP: its stream, and what was read of it already.
///
/// The socket itself is taken where it can be reached, and belongs to this thread from then on;
/// what lies in a stream of an unknown host stays in it.
pub(crate) fn wire(upgraded: Upgraded) -> io::Result<(Wire, Vec<u8>)> {
    let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => return Ok((here(parts.io.into_inner())?, parts.read_buf.to_vec())),
        Err(upgraded) => upgraded,
    };
    match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => Ok((here(parts.io.into_inner())?, parts.read_buf.to_vec())),
        Err(upgraded) => Ok((Wire::Boxed(Box::pin(TokioIo::new(upgraded))), Vec::new())),
    }
}

/// Moves a socket to this thread's runtime.
fn here(stream: TcpStream) -> io::Result<Wire> {
    let stream = stream.into_std()?;
    let stream = TcpStream::from_std(stream)?;
    stream.set_nodelay(true)?;
    Ok(Wire::Plain(stream))
}
