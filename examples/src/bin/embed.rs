//! The chat server inside a web application that has users of its own.
//!
//! The application keeps its users and their sessions; the chat asks it who a token is, by an
//! `Authenticator` that the application brings. Both are one axum router on one port, the chat
//! below `/chat`.
//!
//! ```text
//! cargo run -p chat-examples --bin embed
//! curl -d '{"name":"ann"}' -H content-type:application/json localhost:3000/login
//! cargo run -p chat-examples --bin terminal -- --server ws://localhost:3000/chat/v1/ws --token SESSION
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use chat_examples::draw_cid;
use chat_server::Server;
use chat_server::auth::{
    AuthError, Authenticator, Identity, Linker, Revocation, TokenFault, Verdict,
};
use chat_server::clock::SystemClock;
use chat_server::config::{Config, StoreUrl};
use chat_server::store;
use clap::Parser;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// A web application with a chat in it.
#[derive(Parser)]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Where the chat keeps its rooms.
    #[arg(long, default_value = "embed.db")]
    database: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mut config = Config::default();
    config.store = StoreUrl::Sqlite(options.database);
    config.guests = false;
    let store = store::open(&config.store)?;
    let users = Arc::new(Users {
        sessions: Mutex::default(),
        accounts: Linker::new(store.clone(), Arc::new(SystemClock::new())),
    });
    let chat = Server::builder(config)
        .store(store)
        .authenticator(users.clone())
        .start()
        .await?;

    let app = App {
        users,
        chat: chat.clone(),
    };
    let router = Router::new()
        .route(
            "/",
            get(async || "An application. Its chat is below /chat.\n"),
        )
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .with_state(app)
        .nest("/chat", chat.router());

    let listener = TcpListener::bind(options.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // The chat counts failed attempts by address, so it has to know it.
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let stopped = async move {
        // Where there is no ctrl-c, the program ends in another way.
        tokio::signal::ctrl_c().await.unwrap_or_default();
        chat.stop().await;
    };
    axum::serve(listener, service)
        .with_graceful_shutdown(stopped)
        .await?;
    Ok(())
}

#[derive(Clone)]
struct App {
    users: Arc<Users>,
    chat: Server,
}

#[derive(Deserialize)]
struct LogIn {
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Session {
    session: String,
}

/// A log-in of the application's own; a real one asks for more than a name.
async fn log_in(State(app): State<App>, Json(body): Json<LogIn>) -> Json<Session> {
    let session = format!("{}{}", draw_cid(), draw_cid());
    app.users.sessions().insert(session.clone(), body.name);
    Json(Session { session })
}

/// Who leaves the application leaves the chat.
async fn log_out(State(app): State<App>, Json(body): Json<Session>) -> StatusCode {
    let Ok(Verdict::Holder(identity)) = app.users.authenticate(&body.session).await else {
        return StatusCode::UNAUTHORIZED;
    };
    app.users.sessions().remove(&body.session);
    app.chat
        .revoke(&Revocation {
            user: identity.user,
            grant: identity.grant,
        })
        .await;
    StatusCode::NO_CONTENT
}

/// The application's users.
#[derive(Debug)]
struct Users {
    /// Who is logged in, by session.
    sessions: Mutex<HashMap<String, String>>,
    /// The chat numbers people, and remembers who of the application is which number.
    accounts: Linker,
}

impl Users {
    fn sessions(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Authenticator for Users {
    async fn authenticate(&self, token: &str) -> Result<Verdict, AuthError> {
        let user = self.sessions().get(token).cloned();
        let Some(user) = user else {
            return Ok(Verdict::NotMine(TokenFault::Unknown));
        };
        // Here a user's name is his for ever, so it names him, and the chat shows it.
        let account = self.accounts.account_of(ISSUER, &user, &user).await?;
        // The session is a log-in of its own, which `log_out` ends.
        Ok(Verdict::Holder(Identity::of(&account).with_grant(token)))
    }
}

/// Under which the chat's store knows the application.
const ISSUER: &str = "the application";
