//! What persons wrote in a record, apart from the fact: the part that can be erased.

use serde::{Deserialize, Serialize};

use crate::content::{Content, Text};
use crate::event::{Event, Record};
use crate::id::Seq;
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

/// Where a fact keeps its words, beside the author's name.
enum Place<'a> {
    Content(&'a mut Option<Content>),
    Reason(&'a mut Option<Text>),
    Nickname(&'a mut Option<Name>),
    Nowhere,
}

impl Record {
    /// Takes the words out and leaves the bare fact.
    #[must_use]
    pub fn take_words(&mut self) -> Words {
        let mut words = Words {
            name: self.by.name.take(),
            ..Words::default()
        };
        match self.event.words() {
            Place::Content(content) => words.content = content.take(),
            Place::Reason(reason) => words.reason = reason.take(),
            Place::Nickname(nickname) => words.nickname = nickname.take(),
            Place::Nowhere => {}
        }
        words
    }

    /// Whether its words go when only what was said from a record on is kept. An edit goes with its
    /// message. Who came, and what he is called here, wasn't said: members have it as long as they
    /// are some.
    #[must_use]
    pub fn is_trimmed(&self, kept_from: Seq) -> bool {
        let said = match &self.event {
            Event::RoomCreated(_) | Event::Joined(_) | Event::NicknameChanged(_) => return false,
            Event::Edited(it) => it.message,
            Event::RoomUpdated(_)
            | Event::AccessChanged(_)
            | Event::GrantChanged(_)
            | Event::RoomArchived(_)
            | Event::RoomUnarchived(_)
            | Event::RoomTrimmed(_)
            | Event::RoomDeleted(_)
            | Event::OwnershipTransferred(_)
            | Event::Left(_)
            | Event::Invited(_)
            | Event::InviteRevoked(_)
            | Event::InviteDeclined(_)
            | Event::Kicked(_)
            | Event::Banned(_)
            | Event::Unbanned(_)
            | Event::Muted(_)
            | Event::Unmuted(_)
            | Event::RoleChanged(_)
            | Event::Posted(_)
            | Event::Deleted(_)
            | Event::Reacted(_)
            | Event::Unreacted(_)
            | Event::Pinned(_)
            | Event::Unpinned(_) => self.seq,
        };
        said < kept_from
    }

    /// Puts words back where [`Record::take_words`] took them from; words that have no place in
    /// this fact are dropped.
    #[must_use]
    pub fn with_words(mut self, words: Words) -> Self {
        self.by.name = words.name;
        match self.event.words() {
            Place::Content(content) => *content = words.content,
            Place::Reason(reason) => *reason = words.reason,
            Place::Nickname(nickname) => *nickname = words.nickname,
            Place::Nowhere => {}
        }
        self
    }
}

impl Event {
    fn words(&mut self) -> Place<'_> {
        match self {
            Self::Posted(it) => Place::Content(&mut it.content),
            Self::Edited(it) => Place::Content(&mut it.content),
            Self::Kicked(it) => Place::Reason(&mut it.reason),
            Self::Banned(it) => Place::Reason(&mut it.reason),
            Self::NicknameChanged(it) => Place::Nickname(&mut it.nickname),
            Self::RoomCreated(_)
            | Self::RoomUpdated(_)
            | Self::AccessChanged(_)
            | Self::GrantChanged(_)
            | Self::RoomArchived(_)
            | Self::RoomUnarchived(_)
            | Self::RoomTrimmed(_)
            | Self::RoomDeleted(_)
            | Self::OwnershipTransferred(_)
            | Self::Joined(_)
            | Self::Left(_)
            | Self::Invited(_)
            | Self::InviteRevoked(_)
            | Self::InviteDeclined(_)
            | Self::Unbanned(_)
            | Self::Muted(_)
            | Self::Unmuted(_)
            | Self::RoleChanged(_)
            | Self::Deleted(_)
            | Self::Reacted(_)
            | Self::Unreacted(_)
            | Self::Pinned(_)
            | Self::Unpinned(_) => Place::Nowhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Author, Edited, Joined, Posted, Way};
    use crate::id::{Idx, RoomId, Timestamp, UserId};
    use crate::policy::Role;

    #[test]
    fn an_edit_is_trimmed_with_its_message_and_a_name_with_nothing() {
        let edited = Edited {
            message: Seq::new(4),
            mentions: [].into(),
            content: None,
        };
        let posted = Posted {
            idx: Idx::new(1),
            reply_to: None,
            thread: None,
            mentions: [].into(),
            mention_all: false,
            content: None,
        };
        let (way, role) = (Way::Open, Role::Member);
        let (post, edit, join) = (posted.into(), edited.into(), Joined { way, role }.into());
        let cases: [(u64, Event, u64, bool); 6] = [
            (4, Event::clone(&post), 4, false),
            (4, post, 5, true),
            (9, Event::clone(&edit), 4, false),
            (9, edit, 5, true),
            (2, Event::clone(&join), 2, false),
            (2, join, 5, false),
        ];
        for (seq, event, kept_from, trimmed) in cases {
            let id = UserId::new(1);
            let record = Record {
                room: RoomId::new(1),
                seq: Seq::new(seq),
                at: Timestamp::default(),
                by: Author { id, name: None },
                via: None,
                cid: None,
                event,
            };
            assert_eq!(
                record.is_trimmed(Seq::new(kept_from)),
                trimmed,
                "{record:?}"
            );
        }
    }
}
