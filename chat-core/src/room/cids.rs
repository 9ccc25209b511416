//! The newest cids of a room.

use alloc::collections::VecDeque;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{Cid, Seq, Timestamp, UserId};
use crate::limits::{CID_WINDOW_MS, CIDS_HELD};

/// The newest cids and the records that used them. Older ones are unique keys of the store, which
/// refuses a record that uses one again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cids {
    used: VecDeque<Used>,
    /// The mark of each, in the same order. Hardly a cid was used before, and a few marks are
    /// compared at once: only where one is the same are cids looked at.
    marks: VecDeque<u32>,
}

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
        let mark = mark(user, cid);
        let (older, newer) = self.marks.as_slices();
        if !older.contains(&mark) && !newer.contains(&mark) {
            return None;
        }
        // Newest first: a repeat mostly follows close upon the first.
        let mut used = self.used.iter().rev();
        used.find(|used| used.user == user && used.cid == *cid)
            .map(|used| used.seq)
    }

    /// How many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.used.len()
    }

    /// Remembers a cid and forgets those that are a day old or too many.
    pub(crate) fn remember(&mut self, user: UserId, cid: Cid, seq: Seq, at: Timestamp) {
        let is_old = |used: &Used| at.ms_since(used.at) > CID_WINDOW_MS;
        while self.used.len() >= CIDS_HELD || self.used.front().is_some_and(is_old) {
            self.used.pop_front();
            self.marks.pop_front();
        }
        self.push(Used { user, cid, seq, at });
    }

    fn push(&mut self, used: Used) {
        self.marks.push_back(mark(used.user, &used.cid));
        self.used.push_back(used);
    }
}

/// What tells most cids apart (FNV-1a). Whoever makes cids of one mark on purpose has them compared
/// one by one, and they are few.
fn mark(user: UserId, cid: &Cid) -> u32 {
    let number = user.number().to_le_bytes();
    let bytes = number.iter().chain(cid.as_str().as_bytes());
    bytes.fold(0x811c_9dc5, |mark: u32, byte| {
        (mark ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// In a snapshot there are no marks.
impl Serialize for Cids {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.used.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Cids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut cids = Self::default();
        for used in VecDeque::<Used>::deserialize(deserializer)? {
            cids.push(used);
        }
        Ok(cids)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    const ALICE: UserId = UserId::new(1_000);

    fn cid(text: &str) -> Cid {
        Cid::new(text).unwrap()
    }

    fn used(count: u64) -> Cids {
        let mut cids = Cids::default();
        for seq in 1..=count {
            let at = Timestamp::new(seq);
            cids.remember(ALICE, cid(&format!("c{seq}")), Seq::new(seq), at);
        }
        cids
    }

    #[test]
    fn the_newest_cids_are_found_and_belong_to_their_user() {
        let cids = used(CIDS_HELD as u64 + 10);
        assert_eq!(cids.len(), CIDS_HELD);
        assert_eq!(cids.seq(ALICE, &cid("c10")), None);
        assert_eq!(cids.seq(ALICE, &cid("c11")), Some(Seq::new(11)));
        assert_eq!(cids.seq(ALICE, &cid("c266")), Some(Seq::new(266)));
        assert_eq!(cids.seq(UserId::new(1), &cid("c266")), None);
    }

    #[test]
    fn cids_are_found_in_a_room_that_comes_from_a_snapshot() {
        let cids = used(3);
        let text = serde_json::to_string(&cids).unwrap();
        assert!(text.starts_with(r#"[{"user":1000,"cid":"c1","seq":1,"at":1},"#));
        let again: Cids = serde_json::from_str(&text).unwrap();
        assert_eq!(again, cids);
        assert_eq!(again.seq(ALICE, &cid("c2")), Some(Seq::new(2)));
    }

    #[test]
    fn cids_of_one_mark_are_told_apart() {
        let (one, other) = (cid("one"), cid("other"));
        let house = UserId::HOUSE;
        let mut cids = Cids::default();
        cids.remember(house, one.clone(), Seq::new(1), Timestamp::new(1));
        cids.marks = [mark(house, &other)].into();
        assert_eq!(cids.seq(house, &other), None);
        assert_eq!(cids.seq(house, &one), None, "a mark is looked at first");
    }
}
