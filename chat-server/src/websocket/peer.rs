//! WebSockets of an application of its own: accepted, read and written as the chat's are.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::SEC_WEBSOCKET_VERSION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};
use chat_protocol::close::Close;
use chat_protocol::code::{Code, Refusal};
use hyper::upgrade::OnUpgrade;
use tokio::sync::watch;

use super::{GOODBYE, GOODBYE_STOPPING, Message, Read, Socket};
use crate::http::problem::Problem;
use crate::http::upgrade::{accept_key, address, is_upgrade, is_welcome, place, switch};
use crate::node::{Node, RECONNECT_MS};
use crate::outbox::State as Room;
use crate::places::{Connected, Silent};
use crate::worker::Worker;

/// How sockets are held.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Bytes of one message, and of one frame.
    pub message_bytes_max: usize,
    /// Bytes that wait for a client before it counts as too slow.
    pub outbox_bytes_max: usize,
    /// How long a client may be silent before it is asked for a sign of life, and again before it
    /// is given up, in milliseconds. A message counts when it is whole.
    pub silence_ms_max: u64,
    /// Origins whose pages may connect, beside the server's own; everybody's if absent. A service
    /// that knows its clients by a cookie names them.
    pub origins: Option<Vec<String>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            message_bytes_max: 1_000_000,
            outbox_bytes_max: 4 * 1024 * 1024,
            silence_ms_max: 30_000,
            origins: None,
        }
    }
}

/// One client's WebSocket, as an application on the server sees it: messages in, messages out.
///
/// It is driven by [`Peer::next`]: while an application does something else for long, pings are
/// answered late, and what the client doesn't take at once waits.
pub struct Peer {
    socket: Socket,
    silence_max: Duration,
    stopping: watch::Receiver<bool>,
    ended: bool,
    /// Held until it has said something.
    silent: Option<Silent>,
}

/// What an application's task wakes for.
enum Woken {
    Read(Read),
    /// Nothing more can leave.
    Full,
    Silence,
    Stop,
}

impl Peer {
    /// The next message; none when the connection has ended.
    ///
    /// It ends with the code 1002 if the client breaks the protocol, 1007 if its text is none, 1008
    /// if it reads too slowly, 1009 if its message is too long, and 1001 if it is silent for too
    /// long or the server stops.
    pub async fn next(&mut self) -> Option<Message> {
        let mut asked = false;
        while !self.ended {
            match self.wake().await {
                Woken::Read(Read::Message(tungstenite::Message::Text(text))) => {
                    self.silent = None;
                    return Some(Message::Text(text.as_str().to_owned()));
                }
                Woken::Read(Read::Message(tungstenite::Message::Binary(bytes))) => {
                    self.silent = None;
                    return Some(Message::Binary(bytes.into()));
                }
                Woken::Read(Read::Message(
                    tungstenite::Message::Ping(_)
                    | tungstenite::Message::Pong(_)
                    | tungstenite::Message::Frame(_),
                )) => asked = false,
                Woken::Silence if !asked => {
                    self.socket.ping();
                    asked = true;
                }
                // The answer to a close leaves with the flush of ours, which is not sent then.
                Woken::Read(Read::Message(tungstenite::Message::Close(_)) | Read::Closed) => {
                    self.end(1000, "");
                }
                Woken::Read(Read::TooLarge) => self.end(1009, "the message is too long"),
                Woken::Full => {
                    self.socket.outbox.cut();
                    self.end(1008, "too slow");
                }
                Woken::Silence => self.end(1001, "silent for too long"),
                Woken::Stop => self.end(1001, "the server stops"),
            }
        }
        None
    }

    /// Sends a message. It never waits: a client that falls too far behind is sent away.
    pub fn send(&self, message: &Message) {
        if self.ended {
            return;
        }
        match message {
            Message::Text(text) => self.socket.outbox.send_text(text.as_bytes()),
            Message::Binary(bytes) => self.socket.outbox.send_binary(bytes),
        }
    }

    /// Says that the connection ends, and why: a code and some words. What was sent before leaves
    /// first.
    pub fn close(&mut self, code: u16, why: &str) {
        if !self.ended {
            self.end(code, why);
        }
    }

    fn end(&mut self, code: u16, why: &str) {
        self.ended = true;
        self.socket.close(code, why);
    }

    async fn wake(&mut self) -> Woken {
        let socket = &mut self.socket;
        let read = poll_fn(|cx| match socket.outbox.state() {
            Room::Open => socket.poll_read(cx).map(Woken::Read),
            Room::Lagging | Room::Broken => Poll::Ready(Woken::Full),
        });
        tokio::select! {
            woken = read => woken,
            () = tokio::time::sleep(self.silence_max) => Woken::Silence,
            // Whoever could say so is gone only with the worker.
            _ = self.stopping.wait_for(|stopping| *stopping) => Woken::Stop,
        }
    }

    /// Lets everything leave, and waits a little for the other side to close, too.
    async fn part(mut self, node: &Node) {
        self.close(1000, "");
        let stopping = node.is_stopping();
        let linger = if stopping { GOODBYE_STOPPING } else { GOODBYE };
        self.socket.part(linger).await;
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer")
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// Whoever talks over the sockets of one door.
pub(crate) trait Host: Send + Sync {
    /// Talks over one until that ends; gives it back for its goodbye.
    fn talk(self: Arc<Self>, peer: Peer) -> Pin<Box<dyn Future<Output = Peer>>>;
}

/// An application's own service.
pub(crate) struct Service<F>(pub(crate) F);

impl<F: AsyncFn(&mut Peer) + Send + Sync + 'static> Host for Service<F> {
    fn talk(self: Arc<Self>, mut peer: Peer) -> Pin<Box<dyn Future<Output = Peer>>> {
        Box::pin(async move {
            (self.0)(&mut peer).await;
            peer
        })
    }
}

/// One place where sockets come in.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) node: Node,
    pub(crate) settings: Arc<Settings>,
    pub(crate) host: Arc<dyn Host>,
}

/// A socket that is about to be served.
pub(crate) struct Opening {
    door: Door,
    upgrade: OnUpgrade,
    /// Its place among the process's connections.
    place: Arc<Connected>,
    /// Its place among the silent sockets of its address, until it has said something.
    silent: Silent,
}

/// Serves a door.
pub(crate) fn serve(door: Door) -> MethodRouter {
    any(handle).with_state(door)
}

async fn handle(State(door): State<Door>, request: Request) -> Response {
    let served = door.serve(request).await;
    served.unwrap_or_else(|refusal| Problem(refusal).into_response())
}

impl Door {
    async fn serve(self, mut request: Request) -> Result<Response, Refusal> {
        let key = accept_key(request.headers());
        let key = key.filter(|_| is_upgrade(request.method(), request.headers()));
        let upgrade = request.extensions_mut().remove::<OnUpgrade>();
        let (Some(key), Some(upgrade)) = (key, upgrade) else {
            let version = [(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))];
            return Ok((StatusCode::UPGRADE_REQUIRED, version).into_response());
        };
        if let Some(origins) = &self.settings.origins
            && !is_welcome(request.headers(), origins)
        {
            return Ok((StatusCode::FORBIDDEN, Close::OriginRefused.why()).into_response());
        }
        let node = self.node.clone();
        let address = address(&request);
        let silent = node.hush(address)?;
        let place = match place(&node, &mut request)? {
            Some(place) => place,
            None => Arc::new(node.connect(Some(address))?),
        };
        let opening = Opening {
            door: self,
            upgrade,
            place,
            silent,
        };
        let sent = node.worker_for_connection().sockets.send(opening).await;
        sent.map_err(|_| Refusal::new(Code::ShuttingDown).with_retry(RECONNECT_MS))?;
        Ok(switch(&key, None))
    }
}

impl Opening {
    /// Serves the socket on this worker, from its beginning to its end.
    pub(crate) async fn run(self, worker: Rc<Worker>) {
        let Self {
            door,
            upgrade,
            place,
            silent,
        } = self;
        let Ok(upgraded) = upgrade.await else { return };
        let Settings {
            message_bytes_max,
            outbox_bytes_max,
            silence_ms_max,
            origins: _,
        } = *door.settings;
        let Ok(socket) = Socket::over(upgraded, outbox_bytes_max, message_bytes_max) else {
            return;
        };
        let peer = Peer {
            socket,
            silence_max: Duration::from_millis(silence_ms_max),
            stopping: worker.stopping.subscribe(),
            ended: false,
            silent: Some(silent),
        };
        worker.parting.set(worker.parting.get() + 1);
        door.host.talk(peer).await.part(&door.node).await;
        worker.parting.set(worker.parting.get() - 1);
        drop(place);
    }
}
