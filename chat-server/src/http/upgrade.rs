//! The WebSocket handshake (RFC 6455, section 4.2), and whose pages may make it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::header::{
    CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chat_protocol::close::Close;
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::Token;
use chat_protocol::dialect::Dialect;
use chat_protocol::http::Site;
use hyper::upgrade::OnUpgrade;
use tungstenite::handshake::derive_accept_key;

use crate::http::problem::Problem;
use crate::http::{older, rest};
use crate::listener::Carried;
use crate::node::Node;
use crate::places::Connected;
use crate::session::Arrival;

/// Where connections come in.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) node: Node,
    /// The dialect that is spoken behind it; if any may be, the first frame tells.
    pub(super) dialect: Option<Dialect>,
    /// Whether nothing else is spoken there, over HTTP neither.
    pub(super) bound: bool,
}

impl Door {
    /// The dialect that a client wants to speak, if what it asks for tells.
    fn dialect(&self, uri: &Uri, headers: &HeaderMap) -> Option<Dialect> {
        let native = self.dialect == Some(Dialect::Native) && !speaks(headers);
        let anything = self.dialect.is_none() && uri.path() == "/ws";
        if (native || anything) && !self.bound && rest::is_meant(uri) {
            return Some(Dialect::Rest);
        }
        self.dialect
    }
}

/// What to do about a page that may not connect.
const PAGES: &str =
    "the operator names the pages of other origins (--origins https://chat.example)";

/// The subprotocol of the native dialect.
const SUBPROTOCOL: &str = "chat.v1.json";

/// Answers a handshake and hands the connection to a worker.
pub(super) async fn handle(State(door): State<Door>, mut request: Request) -> Response {
    let headers = request.headers();
    if !is_upgrade(request.method(), headers) {
        return match door.dialect.and_then(Site::of) {
            Some(site) if door.bound => older::serve(&door.node, site, request).await,
            Some(_) | None => not_a_socket(door.dialect),
        };
    }
    if !headers.contains_key(SEC_WEBSOCKET_KEY) {
        return refused(StatusCode::BAD_REQUEST, "a handshake needs a key");
    }
    let Some(key) = accept_key(headers) else {
        let version = [(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))];
        return (StatusCode::UPGRADE_REQUIRED, version).into_response();
    };
    let dialect = door.dialect(request.uri(), headers);
    let native = dialect == Some(Dialect::Native);
    let strict = native || !door.node.config().origins.is_empty();
    if strict && !is_welcome(headers, &door.node.config().origins) {
        let words = format!("{}: {PAGES}", Close::OriginRefused.why());
        return refused(StatusCode::FORBIDDEN, &words);
    }
    if door.node.is_stopping() {
        return Problem::from(Refusal::new(Code::ShuttingDown)).into_response();
    }
    let address = address(&request);
    let silent = match door.node.hush(address) {
        Ok(silent) => silent,
        Err(refusal) => return Problem::from(refusal).into_response(),
    };
    let (token, room) = if dialect == Some(Dialect::Rest) {
        let admitted = rest::admit(&door.node, request.uri(), request.headers(), address).await;
        match admitted {
            Ok((token, room)) => (Some(token), Some(room)),
            Err(refusal) => return older::respond(Site::Rest, Site::Rest.refuse(&refusal)),
        }
    } else {
        let header = || crate::http::auth::bearer(request.headers()).ok();
        let token = token_of(dialect, request.uri());
        (token.or_else(|| header().map(Token::new)), None)
    };
    let speaks = speaks(request.headers());
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return refused(
            StatusCode::UPGRADE_REQUIRED,
            "this connection can't be upgraded",
        );
    };
    let place = match place(&door.node, &mut request) {
        Ok(place) => place,
        Err(refusal) => return Problem::from(refusal).into_response(),
    };
    let page = foreign_page(request.headers(), &door.node.config().origins);
    let arrival = Arrival {
        page: page.map(String::into_boxed_str),
        upgrade,
        dialect,
        address,
        token,
        room,
        silent,
        place,
    };
    let arrivals = &door.node.worker_for_connection().arrivals;
    if arrivals.send(arrival).await.is_err() {
        return Problem::from(Refusal::new(Code::ShuttingDown)).into_response();
    }
    switch(&key, (native && speaks).then_some(SUBPROTOCOL))
}

/// The proof that a handshake was read; none if it isn't one of the version that is spoken.
pub(crate) fn accept_key(headers: &HeaderMap) -> Option<String> {
    let version = headers.get(SEC_WEBSOCKET_VERSION)?;
    let key = headers.get(SEC_WEBSOCKET_KEY)?;
    (version == "13").then(|| derive_accept_key(key.as_bytes()))
}

/// The answer after which the connection is a WebSocket.
pub(crate) fn switch(accept: &str, subprotocol: Option<&'static str>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(accept) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(subprotocol) = subprotocol {
        let subprotocol = HeaderValue::from_static(subprotocol);
        headers.insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    response
}

/// Whether a request asks for a WebSocket.
pub(crate) fn is_upgrade(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::GET
        && has_word(headers, &CONNECTION, "upgrade")
        && has_word(headers, &UPGRADE, "websocket")
}

/// Whether one of a header's comma-separated words is this one.
fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|it| it.trim().eq_ignore_ascii_case(word))
}

/// Whether a client asks for the native dialect by name.
fn speaks(headers: &HeaderMap) -> bool {
    has_word(headers, &SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL)
}

/// The origin of the page that a request comes from, if it is neither one of the server's own nor
/// one that is allowed.
pub(crate) fn foreign_page(headers: &HeaderMap, allowed: &[String]) -> Option<String> {
    let said = || {
        let origins = headers.get_all(ORIGIN).iter();
        let origins = origins.map(|origin| String::from_utf8_lossy(origin.as_bytes()));
        origins.collect::<Vec<_>>().join(" ")
    };
    (!is_welcome(headers, allowed)).then(said)
}

/// Whether a page of this origin may connect: one of the server's own, one that is allowed, or no
/// page at all.
pub(crate) fn is_welcome(headers: &HeaderMap, allowed: &[String]) -> bool {
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("origin_unchecked") {
        return true;
    }
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return true;
    };
    let (Ok(origin), None) = (origin.to_str(), origins.next()) else {
        return false;
    };
    if allowed
        .iter()
        .any(|it| it == "*" || it.trim_end_matches('/').eq_ignore_ascii_case(origin))
    {
        return true;
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let (Some(host), Some((scheme, authority))) = (host, origin.split_once("://")) else {
        return false;
    };
    // What is https to a page may be http here, behind a proxy; other schemes are no pages of ours.
    matches!(scheme, "http" | "https") && host.eq_ignore_ascii_case(authority)
}

/// The token of a query, where the dialect has it there.
fn token_of(dialect: Option<Dialect>, uri: &Uri) -> Option<Token> {
    match dialect {
        Some(Dialect::Actions) | None => {}
        Some(
            Dialect::Native | Dialect::Rooms | Dialect::Socketio | Dialect::Rest | Dialect::Groups,
        ) => return None,
    }
    let Query(fields) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let token = fields.into_iter().find(|(name, _)| name == "token");
    token
        .map(|(_, token)| Token::new(token))
        .filter(|token| !token.expose().is_empty())
}

/// Where a request comes from.
pub(crate) fn address(request: &Request) -> IpAddr {
    request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip())
}

/// The place of a request's connection, if we accepted it; of its client's own, if a proxy's
/// connection carries it.
pub(crate) fn place(node: &Node, request: &mut Request) -> Result<Option<Arc<Connected>>, Refusal> {
    let client = address(request);
    let extensions = request.extensions_mut();
    let is_carried = extensions.get::<Carried>().is_some();
    match extensions.remove::<Arc<Connected>>() {
        Some(below) if is_carried => Ok(Some(Arc::new(node.carry(client, below)?))),
        place => Ok(place),
    }
}

fn not_a_socket(dialect: Option<Dialect>) -> Response {
    match dialect {
        Some(_) => refused(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket"),
        None => refused(StatusCode::NOT_FOUND, "there is nothing here"),
    }
}

fn refused(status: StatusCode, words: &str) -> Response {
    (status, format!("{words}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("chat.example:8080"));
        headers.extend(origin.map(|origin| (ORIGIN, HeaderValue::from_static(origin))));
        headers
    }

    #[test]
    fn pages_of_other_origins_are_welcome_only_if_they_are_named() {
        let allowed = ["https://front.example".to_owned()];
        for (origin, welcome) in [
            (None, true),
            (Some("http://chat.example:8080"), true),
            (Some("https://front.example"), true),
            (Some("https://front.example.evil"), false),
            (Some("http://chat.example"), false),
            (Some("null"), false),
        ] {
            assert_eq!(
                is_welcome(&headers(origin), &allowed),
                welcome,
                "{origin:?}"
            );
        }
    }
}
