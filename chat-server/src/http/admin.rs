//! What an operator does to a running server: at his own address only, and with his token.

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use chat_protocol::code::{Code, Refusal};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use crate::auth::AuthError;
use crate::http::auth::bearer;
use crate::http::problem::Problem;
use crate::node::Node;

/// What can be done; nothing where no token is configured.
pub(super) fn router(node: &Node) -> Router {
    if node.config().admin_token.is_none() {
        return Router::new();
    }
    Router::new()
        .route("/admin/suspend", post(suspend))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(node.clone())
}

const BODY_BYTES_MAX: usize = 4 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suspension {
    /// The account's name, handle or e-mail address.
    name: String,
    /// Whether it may act again.
    #[serde(default)]
    lift: bool,
}

/// Suspends an account; its live sessions have ended when this is answered.
async fn suspend(
    State(node): State<Node>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    check(&node, &headers)?;
    let unread = || Refusal::bad_frame("the body is not the JSON that is asked for here");
    let body = body.map_err(|_| unread())?;
    let Suspension { name, lift } = serde_json::from_slice(&body).map_err(|_| unread())?;
    let account = node.store().find_account(&name).await;
    let account = account.map_err(AuthError::from)?;
    let account = account.ok_or(AuthError::UserNotFound)?;
    match lift {
        true => node.accounts().reinstate(account.user).await?,
        false => node.suspend(account.user).await?,
    }
    tracing::info!(user = %account.user, suspended = !lift, "an operator decided on an account");
    Ok(StatusCode::NO_CONTENT)
}

/// Whether it is an operator who asks. No page of a browser has any business here.
fn check(node: &Node, headers: &HeaderMap) -> Result<(), Refusal> {
    let refused = || Refusal::new(Code::Unauthenticated);
    let expected = node.config().admin_token.as_ref().ok_or_else(refused)?;
    let given = bearer(headers).map_err(|_| refused())?;
    let fits: bool = given.as_bytes().ct_eq(expected.expose().as_bytes()).into();
    #[cfg(sabotage)]
    let fits = fits || chat_core::sabotage::planted("admin_token_unchecked");
    if fits && !headers.contains_key(ORIGIN) {
        Ok(())
    } else {
        Err(refused())
    }
}
