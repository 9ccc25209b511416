//! From a connection that has been promised to be a WebSocket to a session that talks.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use chat_core::{RoomId, Seq};
use chat_protocol::close::Close;
use chat_protocol::command::Token;
use chat_protocol::dialect::Dialect;
use hyper::upgrade::OnUpgrade;

use super::carrier::Carrier;
use super::{Guest, Session};
use crate::places::{Connected, Silent};
use crate::websocket::Socket;
use crate::worker::Worker;

/// A connection that is about to become a WebSocket.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The connection, once its handshake has been answered.
    pub(crate) upgrade: OnUpgrade,
    /// Its dialect, if that is known from its path; else its first frame tells.
    pub(crate) dialect: Option<Dialect>,
    /// Where it comes from.
    pub(crate) address: IpAddr,
    /// The origin of the page that it comes from, if that is a foreign one.
    pub(crate) page: Option<Box<str>>,
    /// The token that its request brought.
    pub(crate) token: Option<Token>,
    /// The room that its request named, if its dialect has it so, and the record after which it
    /// hears it: whoever the token stands for may be in it.
    pub(crate) room: Option<(RoomId, Seq)>,
    /// Its place among the process's connections, if we accepted it.
    pub(crate) place: Option<Arc<Connected>>,
    /// Its place among the silent sockets of its address, until it has said who it is.
    pub(crate) silent: Silent,
}

/// Runs a connection from its handshake to its end.
///
/// What is passed on here is borrowed, and what doesn't last is boxed: this is kept for every
/// session, however long it is silent.
pub(crate) fn run(worker: Rc<Worker>, arrival: Arrival) -> impl Future<Output = ()> {
    // An argument of an async function would be kept with it to the end.
    let begun = Box::pin(Begun::of(worker, arrival));
    async move {
        let Some(mut it) = begun.await else {
            return;
        };
        let close = match it.refused {
            Some(close) => Some(close),
            None => it.session.converse(&mut it.carrier).await,
        };
        Box::pin(it.session.end(&mut it.carrier, close)).await;
        drop(it.place);
    }
}

/// A session that has begun, on a socket of its own.
struct Begun {
    session: Session,
    carrier: Carrier,
    /// Its place among the process's connections.
    place: Option<Arc<Connected>>,
    /// Why it ends at once, if it does.
    refused: Option<Close>,
}

impl Begun {
    async fn of(worker: Rc<Worker>, arrival: Arrival) -> Option<Self> {
        let upgraded = arrival.upgrade.await.ok()?;
        let limits = worker.node.limits();
        let bytes_max = limits.frame_unauthenticated_bytes_max;
        let socket = Socket::over(upgraded, limits.outbox_bytes_max, bytes_max).ok()?;
        let guest = Guest {
            dialect: arrival.dialect,
            address: arrival.address,
            page: arrival.page,
            token: arrival.token,
            silent: Some(arrival.silent),
        };
        let mut carrier = Carrier::Socket(socket);
        let mut session = Session::begin(worker, &carrier, guest);
        let refused = match arrival.room {
            Some(room) => {
                session.link.works.set(true);
                let refused = Box::pin(session.arrive(room, &mut carrier)).await;
                session.link.works.set(false);
                refused
            }
            None => None,
        };
        Some(Self {
            session,
            carrier,
            place: arrival.place,
            refused,
        })
    }
}
