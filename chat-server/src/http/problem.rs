//! Refusals as problem documents (RFC 9457).

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::auth::AuthError;

/// A refusal, with the same code, class and details as on a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    code: &'static str,
    class: &'static str,
    words: String,
    details: Map<String, Value>,
    retry_ms: Option<u64>,
}

impl Problem {
    /// What arrived can't be read.
    #[must_use]
    pub fn bad_frame(words: &str) -> Self {
        Self {
            code: "bad_frame",
            class: "invalid",
            words: words.to_owned(),
            details: Map::new(),
            retry_ms: None,
        }
    }

    /// What arrived is longer than this.
    #[must_use]
    pub fn too_large(bytes_max: usize) -> Self {
        let mut details = Map::new();
        details.insert("max".to_owned(), json!(bytes_max));
        Self {
            code: "too_large",
            class: "invalid",
            words: format!("at most {bytes_max} bytes are read"),
            details,
            retry_ms: None,
        }
    }

    fn status(&self) -> StatusCode {
        match (self.class, self.code) {
            ("invalid", "too_large") => StatusCode::PAYLOAD_TOO_LARGE,
            ("invalid", "bad_argument") => StatusCode::UNPROCESSABLE_ENTITY,
            ("invalid", _) => StatusCode::BAD_REQUEST,
            ("auth", _) => StatusCode::UNAUTHORIZED,
            ("forbidden", _) => StatusCode::FORBIDDEN,
            ("not_found", _) => StatusCode::NOT_FOUND,
            ("conflict", _) => StatusCode::CONFLICT,
            ("limit", _) => StatusCode::TOO_MANY_REQUESTS,
            (_, _) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        let mut details = Map::new();
        if let Some(field) = error.field() {
            details.insert("field".to_owned(), json!(field));
        }
        if let AuthError::PasswordTooLong { bytes_max } = error {
            details.insert("max".to_owned(), json!(bytes_max));
        }
        Self {
            code: error.code(),
            class: error.class(),
            words: error.to_string(),
            details,
            retry_ms: error.retry_ms(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut document = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": self.words,
            "code": self.code,
            "class": self.class,
            "details": self.details,
        });
        if let (Some(retry_ms), Some(fields)) = (self.retry_ms, document.as_object_mut()) {
            fields.insert("retry_ms".to_owned(), json!(retry_ms));
        }
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(retry_ms) = self.retry_ms {
            headers.insert(RETRY_AFTER, HeaderValue::from(retry_ms.div_ceil(1_000)));
        }
        response
    }
}
