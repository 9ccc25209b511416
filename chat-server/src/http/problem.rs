//! Refusals as problem documents (RFC 9457).

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chat_protocol::{Class, Code, Refusal};
use serde::Serialize;
use serde_json::{Map, Value};

/// A refusal as an HTTP response, with the same code, class and details as on a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(pub Refusal);

impl<R: Into<Refusal>> From<R> for Problem {
    fn from(refusal: R) -> Self {
        Self(refusal.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(refusal) = self;
        let status = StatusCode::from_u16(refusal.code.http_status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let document = Document {
            kind: "about:blank",
            title: status.canonical_reason(),
            status: status.as_u16(),
            detail: refusal.msg,
            code: refusal.code,
            class: refusal.class,
            retry_ms: refusal.retry_ms,
            details: refusal.details,
        };
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(retry_ms) = refusal.retry_ms {
            headers.insert(RETRY_AFTER, HeaderValue::from(retry_ms.div_ceil(1_000)));
        }
        response
    }
}

#[derive(Serialize)]
struct Document {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'static str>,
    status: u16,
    detail: String,
    code: Code,
    class: Class,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_ms: Option<u64>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    details: Map<String, Value>,
}
