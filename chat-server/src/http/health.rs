//! Whether the server is alive and ready, and what it counts.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::node::Node;

/// Whether the process answers at all.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether it can do its work.
pub(super) async fn ready(State(node): State<Node>) -> Response {
    if node.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n").into_response();
    }
    if node.is_store_ready().await {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "storage is unavailable\n").into_response()
    }
}

/// What is counted, in the OpenMetrics text format.
pub(super) async fn metrics(State(node): State<Node>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], node.metrics().encode()).into_response()
}
