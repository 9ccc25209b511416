//! What the hub and a session share.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{RoomId, Seq, Timestamp, UserId};
use chat_protocol::close::Close;
use chat_protocol::dialect::Dialect;

use crate::auth::Identity;
use crate::clock::Clock;
use crate::few::{self, Few};
use crate::mail::SessionKey;
use crate::outbox::Outbox;

/// A session, as the hub reaches it.
pub(crate) struct Link {
    pub(crate) key: SessionKey,
    pub(crate) outbox: Rc<Outbox>,
    /// The spelling, once it is known.
    pub(crate) dialect: Cell<Option<Dialect>>,
    /// Commands whose answers are still to come.
    pub(crate) in_flight: Cell<usize>,
    /// Whether the session waits for one of them.
    pub(crate) awaits_answer: Cell<bool>,
    /// When anything was read from the socket.
    pub(crate) heard_at: Cell<Duration>,
    /// Whether the session does something, and so doesn't read: its client isn't silent meanwhile.
    pub(crate) works: Cell<bool>,
    /// The rooms that were its user's when that was looked up last; none where no other node is.
    known: RefCell<Option<BTreeSet<RoomId>>>,
    /// When the first of its tokens ends, by the clock that only goes on: whoever moves the time of
    /// day throws nobody out.
    expires_by: Cell<Option<Duration>>,
    /// Whether it was told that its token ends soon.
    pub(crate) warned: Cell<bool>,
    /// Whether what carries it asks for signs of life by itself.
    pub(crate) beats: Cell<bool>,
    /// When it has to have said hello.
    pub(crate) hello_by: Cell<Option<Duration>>,
    /// Whether rooms that its user joins are attached to it by themselves.
    pub(crate) follows: Cell<bool>,
    /// The proofs that it came by: one, or one for each person that it has been proven to be.
    proofs: RefCell<Vec<Proof>>,
    news: RefCell<VecDeque<News>>,
    /// The users that it acts for.
    pub(super) users: RefCell<Vec<UserId>>,
    /// Bytes that its seats hold until they have caught up.
    pub(super) held: Rc<Cell<usize>>,
    /// Rooms in which it has a seat, or had one a moment ago.
    pub(super) rooms: RefCell<Few<RoomId, Place>>,
}

/// What became of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Taken,
    /// It was lost, and by which record of the room; none if it was by something outside of it.
    Lost(Option<Seq>),
}

/// By what somebody is here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogIn {
    pub(crate) user: UserId,
    pub(crate) grant: Arc<str>,
    /// The epoch that his token names.
    pub(crate) epoch: u64,
}

/// What proved who somebody is, as far as it counts for his socket.
#[derive(Clone, Debug)]
struct Proof {
    log_in: Option<LogIn>,
    expires_by: Option<Duration>,
}

impl Proof {
    fn of(identity: &Identity, clock: &dyn Clock) -> Self {
        Self {
            log_in: LogIn::of(identity),
            expires_by: expiry(identity, clock),
        }
    }

    /// Takes in a further proof of the same person: a token of the same log-in is the one before,
    /// refreshed. Where no log-in is told from another, the first to end does.
    fn renew(&mut self, other: &Self) {
        self.expires_by = match (self.expires_by, other.expires_by) {
            (Some(one), Some(other)) if self.log_in.is_none() => Some(one.min(other)),
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) if self.log_in.is_none() => one.or(other),
            (_, _) => None,
        };
    }
}

impl LogIn {
    /// None if whoever vouches for him tells no log-in from another.
    fn of(identity: &Identity) -> Option<Self> {
        Some(Self {
            user: identity.user,
            grant: identity.grant.clone()?,
            epoch: identity.token_epoch,
        })
    }
}

/// What a session has to do something about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Its user is a member of this room since the record after this one.
    Joined(RoomId, Seq),
    /// It hears this room no more.
    Detached(RoomId),
    /// Something of this room after this record passed it by: it has to catch up.
    Gap(RoomId, Seq),
    /// It is to be pinged.
    Ping,
    /// Its token ends at this moment.
    Expiring(Timestamp),
    /// It has to end.
    End(Close),
}

impl Link {
    pub(crate) fn new(key: SessionKey, outbox: Rc<Outbox>, dialect: Option<Dialect>) -> Self {
        Self {
            key,
            outbox,
            dialect: Cell::new(dialect),
            in_flight: Cell::new(0),
            awaits_answer: Cell::new(false),
            heard_at: Cell::default(),
            works: Cell::default(),
            known: RefCell::default(),
            expires_by: Cell::new(None),
            warned: Cell::new(false),
            beats: Cell::new(false),
            hello_by: Cell::new(None),
            follows: Cell::new(false),
            proofs: RefCell::default(),
            news: RefCell::default(),
            users: RefCell::default(),
            held: Rc::default(),
            rooms: RefCell::default(),
        }
    }

    /// Notes by which log-in the session is here, and for how long.
    pub(crate) fn bind(&self, identity: &Identity, clock: &dyn Clock) {
        self.proofs.replace(vec![Proof::of(identity, clock)]);
        self.expires();
    }

    /// Notes a further log-in: the session ends with the first of them. One that it has already is
    /// refreshed by that.
    pub(crate) fn bind_also(&self, identity: &Identity, clock: &dyn Clock) {
        let further = Proof::of(identity, clock);
        let mut proofs = self.proofs.borrow_mut();
        match proofs.iter_mut().find(|it| it.log_in == further.log_in) {
            #[cfg(sabotage)]
            Some(_) if chat_core::sabotage::planted("refreshed_tokens_end") => {}
            Some(known) => known.renew(&further),
            None => few::push(&mut proofs, further),
        }
        drop(proofs);
        self.expires();
    }

    /// Notes when the first of its tokens ends.
    fn expires(&self) {
        let proofs = self.proofs.borrow();
        let first = proofs.iter().filter_map(|it| it.expires_by).min();
        #[cfg(sabotage)]
        let first = first.filter(|_| !chat_core::sabotage::planted("expired_tokens_stay"));
        self.expires_by.set(first);
        self.warned.set(false);
    }

    /// Whether it came by this log-in.
    pub(super) fn came_by(&self, grant: &str) -> bool {
        let proofs = self.proofs.borrow();
        let mut log_ins = proofs.iter().filter_map(|it| it.log_in.as_ref());
        log_ins.any(|it| *it.grant == *grant)
    }

    /// The log-ins that it came by.
    pub(super) fn log_ins(&self) -> Vec<LogIn> {
        let proofs = self.proofs.borrow();
        proofs.iter().filter_map(|it| it.log_in.clone()).collect()
    }

    /// Forgets the log-in: by this time somebody has to have said hello.
    pub(crate) fn unbind(&self, hello_by: Duration) {
        self.proofs.take();
        self.expires_by.set(None);
        self.follows.set(false);
        self.hello_by.set(Some(hello_by));
    }

    /// Why the session has to end at this moment, if its time is over.
    pub(crate) fn overdue(&self, now: Duration, wall: Timestamp) -> Option<Close> {
        if self.hello_by.get().is_some_and(|by| now >= by) {
            return Some(Close::Unauthenticated);
        }
        let left = self.expires_by.get()?.saturating_sub(now);
        if left.is_zero() {
            return Some(Close::TokenExpired);
        }
        let soon = left <= EXPIRY_NOTICE;
        if soon && !self.warned.replace(soon) {
            let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            self.tell(News::Expiring(wall.plus_ms(left_ms)));
        }
        None
    }

    /// Whether it has a seat in a room.
    pub(crate) fn has_seat(&self, room: RoomId) -> bool {
        self.rooms.borrow().get(room) == Some(&Place::Taken)
    }

    /// By which record of a room it lost its seat there, if it was by one.
    pub(super) fn lost(&self, room: RoomId) -> Option<Seq> {
        match self.rooms.borrow().get(room)? {
            Place::Taken => None,
            Place::Lost(by) => *by,
        }
    }

    /// Notes that it has lost a seat, and how.
    pub(super) fn lose(&self, room: RoomId, by: Option<Seq>) {
        self.rooms.borrow_mut().insert(room, Place::Lost(by));
        if let Some(known) = &mut *self.known.borrow_mut() {
            known.remove(&room);
        }
        self.tell(News::Detached(room));
    }

    /// Forgets how it lost a seat, unless it has one again; tells whether it has none.
    pub(crate) fn part(&self, room: RoomId) -> bool {
        if self.has_seat(room) {
            return false;
        }
        self.rooms.borrow_mut().remove(room);
        true
    }

    /// Those of a user's rooms that he has joined since he was looked after last: where he did that on
    /// another node, he may not have been told.
    pub(crate) fn joined(&self, mine: &BTreeSet<RoomId>) -> Vec<RoomId> {
        let known = self.known.borrow();
        let joined = known.iter().flat_map(|known| mine.difference(known));
        joined
            .filter(|room| !self.has_seat(**room))
            .copied()
            .collect()
    }

    /// Notes which rooms are the user's.
    pub(crate) fn know(&self, mine: BTreeSet<RoomId>) {
        self.known.replace(Some(mine));
    }

    /// Notes that the user has joined a room.
    pub(super) fn know_of(&self, room: RoomId) {
        if let Some(known) = &mut *self.known.borrow_mut() {
            known.insert(room);
        }
    }

    /// Tells something. Who has much to hear about and doesn't get to it has to come again: what he
    /// missed he resumes.
    pub(crate) fn tell(&self, news: News) {
        let mut waiting = self.news.borrow_mut();
        if waiting.len() >= NEWS_MAX {
            waiting.clear();
            waiting.push_back(News::End(Close::Lagging));
        }
        waiting.push_back(news);
        drop(waiting);
        self.outbox.wake();
    }

    pub(crate) fn has_news(&self) -> bool {
        !self.news.borrow().is_empty()
    }

    /// Whether it was told to end.
    pub(crate) fn is_ending(&self) -> bool {
        let news = self.news.borrow();
        news.iter().any(|news| matches!(news, News::End(_)))
    }

    pub(crate) fn next_news(&self) -> Option<News> {
        let mut waiting = self.news.borrow_mut();
        let next = waiting.pop_front();
        if waiting.is_empty() && next.is_some() {
            // It may be long until there is more.
            waiting.shrink_to_fit();
        }
        next
    }
}

/// When a token ends, by the clock that only goes on, as the time of day is at this moment.
fn expiry(identity: &Identity, clock: &dyn Clock) -> Option<Duration> {
    let left_ms = identity.expires_at?.ms_since(clock.now());
    Some(clock.elapsed() + Duration::from_millis(left_ms))
}

/// How long before its end a session hears that its token ends.
const EXPIRY_NOTICE: Duration = Duration::from_secs(60);

/// News that wait for a session.
const NEWS_MAX: usize = 4_096;
