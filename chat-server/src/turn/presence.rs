//! Who is present in a room: whose sessions are attached, and which guests are visitors.

use std::collections::BTreeMap;

use chat_core::{Author, UserId};

use crate::mail::SessionKey;

/// The sessions that hear a room, by user, and the visitors among them.
#[derive(Debug, Default)]
pub(super) struct Presence {
    present: BTreeMap<UserId, Present>,
    /// Sessions per worker: whom records are sent to.
    workers: BTreeMap<usize, usize>,
    visitors: u64,
}

#[derive(Debug)]
struct Present {
    name: Author,
    sessions: Vec<SessionKey>,
    /// Let in by a visit, as long as a session lasts.
    visitor: Option<SessionKey>,
}

impl Presence {
    /// Notes that a guest was let in as a visitor, before his session attaches.
    pub(super) fn admit(&mut self, user: UserId, session: SessionKey) {
        let present = self.present.entry(user).or_insert_with(|| Present {
            name: Author {
                id: user,
                name: None,
            },
            sessions: Vec::new(),
            visitor: None,
        });
        if present.visitor.replace(session).is_none() {
            self.visitors += 1;
        }
    }

    /// Attaches a session; tells whether its user has arrived by that.
    pub(super) fn attach(&mut self, by: &Author, session: SessionKey) -> bool {
        let present = self.present.entry(by.id).or_insert_with(|| Present {
            name: by.clone(),
            sessions: Vec::new(),
            visitor: None,
        });
        present.name = by.clone();
        if present.sessions.contains(&session) {
            return false;
        }
        present.sessions.push(session);
        *self.workers.entry(session.worker).or_default() += 1;
        present.sessions.len() == 1
    }

    /// Detaches a session; gives the user's name if he has departed by that.
    pub(super) fn detach(&mut self, user: UserId, session: SessionKey) -> Option<Author> {
        let present = self.present.get_mut(&user)?;
        let attached = present.sessions.len();
        present.sessions.retain(|it| *it != session);
        if attached > present.sessions.len() {
            release(&mut self.workers, session.worker);
        }
        let admitted_only =
            present.sessions.is_empty() && present.visitor.is_none_or(|it| it == session);
        if !admitted_only {
            return None;
        }
        let gone = self.present.remove(&user)?;
        self.visitors -= u64::from(gone.visitor.is_some());
        (attached > 0).then_some(gone.name)
    }

    /// Detaches a user altogether; gives his name if he was present.
    pub(super) fn remove(&mut self, user: UserId) -> Option<Author> {
        let gone = self.present.remove(&user)?;
        self.visitors -= u64::from(gone.visitor.is_some());
        for session in &gone.sessions {
            release(&mut self.workers, session.worker);
        }
        (!gone.sessions.is_empty()).then_some(gone.name)
    }

    /// Detaches everybody.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_visiting(&self, user: UserId) -> bool {
        self.present
            .get(&user)
            .is_some_and(|present| present.visitor.is_some())
    }

    pub(super) const fn visitors(&self) -> u64 {
        self.visitors
    }

    pub(super) fn is_empty(&self) -> bool {
        self.present.is_empty()
    }

    /// The workers with sessions in the room.
    pub(super) fn workers(&self) -> Vec<usize> {
        self.workers.keys().copied().collect()
    }

    /// Who is present, by number.
    pub(super) fn users(&self) -> impl Iterator<Item = &Author> {
        self.present
            .values()
            .filter(|it| !it.sessions.is_empty())
            .map(|it| &it.name)
    }
}

fn release(workers: &mut BTreeMap<usize, usize>, worker: usize) {
    if let Some(count) = workers.get_mut(&worker) {
        *count -= 1;
        if *count == 0 {
            workers.remove(&worker);
        }
    }
}
