//! A connection that begins with a TLS handshake.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::{Caller, is_proxy};
use crate::tls::Tls;

/// What a listener's connections are after their handshake.
pub(super) type Stream = Box<TlsStream<TcpStream>>;

/// The first byte of whoever begins a handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// How a connection begins.
enum Begun {
    Secure(Stream),
    /// With something that is no handshake.
    Plain(TcpStream),
    /// Not at all: somebody looked whether the port is open.
    Gone,
}

/// Shakes hands with one connection, and serves it.
pub(super) async fn serve(stream: TcpStream, caller: Caller, tls: Tls, router: Router) {
    let shaken = Box::pin(shake_hands(stream, &caller, &tls)).await;
    if let Some(stream) = shaken {
        super::serve(stream, caller, router).await;
    }
}

/// Shakes hands, within the time that headers may take. Until that is done, the connection counts
/// among those of its address that haven't said who they are.
async fn shake_hands(stream: TcpStream, caller: &Caller, tls: &Tls) -> Option<Stream> {
    let Caller { peer, node, .. } = caller;
    let _silent = match is_proxy(node, peer.ip()) {
        // Whom it speaks for it says later.
        true => None,
        false => Some(node.hush(peer.ip()).ok()?),
    };
    let patience = Duration::from_millis(node.limits().header_read_ms_max);
    #[cfg(sabotage)]
    let patience = if chat_core::sabotage::planted("handshakes_take_their_time") {
        Duration::from_secs(3_600)
    } else {
        patience
    };
    match tokio::time::timeout(patience, begin(stream, tls)).await {
        Ok(Ok(Begun::Secure(stream))) => return Some(stream),
        Ok(Ok(Begun::Gone)) => return None,
        Ok(Ok(Begun::Plain(stream))) => {
            let said = "this port speaks TLS: https, wss\n";
            super::answer(stream, move || {
                (StatusCode::BAD_REQUEST, said).into_response()
            })
            .await;
        }
        Ok(Err(error)) => tracing::debug!(%error, %peer, "a handshake failed"),
        Err(_) => tracing::debug!(%peer, "a handshake took too long"),
    }
    node.metrics().handshakes_failed.inc();
    None
}

async fn begin(stream: TcpStream, tls: &Tls) -> io::Result<Begun> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Ok(Begun::Gone);
    }
    if first != [HANDSHAKE] {
        return Ok(Begun::Plain(stream));
    }
    tls.accept(stream).await.map(Begun::Secure)
}
