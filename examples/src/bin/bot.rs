//! A bot that joins a room and answers `!echo something` with `something`: each question once,
//! whatever happens to the connection, the server, or the bot.
//!
//! Shows a client over the pure state of `chat_protocol::client`. The cid of an answer is made from
//! the number of the question, so an answer that was sent before is not posted again: not after a
//! reconnect, and not by a bot that was killed and reads the room anew.
//!
//! ```text
//! chat-server user add echo          # asks for a password; then
//! cargo run -p chat-examples --bin bot -- --token "$(chat-server gentoken echo)" --room den
//! cargo run -p chat-examples --bin bot -- --guest echo --room den
//! ```

use std::collections::VecDeque;
use std::error::Error;

use chat_core::commands::{Join, Post};
use chat_core::{Cid, Event, Name, RoomId, Seq, Text, UserId};
use chat_examples::{Connection, draw_cid};
use chat_protocol::answer::{Message, Page};
use chat_protocol::client::Output;
use chat_protocol::command::{GuestHello, Hello, History, Op, Place, Subscribe, Token};
use chat_protocol::{RoomRef, Spelling};
use clap::Parser;
use serde_json::Value;
use tokio_tungstenite::tungstenite::http::Uri;

/// Answers `!echo something` in a room.
#[derive(Parser)]
struct Options {
    /// The server's WebSocket.
    #[arg(long, default_value = "ws://127.0.0.1:8080/v1/ws")]
    server: Uri,
    /// The room's alias or number.
    #[arg(long)]
    room: String,
    /// The bot's token.
    #[arg(long, env = "CHAT_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The bot's name, without a token.
    #[arg(long, default_value = "echo")]
    guest: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let guest = GuestHello {
        name: Name::new(&options.guest)?,
    };
    let hello = Hello {
        guest: options.token.is_none().then_some(guest),
        token: options.token.map(Token::new),
        client: Some(Text::new("echo-bot")?),
        subscribe: Subscribe::Mine,
        ..Hello::default()
    };
    let mut bot = Bot {
        connection: Connection::new(options.server, hello),
        me: None,
        room: None,
        since: Seq::default(),
        behind: false,
        waits_for: None,
        questions: VecDeque::new(),
    };
    let room = RoomRef::read(Spelling::Number, &options.room);
    bot.ask(Step::Find, Op::Room { room })?;
    bot.run().await
}

struct Bot {
    connection: Connection,
    me: Option<UserId>,
    room: Option<RoomId>,
    /// The record by which the bot joined: what was asked before is not for it.
    since: Seq,
    /// Whether questions may lie in the room's past.
    behind: bool,
    /// The one request that is under way.
    waits_for: Option<(u64, Step)>,
    /// What is to be answered, one after the other.
    questions: VecDeque<Question>,
}

/// What the bot does, in this order; the last step again and again.
#[derive(Clone, Copy)]
enum Step {
    Find,
    Join,
    Past,
    Answer,
}

struct Question {
    seq: Seq,
    words: String,
}

impl Bot {
    async fn run(&mut self) -> Result<(), Box<dyn Error>> {
        while let Some(output) = self.connection.next().await {
            match output {
                Output::Welcome(welcome) => {
                    self.me = number(&welcome, "/user/id");
                    println!("connected");
                }
                Output::Event(heard) if Some(heard.room) == self.room => {
                    if let Some(Event::Posted(it)) = heard.event {
                        let words = it.content.map(|content| content.body.as_str().to_owned());
                        self.note(heard.seq, heard.by.id, words.as_deref());
                    }
                }
                Output::Reply { id, result } => match self.waits_for.take() {
                    Some((asked, step)) if asked == id => {
                        let result = result.map_err(|refused| refused.msg);
                        self.go_on(step, result)?;
                    }
                    waits_for => self.waits_for = waits_for,
                },
                // More was missed than can be resumed.
                Output::Reset { room, .. } if Some(room) == self.room => self.behind = true,
                Output::Gone { room } if Some(room) == self.room => {
                    return Err("the bot was removed from the room".into());
                }
                Output::Unwelcome(refused) => println!("refused: {}", refused.msg),
                Output::Reconnect { after_ms } => println!("away, back in {after_ms} ms"),
                Output::Send(_)
                | Output::Event(_)
                | Output::Signal(_)
                | Output::Synced { .. }
                | Output::Reset { .. }
                | Output::Gone { .. }
                | Output::TokenExpiring { .. }
                | Output::Stop { .. } => {}
            }
            self.proceed()?;
        }
        Err("the server doesn't want the bot".into())
    }

    /// Takes the reply to one step, and does the next.
    fn go_on(&mut self, step: Step, result: Result<Value, String>) -> Result<(), Box<dyn Error>> {
        match step {
            Step::Find => {
                let room = number(&result?, "/id").ok_or("the server names no room")?;
                self.room = Some(room);
                let join = self
                    .connection
                    .command(self.room, draw_cid(), Join::default())?;
                self.waits_for = Some((join, Step::Join));
            }
            Step::Join => {
                self.since = number(&result?, "/seq").unwrap_or_default();
                self.behind = true;
            }
            Step::Past => {
                let past: Page<Message> = serde_json::from_value(result?)?;
                for message in past.items {
                    let words = message
                        .content
                        .as_ref()
                        .map(|content| content.body.as_str());
                    self.note(message.seq, message.by.id, words);
                }
                println!("listening");
            }
            Step::Answer => match result {
                Ok(_) => println!("answered"),
                Err(why) => println!("can't answer: {why}"),
            },
        }
        Ok(())
    }

    /// Notes a question. One that was noted before costs no more than a repeated answer.
    fn note(&mut self, seq: Seq, by: UserId, words: Option<&str>) {
        let words = words.and_then(|words| words.strip_prefix("!echo "));
        if let Some(words) = words.filter(|_| seq > self.since && Some(by) != self.me) {
            self.questions.push_back(Question {
                seq,
                words: words.to_owned(),
            });
        }
    }

    /// Reads what was missed, or answers the next question, once nothing else is under way.
    fn proceed(&mut self) -> Result<(), Box<dyn Error>> {
        if self.waits_for.is_some() {
            return Ok(());
        }
        if let Some(room) = self.room.filter(|_| self.behind) {
            self.behind = false;
            let past = History {
                room: room.into(),
                place: Place::Newest,
                thread: None,
                limit: Some(PAST_MESSAGES),
            };
            return self.ask(Step::Past, Op::History(past));
        }
        let Some(Question { seq, words }) = self.questions.pop_front() else {
            return Ok(());
        };
        let post = Post {
            reply_to: Some(seq),
            ..Post::plain(Text::new(words)?)
        };
        let cid = Cid::new(format!("echo-{seq}"))?;
        let sent = self.connection.command(self.room, cid, post)?;
        self.waits_for = Some((sent, Step::Answer));
        Ok(())
    }

    fn ask(&mut self, step: Step, op: Op) -> Result<(), Box<dyn Error>> {
        self.waits_for = Some((self.connection.ask(op)?, step));
        Ok(())
    }
}

fn number<T: TryFrom<u64>>(value: &Value, pointer: &str) -> Option<T> {
    T::try_from(value.pointer(pointer)?.as_u64()?).ok()
}

/// Messages that are read of the past: fewer than the cids that a server remembers.
const PAST_MESSAGES: u64 = 200;
