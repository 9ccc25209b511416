//! What persons wrote in a record, apart from the fact: the part that can be erased.

use serde::{Deserialize, Serialize};

use crate::content::{Content, Text};
use crate::event::{Event, Record};
use crate::name::Name;

/// The words of a record. Taken out of it and kept beside it, they can be erased without touching
/// the fact; state never depends on them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Words {
    /// The author's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// What a message says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Why somebody was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
    /// A name within a room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<Name>,
}

impl Record {
    /// Takes the words out and leaves the bare fact.
    #[must_use]
    pub fn take_words(&mut self) -> Words {
        let mut words = Words {
            name: self.by.name.take(),
            ..Words::default()
        };
        match &mut self.event {
            Event::Posted(it) => words.content = it.content.take(),
            Event::Edited(it) => words.content = it.content.take(),
            Event::Kicked(it) => words.reason = it.reason.take(),
            Event::Banned(it) => words.reason = it.reason.take(),
            Event::NicknameChanged(it) => words.nickname = it.nickname.take(),
            Event::RoomCreated(_)
            | Event::RoomUpdated(_)
            | Event::AccessChanged(_)
            | Event::GrantChanged(_)
            | Event::RoomArchived(_)
            | Event::RoomUnarchived(_)
            | Event::RoomDeleted(_)
            | Event::OwnershipTransferred(_)
            | Event::Joined(_)
            | Event::Left(_)
            | Event::Invited(_)
            | Event::InviteRevoked(_)
            | Event::InviteDeclined(_)
            | Event::Unbanned(_)
            | Event::Muted(_)
            | Event::Unmuted(_)
            | Event::RoleChanged(_)
            | Event::Deleted(_)
            | Event::Reacted(_)
            | Event::Unreacted(_)
            | Event::Pinned(_)
            | Event::Unpinned(_) => {}
        }
        words
    }

    /// Puts words back where [`Record::take_words`] took them from; words that have no place in
    /// this fact are dropped.
    #[must_use]
    pub fn with_words(mut self, words: Words) -> Self {
        self.by.name = words.name;
        match &mut self.event {
            Event::Posted(it) => it.content = words.content,
            Event::Edited(it) => it.content = words.content,
            Event::Kicked(it) => it.reason = words.reason,
            Event::Banned(it) => it.reason = words.reason,
            Event::NicknameChanged(it) => it.nickname = words.nickname,
            Event::RoomCreated(_)
            | Event::RoomUpdated(_)
            | Event::AccessChanged(_)
            | Event::GrantChanged(_)
            | Event::RoomArchived(_)
            | Event::RoomUnarchived(_)
            | Event::RoomDeleted(_)
            | Event::OwnershipTransferred(_)
            | Event::Joined(_)
            | Event::Left(_)
            | Event::Invited(_)
            | Event::InviteRevoked(_)
            | Event::InviteDeclined(_)
            | Event::Unbanned(_)
            | Event::Muted(_)
            | Event::Unmuted(_)
            | Event::RoleChanged(_)
            | Event::Deleted(_)
            | Event::Reacted(_)
            | Event::Unreacted(_)
            | Event::Pinned(_)
            | Event::Unpinned(_) => {}
        }
        self
    }
}
