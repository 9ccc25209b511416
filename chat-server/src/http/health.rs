//! Whether the server is alive and ready, and what it counts.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::node::Node;
use crate::store::StoreError;

/// Whether the process answers at all.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether it can do its work.
pub(super) async fn ready(State(node): State<Node>) -> Response {
    if node.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n").into_response();
    }
    let patience = Duration::from_millis(node.limits().append_ms_max);
    let silent = |_| StoreError::Unavailable("the store doesn't answer".into());
    let checked = tokio::time::timeout(patience, node.store().check()).await;
    match checked.map_err(silent).flatten() {
        Ok(()) => "ok\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "storage is unavailable\n").into_response()
        }
    }
}

/// What is counted, in the OpenMetrics text format.
pub(super) async fn metrics(State(node): State<Node>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], node.metrics().encode()).into_response()
}
