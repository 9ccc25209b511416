//! Somebody who talks to a server from within a test.

use chat_core::commands::{CreateRoom, Join, Post};
use chat_core::{Command, Event, Name, RoomId, Seq, Text};
use chat_examples::{Connection, draw_cid};
use chat_protocol::client::Output;
use chat_protocol::command::{GuestHello, Hello, History, Op, Place, Subscribe, Token};
use chat_protocol::event::Heard;
use serde_json::Value;
use tokio::time::timeout;

use crate::program::PATIENCE;

pub(crate) struct Person {
    pub(crate) connection: Connection,
}

impl Person {
    /// A guest at this socket.
    pub(crate) fn guest(socket: &str, name: &str) -> Self {
        let guest = GuestHello {
            name: Name::new(name).unwrap(),
        };
        Self::says(
            socket,
            Hello {
                guest: Some(guest),
                ..Hello::default()
            },
        )
    }

    /// Somebody with a token.
    pub(crate) fn with_token(socket: &str, token: &str) -> Self {
        Self::says(
            socket,
            Hello {
                token: Some(Token::new(token)),
                ..Hello::default()
            },
        )
    }

    fn says(socket: &str, hello: Hello) -> Self {
        let hello = Hello {
            subscribe: Subscribe::Mine,
            ..hello
        };
        Self {
            connection: Connection::new(socket.parse().unwrap(), hello),
        }
    }

    /// What the connection gives next. Where nothing comes, a test fails instead of waiting on.
    async fn next(&mut self) -> Option<Output> {
        timeout(PATIENCE, self.connection.next())
            .await
            .expect("nothing is heard any more")
    }

    /// Waits for the reply to a request that must succeed.
    pub(crate) async fn reply(&mut self, asked: u64) -> Value {
        loop {
            match self.next().await.unwrap() {
                Output::Reply { id, result } if id == asked => return result.unwrap(),
                Output::Unwelcome(refused) => panic!("{refused:?}"),
                _ => {}
            }
        }
    }

    pub(crate) async fn creates(&mut self, name: &str) -> RoomId {
        let name = Name::new(name).unwrap();
        let wish = CreateRoom {
            alias: Some(name.clone()),
            ..CreateRoom::named(name)
        };
        let asked = self.connection.command(None, draw_cid(), wish).unwrap();
        RoomId::new(self.reply(asked).await["room"].as_u64().unwrap())
    }

    pub(crate) async fn joins(&mut self, room: RoomId) {
        let asked = self
            .connection
            .command(Some(room), draw_cid(), Join::default())
            .unwrap();
        self.reply(asked).await;
    }

    /// Posts; it leaves when the server is there and something is waited for.
    pub(crate) fn posts(&mut self, room: RoomId, body: &str) -> u64 {
        let post: Command = Post::plain(Text::new(body).unwrap()).into();
        self.connection
            .command(Some(room), draw_cid(), post)
            .unwrap()
    }

    /// Waits for a message of this body.
    pub(crate) async fn hears(&mut self, body: &str) -> Heard {
        loop {
            match self.next().await.unwrap() {
                Output::Event(heard) if said(&heard) == Some(body) => return heard,
                Output::Unwelcome(refused) => panic!("{refused:?}"),
                _ => {}
            }
        }
    }

    /// The last thing that the connection gives before it ends for good.
    pub(crate) async fn last_word(&mut self) -> Output {
        let mut last = None;
        while let Some(output) = self.next().await {
            assert!(!matches!(output, Output::Reconnect { .. }), "{last:?}");
            last = Some(output);
        }
        last.unwrap()
    }

    /// Everything that was said in a room, with the messages that were answered by it.
    pub(crate) async fn history(&mut self, room: RoomId) -> Vec<(String, Option<Seq>)> {
        let all = History {
            room: room.into(),
            place: Place::Newest,
            thread: None,
            limit: Some(200),
        };
        let asked = self.connection.ask(Op::History(all)).unwrap();
        let page = self.reply(asked).await;
        let messages = page["items"].as_array().unwrap().iter();
        let read = |message: &Value| {
            let body = message["content"]["body"].as_str().unwrap().to_owned();
            (body, message["reply_to"].as_u64().map(Seq::new))
        };
        messages.map(read).collect()
    }
}

/// What a message says.
pub(crate) fn said(heard: &Heard) -> Option<&str> {
    match heard.event.as_ref()? {
        Event::Posted(it) => it.content.as_ref().map(|content| content.body.as_str()),
        _ => None,
    }
}
