//! Answers to what a turn can't know by itself.

use std::sync::Arc;

use chat_core::{MessageFact, Proof, RoomId, Seq};

use super::Worker;
use crate::mail::Refused;
use crate::node::Node;
use crate::store::{Epoch, Store, StoreError};
use crate::turn::{Ground, Question, Supply};

impl Worker {
    /// Answers one question.
    pub(super) async fn answer(&self, question: Question) -> Supply {
        if matches!(&question, Question::Load { room, .. } if self.is_in_doubt(*room)) {
            return Supply::Failed(Refused::StorageUnavailable);
        }
        match ask(&self.node, question).await {
            Ok(supply) => supply,
            Err(error) => {
                tracing::error!(%error, "a question of a room could not be answered");
                Supply::Failed(Refused::StorageUnavailable)
            }
        }
    }
}

async fn ask(node: &Node, question: Question) -> Result<Supply, StoreError> {
    let store = node.store();
    Ok(match question {
        Question::Load { room, heard, epoch } => load(&**store, room, heard, epoch).await?,
        Question::Since { room, after, epoch } => {
            let read = async |ground: &Ground| match ground.holds {
                true => store.records(room, after, PAGE).await,
                false => Ok(Vec::new()),
            };
            let (records, ground) = grounded(&**store, room, Some(after), epoch, read).await?;
            let whole = records.len() < PAGE;
            Supply::Since {
                records,
                whole,
                ground,
            }
        }
        Question::Heads(rooms) => {
            let mut heads = Vec::with_capacity(rooms.len());
            for some in rooms.chunks(PAGE) {
                heads.extend(store.heads(some).await?);
            }
            Supply::Heads(heads)
        }
        Question::Group(group) => Supply::Group(store.load(group).await?.map(Box::new)),
        Question::Message(room, message) => {
            let (as_of, head) = store.head(room, message).await?;
            Supply::Message(MessageFact {
                message,
                as_of,
                head,
            })
        }
        Question::Proof {
            password,
            hash,
            version,
        } => match node.hasher().verify(&password, hash.expose()).await {
            Ok(fits) => Supply::Proof(Proof { version, fits }),
            Err(_) => Supply::Failed(Refused::Overloaded),
        },
        Question::Hash(password) => match node.hasher().hash(&password).await {
            Ok(hash) => Supply::Hash(chat_core::SecretHash::new(hash)),
            Err(_) => Supply::Failed(Refused::Overloaded),
        },
        Question::Standing(user) => {
            let since = node.clock().now().minus_ms(chat_core::limits::DAY_MS);
            Supply::Standing(store.standing(user, since).await?)
        }
        Question::Blocked { by, user } => Supply::Blocked(store.is_blocked(by, user).await?),
        Question::Record(room, seq) => {
            let before = seq.prev();
            let found = store.records(room, before, 1).await?;
            Supply::Record(seq, found.into_iter().find(|record| record.seq == seq))
        }
        Question::Holder(key) => Supply::Holder(store.holder(&key).await?),
    })
}

/// Loads a room, and what those who hear it have missed.
async fn load(
    store: &dyn Store,
    room: RoomId,
    heard: Option<Seq>,
    epoch: Option<Epoch>,
) -> Result<Supply, StoreError> {
    let read = async |ground: &Ground| {
        let Some(loaded) = store.load(room).await? else {
            return Ok((None, Vec::new()));
        };
        let mut missed = Vec::new();
        let mut after = heard.filter(|_| ground.holds).unwrap_or(loaded.head_seq);
        while after < loaded.head_seq {
            let page = store.records(room, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            missed.extend(page);
        }
        missed.retain(|record| record.seq <= loaded.head_seq);
        Ok((Some(Box::new(loaded)), missed))
    };
    let ((loaded, missed), ground) = grounded(store, room, heard, epoch, read).await?;
    Ok(Supply::Room(loaded, missed, ground))
}

/// Reads within one continuation of the logs, knowing whether what was heard is in it.
async fn grounded<T>(
    store: &dyn Store,
    room: RoomId,
    heard: Option<Seq>,
    known: Option<Epoch>,
    read: impl AsyncFn(&Ground) -> Result<T, StoreError>,
) -> Result<(T, Ground), StoreError> {
    for _ in 0..CONTINUATIONS_MAX {
        let epoch = store.epoch();
        let holds = match (heard, known.as_deref()) {
            (Some(heard), Some(known)) if known != epoch => {
                store.continues(room, known, heard).await?
            }
            _ => true,
        };
        let epoch = Arc::from(epoch);
        let ground = Ground {
            after: heard,
            holds,
            epoch,
        };
        let answer = read(&ground).await?;
        if store.epoch() == *ground.epoch {
            return Ok((answer, ground));
        }
    }
    let why = "the store is replaced again and again";
    Err(StoreError::Unavailable(why.into()))
}

/// Continuations of the logs that may come and go while something is read.
const CONTINUATIONS_MAX: usize = 4;

/// Records read at once.
const PAGE: usize = 1_000;
