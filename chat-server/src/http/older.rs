//! The older dialects over plain HTTP: what a codec reads is done here, as whoever sent it.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW,
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::any;
use chat_core::commands::Join;
use chat_core::{Actor, Name, RoomId};
use chat_protocol::answer::{Answer, Mode, RoomCard};
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::{Enter, NameRule, Op};
use chat_protocol::http::{Asked, Proof, Reply, Request as Read, Site};
use chat_protocol::room_ref::RoomRef;
use http_body_util::{BodyExt, Limited};

use crate::auth::Identity;
use crate::auth::limiter::Whence;
use crate::desk::{Desk, no_room, older};
use crate::http::upgrade::{address, foreign_page};
use crate::node::{Node, RECONNECT_MS};

/// All dialects that have a face over HTTP, each below its path.
pub(super) fn router(node: &Node) -> Router {
    let mut router = Router::new();
    for site in Site::ALL {
        let handle = move |State(node): State<Node>, request: Request| async move {
            serve(&node, site, request).await
        };
        for below in ["", "/", "/{*rest}"] {
            router = router.route(&format!("{}{below}", site.path()), any(handle));
        }
    }
    router.with_state(node.clone())
}

/// Answers a request, in bounded time.
pub(super) async fn serve(node: &Node, site: Site, request: Request) -> Response {
    if request.method() == Method::OPTIONS {
        let nothing = Response::new(Body::empty());
        return dressed(site, nothing, StatusCode::NO_CONTENT);
    }
    let limit = Duration::from_millis(node.limits().request_ms_max);
    let reply = tokio::time::timeout(limit, reply(node, site, request)).await;
    respond(
        site,
        reply.unwrap_or_else(|_| {
            let refusal = Refusal::new(Code::Unavailable).with_words("the request took too long");
            site.refuse(&refusal.with_retry(RECONNECT_MS))
        }),
    )
}

/// A reply as a response, with what browsers want to know about it.
pub(super) fn respond(site: Site, reply: Reply) -> Response {
    let Reply {
        status,
        allow,
        body,
    } = reply;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = dressed(site, Response::new(Body::from(body)), status);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Tokens, and what somebody alone may read.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(methods) = allow {
        headers.insert(ALLOW, HeaderValue::from_static(methods));
    }
    response
}

fn dressed(site: Site, mut response: Response, status: StatusCode) -> Response {
    *response.status_mut() = status;
    let cors = site.cors();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, cors.methods),
        (ACCESS_CONTROL_ALLOW_HEADERS, cors.headers),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

async fn reply(node: &Node, site: Site, request: Request) -> Reply {
    let address = address(&request);
    let (head, body) = request.into_parts();
    let page = foreign_page(&head.headers, &node.config().origins);
    let whence = Whence::of(address).on_page(page.as_deref());
    let bytes_max = node.limits().http_body_bytes_max;
    let Ok(body) = Limited::new(body, bytes_max).collect().await else {
        return site.refuse(&Refusal::too_large(bytes_max as u64));
    };
    let path = decoded(head.uri.path());
    let asked = site.ask(&Read {
        method: head.method.as_str(),
        path: path.as_deref().unwrap_or_else(|| head.uri.path()),
        authorization: authorization(&head.headers),
        body: &body.to_bytes(),
    });
    let Asked { ticket, proof, op } = match asked {
        Ok(asked) => asked,
        Err(reply) => return reply,
    };
    let answer = Counter { node, whence }.answer(proof, op).await;
    if let Err(refusal) = &answer {
        node.metrics().refused(refusal.class);
    }
    ticket.reply(&answer)
}

/// What the one `Authorization` header says.
pub(super) fn authorization(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        (_, _) => None,
    }
}

/// A path without its escapes (RFC 3986, section 2.1); none if it isn't text then.
fn decoded(path: &str) -> Option<String> {
    let digit = |byte: u8| {
        let digit = char::from(byte).to_digit(16);
        digit.and_then(|digit| u8::try_from(digit).ok())
    };
    let mut bytes = path.bytes();
    let mut decoded = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Where somebody is served who has no socket.
pub(super) struct Counter<'a> {
    pub(super) node: &'a Node,
    pub(super) whence: Whence<'a>,
}

impl Counter<'_> {
    /// Does what is asked for, if whoever asks is known where he has to be.
    async fn answer(&self, proof: Proof, op: Result<Op, Refusal>) -> Result<Answer, Refusal> {
        let identity = match proof {
            Proof::Unasked => None,
            proof @ (Proof::Missing | Proof::Token(_)) => Some(self.who(&proof).await?),
        };
        let (node, whence) = (self.node, self.whence);
        let op = op?;
        let signed_in = if let Op::LogIn {
            login,
            password,
            make,
        } = &op
        {
            older::log_in(node, login, password, *make, whence).await?
        } else if let Op::SignUp(wish) = &op {
            older::sign_up(node, wish, whence).await?
        } else {
            let identity = identity.ok_or_else(|| Refusal::new(Code::Unauthenticated))?;
            return self.perform(&identity.actor(), op).await;
        };
        let card = older::signed_in(node, &signed_in.identity, &signed_in.access).await?;
        Ok(Answer::SignedIn(Box::new(card)))
    }

    /// Who a proof stands for; a command is taken off his budget.
    pub(super) async fn who(&self, proof: &Proof) -> Result<Identity, Refusal> {
        let Proof::Token(token) = proof else {
            return Err(Refusal::new(Code::Unauthenticated));
        };
        let identity = self.node.authenticate(token.expose()).await?;
        if identity.suspended {
            return Err(Refusal::new(Code::Suspended));
        }
        self.node.spend(identity.user, self.whence)?;
        Ok(identity)
    }

    async fn perform(&self, actor: &Actor, op: Op) -> Result<Answer, Refusal> {
        let desk = self.desk(actor);
        if let Op::Found { command } = op {
            desk.found_once(command).await
        } else if let Op::Enter(wish) = op {
            let (room, already) = self.join(actor, &wish).await?;
            Ok(Answer::Entered {
                room: Box::new(room),
                name: actor.name.clone(),
                already,
            })
        } else if let Op::Transcript { room, limit } = op {
            self.transcript(actor, &room, limit).await
        } else {
            let answer = desk.query(op).await;
            answer.unwrap_or_else(|| Err(Refusal::bad_frame("this needs a WebSocket")))
        }
    }

    fn desk<'a>(&'a self, actor: &'a Actor) -> Desk<'a> {
        Desk {
            node: self.node,
            actor,
            from: None,
            whence: Some(self.whence),
        }
    }

    /// Makes somebody with an account a member of a room. Gives the room as it is then, and whether
    /// he was one before.
    async fn join(&self, actor: &Actor, wish: &Enter) -> Result<(RoomCard, bool), Refusal> {
        if actor.id.is_guest() {
            return Err(Refusal::new(Code::NotAMember));
        }
        let skeleton = actor.name.skeleton();
        let other = |name: &Name| name.skeleton() != skeleton;
        if wish.rule == NameRule::Address && wish.name.as_ref().is_some_and(other) {
            let refusal = Refusal::new(Code::PermissionDenied);
            return Err(refusal.with_words("The token is another user's"));
        }
        let desk = self.desk(actor);
        let room = desk.resolve(&wish.room).await?;
        let password = wish.password.clone();
        let join = Join { password }.into();
        let joined = desk
            .command_from(self.whence, Some(&RoomRef::id(room)), None, join)
            .await?;
        let already = matches!(joined, Answer::Done { dup: true, .. });
        let card = older::card(self.node, room).await?;
        Ok((card.ok_or_else(no_room)?, already))
    }

    /// Makes sure that somebody may be in a room: an account becomes a member, a guest may visit
    /// what is open. Gives the room as it is then.
    pub(super) async fn let_in(&self, actor: &Actor, wish: &Enter) -> Result<RoomCard, Refusal> {
        if !actor.id.is_guest() {
            return self.join(actor, wish).await.map(|(room, _)| room);
        }
        let desk = self.desk(actor);
        let room = desk.resolve(&wish.room).await?;
        let card = older::card(self.node, room).await?.ok_or_else(no_room)?;
        if !card.listed {
            desk.query(Op::Room { room: room.into() })
                .await
                .unwrap_or_else(|| Err(no_room()))?;
        }
        if card.access == Mode::Open {
            Ok(card)
        } else {
            Err(Refusal::new(Code::NotAMember))
        }
    }

    /// What was said in a room. Clients read before they enter: whoever reads in an open room is a
    /// member of it.
    async fn transcript(
        &self,
        actor: &Actor,
        room: &RoomRef,
        limit: u64,
    ) -> Result<Answer, Refusal> {
        let desk = self.desk(actor);
        let read = desk.transcript(room, limit).await;
        match read {
            Err(refusal) if refusal.code == Code::NotAMember => {
                let room = desk.resolve(room).await?;
                if !self.is_open(room).await? {
                    return Err(refusal);
                }
                self.join(actor, &Enter::new(room.into(), "")).await?;
                desk.transcript(&room.into(), limit).await
            }
            read => read,
        }
    }

    async fn is_open(&self, room: RoomId) -> Result<bool, Refusal> {
        let card = older::card(self.node, room).await?;
        Ok(card.is_some_and(|card| card.access == Mode::Open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_nothing_else_is() {
        for (path, text) in [
            ("/api/rooms", Some("/api/rooms")),
            ("/a%20b%2Fc+d", Some("/a b/c+d")),
            ("/%D0%BC%d0%B8r", Some("/миr")),
            ("/%", None),
            ("/%4", None),
            ("/%+1", None),
            ("/%ff", None),
        ] {
            assert_eq!(decoded(path).as_deref(), text, "{path}");
        }
    }
}
