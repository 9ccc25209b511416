//! What is spoken over HTTP, and the way from there to a WebSocket.

pub mod auth;
pub mod problem;

mod account;
mod admin;
mod api;
mod events;
mod health;
mod older;
mod openapi;
mod rest;
mod socketio;
pub(crate) mod upgrade;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use chat_protocol::close::Close;
use chat_protocol::code::{Code, Refusal};
use chat_protocol::dialect::Dialect;

use crate::auth::Revocation;
use crate::http::problem::Problem;
use crate::http::upgrade::Door;
use crate::node::{Node, RECONNECT_MS};

/// Everything that is served to clients. A listener that is bound to a dialect speaks it on every
/// path, over HTTP as well if the dialect does.
pub(crate) fn router(node: &Node, dialect: Option<Dialect>) -> Router {
    let bound = dialect.is_some();
    let door = |dialect| Door {
        node: node.clone(),
        dialect,
        bound,
    };
    if dialect == Some(Dialect::Socketio) {
        return socketio::test_tokens(node).fallback(socketio::lines(node));
    }
    if bound {
        return Router::new().fallback(any(upgrade::handle).with_state(door(dialect)));
    }
    Router::new()
        .route(
            "/v1/ws",
            any(upgrade::handle).with_state(door(Some(Dialect::Native))),
        )
        .route(
            "/chat",
            any(upgrade::handle).with_state(door(Some(Dialect::Actions))),
        )
        .route("/socket.io", socketio::lines(node))
        .route("/socket.io/", socketio::lines(node))
        .merge(socketio::test_tokens(node))
        .merge(in_time(accounts(node), node))
        .merge(in_time(api::router(node), node))
        .merge(older::router(node))
        .merge(account::router(node))
        .merge(openapi::router())
        .merge(admin_routes(node, node.config().admin_listen.is_none()))
        .fallback(any(upgrade::handle).with_state(door(None)))
}

/// Gives up on requests that take too long: most likely their bodies don't come.
fn in_time(router: Router, node: &Node) -> Router {
    let limit = Duration::from_millis(node.limits().request_ms_max);
    router.layer(from_fn(move |request: Request, next: Next| async move {
        let response = tokio::time::timeout(limit, next.run(request)).await;
        response.unwrap_or_else(|_| {
            let refusal = Refusal::new(Code::Unavailable).with_words("the request took too long");
            Problem::from(refusal.with_retry(RECONNECT_MS)).into_response()
        })
    }))
}

/// What is served to operators.
pub(crate) fn admin_router(node: &Node) -> Router {
    admin_routes(node, true).merge(admin::router(node))
}

fn admin_routes(node: &Node, metrics: bool) -> Router {
    let router = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready).with_state(node.clone()));
    if metrics {
        router.route("/metrics", get(health::metrics).with_state(node.clone()))
    } else {
        router
    }
}

fn accounts(node: &Node) -> Router {
    let revoker = node.clone();
    let on_revoked = Arc::new(move |revocation: Revocation| {
        let node = revoker.clone();
        let told = async move { node.revoke(&revocation, Close::Unauthenticated).await };
        Box::pin(told) as auth::Closing
    });
    auth::router(
        node.accounts().clone(),
        node.authenticator().clone(),
        on_revoked,
        node.limits(),
    )
}
