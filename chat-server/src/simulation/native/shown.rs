//! A room as a snapshot shows it, and as it follows from its records.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::UserId;
use serde_json::Value;

use crate::simulation::ledger::Book;

/// What is compared of a room.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    members: BTreeSet<u64>,
    role: String,
    /// The newest messages that aren't deleted, and what they say.
    messages: BTreeMap<u64, String>,
}

impl Shown {
    pub(super) fn read(ok: &Value) -> Self {
        let members = ok["members"]["items"].as_array().into_iter().flatten();
        let messages = ok["messages"].as_array().into_iter().flatten();
        let text = |it: &Value| {
            let body = it["content"]["body"].as_str()?;
            Some((it["seq"].as_u64()?, body.to_owned()))
        };
        Self {
            members: members.filter_map(|it| it["user"]["id"].as_u64()).collect(),
            role: ok["me"]["role"].as_str().unwrap_or_default().to_owned(),
            messages: messages.filter_map(text).collect(),
        }
    }

    pub(super) fn due(book: &Book, user: UserId) -> Self {
        Self {
            members: book.members().into_iter().map(UserId::number).collect(),
            role: book.role(user),
            messages: book.texts(user),
        }
    }

    /// Whether this is shown of what is due: the newest of the messages are enough.
    pub(super) fn is(&self, due: &Self) -> bool {
        let first = self.messages.keys().next().copied().unwrap_or(u64::MAX);
        let newest = due.messages.range(first..);
        self.members == due.members && self.role == due.role && self.messages.iter().eq(newest)
    }
}
