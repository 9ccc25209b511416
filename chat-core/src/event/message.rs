//! What is said, and what becomes of it.

use alloc::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::content::{Content, Reaction};
use crate::id::{Idx, Seq, UserId};

/// A message. Its name is `(room, seq)` of this record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Posted {
    /// Its position among the room's messages.
    pub idx: Idx,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
    /// The first message of the thread it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Seq>,
    /// Whom it mentions, sorted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub mentions: BTreeSet<UserId>,
    /// Whether it mentions everybody.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mention_all: bool,
    /// What it says; absent once erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
}

/// A message says something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Edited {
    /// The message.
    pub message: Seq,
    /// Whom it mentions.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub mentions: BTreeSet<UserId>,
    /// What it says; absent once erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
}

/// A reaction of the author's to a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reacted {
    /// The message.
    pub message: Seq,
    /// The reaction.
    pub reaction: Reaction,
}

/// A message is gone; its content is erased from disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Deleted {
    /// The message.
    pub message: Seq,
}

/// The author took a reaction back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unreacted {
    /// The message.
    pub message: Seq,
    /// The reaction.
    pub reaction: Reaction,
}

/// A message is pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pinned {
    /// The message.
    pub message: Seq,
}

/// A message is pinned no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unpinned {
    /// The message.
    pub message: Seq,
}

fn is_false(it: &bool) -> bool {
    !it
}
