//! What the application around the server says and asks in rooms.

use chat_core::{Actor, UserId};
use chat_protocol::answer::Answer;
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::Op;

use crate::desk::Desk;
use crate::server::Server;

impl Server {
    /// Carries out a command, or answers a question, of somebody whom the application speaks for: a
    /// user of its own, as [`Linker`](crate::auth::Linker) numbers him, or a program with such an
    /// account. He needs no connection. What he may do, the room decides as it does for everybody; how
    /// fast he does it is the application's affair.
    ///
    /// The answer comes when what was done is on disk. With a `cid` the same command may be given again
    /// after a failure, and has one effect.
    ///
    /// # Errors
    ///
    /// What a client would hear: the room's refusal; `unauthenticated` if there is no such account, and
    /// `suspended`; `bad_frame` for what only a connection can be told, such as `subscribe`.
    ///
    /// # Examples
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// # runtime.block_on(async {
    /// use std::sync::Arc;
    ///
    /// use chat_core::commands::{CreateRoom, Post};
    /// use chat_core::{Command, Name, Text};
    /// use chat_protocol::{Answer, Op, RoomRef};
    /// use chat_server::Server;
    /// use chat_server::auth::{Identity, Linker};
    /// use chat_server::clock::SystemClock;
    /// use chat_server::config::{Config, StoreUrl};
    /// use chat_server::store;
    ///
    /// let mut config = Config::default();
    /// config.store = StoreUrl::Memory;
    /// let store = store::open(&config.store)?;
    /// let chat = Server::builder(config).store(store.clone()).start().await?;
    ///
    /// let people = Linker::new(store, Arc::new(SystemClock::new()));
    /// let bot = people.account_of("my application", "weather", "weather").await?;
    /// let bot = Identity::of(&bot).actor();
    ///
    /// let command: Command = CreateRoom::named(Name::new("Weather")?).into();
    /// let made = chat.act(&bot, Op::InRoom { room: None, cid: None, command }).await?;
    /// let Answer::Created { room, .. } = made else { panic!("a room") };
    ///
    /// let room = Some(RoomRef::id(room));
    /// let command: Command = Post::plain(Text::new("It rains.")?).into();
    /// chat.act(&bot, Op::InRoom { room, cid: None, command }).await?;
    /// # chat.stop().await;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn act(&self, actor: &Actor, op: Op) -> Result<Answer, Refusal> {
        let user = actor.id;
        if user != UserId::HOUSE && !user.is_guest() {
            let account = self.node.store().account(user).await?;
            let account = account.ok_or_else(|| Refusal::new(Code::Unauthenticated))?;
            if account.suspended {
                return Err(Refusal::new(Code::Suspended));
            }
        }
        let desk = Desk {
            node: &self.node,
            actor,
            from: None,
            whence: None,
        };
        if let Op::InRoom { room, cid, command } = op {
            return desk.command(room.as_ref(), cid, command).await;
        }
        let answered = desk.query(op).await;
        answered.unwrap_or_else(|| Err(Refusal::bad_frame("this needs a connection")))
    }
}
