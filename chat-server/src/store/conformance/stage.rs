//! People who act on an engine, with a store that keeps what they do.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use crate::store::{Append, Appended, MessageQuery};
use chat_core::commands::{Command, CreateRoom, Join, Post};
use chat_core::{
    Actor, Cid, Decision, Engine, Facts, Limits, MessageFact, Name, Need, Record, Request, RoomId,
    Seq, Standing, Text, Timestamp, UserId,
};

use super::Any;

pub const ALICE: UserId = UserId::new(1);
pub const BOB: UserId = UserId::new(2);
pub const CAROL: UserId = UserId::new(3);
/// When the standing work is done.
pub const NOW: Timestamp = Timestamp::new(1_000_100);

pub struct Stage {
    pub store: Any,
    pub engine: Engine,
    pub at: Timestamp,
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn text(body: &str) -> Text {
    Text::new(body).unwrap()
}

pub fn room(number: u64) -> RoomId {
    RoomId::new(number)
}

fn called(user: UserId) -> Name {
    match user.number() {
        1 => name("alice"),
        2 => name("bob"),
        3 => name("carol"),
        number => name(&format!("user {number}")),
    }
}

impl Stage {
    pub fn new(store: Any) -> Self {
        let mut limits = Limits::default();
        limits.posts_limited = false;
        Self {
            store,
            engine: Engine::new(limits),
            at: Timestamp::new(1_000_000),
        }
    }

    /// Has a wish decided without keeping what comes of it.
    pub async fn decide(
        &mut self,
        room: RoomId,
        user: UserId,
        cid: Option<&str>,
        command: impl Into<Command>,
    ) -> Option<Record> {
        self.at = self.at.plus_ms(1);
        let standing = Some(Standing::default());
        let facts = Facts {
            standing,
            blocked: Some(false),
            ..Facts::default()
        };
        let mut request = Request {
            room,
            actor: Actor::new(user, called(user)),
            at: self.at,
            cid: cid.map(|cid| Cid::new(cid).unwrap()),
            command: command.into(),
            facts,
        };
        loop {
            match self.engine.decide(&request) {
                Ok(Decision::New(record)) => return Some(record),
                Ok(Decision::Need(Need::Message(message))) => {
                    let (as_of, head) = self.store.head(room, message).await.unwrap();
                    request.facts.message = Some(MessageFact {
                        message,
                        as_of,
                        head,
                    });
                }
                Ok(Decision::Repeat { .. } | Decision::Signal(_)) | Err(_) => return None,
                Ok(Decision::Need(need)) => panic!("nobody knows {need:?}"),
            }
        }
    }

    /// Has a wish decided and kept; none if it was refused or is no fact.
    pub async fn try_act(
        &mut self,
        room: RoomId,
        user: UserId,
        command: impl Into<Command>,
    ) -> Option<Arc<Record>> {
        let record = Arc::new(self.decide(room, user, None, command).await?);
        assert!(self.engine.evolve(&record));
        assert_eq!(keep(&self.store, &[&record]).await, Appended::Done);
        Some(record)
    }

    pub async fn act(
        &mut self,
        room: RoomId,
        user: UserId,
        command: impl Into<Command>,
    ) -> Arc<Record> {
        let command = command.into();
        let words = format!("{command:?}");
        match self.try_act(room, user, command).await {
            Some(record) => record,
            None => panic!("refused: {words}"),
        }
    }

    /// A public channel of Alice's.
    pub async fn den(&mut self, number: u64) -> RoomId {
        self.create(number, CreateRoom::named(name("den"))).await
    }

    pub async fn create(&mut self, number: u64, wish: CreateRoom) -> RoomId {
        self.act(room(number), ALICE, wish).await;
        room(number)
    }

    pub async fn join(&mut self, room: RoomId, user: UserId) -> Seq {
        self.act(room, user, Join::default()).await.seq
    }

    pub async fn post(&mut self, room: RoomId, user: UserId, body: &str) -> Seq {
        self.act(room, user, Post::plain(text(body))).await.seq
    }
}

/// Appends records of one room after the one before the first.
pub async fn keep(store: &Any, records: &[&Arc<Record>]) -> Appended {
    let answers = store.append(vec![wish(records)]).await.unwrap();
    answers.into_iter().next().unwrap()
}

pub fn wish(records: &[&Arc<Record>]) -> Append {
    let first = records.first().unwrap();
    Append {
        room: first.room,
        after: Seq::new(first.seq.number() - 1),
        epoch: None,
        records: records.iter().map(|record| Arc::clone(record)).collect(),
        snapshot: None,
    }
}

/// Everything in a room, as Alice sees it.
pub fn all(room: RoomId) -> MessageQuery {
    MessageQuery::newest(room, ALICE, 10_000)
}

/// Has all standing work done.
pub async fn tend(store: &Any) {
    for _ in 0..10_000 {
        if store.tend(NOW).await.unwrap() {
            continue;
        }
        // The writer moves its log away after it has answered, unless more is asked already.
        for _ in 0..3 {
            store.check().await.unwrap();
        }
        return;
    }
    panic!("there is no end of it");
}

/// Does all of this at the same time.
pub async fn together<T>(work: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = work.into_iter().map(|it| (Box::pin(it), None)).collect();
    poll_fn(|cx| {
        for (work, done) in &mut waiting {
            if done.is_none()
                && let Poll::Ready(it) = work.as_mut().poll(cx)
            {
                *done = Some(it);
            }
        }
        match waiting.iter().all(|(_, done)| done.is_some()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}
