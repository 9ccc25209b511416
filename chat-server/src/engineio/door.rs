//! Where sessions are opened, and their requests come in.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS, CACHE_CONTROL, CONTENT_TYPE,
    ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, any};
use chat_protocol::code::{Code, Refusal};
use chat_protocol::engineio::VERSION;
use http_body_util::{BodyExt, Either, Full};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response};
use tokio::sync::oneshot;

use super::hatch::{self, Here};
use super::registry::{Caller, Errand, Opening, Said, Way};
use super::{Cors, Host, Refused, Settings};
use crate::http::problem::Problem;
use crate::http::upgrade::{accept_key, address, is_upgrade, is_welcome, place, switch};
use crate::node::{Node, RECONNECT_MS};
use crate::places::Connected;

/// One place where sessions come in.
pub(crate) struct Door {
    pub(crate) node: Node,
    /// Sessions of other doors aren't known behind this one.
    pub(crate) number: usize,
    pub(crate) settings: Arc<Settings>,
    pub(crate) host: Arc<dyn Host>,
    /// Whose pages may open a WebSocket; everybody's if absent.
    pub(crate) welcome: Option<Vec<String>>,
    /// Bytes of one payload, and of one message, of somebody who hasn't said who he is.
    pub(crate) stranger_bytes_max: usize,
}

/// What a request is about.
#[derive(Debug, Default, PartialEq, Eq)]
struct Query<'a> {
    version: Option<&'a str>,
    transport: Option<&'a str>,
    sid: Option<&'a str>,
}

/// Serves a door.
pub(crate) fn serve(door: Arc<Door>) -> MethodRouter {
    any(handle).with_state(door)
}

async fn handle(State(door): State<Arc<Door>>, request: Request<Body>) -> Response<Body> {
    let headers = request.headers();
    let origin = headers.get(ORIGIN).cloned();
    let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        door.serve(request).await.unwrap_or_else(|refused| *refused)
    };
    door.settings
        .cors
        .tell(origin, asked, response.headers_mut());
    response
}

/// What a poll is answered: a payload, or why not.
pub(crate) type Answer = Either<Full<Bytes>, Body>;

type Served = Result<Response<Body>, Box<Response<Body>>>;

/// The proof that a handshake was read, the connection, and its place.
type Handshake = (String, OnUpgrade, Option<Arc<Connected>>);

impl Door {
    async fn serve(&self, request: Request<Body>) -> Served {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let query = Query::read(&query);
        let by_socket = match query.transport {
            Some("polling") => false,
            Some("websocket") => true,
            Some(_) | None => return Err(refused(Refused::TransportUnknown)),
        };
        let wants_socket = is_upgrade(request.method(), request.headers());
        let Some(sid) = query.sid else {
            if request.method() != Method::GET {
                return Err(refused(Refused::BadMethod));
            }
            if wants_socket != by_socket {
                return Err(refused(Refused::BadRequest));
            }
            if query.version != Some(VERSION) {
                return Err(refused(Refused::BadVersion));
            }
            return self.open(request, by_socket).await;
        };
        let is_poll = !by_socket && !wants_socket && request.method() == Method::GET;
        if is_poll && let Some(here) = self.ask(sid) {
            return tell(here.await);
        }
        let Some(way) = self.node.lines().find(sid, self.number) else {
            return Err(refused(Refused::SidUnknown));
        };
        let Way { errands, intake } = way;
        if wants_socket != by_socket {
            return Err(refused(Refused::BadRequest));
        }
        if by_socket {
            let (key, upgrade, place) = self.handshake(request)?;
            let errand = Errand::Upgrade(upgrade, place);
            let sent = errands.send(Box::new(errand)).await;
            sent.map_err(|_| refused(Refused::SidUnknown))?;
            return Ok(switch(&key, None));
        }
        let (answer, answered) = oneshot::channel();
        let errand = if request.method() == Method::GET {
            Errand::Poll(answer)
        } else if request.method() == Method::POST {
            // Nobody keeps many long payloads waiting for their last bytes.
            let Ok(_post) = intake.posts.try_acquire() else {
                return Err(refused(Refused::BadRequest));
            };
            let payload = self.payload(request, intake.bytes_max()).await?;
            Errand::Post(payload, answer)
        } else {
            return Err(refused(Refused::BadRequest));
        };
        // A server that stops waits for answers, and for nobody who takes his time to ask.
        let _asking = self.node.lines().ask();
        let sent = errands.send(Box::new(errand)).await;
        sent.map_err(|_| refused(Refused::SidUnknown))?;
        // By the end of all ways to it a session learns that the server stops.
        drop(errands);
        // A session that ends without an answer is known no more.
        tell(answered.await.unwrap_or(Said::Refused(Refused::SidUnknown)))
    }

    /// Takes a poll that is as usual, and whose session is on this thread.
    fn ask(&self, sid: &str) -> Option<Here> {
        hatch::ask(self.node.lines(), sid, self.number)
    }

    /// Takes such a poll, with its headers, before anything else is made of its request; none if it is
    /// any other request.
    ///
    /// Most requests are polls, and what routers do for each of them costs more than its answer.
    pub(crate) fn poll<B>(
        self: &Arc<Self>,
        request: &mut Request<B>,
    ) -> Option<impl Future<Output = Response<Answer>> + use<B>> {
        let query = Query::read(request.uri().query().unwrap_or_default());
        let is_poll = query.transport == Some("polling")
            && request.method() == Method::GET
            && !is_upgrade(request.method(), request.headers());
        let here = query
            .sid
            .filter(|_| is_poll)
            .and_then(|sid| self.ask(sid))?;
        // They make room for those of the answer.
        let mut headers = std::mem::take(request.headers_mut());
        let origin = headers.remove(ORIGIN);
        let asked = headers.remove(ACCESS_CONTROL_REQUEST_HEADERS);
        headers.clear();
        let door = self.clone();
        Some(async move {
            let mut response = match here.await {
                Said::Payload(payload) => {
                    let mut response = Response::new(Either::Left(Full::from(payload)));
                    for (name, value) in TEXT {
                        headers.insert(name, HeaderValue::from_static(value));
                    }
                    *response.headers_mut() = headers;
                    response
                }
                said @ (Said::Taken | Said::Refused(_)) => {
                    let response = tell(said).unwrap_or_else(|refused| *refused);
                    response.map(Either::Right)
                }
            };
            let cors = &door.settings.cors;
            cors.tell(origin, asked, response.headers_mut());
            response
        })
    }

    /// Opens a session.
    async fn open(&self, request: Request<Body>, by_socket: bool) -> Served {
        if self.node.is_stopping() {
            return Err(overloaded(Refusal::new(Code::ShuttingDown)));
        }
        let opened_at = self.node.clock().elapsed();
        let address = address(&request);
        let token = crate::http::auth::bearer(request.headers());
        let token = token.ok().map(str::to_owned);
        let silent = self.node.hush(address).map_err(overloaded)?;
        let (socket, place) = if by_socket {
            let (key, upgrade, place) = self.handshake(request)?;
            (Some((key, upgrade)), place)
        } else {
            let place = self.node.connect(Some(address)).map_err(overloaded)?;
            (None, Some(Arc::new(place)))
        };
        let says_goodbye = self.host.says_goodbye();
        let bytes_max = self.stranger_bytes_max;
        let lines = self.node.lines();
        let entered = lines.enter(self.number, says_goodbye, bytes_max);
        let Some((membership, errands)) = entered else {
            return Err(overloaded(Refusal::new(Code::Unavailable)));
        };
        let (key, upgrade) = socket.unzip();
        let response = match key {
            Some(key) => switch(&key, None),
            None => text(
                StatusCode::OK,
                self.settings.open(&membership.sid, &["websocket"]),
            ),
        };
        let opening = Opening {
            settings: self.settings.clone(),
            host: self.host.clone(),
            membership,
            errands,
            upgrade,
            caller: Caller {
                address,
                token,
                places: place.into_iter().collect(),
                silent: Some(silent),
            },
            opened_at,
        };
        let openings = &self.node.worker_for_connection().openings;
        match openings.send(opening).await {
            Ok(()) => Ok(response),
            Err(_) => Err(overloaded(Refusal::new(Code::ShuttingDown))),
        }
    }

    /// Checks a WebSocket's handshake.
    fn handshake(&self, mut request: Request<Body>) -> Result<Handshake, Box<Response<Body>>> {
        if let Some(origins) = &self.welcome
            && !is_welcome(request.headers(), origins)
        {
            return Err(refused(Refused::BadRequest));
        }
        let key = accept_key(request.headers()).ok_or_else(|| refused(Refused::BadRequest))?;
        let upgrade = request.extensions_mut().remove::<OnUpgrade>();
        let upgrade = upgrade.ok_or_else(|| refused(Refused::BadRequest))?;
        let place = place(&self.node, &mut request).map_err(overloaded)?;
        Ok((key, upgrade, place))
    }

    /// Reads what is posted. What is no text comes as a payload that is none, which ends the
    /// session.
    async fn payload(
        &self,
        request: Request<Body>,
        bytes_max: usize,
    ) -> Result<String, Box<Response<Body>>> {
        let limit = Duration::from_millis(self.node.limits().request_ms_max);
        let read = read(request.into_body(), bytes_max);
        match tokio::time::timeout(limit, read).await {
            Ok(Some(bytes)) => Ok(String::from_utf8(bytes).unwrap_or_default()),
            Ok(None) | Err(_) => Err(refused(Refused::BadRequest)),
        }
    }
}

/// Reads a body; none if it breaks off or is longer than this. Of one that is longer some more is
/// read, so that the client gets to read why it was refused.
async fn read(mut body: Body, bytes_max: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let data = frame.ok()?.into_data().unwrap_or_else(|_| Bytes::new());
        length = length.saturating_add(data.len());
        if length <= bytes_max {
            bytes.extend_from_slice(&data);
        } else if length > bytes_max.saturating_mul(PASSED_OVER) {
            return None;
        }
    }
    (length <= bytes_max).then_some(bytes)
}

/// As many times the longest payload is read of one that is too long.
const PASSED_OVER: usize = 4;

impl<'a> Query<'a> {
    /// Reads what is known; of what comes twice, the first.
    fn read(query: &'a str) -> Self {
        let mut read = Self::default();
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let field = match key {
                "EIO" => &mut read.version,
                "transport" => &mut read.transport,
                "sid" => &mut read.sid,
                _ => continue,
            };
            field.get_or_insert(value);
        }
        read
    }
}

impl Cors {
    /// Tells a browser whose pages may read the answer.
    pub(crate) fn tell(
        &self,
        origin: Option<HeaderValue>,
        asked: Option<HeaderValue>,
        headers: &mut HeaderMap,
    ) {
        let allowed = match self {
            Self::Nobody => None,
            Self::Everybody => Some(HeaderValue::from_static("*")),
            Self::Origins(origins) => {
                headers.append(VARY, HeaderValue::from_static("Origin"));
                origin.filter(|origin| {
                    origins
                        .iter()
                        .map(|it| it.trim_end_matches('/').as_bytes())
                        .any(|it| it.eq_ignore_ascii_case(origin.as_bytes()))
                })
            }
        };
        let Some(allowed) = allowed else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if matches!(self, Self::Origins(_)) {
            let yes = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        let methods = HeaderValue::from_static("GET, POST, OPTIONS");
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        if let Some(asked) = asked {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked);
        }
    }
}

fn refused(why: Refused) -> Box<Response<Body>> {
    let (code, message) = why.told();
    let body = serde_json::json!({"code": code, "message": message}).to_string();
    let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Box::new((StatusCode::BAD_REQUEST, json, body).into_response())
}

fn tell(said: Said) -> Served {
    match said {
        Said::Payload(payload) => Ok(text(StatusCode::OK, payload)),
        Said::Taken => Ok(text(StatusCode::OK, "ok")),
        Said::Refused(why) => Err(refused(why)),
    }
}

fn overloaded(refusal: Refusal) -> Box<Response<Body>> {
    Box::new(Problem::from(refusal.with_retry(RECONNECT_MS)).into_response())
}

fn text(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    (status, TEXT, body.into()).into_response()
}

/// The headers of a text.
const TEXT: [(HeaderName, &str); 2] = [
    (CONTENT_TYPE, "text/plain; charset=UTF-8"),
    (CACHE_CONTROL, "no-store"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_what_a_request_is_about() {
        let read = Query::read("EIO=4&transport=polling&t=abc&sid=x_-1&sid=y&b64");
        let expected = Query {
            version: Some("4"),
            transport: Some("polling"),
            sid: Some("x_-1"),
        };
        assert_eq!(read, expected);
        assert_eq!(Query::read(""), Query::default());
    }
}
