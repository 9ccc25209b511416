//! Taking away what a person wrote, and what he is called.

use std::sync::Arc;

use chat_core::{Kind, Lifecycle, Record, Timestamp, UserId};

use super::room::Log;
use super::state::State;
use crate::store::Erasure;

impl State {
    /// A record as it is kept: one of somebody who was erased without words.
    pub(super) fn kept(&self, record: &Arc<Record>) -> Arc<Record> {
        match self.erased.contains_key(&record.by.id) {
            true => bare(record),
            false => Arc::clone(record),
        }
    }

    /// A message that came when its author was erased already reads as if it had been there then.
    pub(super) fn mark_erased(&mut self, record: &Record) {
        if let Some(at) = self.erased.get(&record.by.id)
            && let Some(log) = self.rooms.get_mut(&record.room)
            && let Some(line) = log.messages.get_mut(&record.seq)
        {
            line.erased_at = Some(*at);
        }
    }

    pub(super) fn erase(&mut self, user: UserId, at: Timestamp) -> bool {
        if self.erased.contains_key(&user) {
            return false;
        }
        self.erased.insert(user, at);
        self.accounts.erase(user);
        self.guests_seen.remove(&user);
        self.blocks.retain(|(by, it)| *by != user && *it != user);
        for log in self.rooms.values_mut() {
            log.erase(user, at);
        }
        true
    }

    pub(super) fn erasures(&self, limit: usize) -> Vec<Erasure> {
        let part = |user: UserId, log: &Log| Erasure {
            user,
            room: log.room.id,
            owns: log.room.owner == user,
            is_member: log.room.members.contains_key(&user),
        };
        let parts = self.erased.keys().flat_map(|user| {
            let rooms = self.rooms.values();
            let living = rooms.filter(|log| {
                log.room.lifecycle != Lifecycle::Deleted && log.room.kind != Kind::Direct
            });
            living.map(|log| part(*user, log))
        });
        parts
            .filter(|it| it.owns || it.is_member)
            .take(limit)
            .collect()
    }
}

impl Log {
    fn erase(&mut self, user: UserId, at: Timestamp) {
        for record in &mut self.records {
            if record.by.id == user {
                *record = bare(record);
            }
        }
        for line in self.messages.values_mut() {
            if line.by.id == user {
                line.by.name = None;
                line.content = None;
                line.erased_at = Some(at);
            }
        }
        if let Some(present) = self.present.get_mut(&user) {
            present.name = None;
        }
        if let Some(member) = self.room.members.get_mut(&user) {
            member.nickname = None;
        }
    }
}

pub(super) fn bare(record: &Record) -> Arc<Record> {
    let mut bare = record.clone();
    drop(bare.take_words());
    Arc::new(bare)
}
