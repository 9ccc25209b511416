//! Questions to the past. Nothing is remembered: each answer is read out of the log again.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::{
    Access, Command, Event, Features, History, Idx, Kind, Overrides, Reaction, Record, Role,
    RoomId, Seq, Timestamp, UserId,
};

/// The log of one room, with the wish behind each fact.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past(pub(crate) Vec<(Record, Command)>);

/// A message as its room's past tells it.
pub(crate) struct Message {
    pub(crate) author: UserId,
    pub(crate) at: Timestamp,
    pub(crate) in_thread: bool,
    pub(crate) deleted: Option<Seq>,
    pub(crate) reactions: BTreeSet<(Reaction, UserId)>,
}

impl Past {
    pub(super) fn records(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.0.iter().map(|(record, _)| record)
    }

    /// The newest answer that a record gives to a question.
    fn last<T>(&self, answer: impl FnMut(&Record) -> Option<T>) -> Option<T> {
        self.records().rev().find_map(answer)
    }

    fn created(&self) -> &chat_core::event::RoomCreated {
        let Event::RoomCreated(it) = &self.0[0].0.event else {
            panic!("a log without a room")
        };
        it
    }

    pub(super) fn head(&self) -> Seq {
        self.records()
            .next_back()
            .map_or(Seq::default(), |record| record.seq)
    }

    pub(super) fn head_at(&self) -> Timestamp {
        self.records()
            .next_back()
            .map_or(Timestamp::default(), |record| record.at)
    }

    pub(super) fn messages(&self) -> Idx {
        let posts = self
            .records()
            .filter(|record| matches!(record.event, Event::Posted(_)));
        Idx::new(posts.count() as u64)
    }

    pub(super) fn kind(&self) -> Kind {
        self.created().kind
    }

    pub(super) fn pair(&self) -> Option<[UserId; 2]> {
        self.created().pair
    }

    pub(super) fn deleted(&self) -> bool {
        self.records()
            .any(|record| matches!(record.event, Event::RoomDeleted(_)))
    }

    pub(super) fn archived(&self) -> bool {
        let answer = self.last(|record| {
            let archived = matches!(record.event, Event::RoomArchived(_));
            (archived || matches!(record.event, Event::RoomUnarchived(_))).then_some(archived)
        });
        answer.unwrap_or(false)
    }

    pub(super) fn kept_from(&self) -> Seq {
        let kept = self.records().filter_map(|record| {
            let Event::RoomTrimmed(it) = &record.event else {
                return None;
            };
            Some(it.from)
        });
        kept.max().unwrap_or(Seq::new(1))
    }

    pub(super) fn alias(&self) -> Option<String> {
        let alias = self.last(|record| {
            let Event::RoomUpdated(it) = &record.event else {
                return None;
            };
            it.alias.clone()
        });
        alias
            .or(self.created().alias.clone())
            .map(|alias| alias.as_str().to_lowercase())
    }

    pub(super) fn access(&self) -> Access {
        let access = self.last(|record| {
            let Event::AccessChanged(it) = &record.event else {
                return None;
            };
            it.access.clone()
        });
        access.unwrap_or(self.created().access.clone())
    }

    pub(super) fn listed(&self) -> bool {
        let listed = self.last(|record| {
            let Event::AccessChanged(it) = &record.event else {
                return None;
            };
            it.listed
        });
        listed.unwrap_or(self.created().listed)
    }

    pub(super) fn history(&self) -> History {
        let history = self.last(|record| {
            let Event::AccessChanged(it) = &record.event else {
                return None;
            };
            it.history
        });
        history.unwrap_or(self.created().history)
    }

    pub(super) fn features(&self) -> Features {
        let features = self.last(|record| {
            let Event::RoomUpdated(it) = &record.event else {
                return None;
            };
            it.features
        });
        features.unwrap_or(self.created().features)
    }

    pub(super) fn capacity(&self) -> Option<u64> {
        let capacity = self.last(|record| {
            let Event::RoomUpdated(it) = &record.event else {
                return None;
            };
            it.capacity
        });
        capacity.or(self.created().capacity)
    }

    pub(super) fn slow_ms(&self) -> u64 {
        let seconds = self.last(|record| {
            let Event::RoomUpdated(it) = &record.event else {
                return None;
            };
            it.slow_mode_s
        });
        seconds.unwrap_or(self.created().slow_mode_s) * 1000
    }

    pub(super) fn overrides(&self) -> Overrides {
        let overrides = self.last(|record| {
            let Event::RoomUpdated(it) = &record.event else {
                return None;
            };
            it.overrides.clone()
        });
        overrides.unwrap_or(self.created().overrides.clone())
    }

    pub(super) fn owner(&self) -> UserId {
        self.owner_before(self.head().next())
    }

    fn owner_before(&self, seq: Seq) -> UserId {
        let to = self.last(|record| {
            let Event::OwnershipTransferred(it) = &record.event else {
                return None;
            };
            (record.seq < seq).then_some(it.to)
        });
        to.unwrap_or(self.created().owner)
    }

    /// The record by which a user is a member, if he is one.
    pub(super) fn since(&self, user: UserId) -> Option<Seq> {
        let change = self.last(|record| {
            let (seq, by) = (record.seq, record.by.id);
            if let Event::Joined(_) = &record.event {
                (by == user).then_some(Some(seq))
            } else if let Event::Left(_) = &record.event {
                (by == user).then_some(None)
            } else if let Event::Kicked(it) = &record.event {
                (it.user == user).then_some(None)
            } else if let Event::Banned(it) = &record.event {
                (it.user == user).then_some(None)
            } else if let Event::RoomCreated(it) = &record.event {
                let maker = it.joined && by == user;
                (maker || it.pair.is_some_and(|pair| pair.contains(&user))).then_some(Some(seq))
            } else {
                None
            }
        });
        change.flatten()
    }

    /// Everybody who was ever spoken of and is a member.
    pub(super) fn members(&self) -> Vec<UserId> {
        let mut users: BTreeSet<UserId> = self.records().map(|record| record.by.id).collect();
        users.extend(self.pair().into_iter().flatten());
        users
            .into_iter()
            .filter(|user| self.since(*user).is_some())
            .collect()
    }

    /// What a user is by himself: the owner, or what his membership says.
    pub(super) fn own_role(&self, user: UserId) -> Option<Role> {
        if self.kind() != Kind::Direct && self.owner() == user {
            return Some(Role::Owner);
        }
        let since = self.since(user)?;
        let change = self.last(|record| {
            if record.seq < since {
                return None;
            }
            if let Event::RoleChanged(it) = &record.event {
                (it.user == user).then_some(it.role)
            } else if let Event::OwnershipTransferred(it) = &record.event {
                let owned = it.to == user || self.owner_before(record.seq) == user;
                owned.then_some(Role::Admin)
            } else {
                None
            }
        });
        let entered = if user.is_guest() {
            Role::Guest
        } else if self.kind() != Kind::Direct && self.owner_before(since.next()) == user {
            Role::Admin
        } else {
            Role::Member
        };
        Some(change.unwrap_or(entered))
    }

    pub(super) fn nickname(&self, user: UserId) -> Option<chat_core::Name> {
        let since = self.since(user)?;
        let nickname = self.last(|record| {
            let Event::NicknameChanged(it) = &record.event else {
                return None;
            };
            (record.by.id == user && record.seq > since).then(|| it.nickname.clone())
        });
        nickname.flatten()
    }

    pub(super) fn ban(&self, user: UserId, at: Timestamp) -> Option<Option<Timestamp>> {
        let until = self.last(|record| {
            if let Event::Banned(it) = &record.event {
                (it.user == user).then_some(Some(it.until))
            } else if let Event::Unbanned(it) = &record.event {
                (it.user == user).then_some(None)
            } else {
                None
            }
        });
        until
            .flatten()
            .filter(|until| until.is_none_or(|until| at < until))
    }

    pub(super) fn mute(&self, user: UserId, at: Timestamp) -> Option<Timestamp> {
        let until = self.last(|record| {
            if let Event::Muted(it) = &record.event {
                (it.user == user).then_some(Some(it.until))
            } else if let Event::Unmuted(it) = &record.event {
                (it.user == user).then_some(None)
            } else {
                None
            }
        });
        until.flatten().filter(|until| at < *until)
    }

    /// The invitation that holds, and until when.
    pub(super) fn invite(&self, user: UserId, at: Timestamp) -> Option<Option<Timestamp>> {
        let until = self.last(|record| {
            let by = record.by.id == user;
            if let Event::Invited(it) = &record.event {
                (it.user == user).then_some(Some(it.until))
            } else if let Event::InviteRevoked(it) = &record.event {
                (it.user == user).then_some(None)
            } else if let Event::Banned(it) = &record.event {
                (it.user == user).then_some(None)
            } else {
                let used = matches!(record.event, Event::Joined(_) | Event::InviteDeclined(_));
                (used && by).then_some(None)
            }
        });
        until
            .flatten()
            .filter(|until| until.is_none_or(|until| at < until))
    }

    pub(super) fn grants(&self) -> BTreeMap<RoomId, Role> {
        let mut grants = BTreeMap::new();
        for record in self.records() {
            let Event::GrantChanged(it) = &record.event else {
                continue;
            };
            grants.insert(it.group, it.role);
        }
        grants
            .into_iter()
            .filter_map(|(group, role)| Some((group, role?)))
            .collect()
    }

    pub(super) fn message(&self, message: Seq) -> Option<Message> {
        let posted = self.records().find(|record| record.seq == message)?;
        let Event::Posted(it) = &posted.event else {
            return None;
        };
        let mut found = Message {
            author: posted.by.id,
            at: posted.at,
            in_thread: it.thread.is_some(),
            deleted: None,
            reactions: BTreeSet::new(),
        };
        for record in self.records() {
            let by = record.by.id;
            if let Event::Deleted(it) = &record.event {
                if it.message == message {
                    found.deleted = Some(record.seq);
                }
            } else if let Event::Reacted(it) = &record.event {
                if it.message == message {
                    found.reactions.insert((it.reaction.clone(), by));
                }
            } else if let Event::Unreacted(it) = &record.event
                && it.message == message
            {
                found.reactions.remove(&(it.reaction.clone(), by));
            }
        }
        Some(found)
    }

    pub(super) fn pins(&self) -> BTreeSet<Seq> {
        let mut pins = BTreeSet::new();
        for record in self.records() {
            if let Event::Pinned(it) = &record.event {
                pins.insert(it.message);
            } else if let Event::Unpinned(it) = &record.event {
                pins.remove(&it.message);
            } else if let Event::Deleted(it) = &record.event {
                pins.remove(&it.message);
            } else if let Event::RoomTrimmed(it) = &record.event {
                pins.retain(|pin| *pin >= it.from);
            }
        }
        pins
    }

    /// When a user posted, oldest first.
    pub(super) fn posts(&self, user: UserId) -> Vec<Timestamp> {
        let own = self.records().filter(|record| record.by.id == user);
        own.filter(|record| matches!(record.event, Event::Posted(_)))
            .map(|record| record.at)
            .collect()
    }
}
