//! Where sessions over Socket.IO come in, and tokens for whoever tries that.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use chat_protocol::Dialect;

use crate::engineio::{self, Cors, Door};
use crate::node::Node;

/// Where clients look for it.
pub(super) const PATHS: [&str; 2] = ["/socket.io", "/socket.io/"];

/// Whose pages may poll whatever is configured: front ends at their authors' desks.
const PAGES: [&str; 2] = ["http://localhost:3001", "http://127.0.0.1:3001"];

/// Where the sessions come in.
pub(super) fn lines(node: &Node) -> MethodRouter {
    engineio::serve(door(node))
}

/// The same, for requests that needn't be routed there.
pub(super) fn door(node: &Node) -> Arc<Door> {
    let configured = &node.config().origins;
    let settings = engineio::Settings {
        outbox_bytes_max: node.limits().outbox_bytes_max,
        cors: cors(node),
        ..engineio::Settings::default()
    };
    let welcome = (!configured.is_empty()).then(|| origins(node));
    Arc::new(Door {
        node: node.clone(),
        // However often the server is mounted, its sessions are the same.
        number: 0,
        settings: Arc::new(settings),
        host: Arc::new(crate::session::Chat(Dialect::Socketio)),
        welcome,
        stranger_bytes_max: node.limits().frame_unauthenticated_bytes_max,
    })
}

/// Gives a token of a test user to everybody who asks, if that is switched on.
pub(super) fn test_tokens(node: &Node) -> Router {
    if !node.config().test_tokens {
        return Router::new();
    }
    Router::new().route("/test-token", get(test_token).with_state(node.clone()))
}

async fn test_token(State(node): State<Node>, headers: HeaderMap) -> Response {
    let mut response = match node.accounts().test_token() {
        Ok(token) => Json(serde_json::json!({"token": token.expose()})).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    let origin = headers.get(ORIGIN).cloned();
    let told = response.headers_mut();
    told.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    cors(&node).tell(origin, None, told);
    response
}

fn cors(node: &Node) -> Cors {
    let origins = origins(node);
    if origins.iter().any(|origin| origin == "*") {
        Cors::Everybody
    } else {
        Cors::Origins(origins)
    }
}

fn origins(node: &Node) -> Vec<String> {
    let configured = node.config().origins.iter().cloned();
    configured.chain(PAGES.map(str::to_owned)).collect()
}
