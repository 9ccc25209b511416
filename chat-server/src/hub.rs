//! One worker's sessions, and what they hear: the way from a durable record to the sockets.

mod audience;
mod link;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use chat_core::{Effect, Event, Record, RoomId, Seq, UserId};
use chat_protocol::answer::Answer;
use chat_protocol::close::Close;
use chat_protocol::code::Refusal;
use chat_protocol::dialect::Ticket;
use chat_protocol::signal::Signal;
use chat_protocol::voice::{Hearer, Voice};

use self::audience::{Audience, Held, Seat};
use self::link::Place;
pub(crate) use self::link::{Link, LogIn, News};
use crate::few;
use crate::mail::{ByRoom, Delivery, Refused, Reply, SessionKey};
use crate::metrics::Metrics;

/// What a worker knows of its sessions.
pub(crate) struct Hub {
    metrics: Metrics,
    links: BTreeMap<u64, Rc<Link>>,
    /// Which sessions act for a user.
    users: BTreeSet<(UserId, u64)>,
    rooms: ByRoom<Audience>,
    dirty: Vec<RoomId>,
    /// Sessions whose answers leave with this round.
    answered: RefCell<Vec<Rc<Link>>>,
    /// Whether sessions of this round were told to take a seat.
    awaited: Cell<bool>,
    /// Rooms whose last records are remembered.
    tails: BTreeSet<RoomId>,
    /// How often log-ins have ended.
    ended: Cell<u64>,
}

/// Who takes a seat, and how it hears.
#[derive(Debug)]
pub(crate) struct Sitter {
    pub(crate) session: SessionKey,
    pub(crate) user: UserId,
    pub(crate) voice: Voice,
}

impl Hub {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            links: BTreeMap::new(),
            users: BTreeSet::new(),
            rooms: ByRoom::default(),
            ended: Cell::default(),
            dirty: Vec::new(),
            answered: RefCell::default(),
            awaited: Cell::default(),
            tails: BTreeSet::new(),
        }
    }

    pub(crate) fn register(&mut self, link: Rc<Link>) {
        self.links.insert(link.key.number, link);
    }

    /// Forgets a session that has ended; gives the rooms in which it had a seat, and as whom.
    pub(crate) fn forget(&mut self, session: SessionKey) -> Vec<(RoomId, UserId)> {
        let Some(link) = self.links.remove(&session.number) else {
            return Vec::new();
        };
        for user in link.users.take() {
            self.disown(session, user);
        }
        let rooms = link.rooms.take();
        rooms
            .keys()
            .filter_map(|room| Some((room, self.rise(session, room)?)))
            .collect()
    }

    /// Notes that a session acts for a user.
    pub(crate) fn identify(&mut self, session: SessionKey, user: UserId) {
        self.users.insert((user, session.number));
        if let Some(link) = self.links.get(&session.number) {
            let mut users = link.users.borrow_mut();
            if !users.contains(&user) {
                few::push(&mut users, user);
            }
        }
    }

    /// Notes that a session acts for a user no more.
    pub(crate) fn disown(&mut self, session: SessionKey, user: UserId) {
        if let Some(link) = self.links.get(&session.number) {
            link.users.borrow_mut().retain(|known| *known != user);
        }
        self.users.remove(&(user, session.number));
    }

    /// The sessions that act for a user.
    fn links_of(&self, user: UserId) -> impl Iterator<Item = &Rc<Link>> {
        let his = self.users.range((user, 0)..=(user, u64::MAX));
        his.filter_map(|(_, number)| self.links.get(number))
    }

    /// A number that changes whenever a log-in ends, whosever it is.
    pub(crate) fn ended(&self) -> u64 {
        self.ended.get()
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = &Rc<Link>> {
        self.links.values()
    }

    /// The log-ins by which somebody is here.
    pub(crate) fn log_ins(&self) -> BTreeSet<LogIn> {
        self.links().flat_map(|link| link.log_ins()).collect()
    }

    /// Every so manieth of the sessions that hear all rooms of their user, and who he is.
    pub(crate) fn followers(&self, round: u64, every: u64) -> Vec<(UserId, Rc<Link>)> {
        let its_turn = |link: &&Rc<Link>| link.key.number % every == round % every;
        let links = self.links().filter(|link| link.follows.get());
        let follower = |link: &Rc<Link>| Some((*link.users.borrow().first()?, link.clone()));
        links.filter(its_turn).filter_map(follower).collect()
    }

    /// How far a room is heard here.
    pub(crate) fn head(&self, room: RoomId) -> Option<Seq> {
        self.rooms.get(&room).map(|audience| audience.head)
    }

    /// Gives a session a seat, behind until it has caught up. `head` is the room's, in case nobody
    /// of this worker hears it yet.
    pub(crate) fn sit(&mut self, sitter: &Sitter, room: RoomId, head: Seq) {
        let Sitter {
            session,
            user,
            voice,
        } = sitter;
        let Some(link) = self.links.get(&session.number) else {
            return;
        };
        #[cfg(not(sabotage))]
        let caught_up = false;
        #[cfg(sabotage)]
        let caught_up = chat_core::sabotage::planted("live_before_caught_up");
        let seat = Seat {
            session: *session,
            user: *user,
            outbox: link.outbox.clone(),
            caught_up,
            since: 0,
            held: Held::of(link.held.clone()),
        };
        link.rooms.borrow_mut().insert(room, Place::Taken);
        self.rooms
            .entry(room)
            .or_insert_with(|| Audience::at(head))
            .sit(voice, seat);
    }

    /// Takes a session's seat away.
    pub(crate) fn rise(&mut self, session: SessionKey, room: RoomId) -> Option<UserId> {
        if let Some(link) = self.links.get(&session.number) {
            link.rooms.borrow_mut().remove(room);
        }
        let audience = self.rooms.get_mut(&room)?;
        let user = audience.rise(session)?.user;
        if audience.is_empty() {
            self.rooms.remove(&room);
        }
        Some(user)
    }

    /// Lets a session that has been sent everything up to `position` hear the room from here on;
    /// else tells how far the room is.
    pub(crate) fn catch_up(&mut self, session: SessionKey, room: RoomId, position: Seq) -> CatchUp {
        let audience = self.rooms.get_mut(&room);
        let Some(audience) = audience.filter(|audience| audience.has_seat(session)) else {
            let link = self.links.get(&session.number);
            return CatchUp::Gone(link.and_then(|link| link.lost(room)));
        };
        if audience.head > position {
            return CatchUp::Behind {
                head: audience.head,
                heard: audience.tail(position),
            };
        }
        if audience.head < position {
            return CatchUp::Ahead;
        }
        audience.admit(session);
        CatchUp::Live
    }

    /// Delivers a durable record, and follows its effects on the sessions of this worker.
    ///
    /// Tells whether the room has something to flush.
    pub(crate) fn deliver(&mut self, delivery: &Delivery) -> bool {
        let record = &delivery.record;
        let room = record.room;
        let mut heard = false;
        if let Some(audience) = self.rooms.get_mut(&room) {
            if audience.head.next() == record.seq {
                audience.hear(delivery);
                heard = true;
                self.tails.insert(room);
            } else if audience.head < record.seq {
                self.skip(room, record.seq);
            }
        }
        if matches!(record.event, Event::Deleted(_) | Event::RoomTrimmed(_))
            && let Some(audience) = self.rooms.get_mut(&room)
        {
            // Whoever comes later reads the record without its words.
            audience.forget();
        }
        for effect in record.effects().iter() {
            match effect {
                Effect::Broadcast | Effect::Regrant(_) | Effect::Rejudge => {}
                Effect::Attach(user) => self.announce(user, record),
                #[cfg(sabotage)]
                Effect::Detach(_) if chat_core::sabotage::planted("removed_keeps_hearing") => {}
                Effect::Detach(user) => self.expel(room, user, Some(record.seq)),
                Effect::Notify(user) => self.notify(user, record),
                Effect::Close => self.close(room, record.seq),
            }
        }
        if heard {
            self.soil(room);
        }
        heard
    }

    /// Notes that a room has something to flush.
    fn soil(&mut self, room: RoomId) {
        if let Some(audience) = self.rooms.get_mut(&room).filter(|it| !it.dirty) {
            audience.dirty = true;
            self.dirty.push(room);
        }
    }

    /// Whether this round should wait a moment: whoever has just become a member of a room is about
    /// to be present in it, and the others hear of both in one write.
    pub(crate) fn awaits_somebody(&self) -> bool {
        self.awaited.take()
    }

    /// Writes what the rooms of this round have gathered, and the answers: whoever hears what he
    /// has just said gets both in one write.
    pub(crate) fn flush(&mut self) {
        for room in std::mem::take(&mut self.dirty) {
            if let Some(audience) = self.rooms.get_mut(&room) {
                audience.dirty = false;
                audience.flush();
                let written = audience.written();
                self.metrics.deliveries.inc_by(written.frames);
                self.metrics.bytes_out.inc_by(written.bytes);
                self.metrics.signals_dropped.inc_by(written.signals_dropped);
            }
        }
        for link in self.answered.take() {
            link.outbox.uncork();
        }
    }

    /// Forgets records that were heard a moment ago, where nobody catches up.
    pub(crate) fn forget_tails(&mut self) {
        let rooms = &mut self.rooms;
        self.tails.retain(|room| {
            let audience = rooms.get_mut(room);
            audience.is_some_and(Audience::forget_old)
        });
    }

    /// Forgets all records that were heard a moment ago: somebody's words have gone.
    pub(crate) fn forget_words(&mut self) {
        for audience in self.rooms.values_mut() {
            audience.forget();
        }
    }

    /// Passes on something ephemeral; a session that is behind with its reading may miss it.
    pub(crate) fn signal(&mut self, signal: &Signal, origin: Option<SessionKey>) {
        if let Some(audience) = self.rooms.get_mut(&signal.room) {
            audience.pass(signal, origin);
            self.soil(signal.room);
        }
    }

    /// Detaches a user from a room, because of this record of it or of something outside of it.
    pub(crate) fn expel(&mut self, room: RoomId, user: UserId, by: Option<Seq>) {
        let Some(audience) = self.rooms.get_mut(&room) else {
            return;
        };
        for session in audience.leave(|seat| seat.user == user) {
            if let Some(link) = self.links.get(&session.number) {
                link.lose(room, by);
            }
        }
        if audience.is_empty() {
            self.rooms.remove(&room);
        }
    }

    /// Answers a command of a session.
    pub(crate) fn reply(
        &self,
        session: SessionKey,
        ticket: &Ticket,
        outcome: Result<Reply, Refused>,
    ) {
        let Some(link) = self.links.get(&session.number) else {
            return;
        };
        link.in_flight.set(link.in_flight.get().saturating_sub(1));
        let answer = outcome.map(Answer::from).map_err(Refusal::from);
        if let Err(refusal) = &answer {
            self.metrics.refused(refusal.class);
        }
        ticket.answer(&answer, &mut |text| link.outbox.put_text(text));
        self.answered.borrow_mut().push(link.clone());
        if link.awaits_answer.take() {
            link.outbox.wake();
        }
    }

    /// Ends the sessions of a user, or those of one log-in.
    pub(crate) fn revoke(&self, user: UserId, grant: Option<&str>, close: Close) {
        self.ended.set(self.ended.get() + 1);
        for link in self.links_of(user) {
            let concerned = grant.is_none_or(|grant| link.came_by(grant));
            if concerned {
                link.tell(News::End(close));
            }
        }
    }

    /// A user is a member of a room: his sessions that want that hear it from this record on.
    fn announce(&self, user: UserId, record: &Record) {
        let before = Seq::new(record.seq.number().saturating_sub(1));
        for link in self.links_of(user).filter(|link| link.follows.get()) {
            link.know_of(record.room);
            link.tell(News::Joined(record.room, before));
            self.awaited.set(true);
        }
    }

    /// Tells a user's sessions that are not in the room.
    fn notify(&self, user: UserId, record: &Record) {
        for link in self.links_of(user) {
            let seated = link.has_seat(record.room);
            if let Some(dialect) = link.dialect.get().filter(|_| !seated) {
                let outbox = &link.outbox;
                Voice::of(dialect).event(record, Hearer::Other, &mut |text| outbox.send_text(text));
            }
        }
    }

    /// Something between was lost: everybody reads it from the store.
    fn skip(&mut self, room: RoomId, to: Seq) {
        let Some(audience) = self.rooms.get_mut(&room) else {
            return;
        };
        let from = audience.head;
        for session in audience.interrupt(to) {
            self.metrics.gaps.inc();
            if let Some(link) = self.links.get(&session.number) {
                link.tell(News::Gap(room, from));
            }
        }
    }

    /// What was heard of a room is no part of its log any more: whoever hears it comes again.
    pub(crate) fn take_back(&mut self, room: RoomId) {
        let Some(mut audience) = self.rooms.remove(&room) else {
            return;
        };
        for session in audience.leave(|_| true) {
            if let Some(link) = self.links.get(&session.number) {
                link.lose(room, None);
                link.tell(News::End(Close::Lagging));
            }
        }
    }

    fn close(&mut self, room: RoomId, by: Seq) {
        let Some(mut audience) = self.rooms.remove(&room) else {
            return;
        };
        for session in audience.leave(|_| true) {
            if let Some(link) = self.links.get(&session.number) {
                link.lose(room, Some(by));
            }
        }
    }
}

/// Where a session stands that catches up.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CatchUp {
    /// It hears the room by itself from here on.
    Live,
    /// The room has come this far: these records follow, or, if there are none, something to read.
    /// What the store has beyond that may be for others alone.
    Behind { head: Seq, heard: Vec<Arc<Record>> },
    /// What the session has read is still on its way to this worker.
    Ahead,
    /// It has no seat any more, by this record of the room or by something outside of it.
    Gone(Option<Seq>),
}
