//! Everything that the store holds, and how records change it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;

use chat_core::limits::{CID_WINDOW_MS, CIDS_HELD};
use chat_core::{Cid, Key, Kind, Lifecycle, Record, RoomId, Seq, Standing, Timestamp, UserId};
use chat_protocol::answer::{Page, RoomCard};

use super::accounts::Accounts;
use super::room::Log;
use crate::store::project::{page, room_of_cursor};
use crate::store::{Append, Appended, DirectoryQuery, GuestMember, Holder, Order, Taken};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) rooms: BTreeMap<RoomId, Log>,
    pub(super) next_room: u64,
    pub(super) aliases: HashMap<String, Holder>,
    pub(super) directs: HashMap<(UserId, UserId), Holder>,
    /// Clients' own ids by scope and user; a creation's scope is no room.
    pub(super) cids: BTreeMap<(Option<RoomId>, UserId), BTreeMap<Cid, Use>>,
    /// The rooms that a user is a member of, those that were deleted included.
    pub(super) rooms_of: HashMap<UserId, BTreeSet<RoomId>>,
    /// The rooms that each user has made.
    made_by: HashMap<UserId, Vec<RoomId>>,
    pub(super) accounts: Accounts,
    pub(super) blocks: HashSet<(UserId, UserId)>,
    /// When guests who are members were last here.
    pub(super) guests_seen: BTreeMap<UserId, Timestamp>,
    pub(super) settings: HashMap<String, String>,
    runs: Vec<Run>,
    /// Who was erased, and when.
    pub(super) erased: BTreeMap<UserId, Timestamp>,
}

/// The time from one opening to the next.
#[derive(Debug)]
struct Run {
    epoch: String,
    /// How far each room was when it began.
    heads: BTreeMap<RoomId, Seq>,
}

/// Where a cid was used, and when.
pub(super) type Use = (Holder, Timestamp);

impl State {
    /// Begins another run.
    pub(super) fn open(&mut self, epoch: &str) {
        let heads = self.rooms.iter().map(|(room, log)| (*room, log.head_seq()));
        self.runs.push(Run {
            epoch: epoch.to_owned(),
            heads: heads.collect(),
        });
    }

    /// Whether a record had been written by the end of the run of this epoch.
    pub(super) fn continues(&self, room: RoomId, epoch: &str, seq: Seq) -> bool {
        let mut runs = self.runs.iter();
        if !runs.any(|run| run.epoch == epoch) {
            return false;
        }
        let head = match runs.next() {
            Some(next) => next.heads.get(&room).copied(),
            None => self.rooms.get(&room).map(Log::head_seq),
        };
        head.is_some_and(|head| seq <= head)
    }

    pub(super) fn append(&mut self, append: &Append) -> Appended {
        let head = self
            .rooms
            .get(&append.room)
            .map(Log::head_seq)
            .unwrap_or_default();
        if head != append.after {
            return Appended::Conflict { head };
        }
        let taken = self.taken(append);
        if !taken.is_empty() {
            return Appended::Taken(taken);
        }
        for record in &append.records {
            self.claim(record);
            self.follow(&self.kept(record));
            self.mark_erased(record);
        }
        Appended::Done
    }

    /// The keys of these records that somebody holds, also those of an earlier one of them.
    fn taken(&self, append: &Append) -> Vec<Taken> {
        let mut claimed: HashMap<Key, Holder> = HashMap::with_capacity(append.records.len());
        let mut taken = Vec::new();
        let mut freed = false;
        for record in &append.records {
            if record.frees_alias() {
                freed = true;
                claimed.retain(|key, _| !matches!(key, Key::Alias(_)));
            }
            for key in record.keys() {
                let entry = match claimed.entry(key) {
                    Entry::Occupied(it) => {
                        let (key, by) = (it.key().clone(), *it.get());
                        taken.push(Taken { key, by });
                        continue;
                    }
                    Entry::Vacant(it) => it,
                };
                let own = |by: &Holder| {
                    freed && by.room == append.room && matches!(entry.key(), Key::Alias(_))
                };
                match self.holder(entry.key()) {
                    Some(by) if !own(&by) => {
                        let key = entry.into_key();
                        taken.push(Taken { key, by });
                    }
                    Some(_) | None => {
                        let (room, seq) = (append.room, record.seq);
                        entry.insert(Holder { room, seq });
                    }
                }
            }
        }
        taken
    }

    pub(super) fn claim(&mut self, record: &Record) {
        let by = Holder {
            room: record.room,
            seq: record.seq,
        };
        if record.frees_alias() {
            self.aliases.retain(|_, holder| holder.room != record.room);
        }
        for key in record.keys() {
            match key {
                Key::Alias(skeleton) => drop(self.aliases.insert(skeleton, by)),
                Key::Direct(one, other) => drop(self.directs.insert((one, other), by)),
                Key::Creation(user, cid) => self.claim_cid(None, user, cid, by, record.at),
                Key::Command(room, user, cid) => {
                    self.claim_cid(Some(room), user, cid, by, record.at);
                }
            }
        }
    }

    pub(super) fn claim_cid(
        &mut self,
        scope: Option<RoomId>,
        user: UserId,
        cid: Cid,
        by: Holder,
        at: Timestamp,
    ) {
        self.cids
            .entry((scope, user))
            .or_default()
            .insert(cid, (by, at));
    }

    pub(super) fn holder(&self, key: &Key) -> Option<Holder> {
        let cid = |scope, user, cid| Some(self.cids.get(&(scope, user))?.get(cid)?.0);
        match key {
            Key::Alias(skeleton) => self.aliases.get(skeleton).copied(),
            Key::Direct(one, other) => self.directs.get(&(*one, *other)).copied(),
            Key::Creation(user, it) => cid(None, *user, it),
            Key::Command(room, user, it) => cid(Some(*room), *user, it),
        }
    }

    pub(super) fn follow(&mut self, record: &Arc<Record>) {
        let log = match self.rooms.get_mut(&record.room) {
            Some(log) => {
                log.follow(record);
                log
            }
            None => {
                let Some(log) = Log::founded(record) else {
                    return;
                };
                let made = self.made_by.entry(log.room.created.by).or_default();
                made.push(record.room);
                self.rooms.entry(record.room).or_insert(log)
            }
        };
        for effect in record.effects().iter() {
            match effect {
                chat_core::Effect::Attach(user) => {
                    self.rooms_of.entry(user).or_default().insert(record.room);
                }
                chat_core::Effect::Detach(user) => {
                    if !log.room.members.contains_key(&user)
                        && let Some(rooms) = self.rooms_of.get_mut(&user)
                    {
                        rooms.remove(&record.room);
                    }
                }
                chat_core::Effect::Broadcast
                | chat_core::Effect::Notify(_)
                | chat_core::Effect::Regrant(_)
                | chat_core::Effect::Rejudge
                | chat_core::Effect::Close => {}
            }
        }
    }

    pub(super) fn living(&self, room: RoomId) -> Option<&Log> {
        self.rooms
            .get(&room)
            .filter(|log| log.room.lifecycle != Lifecycle::Deleted)
    }

    pub(super) fn directory(&self, query: &DirectoryQuery) -> Page<RoomCard> {
        let cursor = query.cursor.as_deref().map(room_of_cursor);
        let Some(cursor) = cursor.map_or(Some(None), |cursor| cursor.map(Some)) else {
            return Page {
                items: Vec::new(),
                next: None,
            };
        };
        let beyond = |room: &RoomId| match (cursor, query.order) {
            (None, _) => true,
            (Some(cursor), Order::Oldest) => *room > cursor,
            (Some(cursor), Order::Newest) => *room < cursor,
        };
        let mut listed = self
            .rooms
            .iter()
            .filter(|(room, log)| beyond(room) && log.is_listed());
        let rooms = std::iter::from_fn(|| {
            let (room, log) = match query.order {
                Order::Oldest => listed.next(),
                Order::Newest => listed.next_back(),
            }?;
            let is_found = log.is_found(query.search.as_deref());
            Some(Ok::<_, Infallible>((*room, is_found.then(|| log.card()))))
        });
        let Ok(page) = page(rooms, query.limit, query.looked_at_max);
        page
    }

    pub(super) fn mine(&self, user: UserId) -> impl Iterator<Item = &Log> {
        let rooms = self.rooms_of.get(&user);
        rooms
            .into_iter()
            .flatten()
            .filter_map(|room| self.living(*room))
    }

    pub(super) fn standing(&self, user: UserId, since: Timestamp) -> Standing {
        let is_shared = |log: &&Log| log.room.kind != Kind::Direct;
        let made = self.made_by.get(&user).into_iter().flatten();
        let made = made.filter_map(|room| self.rooms.get(room));
        let made = made.filter(|log| log.room.created.at >= since);
        Standing {
            rooms_joined: self.mine(user).filter(is_shared).count() as u64,
            rooms_created: made.filter(is_shared).count() as u64,
        }
    }

    pub(super) fn guests_unseen(
        &mut self,
        before: Timestamp,
        now: Timestamp,
        limit: usize,
    ) -> Vec<GuestMember> {
        let guests = self.rooms_of.iter().filter(|(user, _)| user.is_guest());
        let members: BTreeMap<UserId, Vec<RoomId>> = guests
            .map(|(guest, rooms)| (*guest, rooms.iter().copied().collect()))
            .collect();
        self.guests_seen
            .retain(|guest, _| members.contains_key(guest));
        let mut unseen = Vec::new();
        for (guest, rooms) in members {
            if *self.guests_seen.entry(guest).or_insert(now) >= before {
                continue;
            }
            for room in rooms {
                let name = self.rooms.get(&room).and_then(|log| log.name_of(guest));
                unseen.push(GuestMember { room, guest, name });
            }
        }
        unseen.truncate(limit);
        unseen
    }

    pub(super) fn prune(&mut self, now: Timestamp) {
        self.accounts.prune(now);
        let before = now.minus_ms(CID_WINDOW_MS);
        for used in self.cids.values_mut() {
            let mut newest: Vec<_> = used
                .values()
                .map(|(by, at)| (*at, by.room, by.seq))
                .collect();
            newest.sort_unstable_by(|a, b| b.cmp(a));
            let Some(last_kept) = newest.get(CIDS_HELD.saturating_sub(1)).copied() else {
                continue;
            };
            used.retain(|_, (by, at)| *at >= before || (*at, by.room, by.seq) >= last_kept);
        }
    }
}
