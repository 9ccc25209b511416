//! Answers to what a turn can't know by itself.

use chat_core::{MessageFact, Proof};

use super::Worker;
use crate::mail::Refused;
use crate::node::Node;
use crate::store::StoreError;
use crate::turn::{Question, Supply};

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
        Question::Load { room, heard } => {
            let Some(loaded) = store.load(room).await? else {
                return Ok(Supply::Room(None, Vec::new()));
            };
            let mut missed = Vec::new();
            let mut after = heard.unwrap_or(loaded.head_seq);
            while after < loaded.head_seq {
                let page = store.records(room, after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after = last.seq;
                missed.extend(page);
            }
            missed.retain(|record| record.seq <= loaded.head_seq);
            Supply::Room(Some(Box::new(loaded)), missed)
        }
        Question::Since { room, after } => {
            let records = store.records(room, after, PAGE).await?;
            let whole = records.len() < PAGE;
            Supply::Since { records, whole }
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

/// Records read at once.
const PAGE: usize = 1_000;
