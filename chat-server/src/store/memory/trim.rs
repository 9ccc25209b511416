//! Taking away what rooms keep no longer.

use chat_core::{Event, Lifecycle, Seq, Timestamp};

use super::erase::bare;
use super::room::Log;
use super::state::State;
use crate::store::project::{days_ms, kept_by_count};
use crate::store::{Overdue, TRIMMED_EVERY_MS};

impl State {
    pub(super) fn overdue(&self, now: Timestamp, limit: usize) -> Vec<Overdue> {
        let mut overdue: Vec<_> = self
            .rooms
            .values()
            .filter_map(|log| log.overdue(now))
            .collect();
        overdue.sort_by_key(|(since, it)| (*since, it.room));
        overdue.into_iter().map(|(_, it)| it).take(limit).collect()
    }
}

impl Log {
    /// What is to be trimmed, and since when.
    fn overdue(&self, now: Timestamp) -> Option<(Timestamp, Overdue)> {
        let (room, pace) = (&self.room, TRIMMED_EVERY_MS);
        let pace = self.trimmed_at.map(|at| at.plus_ms(pace));
        let pace = pace.unwrap_or_default();
        if room.lifecycle == Lifecycle::Deleted || now < pace {
            return None;
        }
        let mut due: Option<(Timestamp, Seq)> = None;
        let first = room.kept_from.max(Seq::new(1));
        if let Some(records) = room.retention.records {
            let kept = room.head_seq.number() + 1 - first.number();
            due = (kept > records).then(|| {
                let at_once = Timestamp::new(1);
                (at_once, kept_by_count(room.head_seq, records))
            });
        }
        if let Some(days) = room.retention.days {
            let kept = || self.records.iter().filter(|it| it.seq >= first);
            let past = |at: Timestamp| at.plus_ms(days_ms(days));
            let oldest = kept().find(|it| !matches!(it.event, Event::RoomTrimmed(_)));
            if let Some(since) = oldest.map(|it| past(it.at)).filter(|since| *since <= now) {
                let young = kept().find(|it| past(it.at) > now);
                let from = young.map_or(room.head_seq.next(), |it| it.seq);
                due = Some(due.map_or((since, from), |(at, it)| (at.min(since), it.max(from))));
            }
        }
        let (since, from) = due?;
        let room = room.id;
        Some((since.max(pace), Overdue { room, from }))
    }

    /// Takes the words away that were said before a record.
    pub(super) fn trim(&mut self, at: Timestamp, from: Seq) {
        self.trimmed_at = Some(at);
        for record in self.records.iter_mut().filter(|it| it.is_trimmed(from)) {
            *record = bare(record);
        }
        for line in self.messages.range_mut(..from).map(|(_, line)| line) {
            line.by.name = None;
            line.content = None;
        }
    }
}
