//! What of a room was brought already, and what is on its way.

use std::collections::{HashMap, HashSet};

use chat_core::{Cid, Event, Record, Seq, UserId};

use super::{Source, digest, line};

/// What is known of the room while it is filled.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// What it is called there.
    pub(super) id: String,
    /// What earlier imports left in its log, by their cids.
    pub(super) seen: HashSet<u128>,
    /// The joins of those who had to be members to speak.
    pub(super) passing: HashSet<Seq>,
    /// How often something was said that bears no id.
    pub(super) said: HashMap<u128, u32>,
    /// Whom the file lists as members.
    pub(super) listed: HashSet<UserId>,
    /// Whether it lists any.
    pub(super) lists_members: bool,
    /// The head when this import came.
    pub(super) began: Seq,
}

impl Story {
    /// Takes in a record that was there before.
    pub(super) fn recall(&mut self, from: Source, record: &Record) {
        let Some(cid) = &record.cid else { return };
        let Some(rest) = cid.as_str().strip_prefix("import/") else {
            return;
        };
        let Some(what) = rest
            .strip_prefix(from.name())
            .and_then(|it| it.strip_prefix('/'))
        else {
            return;
        };
        self.seen.insert(key(cid));
        if what.starts_with("a/") && matches!(record.event, Event::Joined(_)) {
            self.passing.insert(record.seq);
        }
    }

    /// The name under which a message is known for ever: by its id, or by everything that it says.
    /// Two that say the same at the same moment are told apart by their number.
    pub(super) fn name(&mut self, message: &line::Message, from: Source) -> Option<(u128, Cid)> {
        let cid = match &message.id {
            Some(id) => from.cid("m", id),
            None => {
                let texts = [
                    message.user.as_deref().unwrap_or_default(),
                    message.name.as_deref().unwrap_or_default(),
                    &message.at.to_string(),
                    &message.body,
                ];
                let said = digest(&texts.map(str::as_bytes));
                let times = self.said.entry(said).or_default();
                *times += 1;
                from.cid("t", &format!("{said:032x}/{times}"))
            }
        }?;
        Some((key(&cid), cid))
    }

    /// Notes that a line has left a record of this name, or that there is nothing left for it to do.
    pub(super) fn note(&mut self, cid: Option<&Cid>) {
        self.seen.extend(cid.map(key));
    }

    /// Whether a line before left a record of this name, now or in an earlier import.
    pub(super) fn knows(&self, cid: Option<&Cid>) -> bool {
        cid.is_some_and(|cid| self.seen.contains(&key(cid)))
    }
}

/// A cid, in the little that has to be kept of it.
fn key(cid: &Cid) -> u128 {
    digest(&[cid.as_str().as_bytes()])
}
