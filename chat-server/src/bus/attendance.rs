//! What nodes tell each other of who is present in a room.
//!
//! Each node speaks for its own sessions alone, and counts its news. Whoever listens keeps of each
//! user what was told last, by that count; so news may come late, twice or in any order. What was
//! lost is found by the sums that every node tells now and then: whoever has come to another asks,
//! and is told all over again. Who tells no sums for long is gone, and his people with him.

use chat_core::{Author, RoomId, Text, UserId};
use chat_protocol::command::Status;
use serde::{Deserialize, Serialize};

/// A node, from its start to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeMark(u64);

impl NodeMark {
    /// One that nobody else has, if the number is drawn at random.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// What a node says of those who are present in a room by its sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attendance {
    /// The room.
    pub room: RoomId,
    /// The node.
    pub node: NodeMark,
    /// How much had changed on that node until then.
    pub count: u64,
    /// What it says.
    #[serde(flatten)]
    pub news: Tidings,
}

/// News of who is present.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "t", content = "d")]
#[non_exhaustive]
pub enum Tidings {
    /// Somebody has arrived.
    Came(Attendant),
    /// Somebody has departed.
    Went(UserId),
    /// These are all who are present, of those whose numbers follow one and go up to another.
    Part {
        /// They follow this one; it begins with the first if absent.
        after: Option<UserId>,
        /// This is the last of them; nobody follows if absent.
        upto: Option<UserId>,
        /// Who is present, in the order of numbers.
        people: Vec<Attendant>,
    },
    /// What all of them come to.
    Sum(Sum),
    /// Tell me all: this node, or each that has anybody there.
    Asked(Option<NodeMark>),
}

/// Somebody who is present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attendant {
    /// Who.
    pub by: Author,
    /// How he says he is, if he says anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Box<Said>>,
}

/// How somebody says he is.
pub type Said = (Status, Option<Text>);

impl Attendant {
    /// Somebody who says nothing.
    #[must_use]
    pub const fn new(by: Author) -> Self {
        Self { by, said: None }
    }
}

impl Attendance {
    /// What a node says.
    #[must_use]
    pub const fn new(room: RoomId, node: NodeMark, count: u64, news: Tidings) -> Self {
        Self {
            room,
            node,
            count,
            news,
        }
    }

    /// Those whom it names.
    pub(crate) fn people_mut(&mut self) -> &mut [Attendant] {
        match &mut self.news {
            Tidings::Came(attendant) => std::slice::from_mut(attendant),
            Tidings::Part { people, .. } => people,
            Tidings::Went(_) | Tidings::Sum(_) | Tidings::Asked(_) => &mut [],
        }
    }
}

/// What a set of users comes to: two that differ have the same sum once in 2^64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// How many they are.
    people: u64,
    /// Their numbers, mixed and taken together.
    mixed: u64,
}

impl Sum {
    /// Takes somebody in who wasn't.
    pub fn add(&mut self, user: UserId) {
        self.people = self.people.wrapping_add(1);
        self.mixed ^= mix(user.number());
    }

    /// Takes somebody out who was in.
    pub fn remove(&mut self, user: UserId) {
        self.people = self.people.wrapping_sub(1);
        self.mixed ^= mix(user.number());
    }
}

/// Spreads a number over all bits: what Vigna calls splitmix64.
const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// People of one [`Tidings::Part`], at most.
pub(crate) const PART_PEOPLE_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_tells_people_apart_and_not_their_order() {
        let sum = |users: &[u64]| {
            let mut sum = Sum::default();
            users.iter().for_each(|user| sum.add(UserId::new(*user)));
            sum
        };
        assert_eq!(sum(&[1, 2, 3]), sum(&[3, 1, 2]));
        assert_ne!(sum(&[1, 2, 3]), sum(&[1, 2, 4]));
        // Plain numbers would be the same: 1 ^ 2 ^ 3 is 0.
        assert_ne!(sum(&[1, 2, 3]), sum(&[4, 8, 12]));
        let mut left = sum(&[1, 2]);
        left.remove(UserId::new(1));
        assert_eq!(left, sum(&[2]));
        left.remove(UserId::new(2));
        assert_eq!(left, Sum::default());
    }
}
