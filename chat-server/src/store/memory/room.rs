//! One room: its log, and what lists show of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chat_core::event::{Edited, Posted};
use chat_core::{
    Author, Content, Event, Head, Idx, Kind, Lifecycle, Name, Reaction, Record, Room, Seq,
    Timestamp, UserId,
};
use chat_protocol::answer::{MemberCard, Message, MyRoom, RoomCard, Tally};

use super::accounts::Accounts;
use crate::store::project::fold;
use crate::store::{Marker, MessageQuery, Place};

#[derive(Debug)]
pub(super) struct Log {
    pub(super) room: Room,
    pub(super) records: Vec<Arc<Record>>,
    pub(super) messages: BTreeMap<Seq, Line>,
    /// All messages, in the order of their numbers.
    by_idx: Vec<(Idx, Seq)>,
    pub(super) present: BTreeMap<UserId, Present>,
    /// When the room was trimmed last.
    pub(super) trimmed_at: Option<Timestamp>,
}

/// A message as it reads today.
#[derive(Debug)]
pub(super) struct Line {
    idx: Idx,
    at: Timestamp,
    pub(super) by: Author,
    posted: Posted,
    pub(super) content: Option<Content>,
    mentions: BTreeSet<UserId>,
    edits: Vec<Seq>,
    edited_at: Option<Timestamp>,
    deleted: Option<(Seq, Timestamp)>,
    /// When its author was erased.
    pub(super) erased_at: Option<Timestamp>,
    reactions: Vec<(Reaction, UserId)>,
}

/// What lists know of a member beside the room's state.
#[derive(Debug)]
pub(super) struct Present {
    pub(super) name: Option<Name>,
    read: Idx,
}

impl Log {
    pub(super) fn founded(record: &Arc<Record>) -> Option<Self> {
        let room = Room::founded(record)?;
        let mut log = Self {
            room,
            records: vec![Arc::clone(record)],
            messages: BTreeMap::new(),
            by_idx: Vec::new(),
            present: BTreeMap::new(),
            trimmed_at: None,
        };
        for user in log.room.members.keys().copied() {
            let name = record.by.name.clone().filter(|_| user == record.by.id);
            log.present.insert(
                user,
                Present {
                    name,
                    read: Idx::default(),
                },
            );
        }
        Some(log)
    }

    /// Takes in the next record.
    pub(super) fn follow(&mut self, record: &Arc<Record>) {
        if self.room.follow(record).is_none() {
            return;
        }
        self.records.push(Arc::clone(record));
        if let Event::Joined(_) = &record.event {
            // What was said before he came counts as read.
            let read = self.room.head_idx;
            self.present.insert(
                record.by.id,
                Present {
                    name: record.by.name.clone(),
                    read,
                },
            );
        }
        let members = &self.room.members;
        if self.present.len() != members.len() {
            self.present.retain(|user, _| members.contains_key(user));
        }
        self.follow_message(record);
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what concerns no message is done above"
    )]
    fn follow_message(&mut self, record: &Record) {
        match &record.event {
            Event::Posted(it) => self.post(record, it),
            Event::Edited(it) => self.edit(record, it),
            Event::Deleted(it) => self.delete(record, it.message),
            Event::RoomTrimmed(it) => self.trim(record.at, it.from),
            Event::Reacted(it) => {
                if let Some(line) = self.messages.get_mut(&it.message) {
                    line.reactions.push((it.reaction.clone(), record.by.id));
                }
            }
            Event::Unreacted(it) => {
                if let Some(line) = self.messages.get_mut(&it.message) {
                    let gone = (it.reaction.clone(), record.by.id);
                    line.reactions.retain(|reaction| *reaction != gone);
                }
            }
            _ => {}
        }
    }

    fn post(&mut self, record: &Record, it: &Posted) {
        if let Some(present) = self.present.get_mut(&record.by.id) {
            present.read = it.idx;
        }
        let mut posted = it.clone();
        let line = Line {
            idx: it.idx,
            at: record.at,
            by: record.by.clone(),
            content: posted.content.take(),
            mentions: std::mem::take(&mut posted.mentions),
            posted,
            edits: Vec::new(),
            edited_at: None,
            deleted: None,
            erased_at: None,
            reactions: Vec::new(),
        };
        self.by_idx.push((it.idx, record.seq));
        self.messages.insert(record.seq, line);
    }

    fn edit(&mut self, record: &Record, it: &Edited) {
        if let Some(line) = self.messages.get_mut(&it.message) {
            line.edits.push(record.seq);
            line.edited_at = Some(record.at);
            line.content.clone_from(&it.content);
            line.mentions.clone_from(&it.mentions);
        }
    }

    /// Takes the words away, also out of the log.
    fn delete(&mut self, record: &Record, message: Seq) {
        let Some(line) = self.messages.get_mut(&message) else {
            return;
        };
        line.deleted = Some((record.seq, record.at));
        line.content = None;
        line.reactions.clear();
        for seq in line.edits.iter().copied().chain([message]) {
            let place = usize::try_from(seq.number().saturating_sub(1)).unwrap_or(usize::MAX);
            if let Some(kept) = self.records.get_mut(place) {
                let mut bare = Record::clone(kept);
                drop(bare.take_words());
                *kept = Arc::new(bare);
            }
        }
    }

    pub(super) fn head_seq(&self) -> Seq {
        self.room.head_seq
    }

    pub(super) fn records(&self, after: Seq, limit: usize) -> Vec<Arc<Record>> {
        let after = usize::try_from(after.number()).unwrap_or(usize::MAX);
        self.records
            .iter()
            .skip(after)
            .take(limit)
            .cloned()
            .collect()
    }

    pub(super) fn head(&self, message: Seq) -> Option<Head> {
        let line = self.messages.get(&message)?;
        let mut head = Head {
            author: line.by.id,
            at: line.at,
            thread: line.posted.thread,
            deleted: line.deleted.map(|(seq, _)| seq),
            reactions: BTreeMap::new(),
        };
        for (reaction, user) in &line.reactions {
            head.set_reaction(reaction, *user, true);
        }
        Some(head)
    }

    pub(super) fn messages(&self, query: &MessageQuery) -> Vec<Message> {
        let from = query.from.max(self.room.kept_from);
        if from > query.to {
            return Vec::new();
        }
        let found = || {
            self.messages.range(from..=query.to).filter(|(seq, line)| {
                query
                    .thread
                    .is_none_or(|root| **seq == root || line.posted.thread == Some(root))
            })
        };
        let show = |(seq, line): (&Seq, &Line)| line.show(*seq, query.viewer);
        let before = |bound: Option<Seq>, limit| -> Vec<Message> {
            let it = found()
                .rev()
                .skip_while(|(seq, _)| bound.is_some_and(|bound| **seq >= bound));
            let mut it: Vec<_> = it.take(limit).map(show).collect();
            it.reverse();
            it
        };
        let on_from = |low: Seq, limit| {
            found()
                .skip_while(move |(seq, _)| **seq < low)
                .take(limit)
                .map(show)
        };
        match query.place {
            Place::Newest => before(None, query.limit),
            Place::Before(seq) => before(Some(seq), query.limit),
            Place::After(seq) => on_from(seq.next(), query.limit).collect(),
            Place::Around(seq) => {
                let half = query.limit / 2;
                let mut around = before(Some(seq), half);
                around.extend(on_from(seq, query.limit - half));
                around
            }
        }
    }

    pub(super) fn card(&self) -> RoomCard {
        RoomCard::from(&self.room)
    }

    /// Whether anybody may find it in a list of rooms.
    pub(super) fn is_listed(&self) -> bool {
        self.room.listed && self.room.lifecycle != Lifecycle::Deleted
    }

    /// Whether one of its names has this text in it, if one is looked for.
    pub(super) fn is_found(&self, search: Option<&str>) -> bool {
        let room = &self.room;
        let names = [&room.name, &room.alias];
        let fits = |text: &str| {
            let text = fold(text);
            names
                .into_iter()
                .flatten()
                .any(|name| fold(name.as_str()).contains(&text))
        };
        search.is_none_or(fits)
    }

    fn author(&self, user: UserId, accounts: &Accounts) -> Author {
        let name = self
            .room
            .nickname(user)
            .or_else(|| self.present.get(&user)?.name.as_ref())
            .cloned()
            .or_else(|| Some(accounts.by_number(user)?.name));
        Author { id: user, name }
    }

    /// The name under which a member came.
    pub(super) fn name_of(&self, user: UserId) -> Option<Name> {
        self.present.get(&user)?.name.clone()
    }

    pub(super) fn members(
        &self,
        after: Option<UserId>,
        limit: usize,
        accounts: &Accounts,
    ) -> Vec<MemberCard> {
        let members = self.room.members.iter();
        members
            .filter(|(user, _)| after.is_none_or(|after| **user > after))
            .take(limit)
            .map(|(user, member)| MemberCard {
                user: self.author(*user, accounts),
                role: self.room.own_role(*user).unwrap_or(member.role),
                since: member.since,
            })
            .collect()
    }

    pub(super) fn my_room(&self, user: UserId, accounts: &Accounts) -> Option<MyRoom> {
        let role = self
            .room
            .members
            .get(&user)
            .and_then(|_| self.room.own_role(user))?;
        let marker = self.marker(user);
        let peer = self
            .room
            .peer(user)
            .filter(|_| self.room.kind == Kind::Direct);
        Some(MyRoom {
            room: self.card(),
            role,
            read: marker.read,
            unread: marker.unread,
            mentions: marker.mentions,
            peer: peer.map(|peer| self.author(peer, accounts)),
        })
    }

    pub(super) fn markers(&self, after: Option<UserId>, limit: usize) -> Vec<(UserId, Idx)> {
        let members = self.room.members.keys();
        let members = members.filter(|user| after.is_none_or(|after| **user > after));
        let members = members.take(limit);
        let read = |user| {
            self.present
                .get(user)
                .map(|present| present.read)
                .unwrap_or_default()
        };
        members.map(|user| (*user, read(user))).collect()
    }

    pub(super) fn marker(&self, user: UserId) -> Marker {
        let Some(present) = self.present.get(&user) else {
            return Marker::default();
        };
        let read = self.by_idx.partition_point(|(idx, _)| *idx <= present.read);
        let later = self.by_idx.get(read..).unwrap_or_default();
        let unread = later
            .iter()
            .filter_map(|(_, seq)| self.messages.get_key_value(seq))
            .filter(|(seq, _)| **seq >= self.room.kept_from)
            .map(|(_, line)| line)
            .filter(|line| line.by.id != user && line.deleted.is_none());
        let mut marker = Marker {
            read: present.read,
            unread: 0,
            mentions: 0,
        };
        for line in unread {
            marker.unread += 1;
            if line.posted.mention_all || line.mentions.contains(&user) {
                marker.mentions += 1;
            }
        }
        marker
    }

    pub(super) fn mark_read(&mut self, user: UserId, idx: Idx) {
        if let Some(present) = self.present.get_mut(&user)
            && idx <= self.room.head_idx
        {
            present.read = present.read.max(idx);
        }
    }
}

impl Line {
    pub(super) fn show(&self, seq: Seq, viewer: UserId) -> Message {
        let mut reactions: Vec<Tally> = Vec::new();
        let counted = self.reactions.iter().filter(|_| self.erased_at.is_none());
        for (reaction, user) in counted {
            let mine = *user == viewer;
            match reactions
                .iter_mut()
                .find(|tally| tally.reaction == *reaction)
            {
                Some(tally) => {
                    tally.count += 1;
                    tally.mine |= mine;
                }
                None => reactions.push(Tally {
                    reaction: reaction.clone(),
                    count: 1,
                    mine,
                }),
            }
        }
        Message {
            seq,
            idx: self.idx,
            at: self.at,
            by: self.by.clone(),
            reply_to: self.posted.reply_to,
            thread: self.posted.thread,
            mentions: self.mentions.clone(),
            mention_all: self.posted.mention_all,
            content: self.content.clone(),
            edited_at: self.edited_at,
            deleted_at: self.deleted.map(|(_, at)| at).or(self.erased_at),
            reactions,
        }
    }
}
