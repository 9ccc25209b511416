//! The newest cids of a room.

use alloc::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::id::{Cid, Seq, Timestamp, UserId};
use crate::limits::{CID_WINDOW_MS, CIDS_HELD};

/// The newest cids and the records that used them. Older ones are unique keys of the store, which
/// refuses a record that uses one again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Cids(VecDeque<Used>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Used {
    user: UserId,
    cid: Cid,
    seq: Seq,
    at: Timestamp,
}

impl Cids {
    /// The record in which this user used this cid.
    pub(crate) fn seq(&self, user: UserId, cid: &Cid) -> Option<Seq> {
        // Newest first: a repeat mostly follows close upon the first.
        self.0
            .iter()
            .rev()
            .find(|used| used.user == user && used.cid == *cid)
            .map(|used| used.seq)
    }

    /// How many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Remembers a cid and forgets those that are a day old or too many.
    pub(crate) fn remember(&mut self, user: UserId, cid: Cid, seq: Seq, at: Timestamp) {
        while self.0.len() >= CIDS_HELD
            || self
                .0
                .front()
                .is_some_and(|used| at.ms_since(used.at) > CID_WINDOW_MS)
        {
            self.0.pop_front();
        }
        self.0.push_back(Used { user, cid, seq, at });
    }
}
