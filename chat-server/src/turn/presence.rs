//! Who is present in a room: whose sessions are attached, here or on another node, and which guests
//! are visitors.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use chat_core::{Author, Name, Seq, UserId};

use crate::bus::{NodeMark, Said, Sum};
use crate::few;
use crate::mail::{NameMark, SessionKey};

/// People of like names that are told: the first of them has the name.
const NAMESAKES_MAX: usize = 16;

/// The sessions that hear a room, by user, and the visitors among them.
#[derive(Debug, Default)]
pub(super) struct Presence {
    present: BTreeMap<UserId, Present>,
    /// Sessions per worker: whom records are sent to.
    workers: BTreeMap<usize, usize>,
    /// Those workers, as each record's recipients.
    listeners: Arc<[usize]>,
    /// Users with a visit.
    visitors: u64,
    /// What those come to who are present by sessions of this node.
    sum: Sum,
    /// Counts arrivals, for the order in which people are listed.
    arrivals: u64,
}

#[derive(Debug)]
struct Present {
    name: Author,
    /// Of that name: to make it takes long.
    mark: Option<NameMark>,
    /// Which arrival this was.
    arrival: u64,
    sessions: Vec<SessionKey>,
    /// The sessions that were let in as a visitor, each with the room's head at that time.
    visits: Vec<(SessionKey, Seq)>,
    /// Other nodes with sessions of his.
    nodes: Vec<NodeMark>,
    /// How he says he is, as far as another node told.
    said: Option<Box<Said>>,
}

/// Somebody has the first session of this node, or the last of them has gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Who.
    pub(super) by: Author,
    /// Whether he arrives or departs by that: he isn't present on another node.
    pub(super) is_seen: bool,
}

impl Present {
    fn of(name: Author) -> Self {
        Self {
            mark: name.name.as_ref().map(NameMark::of),
            name,
            arrival: 0,
            sessions: Vec::new(),
            visits: Vec::new(),
            nodes: Vec::new(),
            said: None,
        }
    }

    const fn is_here(&self) -> bool {
        !self.sessions.is_empty() || !self.nodes.is_empty()
    }

    const fn is_gone(&self) -> bool {
        !self.is_here() && self.visits.is_empty()
    }

    fn rename(&mut self, by: &Author) {
        if self.name != *by {
            self.mark = by.name.as_ref().map(NameMark::of);
            self.name = by.clone();
        }
    }
}

impl Presence {
    /// Notes that a guest was let in as a visitor, before his session attaches; tells whether the
    /// session was none before.
    pub(super) fn admit(&mut self, user: UserId, session: SessionKey, head: Seq) -> bool {
        let name = Author {
            id: user,
            name: None,
        };
        let present = self
            .present
            .entry(user)
            .or_insert_with(|| Present::of(name));
        if let Some((_, since)) = present.visits.iter_mut().find(|(it, _)| *it == session) {
            *since = head;
            return false;
        }
        if present.visits.is_empty() {
            self.visitors += 1;
        }
        few::push(&mut present.visits, (session, head));
        true
    }

    /// Takes back that a session was let in as a visitor.
    pub(super) fn dismiss(&mut self, user: UserId, session: SessionKey) {
        self.end_visits(user, |it, _| it == session);
        self.forget_gone(user);
    }

    fn forget_gone(&mut self, user: UserId) {
        if self.present.get(&user).is_some_and(Present::is_gone) {
            self.present.remove(&user);
        }
    }

    /// Attaches a session; tells whether it is its user's first one on this node.
    pub(super) fn attach(&mut self, by: &Author, session: SessionKey) -> Option<Step> {
        let present = self
            .present
            .entry(by.id)
            .or_insert_with(|| Present::of(by.clone()));
        present.rename(by);
        if present.sessions.contains(&session) {
            return None;
        }
        let is_seen = !present.is_here();
        let is_first = present.sessions.is_empty();
        few::push(&mut present.sessions, session);
        let here = self.workers.entry(session.worker).or_default();
        *here += 1;
        if *here == 1 {
            self.listeners = self.workers.keys().copied().collect();
        }
        if is_seen {
            present.arrival = self.arrivals;
            self.arrivals += 1;
        }
        is_first.then(|| {
            self.sum.add(by.id);
            let by = by.clone();
            Step { by, is_seen }
        })
    }

    /// Notes that somebody is present on another node; tells whether he has arrived by that.
    pub(super) fn appear(&mut self, node: NodeMark, by: &Author, said: Option<Box<Said>>) -> bool {
        let present = self
            .present
            .entry(by.id)
            .or_insert_with(|| Present::of(by.clone()));
        if present.sessions.is_empty() {
            present.rename(by);
        }
        let arrived = !present.is_here();
        if arrived {
            present.arrival = self.arrivals;
            self.arrivals += 1;
        }
        if !present.nodes.contains(&node) {
            few::push(&mut present.nodes, node);
        }
        present.said = said.or(present.said.take());
        arrived
    }

    /// Notes that somebody is present on another node no more; gives his name if he has departed by
    /// that.
    pub(super) fn vanish(&mut self, node: NodeMark, user: UserId) -> Option<Author> {
        let present = self.present.get_mut(&user)?;
        let before = present.nodes.len();
        present.nodes.retain(|it| *it != node);
        let departed = before > present.nodes.len() && !present.is_here();
        let name = departed.then(|| present.name.clone());
        if present.nodes.is_empty() {
            present.said = None;
        }
        self.forget_gone(user);
        name
    }

    /// Notes how somebody says he is who is present on another node.
    pub(super) fn say(&mut self, user: UserId, said: Said) {
        let present = self.present.get_mut(&user);
        if let Some(present) = present.filter(|it| !it.nodes.is_empty()) {
            present.said = Some(Box::new(said));
        }
    }

    /// Detaches a session; tells whether it was its user's last one on this node. A visit that it was
    /// granted in the meantime stays.
    pub(super) fn detach(&mut self, user: UserId, session: SessionKey) -> Option<Step> {
        let present = self.present.get_mut(&user)?;
        let attached = present.sessions.len();
        present.sessions.retain(|it| *it != session);
        let left = attached > present.sessions.len();
        let is_last = left && present.sessions.is_empty();
        let step = is_last.then(|| {
            self.sum.remove(user);
            Step {
                by: present.name.clone(),
                is_seen: !present.is_here(),
            }
        });
        if left {
            self.release(session.worker);
        }
        self.forget_gone(user);
        step
    }

    /// Detaches a user because of a record; tells whether he had sessions on this node. A visit that he
    /// was granted after that record stays.
    pub(super) fn detach_user(&mut self, user: UserId, record: Seq) -> Option<Step> {
        self.end_visits(user, |_, since| since < record);
        self.silence(user)
    }

    /// Detaches a user altogether; tells whether he had sessions on this node.
    pub(super) fn remove(&mut self, user: UserId) -> Option<Step> {
        self.end_visits(user, |_, _| true);
        self.silence(user)
    }

    /// Detaches everybody.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_visiting(&self, user: UserId) -> bool {
        self.present
            .get(&user)
            .is_some_and(|present| !present.visits.is_empty())
    }

    pub(super) const fn visitors(&self) -> u64 {
        self.visitors
    }

    /// Whether no session of this node is attached or let in.
    pub(super) fn is_empty(&self) -> bool {
        self.workers.is_empty() && self.visitors == 0
    }

    /// What those come to who are present by sessions of this node.
    pub(super) const fn sum(&self) -> Sum {
        self.sum
    }

    /// The workers with sessions in the room.
    pub(super) fn listeners(&self) -> Arc<[usize]> {
        self.listeners.clone()
    }

    /// So many of those who are present, the first to arrive, in that order.
    pub(super) fn by_arrival(&self, most: usize) -> Vec<&Author> {
        let mut here: Vec<&Present> = self.here().collect();
        if here.len() > most {
            here.select_nth_unstable_by_key(most, |present| present.arrival);
            here.truncate(most);
        }
        here.sort_unstable_by_key(|present| present.arrival);
        here.into_iter().map(|present| &present.name).collect()
    }

    /// Who is present, in the order of numbers, behind somebody who needn't be; and how he says he is,
    /// as far as another node told.
    pub(super) fn after(
        &self,
        user: Option<UserId>,
    ) -> impl Iterator<Item = (&Author, Option<&Box<Said>>)> {
        let from = user.map_or(Bound::Unbounded, Bound::Excluded);
        let present = self.present.range((from, Bound::Unbounded));
        let here = present.filter(|(_, it)| it.is_here());
        here.map(|(_, present)| (&present.name, present.said.as_ref()))
    }

    /// Those whose name has this mark, or whose nickname has it where they have one: some of the
    /// first, in the order in which they arrived.
    pub(super) fn namesakes(
        &self,
        mark: NameMark,
        nickname: impl Fn(UserId) -> Option<Name>,
    ) -> Vec<Author> {
        let mut found = Vec::new();
        for present in self.here() {
            let Author { id, name } = &present.name;
            let (name, its) = match nickname(*id) {
                Some(nickname) => (Some(nickname.clone()), Some(NameMark::of(&nickname))),
                None => (name.clone(), present.mark),
            };
            if its == Some(mark) {
                found.push((present.arrival, Author { id: *id, name }));
            }
        }
        found.sort_unstable_by_key(|(arrival, _)| *arrival);
        found.truncate(NAMESAKES_MAX);
        found.into_iter().map(|(_, author)| author).collect()
    }

    /// Those who are present by sessions of this node, in the order of numbers.
    pub(super) fn users(&self) -> impl Iterator<Item = &Author> {
        let all = self.present.values();
        let here = all.filter(|present| !present.sessions.is_empty());
        here.map(|present| &present.name)
    }

    fn here(&self) -> impl Iterator<Item = &Present> {
        self.present.values().filter(|it| it.is_here())
    }

    fn silence(&mut self, user: UserId) -> Option<Step> {
        let present = self.present.get_mut(&user)?;
        let sessions = std::mem::take(&mut present.sessions);
        let step = (!sessions.is_empty()).then(|| {
            self.sum.remove(user);
            Step {
                by: present.name.clone(),
                is_seen: !present.is_here(),
            }
        });
        if present.is_gone() {
            self.present.remove(&user);
        }
        for session in sessions {
            self.release(session.worker);
        }
        step
    }

    fn release(&mut self, worker: usize) {
        if let Some(count) = self.workers.get_mut(&worker) {
            *count -= 1;
            if *count == 0 {
                self.workers.remove(&worker);
                self.listeners = self.workers.keys().copied().collect();
            }
        }
    }

    fn end_visits(&mut self, user: UserId, ends: impl Fn(SessionKey, Seq) -> bool) {
        let Some(present) = self.present.get_mut(&user) else {
            return;
        };
        if present.visits.is_empty() {
            return;
        }
        present
            .visits
            .retain(|(session, since)| !ends(*session, *since));
        if present.visits.is_empty() {
            self.visitors -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUEST: UserId = UserId::guest(1);

    fn session(number: u64) -> SessionKey {
        SessionKey { worker: 0, number }
    }

    fn guest() -> Author {
        Author {
            id: GUEST,
            name: None,
        }
    }

    fn gone(is_seen: bool) -> Step {
        let by = guest();
        Step { by, is_seen }
    }

    #[test]
    fn who_is_on_two_nodes_arrives_once_and_departs_once() {
        let mut presence = Presence::default();
        let (one, two) = (NodeMark::new(1), NodeMark::new(2));
        assert!(presence.appear(one, &guest(), None));
        assert!(!presence.appear(two, &guest(), None));
        assert!(presence.is_empty(), "none of them is here");
        assert_eq!(presence.sum(), Sum::default());
        let step = presence.attach(&guest(), session(1));
        assert_eq!(step, Some(gone(false)));
        assert_eq!(presence.attach(&guest(), session(2)), None);
        assert_eq!(presence.vanish(one, GUEST), None);
        assert_eq!(presence.vanish(one, GUEST), None);
        assert_eq!(presence.remove(GUEST), Some(gone(false)));
        assert_eq!(presence.after(None).count(), 1);
        assert_eq!(presence.vanish(two, GUEST), Some(guest()));
        assert_eq!(presence.vanish(two, GUEST), None);
        assert_eq!(presence.after(None).count(), 0);
    }

    #[test]
    fn a_visitor_with_two_sessions_is_gone_once_both_are() {
        let mut presence = Presence::default();
        for number in [1, 2] {
            presence.admit(GUEST, session(number), Seq::new(1));
            presence.attach(&guest(), session(number));
        }
        assert_eq!(presence.visitors(), 1);
        presence.dismiss(GUEST, session(2));
        assert_eq!(presence.detach(GUEST, session(2)), None);
        assert!(presence.is_visiting(GUEST));
        presence.dismiss(GUEST, session(1));
        assert_eq!(presence.detach(GUEST, session(1)), Some(gone(true)));
        assert!(presence.is_empty());
        assert_eq!((presence.visitors(), presence.listeners().len()), (0, 0));
    }

    #[test]
    fn who_may_be_taken_for_each_other_is_told_in_the_order_of_arrival() {
        let mut presence = Presence::default();
        let name = |text| Name::new(text).unwrap();
        for (number, called) in [(3, "ann"), (1, "bob"), (2, "\u{410}NN"), (4, "cat")] {
            let by = Author {
                id: UserId::guest(number),
                name: Some(name(called)),
            };
            presence.attach(&by, session(number));
        }
        let nickname = |user| (user == UserId::guest(4)).then(|| name("Bob"));
        let of = |called| -> Vec<_> {
            let found = presence.namesakes(NameMark::of(&name(called)), nickname);
            found.into_iter().map(|it| it.id).collect()
        };
        assert_eq!(of("Ann"), [UserId::guest(3), UserId::guest(2)]);
        assert_eq!(of("bob"), [UserId::guest(1), UserId::guest(4)]);
        assert_eq!(of("cat"), []);
    }

    #[test]
    fn a_part_of_a_crowd_is_told_by_number_or_by_arrival() {
        let mut presence = Presence::default();
        for number in [5, 3, 1, 4, 2] {
            let (id, name) = (UserId::guest(number), None);
            presence.attach(&Author { id, name }, session(number));
        }
        // Who was let in and hasn't sat down isn't there.
        presence.admit(UserId::guest(6), session(6), Seq::new(1));
        let users = |some: Vec<&Author>| -> Vec<_> { some.into_iter().map(|it| it.id).collect() };
        let by_arrival = |most| users(presence.by_arrival(most));
        let guests =
            |numbers: &[u64]| -> Vec<_> { numbers.iter().copied().map(UserId::guest).collect() };
        assert_eq!(by_arrival(3), guests(&[5, 3, 1]));
        assert_eq!(by_arrival(9), guests(&[5, 3, 1, 4, 2]));
        let after = |user: Option<u64>| {
            let after = presence.after(user.map(UserId::guest));
            users(after.take(2).map(|(by, _)| by).collect())
        };
        assert_eq!(after(None), guests(&[1, 2]));
        assert_eq!(after(Some(2)), guests(&[3, 4]));
        assert_eq!(after(Some(4)), guests(&[5]));
    }

    #[test]
    fn a_visit_that_was_granted_after_a_kick_outlives_it() {
        let mut presence = Presence::default();
        presence.admit(GUEST, session(1), Seq::new(4));
        presence.attach(&guest(), session(1));
        presence.admit(GUEST, session(2), Seq::new(5));
        let step = presence.detach_user(GUEST, Seq::new(5));
        assert_eq!(step, Some(gone(true)));
        assert!(presence.is_visiting(GUEST));
        assert_eq!(presence.users().count(), 0);
        presence.dismiss(GUEST, session(2));
        assert!(presence.is_empty());
    }
}
