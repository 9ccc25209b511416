//! Who the person at the keyboard is.

use std::env;

use chat_core::{Name, Text};
use chat_examples::http;
use chat_protocol::command::{GuestHello, Hello, Subscribe, Token};
use clap::Args;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::http::Uri;

use super::input;

/// One of these; without any, a guest under the name of the system's user.
#[derive(Args)]
#[group(multiple = false)]
pub(crate) struct Identity {
    /// A token, as `chat-server gentoken` prints it.
    #[arg(long, env = "CHAT_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A name, without an account.
    #[arg(long, value_name = "NAME")]
    guest: Option<String>,
    /// The name of an account; its password is in `CHAT_PASSWORD`, or is asked for.
    #[arg(long, value_name = "NAME")]
    login: Option<String>,
    /// The name of an account that is to be made.
    #[arg(long, value_name = "NAME")]
    sign_up: Option<String>,
}

/// How to get a token that goes on after the first one.
pub(crate) struct Renewal {
    authority: String,
    refresh_token: Option<String>,
}

impl Identity {
    /// What to say to the server.
    pub(crate) async fn hello(self, server: &Uri) -> Result<(Hello, Renewal), String> {
        let host = server.host().ok_or("the server's address names no host")?;
        let authority = format!("{host}:{}", server.port_u16().unwrap_or(80));
        let mut renewal = Renewal {
            authority,
            refresh_token: None,
        };
        let mut hello = Hello {
            client: Text::new("terminal/1").ok(),
            subscribe: Subscribe::Mine,
            ..Hello::default()
        };
        if let Some(token) = self.token {
            hello.token = Some(Token::new(token));
        } else if let Some(name) = self.sign_up {
            let body = json!({ "name": name, "password": input::password()? });
            hello.token = Some(renewal.token("/v1/auth/signup", &body).await?);
        } else if let Some(login) = self.login {
            let body = json!({ "login": login, "password": input::password()? });
            hello.token = Some(renewal.token("/v1/auth/login", &body).await?);
        } else {
            let name = self.guest.or_else(|| env::var("USER").ok());
            let name =
                Name::new(name.as_deref().unwrap_or("guest")).map_err(|it| it.to_string())?;
            hello.guest = Some(GuestHello { name });
        }
        Ok((hello, renewal))
    }
}

impl Renewal {
    /// A fresh token, where there was a log-in.
    pub(crate) async fn renew(&mut self) -> Option<Token> {
        let body = json!({ "refresh_token": self.refresh_token.as_ref()? });
        self.token("/v1/auth/refresh", &body).await.ok()
    }

    async fn token(&mut self, path: &str, body: &Value) -> Result<Token, String> {
        let answer = http::post(&self.authority, path, body).await?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        self.refresh_token = text("refresh_token").or(self.refresh_token.take());
        text("token")
            .map(Token::new)
            .ok_or_else(|| "the server gave no token".to_owned())
    }
}
