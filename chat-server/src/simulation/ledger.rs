//! What is durable, and what follows from it: a naive second reading of the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_core::event::{Access, History};
use chat_core::{Cid, Effect, Event, Record, Role, RoomId, Seq, Timestamp, UserId};

use super::trace::{Hash, Trace};

/// Every record that the store has taken in, and who was where.
#[derive(Clone, Debug)]
pub(super) struct Ledger(Arc<Mutex<BTreeMap<RoomId, Book>>>, Trace);

/// One room.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) records: Vec<Arc<Record>>,
    stays: BTreeMap<UserId, Vec<Stay>>,
    roles: BTreeMap<UserId, Role>,
    banned: BTreeMap<UserId, Option<Timestamp>>,
    muted: BTreeMap<UserId, Timestamp>,
    invited: BTreeMap<UserId, ()>,
    cids: BTreeMap<(UserId, Cid), Seq>,
    erased: BTreeSet<Seq>,
    kept_from: Seq,
    is_open: bool,
    since_join: bool,
}

/// From which record on somebody was a member, and by which one no more.
#[derive(Clone, Copy, Debug)]
struct Stay {
    from: Seq,
    to: Option<Seq>,
}

impl Ledger {
    pub(super) fn new(trace: Trace) -> Self {
        Self(Arc::default(), trace)
    }

    fn books(&self) -> MutexGuard<'_, BTreeMap<RoomId, Book>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a record that the store has called durable.
    pub(super) fn enter(&self, record: &Arc<Record>) {
        let mut books = self.books();
        let book = books.entry(record.room).or_default();
        let head = book.head();
        if head.next() != record.seq {
            let (room, seq) = (record.room, record.seq);
            self.1.wrong(format!("room {room}: {seq} follows {head}"));
        }
        if let Some(last) = book.records.last().filter(|last| last.at > record.at) {
            let what = format!(
                "room {}: time runs backwards after {}",
                record.room, last.seq
            );
            self.1.wrong(what);
        }
        if let Err(why) = book.judge(record) {
            self.1
                .wrong(format!("a record without permission: {why}: {record:?}"));
        }
        if let Some(cid) = &record.cid {
            let key = (record.by.id, cid.clone());
            if let Some(first) = book.cids.insert(key, record.seq) {
                let (room, seq) = (record.room, record.seq);
                let what = format!("room {room}: {cid:?} took effect twice, at {first} and {seq}");
                self.1.wrong(what);
            }
        }
        book.follow(record);
    }

    pub(super) fn rooms(&self) -> Vec<RoomId> {
        self.books().keys().copied().collect()
    }

    /// Rooms that anybody may enter.
    pub(super) fn open_rooms(&self) -> Vec<RoomId> {
        let books = self.books();
        let open = books.iter().filter(|(_, book)| book.is_open);
        open.map(|(room, _)| *room).collect()
    }

    /// Looks at a room.
    pub(super) fn of<T>(&self, room: RoomId, look: impl FnOnce(&Book) -> T) -> Option<T> {
        self.books().get(&room).map(look)
    }

    pub(super) fn head(&self, room: RoomId) -> Seq {
        self.of(room, Book::head).unwrap_or_default()
    }

    pub(super) fn record(&self, room: RoomId, seq: Seq) -> Option<Arc<Record>> {
        self.of(room, |book| book.record(seq).cloned()).flatten()
    }

    /// Where a user's command with this cid took effect.
    pub(super) fn used(&self, room: RoomId, user: UserId, cid: &Cid) -> Option<Seq> {
        let used = |book: &Book| book.cids.get(&(user, cid.clone())).copied();
        self.of(room, used).flatten()
    }

    pub(super) fn is_member(&self, room: RoomId, user: UserId) -> bool {
        self.of(room, |book| book.is_member(user)).unwrap_or(false)
    }

    /// One number for all the logs.
    pub(super) fn hash(&self) -> u64 {
        let mut hash = Hash::default();
        for record in self.books().values().flat_map(|book| &book.records) {
            hash.add(format!("{record:?}").as_bytes());
        }
        hash.0
    }
}

impl Book {
    pub(super) fn head(&self) -> Seq {
        self.records.last().map(|it| it.seq).unwrap_or_default()
    }

    pub(super) fn record(&self, seq: Seq) -> Option<&Arc<Record>> {
        let at = usize::try_from(seq.number().checked_sub(1)?).ok()?;
        self.records.get(at)
    }

    pub(super) fn is_member(&self, user: UserId) -> bool {
        let last = self.stays.get(&user).and_then(|stays| stays.last());
        last.is_some_and(|stay| stay.to.is_none())
    }

    pub(super) fn members(&self) -> Vec<UserId> {
        let users = self.stays.keys().copied();
        users.filter(|user| self.is_member(*user)).collect()
    }

    pub(super) fn is_banned(&self, user: UserId, at: Timestamp) -> bool {
        let ban = self.banned.get(&user);
        ban.is_some_and(|until| until.is_none_or(|until| until > at))
    }

    /// Whether this user may have heard of this record by the time of the last one: he is told of
    /// it by name, or was a member at it or later, and his history reaches back to it.
    pub(super) fn may_hear(&self, record: &Record, user: UserId) -> bool {
        let named = |effect| matches!(effect, Effect::Notify(it) if it == user);
        let stays = self.stays.get(&user);
        let mut stays = stays.into_iter().flatten();
        let reaches = |from: Seq| !self.since_join || from <= record.seq;
        stays.any(|stay| stay.to.is_none_or(|to| record.seq <= to) && reaches(stay.from))
            || record.effects().iter().any(named)
    }

    /// By which record after this one somebody was removed who goes by a name of his own.
    pub(super) fn removed_after(&self, name: &str, after: Seq) -> Option<Seq> {
        let is_his = |it: &&Arc<Record>| it.by.name.as_ref().is_some_and(|it| it.as_str() == name);
        let user = self.records.iter().find(is_his)?.by.id;
        let mut records = self.records.iter().filter(|record| record.seq > after);
        let removal = records.find(|record| removes(record) == Some(user));
        removal.map(|record| record.seq)
    }

    /// Whether what this user may read begins after this record.
    pub(super) fn hides(&self, user: UserId, seq: Seq) -> bool {
        if seq < self.kept_from {
            return true;
        }
        let stay = self.stays.get(&user).and_then(|stays| stays.last());
        let from = stay.map_or(Seq::default(), |stay| stay.from);
        self.since_join && self.rank(user) != Role::Owner && seq < from
    }

    pub(super) fn role(&self, user: UserId) -> String {
        format!("{:?}", self.rank(user)).to_lowercase()
    }

    /// Everybody who has done anything here.
    pub(super) fn people(&self) -> Vec<UserId> {
        let people = self.records.iter().map(|record| record.by.id);
        let people: BTreeSet<UserId> = people.collect();
        people.into_iter().collect()
    }

    /// Whether the words of a record are gone by now, since its message is, or since they are kept
    /// no longer.
    pub(super) fn is_erased(&self, record: &Record) -> bool {
        if record.is_trimmed(self.kept_from) {
            return true;
        }
        let message = if let Event::Edited(it) = &record.event {
            it.message
        } else {
            record.seq
        };
        self.erased.contains(&message)
    }

    fn is_kept(&self, message: Seq) -> Result<(), String> {
        let kept = message >= self.kept_from;
        kept.then_some(())
            .ok_or_else(|| "a message that isn't kept".into())
    }

    fn rank(&self, user: UserId) -> Role {
        self.roles.get(&user).copied().unwrap_or(Role::Guest)
    }

    fn at_least(&self, user: UserId, role: Role, to: &str) -> Result<(), String> {
        let fits = self.is_member(user) && self.rank(user) >= role;
        fits.then_some(()).ok_or_else(|| format!("may not {to}"))
    }

    fn speaks(&self, record: &Record) -> Result<(), String> {
        let user = record.by.id;
        if !user.is_guest() && !self.is_member(user) {
            return Err("not a member".into());
        }
        if user.is_guest() && self.is_banned(user, record.at) {
            return Err("a guest who is banned".into());
        }
        match self.muted.get(&user) {
            Some(until) if *until > record.at => Err("muted".into()),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether whoever made this record was allowed to, by the records before it.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "nobody in this world does anything else"
    )]
    fn judge(&self, record: &Record) -> Result<(), String> {
        let user = record.by.id;
        match &record.event {
            Event::Reacted(it) => {
                self.is_kept(it.message)?;
                self.speaks(record)
            }
            Event::Posted(_) | Event::Unreacted(_) => self.speaks(record),
            Event::Edited(it) => {
                self.speaks(record)?;
                self.is_kept(it.message)?;
                let author = self.record(it.message).map(|message| message.by.id);
                (author == Some(user))
                    .then_some(())
                    .ok_or_else(|| "another's message".into())
            }
            Event::Deleted(it) => {
                self.is_kept(it.message)?;
                let author = self.record(it.message).map(|message| message.by.id);
                let own = author == Some(user) && self.is_member(user);
                if own {
                    Ok(())
                } else {
                    self.at_least(user, Role::Moderator, "delete")
                }
            }
            Event::Joined(_) if self.is_banned(user, record.at) => Err("banned".into()),
            Event::Joined(_) if self.is_open || self.invited.contains_key(&user) => Ok(()),
            Event::Joined(_) => Err("not invited".into()),
            Event::Left(_) if self.is_member(user) => Ok(()),
            Event::Left(_) => Err("not a member".into()),
            Event::Invited(_) => self.at_least(user, Role::Member, "invite"),
            Event::Kicked(it) => self.outranks(user, it.user, Role::Moderator, "kick"),
            Event::Muted(it) => self.outranks(user, it.user, Role::Moderator, "mute"),
            Event::Banned(it) => self.outranks(user, it.user, Role::Admin, "ban"),
            Event::Unbanned(_) => self.at_least(user, Role::Admin, "unban"),
            Event::RoleChanged(it) => self.outranks(user, it.user, Role::Admin, "set roles"),
            Event::RoomTrimmed(_) if user == UserId::HOUSE => Ok(()),
            Event::RoomTrimmed(_) => self.at_least(user, Role::Admin, "trim"),
            _ => Ok(()),
        }
    }

    fn outranks(&self, user: UserId, whom: UserId, role: Role, to: &str) -> Result<(), String> {
        self.at_least(user, role, to)?;
        let lower = !self.is_member(whom) || self.rank(whom) < self.rank(user);
        lower
            .then_some(())
            .ok_or_else(|| format!("may not {to} a higher rank"))
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what else there is changes nobody's rights"
    )]
    fn follow(&mut self, record: &Arc<Record>) {
        let (user, seq) = (record.by.id, record.seq);
        match &record.event {
            Event::RoomCreated(it) => {
                self.is_open = matches!(it.access, Access::Open);
                self.since_join = it.history == History::SinceJoin;
                self.come(user, seq, Role::Owner);
            }
            Event::Joined(it) => self.come(user, seq, it.role),
            Event::Invited(it) => {
                self.invited.insert(it.user, ());
            }
            Event::Banned(it) => {
                self.banned.insert(it.user, it.until);
            }
            Event::Unbanned(it) => {
                self.banned.remove(&it.user);
            }
            Event::Muted(it) => {
                self.muted.insert(it.user, it.until);
            }
            Event::Unmuted(it) => {
                self.muted.remove(&it.user);
            }
            Event::Deleted(it) => {
                self.erased.insert(it.message);
            }
            Event::RoomTrimmed(it) => self.kept_from = it.from,
            Event::RoleChanged(it) => {
                self.roles.insert(it.user, it.role);
            }
            _ => {}
        }
        if let Some(gone) = removes(record)
            && let Some(stay) = self.stays.get_mut(&gone).and_then(|it| it.last_mut())
        {
            stay.to.get_or_insert(seq);
        }
        self.records.push(Arc::clone(record));
    }

    fn come(&mut self, user: UserId, from: Seq, role: Role) {
        let stay = Stay { from, to: None };
        self.stays.entry(user).or_default().push(stay);
        self.roles.insert(user, role);
        self.invited.remove(&user);
    }
}

/// Whom a record removes from its room.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "nothing else removes anybody in this world"
)]
pub(super) fn removes(record: &Record) -> Option<UserId> {
    match &record.event {
        Event::Left(_) => Some(record.by.id),
        Event::Kicked(it) => Some(it.user),
        Event::Banned(it) => Some(it.user),
        _ => None,
    }
}
