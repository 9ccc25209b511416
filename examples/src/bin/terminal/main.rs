//! A chat client for the command line.
//!
//! Plain lines are posted to the current room, `/help` lists the rest. The connection keeps itself
//! up; what is typed while the server is away is sent, once and in order, when it is back. Used
//! with a pipe instead of a keyboard it is a client for scripts.
//!
//! ```text
//! cargo run -p chat-examples --bin terminal -- --guest ann
//! cargo run -p chat-examples --bin terminal -- --sign-up ann       # asks for a password
//! cargo run -p chat-examples --bin terminal -- --login ann --server ws://127.0.0.1:8080/v1/ws
//! printf '/join den\nthe build is done\n' | terminal --guest ci
//! ```
//!
//! It speaks `ws://` alone: a client for foreign networks adds TLS to the same lines.

mod chat;
mod identity;
mod input;
mod line;
mod screen;

use std::process::ExitCode;

use chat_examples::Connection;
use clap::Parser;
use tokio::select;

use self::chat::Chat;
use self::identity::Identity;
use self::input::Input;

/// Talk to people on a chat server.
#[derive(Parser)]
struct Options {
    /// The server's WebSocket.
    #[arg(long, default_value = "ws://127.0.0.1:8080/v1/ws")]
    server: String,
    #[command(flatten)]
    identity: Identity,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("terminal: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), String> {
    let wrong = |why| format!("{} is no address: {why}", options.server);
    let server = options.server.parse().map_err(wrong)?;
    let (hello, renewal) = options.identity.hello(&server).await?;
    let (mut input, screen) = Input::open()?;
    let mut chat = Chat::new(Connection::new(server, hello), renewal, screen);
    let mut outcome = Ok(());
    while !chat.is_over() {
        let heard = select! {
            output = chat.connection.next() => match output {
                Some(output) => chat.hear(output).await,
                None => Err("the server doesn't want this client".to_owned()),
            },
            line = input.next(), if chat.listens() => {
                chat.typed(line);
                Ok(())
            }
        };
        outcome = heard.and_then(|()| chat.proceed());
        if outcome.is_err() {
            break;
        }
    }
    input.close(chat.end());
    outcome
}
