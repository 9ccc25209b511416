//! Accounts over HTTP: sign-up, log-in, tokens, and who I am.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chat_core::{Name, Password, Timestamp, UserId};
use chat_protocol::Refusal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::auth::limiter::{GuestRules, Whence};
use crate::auth::{
    Accounts, AuthError, Authenticator, Identity, Revocation, SignUp, SignedIn, Token,
};
use crate::http::problem::Problem;
use crate::limits::ServerLimits;
use crate::node::carry_out;
use crate::store::Account;

/// Hears of log-ins that have ended, to close what is live of them. Whoever ended them is answered
/// when it is done.
pub type OnRevoked = Arc<dyn Fn(Revocation) -> Closing + Send + Sync>;

/// Is done when everybody knows who has to close what is live.
pub type Closing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The routes below `/v1/auth` and `/v1/me`.
///
/// The address of a client is taken from axum's [`ConnectInfo`]; where it is missing, all clients
/// count as one address.
pub fn router(
    accounts: Arc<Accounts>,
    authenticator: Arc<dyn Authenticator>,
    on_revoked: OnRevoked,
    limits: &ServerLimits,
) -> Router {
    let routes = Routes {
        accounts,
        authenticator,
        on_revoked,
        password_bytes_min: limits.password_bytes_min,
        guests: GuestRules::from(limits),
        body_bytes_max: u64::try_from(limits.http_body_bytes_max).unwrap_or(u64::MAX),
    };
    Router::new()
        .route("/v1/auth/signup", post(sign_up))
        .route("/v1/auth/login", post(log_in))
        .route("/v1/auth/refresh", post(refresh))
        .route("/v1/auth/logout", post(log_out))
        .route("/v1/auth/password", post(change_password))
        .route("/v1/auth/guest", post(admit_guest))
        .route("/v1/me", get(me))
        .layer(DefaultBodyLimit::max(limits.http_body_bytes_max))
        .with_state(Arc::new(routes))
}

/// The token of an `Authorization: Bearer` header (RFC 6750, section 2.1).
///
/// # Errors
///
/// [`AuthError::Unauthenticated`] if there isn't exactly one.
pub fn bearer(headers: &HeaderMap) -> Result<&str, AuthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(AuthError::Unauthenticated);
    };
    let text = value.to_str().map_err(|_| AuthError::Unauthenticated)?;
    match text.trim().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        Some(_) | None => Err(AuthError::Unauthenticated),
    }
}

struct Routes {
    accounts: Arc<Accounts>,
    authenticator: Arc<dyn Authenticator>,
    on_revoked: OnRevoked,
    password_bytes_min: usize,
    guests: GuestRules,
    body_bytes_max: u64,
}

type Body = Result<Bytes, BytesRejection>;

#[derive(Deserialize)]
struct SignUpBody {
    name: String,
    email: Option<String>,
    handle: Option<String>,
    password: Password,
    device: Option<String>,
}

#[derive(Deserialize)]
struct LogInBody {
    login: String,
    password: Password,
    device: Option<String>,
}

#[derive(Deserialize)]
struct RefreshBody {
    refresh_token: Token,
}

#[derive(Default, Deserialize)]
struct LogOutBody {
    #[serde(default)]
    all: bool,
}

#[derive(Deserialize)]
struct PasswordBody {
    old: Password,
    new: Password,
    device: Option<String>,
}

#[derive(Deserialize)]
struct GuestBody {
    name: String,
}

#[derive(Serialize)]
struct UserBody {
    id: UserId,
    name: Name,
    guest: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handle: Option<Name>,
}

#[derive(Serialize)]
struct TokensBody {
    user: UserBody,
    token: Token,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Token>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

async fn sign_up(
    State(routes): State<Arc<Routes>>,
    extensions: Extensions,
    body: Body,
) -> Result<(StatusCode, Response), Problem> {
    let body: SignUpBody = routes.read(body)?;
    let whence = whence(&extensions, body.device.as_deref());
    let wish = SignUp {
        name: body.name,
        email: body.email,
        handle: body.handle,
        password: body.password,
    };
    let signed_in = routes
        .accounts
        .sign_up_from(&wish, routes.password_bytes_min, whence)
        .await?;
    Ok((StatusCode::CREATED, routes.tokens(signed_in).await?))
}

async fn log_in(
    State(routes): State<Arc<Routes>>,
    extensions: Extensions,
    body: Body,
) -> Result<Response, Problem> {
    let body: LogInBody = routes.read(body)?;
    let whence = whence(&extensions, body.device.as_deref());
    let accounts = &routes.accounts;
    let signed_in = accounts.log_in(&body.login, &body.password, whence).await?;
    routes.tokens(signed_in).await
}

async fn refresh(State(routes): State<Arc<Routes>>, body: Body) -> Result<Response, Problem> {
    let body: RefreshBody = routes.read(body)?;
    let token = body.refresh_token.expose();
    let signed_in = routes.accounts.refresh(token).await?;
    routes.tokens(signed_in).await
}

async fn log_out(
    State(routes): State<Arc<Routes>>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let identity = routes.identity(&headers).await?;
    let body = match body {
        Ok(bytes) if bytes.is_empty() => LogOutBody::default(),
        body => routes.read(body)?,
    };
    carry_out(async move {
        let revocation = routes.accounts.log_out(&identity, body.all).await?;
        (routes.on_revoked)(revocation).await;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

async fn change_password(
    State(routes): State<Arc<Routes>>,
    headers: HeaderMap,
    extensions: Extensions,
    body: Body,
) -> Result<Response, Problem> {
    let identity = routes.identity(&headers).await?;
    let body: PasswordBody = routes.read(body)?;
    carry_out(async move {
        let whence = whence(&extensions, body.device.as_deref());
        let bytes_min = routes.password_bytes_min;
        let changed = routes
            .accounts
            .change_password(&identity, &body.old, &body.new, bytes_min, whence)
            .await?;
        (routes.on_revoked)(changed.revocation).await;
        routes.tokens(changed.signed_in).await
    })
    .await
}

async fn admit_guest(
    State(routes): State<Arc<Routes>>,
    extensions: Extensions,
    body: Body,
) -> Result<Response, Problem> {
    let body: GuestBody = routes.read(body)?;
    let whence = whence(&extensions, None);
    let admitted = routes
        .accounts
        .guest_from(&body.name, whence, routes.guests);
    let (identity, token) = admitted.await?;
    Ok(unstored(TokensBody {
        expires_at: identity.expires_at,
        user: UserBody::of(identity, None),
        token,
        refresh_token: None,
    }))
}

async fn me(State(routes): State<Arc<Routes>>, headers: HeaderMap) -> Result<Response, Problem> {
    let identity = routes.identity(&headers).await?;
    Ok(unstored(routes.user(identity).await?))
}

impl Routes {
    fn read<T: DeserializeOwned>(&self, body: Body) -> Result<T, Problem> {
        let bytes = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::too_large(self.body_bytes_max),
            _ => Refusal::bad_frame("the body can't be read"),
        })?;
        // The parser's own words may quote a password.
        serde_json::from_slice(&bytes).map_err(|_| {
            Refusal::bad_frame("the body is not the JSON that is asked for here").into()
        })
    }

    async fn identity(&self, headers: &HeaderMap) -> Result<Identity, Problem> {
        let token = bearer(headers)?;
        Ok(self.authenticator.authenticate(token).await?.holder()?)
    }

    async fn user(&self, identity: Identity) -> Result<UserBody, Problem> {
        let account = match identity.user.is_guest() {
            true => None,
            false => Some(self.accounts.account(&identity).await?),
        };
        Ok(UserBody::of(identity, account))
    }

    async fn tokens(&self, signed_in: SignedIn) -> Result<Response, Problem> {
        Ok(unstored(TokensBody {
            expires_at: signed_in.identity.expires_at,
            user: self.user(signed_in.identity).await?,
            token: signed_in.access,
            refresh_token: Some(signed_in.refresh),
        }))
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes").finish_non_exhaustive()
    }
}

impl UserBody {
    fn of(identity: Identity, account: Option<Account>) -> Self {
        let (email, handle) = account.map_or((None, None), |it| (it.email, it.handle));
        Self {
            id: identity.user,
            guest: identity.user.is_guest(),
            name: identity.name,
            email,
            handle,
        }
    }
}

/// An answer that no cache may keep.
fn unstored(body: impl Serialize) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// From where a request comes.
pub(super) fn whence<'a>(extensions: &Extensions, device: Option<&'a str>) -> Whence<'a> {
    let info = extensions.get::<ConnectInfo<SocketAddr>>();
    Whence {
        address: info.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip()),
        device,
        page: None,
    }
}
