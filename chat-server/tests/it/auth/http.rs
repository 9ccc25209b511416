//! The same over HTTP.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode};
use chat_server::auth::Revocation;
use chat_server::http::auth::router;
use chat_server::limits::ServerLimits;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::House;

struct Web {
    house: House,
    router: Router,
    revoked: Arc<Mutex<Vec<Revocation>>>,
}

impl Web {
    async fn open() -> Self {
        let house = House::open().await;
        let revoked = Arc::new(Mutex::new(Vec::new()));
        let heard = revoked.clone();
        let router = router(
            house.accounts.clone(),
            house.accounts.clone(),
            Arc::new(move |revocation| {
                heard.lock().unwrap().push(revocation);
                Box::pin(std::future::ready(()))
            }),
            &ServerLimits::default(),
        );
        Self {
            house,
            router,
            revoked,
        }
    }

    async fn ask(&self, line: &str, token: &str, body: impl Into<Body>) -> Response<Body> {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let address: SocketAddr = "10.0.0.1:4000".parse().unwrap();
        let request = request.extension(ConnectInfo(address));
        let request = request.body(body.into()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn say(&self, line: &str, token: &str, body: Value) -> (StatusCode, Value) {
        let response = self.ask(line, token, body.to_string()).await;
        let status = response.status();
        (status, json_of(response).await)
    }

    async fn ann(&self) -> (String, String) {
        let body = json!({"name": "ann", "email": "ann@example.org", "password": "sesame, open"});
        let (status, tokens) = self.say("POST /v1/auth/signup", "", body).await;
        assert_eq!(status, 201);
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        (text("token"), text("refresh_token"))
    }
}

async fn json_of(response: Response<Body>) -> Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

#[tokio::test]
async fn somebody_signs_up_logs_in_and_hears_who_he_is() {
    let web = Web::open().await;
    let (token, _) = web.ann().await;
    let me = json!({"id": 1, "name": "ann", "guest": false, "email": "ann@example.org"});
    let answer = web.say("GET /v1/me", &token, json!(null)).await;
    assert_eq!(answer, (StatusCode::OK, me.clone()));
    let body = json!({"login": "ann@example.org", "password": "sesame, open"});
    let (status, tokens) = web.say("POST /v1/auth/login", "", body).await;
    assert_eq!(status, 200);
    assert_eq!(tokens["user"], me);
    assert_eq!(tokens["expires_at"], json!(super::DAY.number() + 3_600_000));
}

#[tokio::test]
async fn refusals_are_problem_documents() {
    let web = Web::open().await;
    web.ann().await;
    let body = json!({"login": "ann", "password": "guess"}).to_string();
    let response = web.ask("POST /v1/auth/login", "", body).await;
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert_eq!(
        json_of(response).await,
        json!({
            "type": "about:blank", "title": "Unauthorized", "status": 401,
            "detail": "wrong name or password", "code": "bad_credentials", "class": "auth",
        })
    );
    let taken = json!({"name": "ANN", "password": "sesame, open"});
    let (status, problem) = web.say("POST /v1/auth/signup", "", taken).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (409, &json!("name_taken"))
    );
    assert_eq!(problem["details"], json!({"field": "name"}));
    let short = json!({"name": "bob", "password": "short"});
    let (status, problem) = web.say("POST /v1/auth/signup", "", short).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (422, &json!("bad_argument"))
    );
}

#[tokio::test]
async fn guesses_run_out_and_the_answer_says_for_how_long() {
    let web = Web::open().await;
    web.ann().await;
    let body = json!({"login": "ann", "password": "guess"});
    for _ in 0..5 {
        let (status, _) = web.say("POST /v1/auth/login", "", body.clone()).await;
        assert_eq!(status, 401);
    }
    let response = web.ask("POST /v1/auth/login", "", body.to_string()).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "12");
    let problem = json_of(response).await;
    assert_eq!(problem["retry_ms"], 12_000);
    assert_eq!(problem["class"], "limit");
}

#[tokio::test]
async fn unreadable_and_overlong_bodies_are_refused_without_quoting_them() {
    let web = Web::open().await;
    for body in ["", "{", "[]", r#"{"login":"ann","password":{"sesame":1}}"#] {
        let response = web.ask("POST /v1/auth/login", "", body).await;
        assert_eq!(response.status(), 400, "{body}");
        let problem = json_of(response).await;
        assert_eq!(problem["code"], "bad_frame");
        assert!(!problem.to_string().contains("sesame"));
    }
    let long = "x".repeat(ServerLimits::default().http_body_bytes_max + 1);
    let response = web.ask("POST /v1/auth/login", "", long).await;
    assert_eq!(response.status(), 413);
    assert_eq!(json_of(response).await["code"], "too_large");
}

#[tokio::test]
async fn only_one_bearer_token_says_who_somebody_is() {
    let web = Web::open().await;
    let (token, _) = web.ann().await;
    for values in [
        vec![],
        vec![token.clone()],
        vec![format!("Basic {token}")],
        vec![format!("Bearer {token}"), format!("Bearer {token}")],
        vec!["Bearer x.y.z".to_owned()],
    ] {
        let mut request = Request::get("/v1/me");
        for value in &values {
            request = request.header("authorization", value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = web.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 401, "{values:?}");
    }
}

#[tokio::test]
async fn a_refresh_after_the_log_out_is_refused_and_live_sessions_hear_of_it() {
    let web = Web::open().await;
    let (token, refresh) = web.ann().await;
    let body = json!({"refresh_token": refresh});
    let (status, fresh) = web.say("POST /v1/auth/refresh", "", body.clone()).await;
    assert_eq!(status, 200);
    let response = web.ask("POST /v1/auth/logout", &token, "").await;
    assert_eq!(response.status(), 204);
    assert_eq!(web.revoked.lock().unwrap().len(), 1);
    let (status, problem) = web.say("POST /v1/auth/refresh", "", body).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (401, &json!("token_invalid"))
    );
    let token = fresh["token"].as_str().unwrap();
    let (status, _) = web.say("GET /v1/me", token, json!(null)).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn a_changed_password_ends_every_other_log_in() {
    let web = Web::open().await;
    let (token, _) = web.ann().await;
    let thief = web.house.log_in("ann", "sesame, open").await.unwrap();
    let body = json!({"old": "sesame, open", "new": "sesame, shut"});
    let (status, tokens) = web.say("POST /v1/auth/password", &token, body).await;
    assert_eq!(status, 200);
    let revoked = web.revoked.lock().unwrap().clone();
    assert!(thief.identity.falls_under(&revoked[0]));
    assert!(web.house.who(thief.access.expose()).await.is_err());
    let token = tokens["token"].as_str().unwrap();
    let (status, _) = web.say("GET /v1/me", token, json!(null)).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_guest_gets_a_token_and_no_password() {
    let web = Web::open().await;
    let body = json!({"name": "zoe"});
    let (status, guest) = web.say("POST /v1/auth/guest", "", body).await;
    assert_eq!(status, 200);
    let token = guest["token"].as_str().unwrap();
    let (_, me) = web.say("GET /v1/me", token, json!(null)).await;
    assert_eq!(me["guest"], true);
    let body = json!({"old": "x", "new": "sesame, open"});
    let (status, problem) = web.say("POST /v1/auth/password", token, body).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (403, &json!("permission_denied"))
    );
}
