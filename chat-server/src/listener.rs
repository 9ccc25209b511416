//! From a TCP connection to HTTP, and from HTTP to a byte stream of our own.

mod guarded;
#[cfg(feature = "tls")]
mod secure;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse, Response};
use chat_protocol::code::Refusal;
use http_body_util::Either;
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

use self::guarded::{Guarded, Streams};
use crate::config::client;
use crate::http::Site;
use crate::http::problem::Problem;
use crate::node::Node;
use crate::outbox::Wire;
use crate::places::Connected;
#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::worker::Worker;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4_096;

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Bytes that the system holds for a reader who is slow, in each connection: what is beyond waits in
/// an outbox, where it is counted.
const SENT_BYTES_MAX: usize = 256 * 1024;

/// How long to wait when the system has no descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// Connections that are told at the same time, on one worker, why they are refused; further ones
/// are closed without a word.
const REFUSED_MAX: usize = 64;

/// How long somebody who is refused may take to send what he wants.
const REFUSAL: Duration = Duration::from_secs(1);

/// Binds an address for ourselves alone: a second server on it fails, instead of sharing it. Its
/// connections break when nobody has confirmed for this long what was sent.
pub(crate) fn bind(address: SocketAddr, unconfirmed: Duration) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // So that a restart doesn't wait for connections that have just ended; it doesn't let two
    // listeners share an address.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    // Connections inherit it.
    socket.set_send_buffer_size(SENT_BYTES_MAX)?;
    // They inherit this, too. Else the system would go on for a quarter of an hour to send what
    // little there is to somebody whose network is gone.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(unconfirmed))?;
    #[cfg(not(target_os = "linux"))]
    let _ = unconfirmed;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// What becomes of the connections of a listener.
#[derive(Clone, Debug)]
pub(crate) struct Reception {
    pub(crate) site: Site,
    /// What their handshakes are made with, if they speak TLS.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
}

impl Reception {
    /// Takes on a connection that has found a place.
    fn welcome(&self, stream: TcpStream, caller: Caller) {
        // A socket that refuses this is about to fail anyway.
        drop(stream.set_nodelay(true));
        let site = self.site.clone();
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls.clone() {
            spawn_local(secure::serve(stream, caller, tls, site));
            return;
        }
        spawn_local(serve(stream, caller, site));
    }

    /// Whether somebody for whom there is no place is told so. A handshake would cost more than the
    /// word is worth.
    const fn explains(&self) -> bool {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return false;
        }
        true
    }
}

/// Accepts connections for one worker, and serves them there.
pub(crate) async fn accept(worker: Rc<Worker>, listener: Arc<TcpListener>, reception: Reception) {
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
    let refusals = Rc::new(());
    while !worker.node.is_stopping() {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let is_proxy = is_proxy(&worker.node, peer.ip());
                match worker.node.connect((!is_proxy).then(|| peer.ip())) {
                    Ok(place) => {
                        let caller = Caller {
                            peer,
                            place: Arc::new(place),
                            node: worker.node.clone(),
                        };
                        reception.welcome(stream, caller);
                    }
                    Err(refusal)
                        if reception.explains() && Rc::strong_count(&refusals) <= REFUSED_MAX =>
                    {
                        let counted = refusals.clone();
                        spawn_local(async move {
                            refuse(stream, refusal).await;
                            drop(counted);
                        });
                    }
                    Err(_) => {}
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                worker.node.accepts_nothing(&error);
                #[cfg(sabotage)]
                if chat_core::sabotage::planted("accept_spins") {
                    tokio::task::yield_now().await;
                    continue;
                }
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
}

/// Whether somebody at this address speaks for others.
fn is_proxy(node: &Node, address: IpAddr) -> bool {
    let mut trusted = node.config().trusted_proxies.iter();
    trusted.any(|network| network.holds(address))
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

/// Who is at the other end of a connection.
pub(crate) struct Caller {
    pub(crate) peer: SocketAddr,
    /// Its place goes along with what it is upgraded to.
    pub(crate) place: Arc<Connected>,
    pub(crate) node: Node,
}

/// A request that came through a proxy: its client isn't the connection's peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carried;

/// An answer that doesn't end by itself, and so has no time by which it has to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streamed;

/// Serves one connection.
pub(crate) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    caller: Caller,
    site: Site,
) {
    let Caller { peer, place, node } = caller;
    let limits = node.limits();
    let header_read = Duration::from_millis(limits.header_read_ms_max);
    let unread = Duration::from_millis(limits.request_ms_max);
    let introduce = move |mut request: hyper::Request<Incoming>| {
        let trusted = &node.config().trusted_proxies;
        let client = client(peer.ip(), request.headers(), trusted);
        let is_carried = client != peer.ip().to_canonical();
        let extensions = request.extensions_mut();
        extensions.insert(ConnectInfo(SocketAddr::new(client, peer.port())));
        extensions.insert(place.clone());
        if is_carried {
            extensions.insert(Carried);
        }
        request
    };
    let streams = Streams::default();
    let marks = streams.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let marks = marks.clone();
        let polled = site.poll(&mut request);
        let way = polled.ok_or_else(|| {
            let router = site.router.clone();
            router.oneshot(introduce(request))
        });
        async move {
            let response = match way {
                Ok(polled) => polled.await.map(Either::Left),
                Err(routed) => routed.await?.map(Either::Right),
            };
            marks.set(response.extensions().get::<Streamed>().is_some());
            Ok::<_, Infallible>(response)
        }
    });
    #[cfg(sabotage)]
    let header_read = if chat_core::sabotage::planted("headers_take_their_time") {
        Duration::from_secs(3_600)
    } else {
        header_read
    };
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_read)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(Guarded::new(stream, unread, streams), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, %peer, "a connection ended");
    }
}

/// Tells whoever there is no place for why, and when to come back.
async fn refuse(stream: TcpStream, refusal: Refusal) {
    answer(stream, move || Problem(refusal.clone()).into_response()).await;
}

/// Answers whatever is asked, and closes.
async fn answer(stream: TcpStream, say: impl Fn() -> Response) {
    let service = service_fn(move |_: hyper::Request<Incoming>| {
        let mut response = say();
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REFUSAL)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(Guarded::new(stream, REFUSAL, Streams::default()), service);
    // However slowly it reads and writes.
    drop(tokio::time::timeout(REFUSAL, served).await);
}

/// Takes a connection over from HTTP: its stream, and what was read of it already.
///
/// The socket itself is taken where it can be reached, and belongs to this thread from then on;
/// what lies in a stream of an unknown host stays in it.
pub(crate) fn wire(upgraded: Upgraded) -> io::Result<(Wire, Vec<u8>)> {
    let upgraded = match upgraded.downcast::<Guarded<TcpStream>>() {
        Ok(parts) => {
            let stream = match parts.io.is_of_this_worker() {
                true => Wire::Plain(parts.io.into_inner()),
                false => here(parts.io.into_inner())?,
            };
            return Ok((stream, parts.read_buf.to_vec()));
        }
        Err(upgraded) => upgraded,
    };
    #[cfg(feature = "tls")]
    let upgraded = match upgraded.downcast::<Guarded<secure::Stream>>() {
        Ok(parts) => {
            let stream = Box::into_pin(parts.io.into_inner());
            return Ok((Wire::Boxed(stream), parts.read_buf.to_vec()));
        }
        Err(upgraded) => upgraded,
    };
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_connection_breaks_when_nothing_is_confirmed_for_long() {
        let unconfirmed = Duration::from_secs(70);
        let listener = bind(([127, 0, 0, 1], 0).into(), unconfirmed).unwrap();
        let _peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.set_nonblocking(false).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let timeout = socket2::SockRef::from(&stream).tcp_user_timeout();
        assert_eq!(timeout.unwrap(), Some(unconfirmed));
    }
}
