//! What other nodes have told of who is present in a room: news of it come late, twice, in any order
//! or never.

use std::collections::BTreeMap;
use std::ops::Bound;

use chat_core::UserId;

use crate::bus::{Attendance, Attendant, NodeMark, Sum, Tidings};

/// Looks around without a word of a node, after which its people are gone.
const SILENT_ROUNDS_MAX: u64 = 15;

/// The same, after which it is forgotten that there was such a node.
const FORGOTTEN_ROUNDS: u64 = 300;

/// Who is present in a room by the sessions of other nodes.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    nodes: BTreeMap<NodeMark, Roll>,
    /// Whether the others were asked when the room was loaded.
    pub(super) has_asked: bool,
}

/// What one node has told.
#[derive(Debug, Default)]
struct Roll {
    /// Of each user what was told last. Who has gone is remembered until the sum is right, so that older
    /// news of him is known to be that.
    people: BTreeMap<UserId, Word>,
    sum: Sum,
    /// The highest count that was heard.
    latest: u64,
    /// The sum was right at this count: what is older says nothing.
    right: u64,
    /// Whether all of them were told. Those who are named before that were there before.
    known: bool,
    /// The look around before which it was heard last.
    round: u64,
}

/// The last word about a user.
#[derive(Clone, Copy, Debug)]
struct Word {
    count: u64,
    here: bool,
}

/// What news comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Somebody is present on a node; whether that is news.
    Came(NodeMark, Attendant, bool),
    /// He isn't any more.
    Went(NodeMark, UserId),
}

impl Elsewhere {
    /// Takes in what a node tells; gives what has changed by that, and whether the node has to be asked
    /// for all.
    pub(super) fn take(&mut self, told: &Attendance, round: u64) -> (Vec<Change>, bool) {
        let (node, count) = (told.node, told.count);
        let mut changes = Vec::new();
        let roll = self.nodes.entry(node).or_default();
        roll.round = round;
        match &told.news {
            Tidings::Came(attendant) => changes.extend(roll.note(node, attendant, count, true)),
            Tidings::Went(user) => changes.extend(roll.strike(node, *user, count)),
            Tidings::Part {
                after,
                upto,
                people,
            } => {
                let named = |user| people.binary_search_by_key(&user, |it| it.by.id).is_ok();
                let missing: Vec<UserId> = roll
                    .between(*after, *upto)
                    .filter(|user| !named(*user))
                    .collect();
                let gone = missing.into_iter();
                changes.extend(gone.filter_map(|user| roll.strike(node, user, count)));
                let (here, is_news) = (people.iter(), roll.known);
                changes.extend(here.filter_map(|it| roll.note(node, it, count, is_news)));
                roll.known |= upto.is_none();
            }
            Tidings::Sum(sum) => {
                return (changes, !roll.check(*sum, count));
            }
            // It says nothing of anybody.
            Tidings::Asked(_) => {}
        }
        (changes, false)
    }

    /// Who is to be present no more, since nothing was heard of their nodes for long.
    pub(super) fn expire(&mut self, round: u64) -> Vec<Change> {
        let mut gone = Vec::new();
        self.nodes.retain(|node, roll| {
            let silent = round.saturating_sub(roll.round);
            #[cfg(sabotage)]
            let silent = match chat_core::sabotage::planted("dead_nodes_stay_present") {
                true => 0,
                false => silent,
            };
            if silent > SILENT_ROUNDS_MAX {
                // If it was only slow it tells all of them again, and that is news.
                let empty = Roll {
                    known: true,
                    round: roll.round,
                    ..Roll::default()
                };
                let people = std::mem::replace(roll, empty).people.into_iter();
                let here = people.filter(|(_, word)| word.here);
                gone.extend(here.map(|(user, _)| Change::Went(*node, user)));
            }
            silent <= FORGOTTEN_ROUNDS
        });
        gone
    }

    /// Forgets all that was told: nobody hears the room any more.
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
    }
}

impl Roll {
    fn note(
        &mut self,
        node: NodeMark,
        attendant: &Attendant,
        count: u64,
        is_news: bool,
    ) -> Option<Change> {
        let user = attendant.by.id;
        self.say(user, count, true).then(|| {
            self.sum.add(user);
            Change::Came(node, attendant.clone(), is_news)
        })
    }

    fn strike(&mut self, node: NodeMark, user: UserId, count: u64) -> Option<Change> {
        self.say(user, count, false).then(|| {
            self.sum.remove(user);
            Change::Went(node, user)
        })
    }

    /// Notes a word about a user, unless a later one is known; tells whether it changes anything.
    fn say(&mut self, user: UserId, count: u64, here: bool) -> bool {
        #[cfg(sabotage)]
        let is_old = !chat_core::sabotage::planted("old_news_of_presence_believed");
        #[cfg(not(sabotage))]
        let is_old = true;
        self.latest = self.latest.max(count);
        let known = self.people.get(&user).copied();
        if is_old && (count <= self.right || known.is_some_and(|it| it.count >= count)) {
            return false;
        }
        self.people.insert(user, Word { count, here });
        known.is_some_and(|it| it.here) != here
    }

    fn between(&self, after: Option<UserId>, upto: Option<UserId>) -> impl Iterator<Item = UserId> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let to = upto.map_or(Bound::Unbounded, Bound::Included);
        let is_none = matches!((after, upto), (Some(after), Some(upto)) if after >= upto);
        let some = (!is_none).then(|| self.people.range((from, to)));
        some.into_iter().flatten().map(|(user, _)| *user)
    }

    /// Compares with what the node says that all come to; right, too, if later news was heard already.
    fn check(&mut self, sum: Sum, count: u64) -> bool {
        if count < self.latest {
            return true;
        }
        if sum != self.sum {
            return false;
        }
        self.right = count;
        self.known = true;
        self.people.retain(|_, word| word.here);
        true
    }
}

#[cfg(test)]
mod tests {
    use chat_core::{Author, RoomId};
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    const NODE: NodeMark = NodeMark::new(4);

    fn attendant(user: u64) -> Attendant {
        Attendant::new(Author {
            id: UserId::new(user),
            name: None,
        })
    }

    fn told(count: u64, news: Tidings) -> Attendance {
        Attendance::new(RoomId::new(1), NODE, count, news)
    }

    /// A node, as it is, and all that it has told.
    #[derive(Default)]
    struct Teller {
        here: std::collections::BTreeSet<u64>,
        count: u64,
        told: Vec<Attendance>,
    }

    impl Teller {
        fn toggle(&mut self, user: u64) {
            self.count += 1;
            let news = if self.here.remove(&user) {
                Tidings::Went(UserId::new(user))
            } else {
                self.here.insert(user);
                Tidings::Came(attendant(user))
            };
            self.told.push(told(self.count, news));
        }

        fn tell_all(&mut self) -> Vec<Attendance> {
            let people: Vec<u64> = self.here.iter().copied().collect();
            let mut parts = Vec::new();
            let mut after = None;
            for some in people.chunks(3) {
                let upto = some.last().copied().map(UserId::new);
                let people = some.iter().copied().map(attendant).collect();
                parts.push(told(
                    self.count,
                    Tidings::Part {
                        after,
                        upto,
                        people,
                    },
                ));
                after = upto;
            }
            let people = Vec::new();
            let upto = None;
            parts.push(told(
                self.count,
                Tidings::Part {
                    after,
                    upto,
                    people,
                },
            ));
            self.told.extend(parts.iter().cloned());
            parts
        }

        fn sum(&self) -> Attendance {
            let mut sum = Sum::default();
            self.here
                .iter()
                .for_each(|user| sum.add(UserId::new(*user)));
            told(self.count, Tidings::Sum(sum))
        }
    }

    /// Who is present, by the changes that were given.
    fn apply(here: &mut std::collections::BTreeSet<u64>, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Came(_, it, _) => {
                    assert!(here.insert(it.by.id.number()), "came twice");
                }
                Change::Went(_, user) => assert!(here.remove(&user.number()), "went twice"),
            }
        }
    }

    #[test]
    fn who_tells_nothing_for_long_is_gone_with_his_people() {
        let mut elsewhere = Elsewhere::default();
        let came = told(1, Tidings::Came(attendant(7)));
        assert_eq!(elsewhere.take(&came, 10).0.len(), 1);
        assert_eq!(elsewhere.expire(10 + SILENT_ROUNDS_MAX), []);
        let gone = Change::Went(NODE, UserId::new(7));
        assert_eq!(elsewhere.expire(11 + SILENT_ROUNDS_MAX), [gone]);
        assert_eq!(elsewhere.expire(12 + SILENT_ROUNDS_MAX), []);
        // It was only slow: it is heard again.
        assert_eq!(elsewhere.take(&came, 40).0.len(), 1);
        assert_eq!(elsewhere.expire(41 + FORGOTTEN_ROUNDS).len(), 1);
        assert!(elsewhere.nodes.is_empty());
    }

    #[test]
    fn who_was_there_when_one_first_hears_of_a_node_is_no_news() {
        let mut elsewhere = Elsewhere::default();
        let mut news_of = |told: Attendance| -> Vec<bool> {
            let (changes, _) = elsewhere.take(&told, 0);
            let came = changes.into_iter().map(|change| match change {
                Change::Came(_, _, is_news) => is_news,
                Change::Went(..) => panic!("nobody goes"),
            });
            came.collect()
        };
        let part = |after: Option<u64>, upto: Option<u64>, users: &[u64]| Tidings::Part {
            after: after.map(UserId::new),
            upto: upto.map(UserId::new),
            people: users.iter().copied().map(attendant).collect(),
        };
        assert_eq!(
            news_of(told(5, part(None, Some(2), &[1, 2]))),
            [false, false]
        );
        assert_eq!(news_of(told(6, Tidings::Came(attendant(9)))), [true]);
        assert_eq!(news_of(told(6, part(Some(2), None, &[3, 9]))), [false]);
        // What was lost is made up for.
        assert_eq!(news_of(told(8, part(None, None, &[1, 2, 3, 4, 9]))), [true]);
    }

    proptest! {
        /// Whatever is lost, late or doubled: after a sum, and all that is asked for by that, everybody
        /// knows who is there.
        #[test]
        fn in_the_end_all_know_who_is_present(
            steps in prop::collection::vec((0_u64..12, 0_u8..10), 0..60),
            heard in prop::collection::vec((any::<Index>(), 0_u8..4), 0..120),
        ) {
            let (mut teller, mut elsewhere) = (Teller::default(), Elsewhere::default());
            let mut here = std::collections::BTreeSet::new();
            for (at, (user, step)) in steps.iter().enumerate() {
                teller.toggle(*user);
                if *step == 0 {
                    drop(teller.tell_all());
                }
                for (which, _) in heard.iter().filter(|(_, when)| usize::from(*when) == at % 4).take(2) {
                    let news = which.get(&teller.told).clone();
                    apply(&mut here, elsewhere.take(&news, 0).0);
                }
            }
            for _ in 0..2 {
                let sum = teller.sum();
                let (changes, wrong) = elsewhere.take(&sum, 0);
                apply(&mut here, changes);
                for part in wrong.then(|| teller.tell_all()).into_iter().flatten() {
                    apply(&mut here, elsewhere.take(&part, 0).0);
                }
                prop_assert_eq!(&here, &teller.here);
            }
            // Once a sum was right, nothing that was told before it changes anything.
            for news in &teller.told {
                apply(&mut here, elsewhere.take(news, 0).0);
            }
            prop_assert_eq!(&here, &teller.here);
        }
    }
}
