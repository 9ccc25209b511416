//! What is durable, and what follows from it: a naive second reading of the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_core::event::{Access, History};
use chat_core::{Cid, Effect, Event, Record, Role, RoomId, Seq, Timestamp, UserId};

use super::trace::{Hash, Trace};

/// Every record that the store has taken in, and who was where.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    books: Arc<Mutex<BTreeMap<RoomId, Book>>>,
    keys: Arc<Mutex<Keys>>,
    trace: Trace,
}

/// The passwords that commands bore, which no record has.
type Keys = BTreeMap<(UserId, Cid), String>;

/// Who may come into a room, from some record on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Anybody.
    Open,
    /// Whoever says this password.
    Locked(String),
    /// Whoever was invited.
    Closed,
}

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
    doors: Vec<(Seq, Door)>,
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
        Self {
            books: Arc::default(),
            keys: Arc::default(),
            trace,
        }
    }

    fn books(&self) -> MutexGuard<'_, BTreeMap<RoomId, Book>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes which password a command bears.
    pub(super) fn bears(&self, user: UserId, cid: &Cid, key: &str) {
        self.keys().insert((user, cid.clone()), key.to_owned());
    }

    fn key(&self, record: &Record) -> Option<String> {
        let cid = record.cid.clone()?;
        self.keys().get(&(record.by.id, cid)).cloned()
    }

    /// Takes in a record that the store has called durable.
    pub(super) fn enter(&self, record: &Arc<Record>) {
        let key = self.key(record);
        let mut books = self.books();
        let book = books.entry(record.room).or_default();
        let head = book.head();
        if head.next() != record.seq {
            let (room, seq) = (record.room, record.seq);
            self.trace
                .wrong(format!("room {room}: {seq} follows {head}"));
        }
        if let Some(last) = book.records.last().filter(|last| last.at > record.at) {
            let what = format!(
                "room {}: time runs backwards after {}",
                record.room, last.seq
            );
            self.trace.wrong(what);
        }
        if let Err(why) = book.judge(record, key.as_deref()) {
            self.trace
                .wrong(format!("a record without permission: {why}: {record:?}"));
        }
        if let Some(cid) = &record.cid {
            let key = (record.by.id, cid.clone());
            if let Some(first) = book.cids.insert(key, record.seq) {
                let (room, seq) = (record.room, record.seq);
                let what = format!("room {room}: {cid:?} took effect twice, at {first} and {seq}");
                self.trace.wrong(what);
            }
        }
        book.follow(record, key);
    }

    pub(super) fn rooms(&self) -> Vec<RoomId> {
        self.books().keys().copied().collect()
    }

    /// Rooms that guests may enter, some of them with a password.
    pub(super) fn public_rooms(&self) -> Vec<RoomId> {
        let books = self.books();
        let public = books
            .iter()
            .filter(|(_, book)| *book.door() != Door::Closed);
        public.map(|(room, _)| *room).collect()
    }

    /// The password of a room, if it has one.
    pub(super) fn password(&self, room: RoomId) -> Option<String> {
        let key = |book: &Book| match book.door() {
            Door::Locked(key) => Some(key.clone()),
            Door::Open | Door::Closed => None,
        };
        self.of(room, key).flatten()
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

    /// Who may come in.
    pub(super) fn door(&self) -> &Door {
        self.doors.last().map_or(&Door::Closed, |(_, door)| door)
    }

    /// Whether somebody with this password may have come in at this record or at a later one.
    pub(super) fn let_in(&self, since: Seq, key: &str) -> bool {
        let before = self.doors.iter().rposition(|(seq, _)| *seq <= since);
        let doors = self.doors.iter().skip(before.unwrap_or_default());
        let fits = |door: &Door| match door {
            Door::Open => true,
            Door::Locked(it) => it == key,
            Door::Closed => false,
        };
        doors.into_iter().any(|(_, door)| fits(door))
    }

    pub(super) fn is_member(&self, user: UserId) -> bool {
        let last = self.stays.get(&user).and_then(|stays| stays.last());
        last.is_some_and(|stay| stay.to.is_none())
    }

    /// Whether somebody was a member at this record or at a later one.
    pub(super) fn was_in(&self, user: UserId, since: Seq) -> bool {
        let stays = self.stays.get(&user).into_iter().flatten();
        let mut ends = stays.map(|stay| stay.to);
        ends.any(|to| to.is_none_or(|to| to >= since))
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
        self.parted_after(user, after)
    }

    /// By which record after this one a user was removed.
    pub(super) fn parted_after(&self, user: UserId, after: Seq) -> Option<Seq> {
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

    /// The messages that a user may read, and what they say: those that are kept, and aren't deleted.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others say nothing")]
    pub(super) fn texts(&self, user: UserId) -> BTreeMap<u64, String> {
        let mut texts = BTreeMap::new();
        for record in &self.records {
            let (message, content) = match &record.event {
                Event::Posted(it) => (record.seq, &it.content),
                Event::Edited(it) => (it.message, &it.content),
                Event::Deleted(it) => {
                    texts.remove(&it.message.number());
                    continue;
                }
                _ => continue,
            };
            let body = content.as_ref().map(|content| content.body.as_str());
            if !self.hides(user, message) {
                texts.insert(message.number(), body.unwrap_or_default().to_owned());
            }
        }
        texts
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
    fn judge(&self, record: &Record, key: Option<&str>) -> Result<(), String> {
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
            Event::Joined(_) if self.invited.contains_key(&user) => Ok(()),
            Event::Joined(_) => match self.door() {
                Door::Open => Ok(()),
                Door::Locked(due) if key == Some(due.as_str()) => Ok(()),
                Door::Locked(_) => Err("a wrong password".into()),
                Door::Closed => Err("not invited".into()),
            },
            Event::Left(_) if self.is_member(user) => Ok(()),
            Event::Left(_) => Err("not a member".into()),
            Event::Invited(_) => self.at_least(user, Role::Member, "invite"),
            Event::Kicked(it) => self.outranks(user, it.user, Role::Moderator, "kick"),
            Event::Muted(it) => self.outranks(user, it.user, Role::Moderator, "mute"),
            Event::Banned(it) => self.outranks(user, it.user, Role::Admin, "ban"),
            Event::Unbanned(_) => self.at_least(user, Role::Admin, "unban"),
            Event::AccessChanged(_) => self.at_least(user, Role::Admin, "change who may enter"),
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
    fn follow(&mut self, record: &Arc<Record>, key: Option<String>) {
        let (user, seq) = (record.by.id, record.seq);
        match &record.event {
            Event::RoomCreated(it) => {
                self.doors.push((seq, Door::of(&it.access, key)));
                self.since_join = it.history == History::SinceJoin;
                self.come(user, seq, Role::Owner);
            }
            Event::AccessChanged(it) => {
                if let Some(access) = &it.access {
                    self.doors.push((seq, Door::of(access, key)));
                }
                if let Some(history) = it.history {
                    self.since_join = history == History::SinceJoin;
                }
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

impl Door {
    fn of(access: &Access, key: Option<String>) -> Self {
        match access {
            Access::Open => Self::Open,
            Access::Password { .. } => Self::Locked(key.unwrap_or_default()),
            Access::Invite | Access::Groups { .. } => Self::Closed,
        }
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
