//! What is spoken over HTTP, described (OpenAPI 3.1), and a page to try it.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value, json};

/// The description and the page.
pub(super) fn router() -> Router {
    Router::new()
        .route("/v1/openapi.json", get(description))
        .route("/v1/docs", get(page))
}

/// One route.
struct Route {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    /// Whether it asks for a bearer token.
    bearer: bool,
    parameters: &'static [Parameter],
    /// The schema of its body, if it has one.
    body: Option<&'static str>,
    status: &'static str,
    /// The schema of its answer, if it has one.
    answer: Option<&'static str>,
}

/// The schema of an answer that is no JSON, and doesn't end.
const STREAM: &str = "Events";

/// Name, place, type, and a word about it.
type Parameter = (&'static str, &'static str, &'static str, &'static str);

const PAGE: &[Parameter] = &[
    ("id", "path", "integer", "the room"),
    (
        "before",
        "query",
        "integer",
        "messages right before this record",
    ),
    (
        "after",
        "query",
        "integer",
        "messages right after this record",
    ),
    (
        "around",
        "query",
        "integer",
        "messages on both sides of this record",
    ),
    (
        "thread",
        "query",
        "integer",
        "only the thread that begins with this message",
    ),
    ("limit", "query", "integer", "how many at most"),
];

const SEARCH: &[Parameter] = &[
    ("q", "query", "string", "1 to 8 words; needed"),
    (
        "room",
        "query",
        "integer",
        "only this room; all rooms that one is a member of without it",
    ),
    (
        "before",
        "query",
        "integer",
        "only messages before this record of the room",
    ),
    (
        "cursor",
        "query",
        "string",
        "the `next` of the part before this one; there may be more even after an empty part",
    ),
    ("limit", "query", "integer", "how many at most"),
];

const PART: &[Parameter] = &[(
    "after",
    "query",
    "integer",
    "only rooms after this one: the `next` of the part before",
)];

const EVENTS: &[Parameter] = &[
    (
        "rooms",
        "query",
        "string",
        "only these rooms, by number or alias, commas between them; without it all that one is a member of, and those that one joins",
    ),
    (
        "Last-Event-ID",
        "header",
        "string",
        "the id that was heard last: what was missed since comes first",
    ),
];

const KEY: &[Parameter] = &[(
    "Idempotency-Key",
    "header",
    "string",
    "the cid of a single command without one",
)];

macro_rules! routes {
    ($($method:ident $path:literal $summary:literal, bearer: $bearer:literal, parameters: $parameters:expr,
       body: $body:expr => $status:literal $answer:expr;)*) => {
        &[$(Route {
            method: stringify!($method),
            path: $path,
            summary: $summary,
            bearer: $bearer,
            parameters: $parameters,
            body: $body,
            status: $status,
            answer: $answer,
        },)*]
    };
}

const ROUTES: &[Route] = routes! {
    post "/v1/auth/signup" "Make an account and log in", bearer: false, parameters: &[],
        body: Some("SignUp") => "201" Some("Tokens");
    post "/v1/auth/login" "Log in by name, e-mail address or handle", bearer: false, parameters: &[],
        body: Some("LogIn") => "200" Some("Tokens");
    post "/v1/auth/refresh" "Get another access token", bearer: false, parameters: &[],
        body: Some("Refresh") => "200" Some("Tokens");
    post "/v1/auth/logout" "End this log-in, or all", bearer: true, parameters: &[],
        body: Some("LogOut") => "204" None;
    post "/v1/auth/password" "Change the password; all other log-ins end", bearer: true,
        parameters: &[], body: Some("Password") => "200" Some("Tokens");
    post "/v1/auth/guest" "Come in under a name, without an account", bearer: false,
        parameters: &[], body: Some("Guest") => "200" Some("Tokens");
    get "/v1/me" "Who one is", bearer: true, parameters: &[], body: None => "200" Some("User");
    delete "/v1/account" "Erase the account and all that one wrote; there is no way back",
        bearer: true, parameters: &[], body: Some("Erase") => "204" None;
    post "/v1/cmd" "Carry out one or several frames of the native dialect, newline between them",
        bearer: true, parameters: KEY, body: Some("Frame") => "200" Some("Reply");
    get "/v1/rooms" "The rooms that one is a member of, with unread counts", bearer: true,
        parameters: PART, body: None => "200" Some("Page");
    get "/v1/rooms/{id}/messages" "A page of a room's history, oldest first", bearer: true,
        parameters: PAGE, body: None => "200" Some("Page");
    get "/v1/search" "Messages that say something, room after room, the newest of each first",
        bearer: true, parameters: SEARCH, body: None => "200" Some("Page");
    get "/v1/events" "Listen: frames of the native dialect as server-sent events", bearer: true,
        parameters: EVENTS, body: None => "200" Some(STREAM);
    get "/healthz" "Whether the process is alive", bearer: false, parameters: &[],
        body: None => "200" None;
    get "/readyz" "Whether it can do its work", bearer: false, parameters: &[],
        body: None => "200" None;
};

async fn description() -> Response {
    let kind = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "max-age=300"),
    ];
    (kind, document().to_string()).into_response()
}

/// A page of plain HTML and JavaScript that reads the description.
async fn page() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'",
        ),
    ];
    (headers, include_str!("../../web/docs.html")).into_response()
}

fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Value::Object(path) = path {
            path.insert(route.method.into(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "chat",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Accounts, and the native dialect chat.v1.json over plain HTTP. Rooms are heard over the WebSocket at /v1/ws, or at /v1/events by whoever only listens.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } },
            "schemas": schemas(),
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut responses = Map::new();
    let content_of = |schema| content("application/json", schema);
    let answered = match route.answer {
        Some(STREAM) => json!({
            "description": "It goes on until one side has had enough.",
            "content": content("text/event-stream", STREAM),
        }),
        Some(schema) => json!({ "description": "It worked.", "content": content_of(schema) }),
        None => json!({ "description": "It worked." }),
    };
    responses.insert(route.status.into(), answered);
    responses.insert(
        "default".into(),
        json!({
            "description": "It was refused.",
            "content": content("application/problem+json", "Problem"),
        }),
    );
    let parameters: Vec<Value> = route
        .parameters
        .iter()
        .map(|(name, place, kind, words)| {
            json!({
                "name": name, "in": place, "required": *place == "path",
                "description": words, "schema": { "type": kind },
            })
        })
        .collect();
    let mut operation = Map::new();
    operation.insert("summary".into(), route.summary.into());
    operation.insert("parameters".into(), parameters.into());
    operation.insert("responses".into(), responses.into());
    if let Some(schema) = route.body {
        let body = json!({ "required": true, "content": content_of(schema) });
        operation.insert("requestBody".into(), body);
    }
    if route.bearer {
        operation.insert("security".into(), json!([{ "bearer": [] }]));
    }
    operation.into()
}

fn content(kind: &str, schema: &str) -> Value {
    json!({ kind: { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
}

fn object(required: &[&str], properties: &Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

fn schemas() -> Value {
    let text = json!({ "type": "string" });
    let number = json!({ "type": "integer", "minimum": 0 });
    let user = json!({ "$ref": "#/components/schemas/User" });
    json!({
        "SignUp": object(&["name", "password"], &json!({
            "name": text, "email": text, "handle": text, "password": text, "device": text,
        })),
        "LogIn": object(&["login", "password"], &json!({
            "login": text, "password": text, "device": text,
        })),
        "Refresh": object(&["refresh_token"], &json!({ "refresh_token": text })),
        "LogOut": object(&[], &json!({ "all": { "type": "boolean" } })),
        "Password": object(&["old", "new"], &json!({ "old": text, "new": text, "device": text })),
        "Erase": object(&[], &json!({ "password": text, "device": text })),
        "Guest": object(&["name"], &json!({ "name": text })),
        "User": object(&["id", "name", "guest"], &json!({
            "id": number, "name": text, "guest": { "type": "boolean" }, "email": text, "handle": text,
        })),
        "Tokens": object(&["user", "token"], &json!({
            "user": user, "token": text, "refresh_token": text, "expires_at": number,
        })),
        "Frame": object(&["op"], &json!({
            "id": number, "op": text, "d": { "type": "object" },
        })),
        "Reply": object(&["re"], &json!({
            "re": { "type": ["integer", "null"] }, "ok": {}, "err": { "type": "object" },
        })),
        "Page": object(&["items"], &json!({
            "items": { "type": "array", "items": { "type": "object" } }, "next": text,
        })),
        "Events": {
            "type": "string",
            "description": "Events (WHATWG HTML, section 9.2) whose data is one frame each. The first is the answer to a hello. What moves a position comes with an id that names all of them.",
        },
        "Problem": object(&["type", "status", "code", "class"], &json!({
            "type": text, "title": text, "status": number, "detail": text,
            "code": text, "class": text, "retry_ms": number, "details": { "type": "object" },
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_that_is_named_is_there() {
        let document = document();
        let text = document.to_string();
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(
                document["components"]["schemas"][name].is_object(),
                "{name}"
            );
        }
    }
}
