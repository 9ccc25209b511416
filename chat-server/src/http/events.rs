//! The native dialect for those who only listen: `GET /v1/events`, server-sent events (WHATWG HTML,
//! section 9.2).

use axum::Extension;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::header::{ACCESS_CONTROL_REQUEST_HEADERS, CACHE_CONTROL, CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chat_core::RoomId;
use chat_protocol::Spelling;
use chat_protocol::close::Close;
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::{Hello, Subscribe, Token};
use chat_protocol::room_ref::RoomRef;
use serde::Deserialize;
use tokio::sync::oneshot;

use super::api;
use crate::auth::limiter::Whence;
use crate::desk::Desk;
use crate::engineio::Cors;
use crate::events::{Cursor, ROOMS_MAX, pipe};
use crate::http::auth::bearer;
use crate::http::problem::Problem;
use crate::http::upgrade::{address, is_welcome, place};
use crate::listener::Streamed;
use crate::node::{Node, RECONNECT_MS};
use crate::session::Listener;

/// What is listened to.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// Rooms by their numbers or aliases, commas between them; all of the user's if absent.
    rooms: Option<String>,
}

/// Where a reader has come to who comes back.
const LAST_EVENT_ID: &str = "last-event-id";

/// Answers with what happens from here on, or from where the reader was.
pub(super) async fn listen(
    State(node): State<Node>,
    wish: Result<Query<Wish>, QueryRejection>,
    request: Request,
) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    let answered = answer(&node, wish, request).await;
    let mut response = answered.unwrap_or_else(IntoResponse::into_response);
    cors(&node).tell(origin, None, response.headers_mut());
    response
}

/// Tells a browser whose pages may listen.
pub(super) async fn may_listen(State(node): State<Node>, headers: HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let origin = headers.get(ORIGIN).cloned();
    cors(&node).tell(origin, asked, response.headers_mut());
    response
}

fn cors(node: &Node) -> Cors {
    let origins = &node.config().origins;
    if origins.iter().any(|origin| origin == "*") {
        Cors::Everybody
    } else {
        Cors::Origins(origins.clone())
    }
}

async fn answer(
    node: &Node,
    wish: Result<Query<Wish>, QueryRejection>,
    mut request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers();
    if !is_welcome(headers, &node.config().origins) {
        let words = format!("{}\n", Close::OriginRefused.why());
        return Ok((StatusCode::FORBIDDEN, words).into_response());
    }
    let Query(wish) = wish.map_err(|_| Refusal::bad_argument("rooms"))?;
    let cursor = last_event_id(headers)?;
    let token = Token::new(bearer(headers)?.to_owned());
    let identity = api::who(node, headers).await?;
    let address = address(&request);
    let whence = Whence::of(address);
    node.spend(identity.user, whence)?;
    let actor = identity.actor();
    let desk = Desk {
        node,
        actor: &actor,
        from: None,
        whence: Some(whence),
    };
    let hello = hello(&desk, token, wish, cursor).await?;
    let place = place(node, &mut request)?;
    let (pipe, body) = pipe();
    let (answer, answered) = oneshot::channel();
    let listener = Listener {
        pipe,
        hello,
        address,
        place,
        answer,
    };
    let stopping = || Refusal::new(Code::ShuttingDown).with_retry(RECONNECT_MS);
    let sent = node.worker_for_connection().listeners.send(listener).await;
    sent.map_err(|_| stopping())?;
    answered.await.map_err(|_| stopping())??;
    let headers = [
        (CONTENT_TYPE.as_str(), "text/event-stream"),
        (CACHE_CONTROL.as_str(), "no-store"),
        // A proxy that gathers what it passes on would keep everything.
        ("x-accel-buffering", "no"),
    ];
    Ok((headers, Extension(Streamed), Body::new(body)).into_response())
}

/// What the request says, as a hello.
async fn hello(
    desk: &Desk<'_>,
    token: Token,
    wish: Wish,
    mut cursor: Option<Cursor>,
) -> Result<Hello, Refusal> {
    let subscribe = match wish.rooms {
        None => Subscribe::Mine,
        Some(words) => {
            let rooms = named(desk, &words).await?;
            if let Some(cursor) = &mut cursor {
                cursor.keep(&rooms);
            }
            Subscribe::Rooms(rooms)
        }
    };
    Ok(Hello {
        token: Some(token),
        resume: cursor.map(|cursor| cursor.positions()).unwrap_or_default(),
        subscribe,
        ..Hello::default()
    })
}

/// The rooms that a list of words means.
async fn named(desk: &Desk<'_>, words: &str) -> Result<Vec<RoomId>, Refusal> {
    let words: Vec<&str> = words.split(',').map(str::trim).collect();
    if words.len() > ROOMS_MAX {
        return Err(Refusal::new(Code::TooMany).with_detail("max", ROOMS_MAX as u64));
    }
    let mut rooms = Vec::with_capacity(words.len());
    for word in words {
        let number = word.parse::<u64>().ok();
        let id = number.and_then(|number| RoomId::try_from(number).ok());
        let room = id.map_or_else(|| RoomRef::read(Spelling::Number, word), RoomRef::id);
        rooms.push(desk.find(&room).await?);
    }
    Ok(rooms)
}

/// Where the reader was. What can't be read isn't passed over: he would miss what he has come for, and
/// not know.
fn last_event_id(headers: &HeaderMap) -> Result<Option<Cursor>, Refusal> {
    let mut values = headers.get_all(LAST_EVENT_ID).iter();
    let (value, None) = (values.next(), values.next()) else {
        return Err(Refusal::bad_frame("there is more than one Last-Event-ID"));
    };
    // Nothing is what a reader has who has heard nothing.
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let cursor = value.to_str().ok().and_then(Cursor::read);
    let refused = "the Last-Event-ID is none that was sent with an event; come without it";
    cursor.map(Some).ok_or_else(|| Refusal::bad_frame(refused))
}
