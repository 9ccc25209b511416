//! The recent messages of a room, without their texts.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::content::Reaction;
use crate::id::{Seq, Timestamp, UserId};
use crate::limits::HEADS_HELD;

/// What decisions need of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Who wrote it.
    pub author: UserId,
    /// When.
    pub at: Timestamp,
    /// The first message of its thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Seq>,
    /// The record that deleted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Seq>,
    /// Who reacted how.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reactions: BTreeMap<Reaction, BTreeSet<UserId>>,
}

impl Head {
    /// Whether this user reacted so.
    #[must_use]
    pub fn has_reaction(&self, reaction: &Reaction, user: UserId) -> bool {
        self.reactions
            .get(reaction)
            .is_some_and(|users| users.contains(&user))
    }

    /// The reactions of all users.
    #[must_use]
    pub fn reactions_count(&self) -> usize {
        self.reactions.values().map(BTreeSet::len).sum()
    }

    /// Adds or takes back a reaction.
    pub fn set_reaction(&mut self, reaction: &Reaction, user: UserId, on: bool) {
        if on {
            self.reactions
                .entry(reaction.clone())
                .or_default()
                .insert(user);
        } else if let Some(users) = self.reactions.get_mut(reaction) {
            users.remove(&user);
            if users.is_empty() {
                self.reactions.remove(reaction);
            }
        }
    }
}

/// The newest messages, and which older ones were touched lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heads {
    /// In the order of their numbers: the log brings them so.
    newest: VecDeque<(Seq, Head)>,
    /// Records that changed a message which is not among the newest: (record, message).
    touched: VecDeque<(Seq, Seq)>,
    /// The last record that `touched` forgot. A fact from before it can't be trusted.
    forgotten: Seq,
}

impl Heads {
    pub(crate) fn get(&self, message: Seq) -> Option<&Head> {
        let place = self.place(message)?;
        self.newest.get(place).map(|(_, head)| head)
    }

    fn place(&self, message: Seq) -> Option<usize> {
        self.newest
            .binary_search_by_key(&message, |(seq, _)| *seq)
            .ok()
    }

    /// Whether what was read of an old message at `as_of` still holds.
    pub(crate) fn is_fresh(&self, message: Seq, as_of: Seq) -> bool {
        as_of >= self.forgotten
            && !self
                .touched
                .iter()
                .any(|(record, touched)| *touched == message && *record > as_of)
    }

    pub(crate) fn insert(&mut self, message: Seq, head: Head) {
        self.newest.push_back((message, head));
        if self.newest.len() > HEADS_HELD {
            if let Some((oldest, _)) = self.newest.pop_front() {
                // Whoever read it from the store before this moment may have missed a change.
                self.touch(message, oldest);
            }
        }
    }

    /// Changes a message, or notes that one which isn't held has changed.
    pub(crate) fn change(&mut self, record: Seq, message: Seq, change: impl FnOnce(&mut Head)) {
        let place = self.place(message);
        match place.and_then(|place| self.newest.get_mut(place)) {
            Some((_, head)) => change(head),
            None => self.touch(record, message),
        }
    }

    fn touch(&mut self, record: Seq, message: Seq) {
        if self.touched.len() >= HEADS_HELD {
            if let Some((forgotten, _)) = self.touched.pop_front() {
                self.forgotten = forgotten;
            }
        }
        self.touched.push_back((record, message));
    }
}
