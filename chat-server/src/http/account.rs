//! The end of an account, by its owner's wish.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::StatusCode;
use axum::routing::delete;
use chat_core::Password;
use chat_protocol::code::{Code, Refusal};
use serde::Deserialize;

use crate::http::auth::{bearer, whence};
use crate::http::problem::Problem;
use crate::node::{Node, RECONNECT_MS, carry_out};

/// The account of whoever asks.
pub(super) fn router(node: &Node) -> Router {
    Router::new()
        .route("/v1/account", delete(erase))
        .layer(DefaultBodyLimit::max(node.limits().http_body_bytes_max))
        .with_state(node.clone())
}

#[derive(Default, Deserialize)]
struct Wish {
    password: Option<Password>,
    device: Option<String>,
}

/// Erases the account and all that was written by it.
async fn erase(State(node): State<Node>, request: Request) -> Result<StatusCode, Problem> {
    let identity = node.authenticate(bearer(request.headers())?).await?;
    let extensions = request.extensions().clone();
    // What follows takes as long as it takes; the client has its time for the body alone.
    let limit = Duration::from_millis(node.limits().request_ms_max);
    let body = tokio::time::timeout(limit, Bytes::from_request(request, &node)).await;
    let late = |_| Refusal::new(Code::Unavailable).with_words("the request took too long");
    let body = body.map_err(|it| late(it).with_retry(RECONNECT_MS))?;
    let body = body.map_err(|_| Refusal::bad_frame("the body can't be read"))?;
    let wish = match body.is_empty() {
        true => Wish::default(),
        // The parser's own words may quote a password.
        false => serde_json::from_slice(&body)
            .map_err(|_| Refusal::bad_frame("the body is not the JSON that is asked for here"))?,
    };
    carry_out(async move {
        let whence = whence(&extensions, wish.device.as_deref());
        let ended = node
            .accounts()
            .erase_own(&identity, wish.password.as_ref(), whence)
            .await?;
        crate::erasing::part(&node, &ended).await;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
