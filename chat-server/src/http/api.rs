//! The native dialect over plain HTTP: frames in, frames out, and the lists that pages ask for.

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chat_core::{Actor, Cid, RoomId, Seq, Text};
use chat_protocol::answer::Answer;
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::{History, Op, Place};
use chat_protocol::dialect::{Call, Dialect, Form};
use chat_protocol::room_ref::RoomRef;
use serde::Deserialize;

use crate::auth::Identity;
use crate::auth::limiter::Whence;
use crate::desk::Desk;
use crate::http::auth::{bearer, whence};
use crate::http::events;
use crate::http::problem::Problem;
use crate::node::Node;

/// Commands and questions over HTTP.
pub(super) fn router(node: &Node) -> Router {
    Router::new()
        .route("/v1/cmd", post(commands))
        .route("/v1/rooms", get(rooms))
        .route("/v1/rooms/{id}/messages", get(messages))
        .route("/v1/search", get(search))
        .route(
            "/v1/events",
            get(events::listen).options(events::may_listen),
        )
        .layer(DefaultBodyLimit::max(node.limits().http_body_bytes_max))
        .with_state(node.clone())
}

/// Frames that one request may hold.
const CALLS_MAX: usize = 100;

/// Carries out the frames of a body, one after the other.
async fn commands(
    State(node): State<Node>,
    headers: HeaderMap,
    extensions: Extensions,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Problem> {
    let identity = who(&node, &headers).await?;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Refusal::too_large(node.limits().http_body_bytes_max as u64)
        }
        _ => Refusal::bad_frame("the body can't be read"),
    })?;
    let text = std::str::from_utf8(&body).map_err(|_| Refusal::bad_frame("the body is no text"))?;
    let key = match headers.get("idempotency-key") {
        Some(key) => Some(cid(key.to_str().unwrap_or_default())?),
        None => None,
    };
    let mut calls = Vec::new();
    Dialect::Native.decode(text, Form::Text, &mut calls);
    if calls.is_empty() || calls.len() > CALLS_MAX {
        return Err(Refusal::bad_frame(format!("a request holds 1 to {CALLS_MAX} frames")).into());
    }
    if key.is_some() && calls.len() > 1 {
        return Err(Refusal::bad_frame("an idempotency key goes with one frame").into());
    }
    let from = whence(&extensions, None);
    let mut replies = Vec::new();
    for call in calls {
        let Call { ticket, op } = call;
        let answer = match op {
            Ok(op) => perform(&node, &identity, from, with_key(op, key.as_ref())).await,
            Err(refusal) => Err(refusal),
        };
        ticket.answer(&answer, &mut |reply| {
            if !replies.is_empty() {
                replies.push(b'\n');
            }
            replies.extend_from_slice(reply);
        });
    }
    Ok(([(CONTENT_TYPE, "application/json")], replies).into_response())
}

/// The rooms that one is a member of.
async fn rooms(
    State(node): State<Node>,
    part: Result<Query<Part>, QueryRejection>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, Problem> {
    let identity = who(&node, &headers).await?;
    let Query(part) = part.map_err(|_| Refusal::bad_argument("after"))?;
    let after = part.after;
    let from = whence(&extensions, None);
    Ok(ok(
        &query(&node, &identity, from, Op::Rooms { after }).await?
    ))
}

#[derive(Deserialize)]
struct Part {
    after: Option<RoomId>,
}

#[derive(Deserialize)]
struct Range {
    before: Option<u64>,
    after: Option<u64>,
    around: Option<u64>,
    thread: Option<u64>,
    limit: Option<u64>,
}

/// A page of a room's history.
async fn messages(
    State(node): State<Node>,
    Path(room): Path<String>,
    range: Result<Query<Range>, QueryRejection>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, Problem> {
    let identity = who(&node, &headers).await?;
    let Query(range) =
        range.map_err(|_| Refusal::bad_argument("before").with_words("the query can't be read"))?;
    let room = room
        .parse::<u64>()
        .ok()
        .and_then(|room| RoomId::try_from(room).ok());
    let room = RoomRef::id(room.ok_or_else(|| Refusal::new(Code::RoomNotFound))?);
    let place = match (range.before, range.after, range.around) {
        (None, None, None) => Place::Newest,
        (Some(seq), None, None) => Place::Before(position("before", seq)?),
        (None, Some(seq), None) => Place::After(position("after", seq)?),
        (None, None, Some(seq)) => Place::Around(position("around", seq)?),
        (_, _, _) => return Err(Refusal::bad_argument("before").into()),
    };
    let thread = range.thread.map(|seq| position("thread", seq));
    let history = History {
        room,
        place,
        thread: thread.transpose()?,
        limit: range.limit,
    };
    let from = whence(&extensions, None);
    Ok(ok(
        &query(&node, &identity, from, Op::History(history)).await?
    ))
}

/// A position that a client names, if there may be such a one.
fn position(name: &str, seq: u64) -> Result<Seq, Refusal> {
    Seq::try_from(seq).map_err(|_| Refusal::bad_argument(name))
}

#[derive(Deserialize)]
struct Search {
    q: String,
    room: Option<u64>,
    before: Option<u64>,
    cursor: Option<String>,
    limit: Option<u64>,
}

/// Messages that say something.
async fn search(
    State(node): State<Node>,
    search: Result<Query<Search>, QueryRejection>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, Problem> {
    let identity = who(&node, &headers).await?;
    let Query(search) =
        search.map_err(|_| Refusal::bad_argument("q").with_words("the query can't be read"))?;
    let text = |name: &str, text: String| Text::new(text).map_err(|_| Refusal::bad_argument(name));
    let room = match search.room.map(RoomId::try_from) {
        None => None,
        Some(Ok(room)) => Some(RoomRef::id(room)),
        Some(Err(_)) => return Err(Refusal::new(Code::RoomNotFound).into()),
    };
    let before = search.before.map(|seq| position("before", seq));
    let op = Op::Search {
        text: text("q", search.q)?,
        room,
        before: before.transpose()?,
        cursor: search
            .cursor
            .map(|cursor| text("cursor", cursor))
            .transpose()?,
        limit: search.limit,
    };
    let from = whence(&extensions, None);
    Ok(ok(&query(&node, &identity, from, op).await?))
}

/// Does what can be done without a socket.
async fn perform(
    node: &Node,
    identity: &Identity,
    from: Whence<'_>,
    op: Op,
) -> Result<Answer, Refusal> {
    let Op::InRoom { room, cid, command } = op else {
        return query(node, identity, from, op).await;
    };
    node.spend(identity.user, from)?;
    let actor = identity.actor();
    let desk = Desk {
        whence: Some(from),
        ..desk(node, &actor)
    };
    desk.command_from(from, room.as_ref(), cid, command).await
}

async fn query(
    node: &Node,
    identity: &Identity,
    from: Whence<'_>,
    op: Op,
) -> Result<Answer, Refusal> {
    node.spend(identity.user, from)?;
    let actor = identity.actor();
    let answer = desk(node, &actor).query(op).await;
    answer.unwrap_or_else(|| Err(Refusal::bad_frame("this needs a WebSocket")))
}

fn desk<'a>(node: &'a Node, actor: &'a Actor) -> Desk<'a> {
    Desk {
        node,
        actor,
        from: None,
        whence: None,
    }
}

/// Who asks, if he may.
pub(super) async fn who(node: &Node, headers: &HeaderMap) -> Result<Identity, Problem> {
    let identity = node.authenticate(bearer(headers)?).await?;
    if identity.suspended {
        return Err(Refusal::new(Code::Suspended).into());
    }
    Ok(identity)
}

fn cid(text: &str) -> Result<Cid, Problem> {
    Cid::new(text).map_err(|_| Refusal::bad_argument("cid").into())
}

/// The op with the request's key as its cid, if it has none of its own.
fn with_key(mut op: Op, key: Option<&Cid>) -> Op {
    if let Op::InRoom {
        cid: cid @ None, ..
    } = &mut op
    {
        *cid = key.cloned();
    }
    op
}

fn ok(answer: &Answer) -> Response {
    match serde_json::to_vec(answer) {
        Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer can't be written");
            Problem::from(Refusal::new(Code::Unavailable)).into_response()
        }
    }
}
