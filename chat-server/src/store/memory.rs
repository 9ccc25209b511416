//! The store of one process: everything in memory, gone with it. For embedding, and for tests.

mod accounts;
mod room;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chat_core::limits::{CID_WINDOW_MS, CIDS_HELD};
use chat_core::{
    Cid, Head, Idx, Key, Kind, Lifecycle, Record, Room, RoomId, Seq, Standing, Timestamp, UserId,
};
use chat_protocol::answer::{MemberCard, Message, MyRoom, Page, RoomCard};

use self::accounts::Accounts;
use self::room::Log;
use super::project::{check_dense, page, room_of_cursor};
use super::{
    Account, Append, Appended, Created, DirectoryQuery, GuestMember, Holder, Marker, MessageQuery,
    NewAccount, Order, Store, StoreError, draw_epoch,
};

/// A store in memory.
#[derive(Debug)]
pub struct Memory {
    epoch: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rooms: BTreeMap<RoomId, Log>,
    next_room: u64,
    aliases: HashMap<String, Holder>,
    directs: HashMap<(UserId, UserId), Holder>,
    /// Clients' own ids by scope and user; a creation's scope is no room.
    cids: BTreeMap<(Option<RoomId>, UserId), BTreeMap<Cid, Use>>,
    /// The rooms that a user is a member of, those that were deleted included.
    rooms_of: HashMap<UserId, std::collections::BTreeSet<RoomId>>,
    accounts: Accounts,
    blocks: HashSet<(UserId, UserId)>,
    /// When guests who are members were last here.
    guests_seen: BTreeMap<UserId, Timestamp>,
    settings: HashMap<String, String>,
}

/// Where a cid was used, and when.
type Use = (Holder, Timestamp);

impl Memory {
    /// An empty store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the system has no random numbers to name it by.
    pub fn new() -> Result<Self, StoreError> {
        Ok(Self {
            epoch: draw_epoch()?,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, append: &Append) -> Appended {
        let head = self
            .rooms
            .get(&append.room)
            .map(Log::head_seq)
            .unwrap_or_default();
        if head != append.after {
            return Appended::Conflict { head };
        }
        if let Some(taken) = self.taken(append) {
            return taken;
        }
        for record in &append.records {
            self.claim(record);
            self.follow(record);
        }
        Appended::Done
    }

    /// The first key of these records that somebody holds, also one of these records themselves.
    fn taken(&self, append: &Append) -> Option<Appended> {
        let mut claimed: HashMap<Key, Holder> = HashMap::new();
        let mut freed = false;
        for record in &append.records {
            if record.frees_alias() {
                freed = true;
                claimed.retain(|key, _| !matches!(key, Key::Alias(_)));
            }
            for key in record.keys() {
                let held = claimed.get(&key).copied().or_else(|| self.holder(&key));
                let own = |by: &Holder| {
                    freed
                        && by.room == append.room
                        && matches!(key, Key::Alias(_))
                        && !claimed.contains_key(&key)
                };
                match held {
                    Some(by) if !own(&by) => return Some(Appended::Taken { key, by }),
                    Some(_) | None => {
                        claimed.insert(
                            key,
                            Holder {
                                room: append.room,
                                seq: record.seq,
                            },
                        );
                    }
                }
            }
        }
        None
    }

    fn claim(&mut self, record: &Record) {
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

    fn claim_cid(
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

    fn holder(&self, key: &Key) -> Option<Holder> {
        let cid = |scope, user, cid| Some(self.cids.get(&(scope, user))?.get(cid)?.0);
        match key {
            Key::Alias(skeleton) => self.aliases.get(skeleton).copied(),
            Key::Direct(one, other) => self.directs.get(&(*one, *other)).copied(),
            Key::Creation(user, it) => cid(None, *user, it),
            Key::Command(room, user, it) => cid(Some(*room), *user, it),
        }
    }

    fn follow(&mut self, record: &Arc<Record>) {
        let log = match self.rooms.get_mut(&record.room) {
            Some(log) => {
                log.follow(record);
                log
            }
            None => {
                let Some(log) = Log::founded(record) else {
                    return;
                };
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

    fn living(&self, room: RoomId) -> Option<&Log> {
        self.rooms
            .get(&room)
            .filter(|log| log.room.lifecycle != Lifecycle::Deleted)
    }

    fn directory(&self, query: &DirectoryQuery) -> Page<RoomCard> {
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
        let take = query.limit.saturating_add(1);
        let mut found = self
            .rooms
            .iter()
            .filter(|(room, log)| beyond(room) && log.is_found(query.search.as_deref()));
        let mut cards = Vec::new();
        while cards.len() < take
            && let Some((_, log)) = match query.order {
                Order::Oldest => found.next(),
                Order::Newest => found.next_back(),
            }
        {
            cards.push(log.card());
        }
        page(cards, query.limit, |card| card.id)
    }

    fn mine(&self, user: UserId) -> impl Iterator<Item = &Log> {
        let rooms = self.rooms_of.get(&user);
        rooms
            .into_iter()
            .flatten()
            .filter_map(|room| self.living(*room))
    }

    fn standing(&self, user: UserId, since: Timestamp) -> Standing {
        let is_shared = |log: &&Log| log.room.kind != Kind::Direct;
        let made = |log: &&Log| {
            let created = log.room.created;
            created.by == user && created.at >= since
        };
        Standing {
            rooms_joined: self.mine(user).filter(is_shared).count() as u64,
            rooms_created: self.rooms.values().filter(is_shared).filter(made).count() as u64,
        }
    }

    fn guests_unseen(
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

    fn prune(&mut self, now: Timestamp) {
        self.accounts.prune(now);
        let before = Timestamp::new(now.number().saturating_sub(CID_WINDOW_MS));
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

#[async_trait]
impl Store for Memory {
    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Appended>, StoreError> {
        batch.iter().try_for_each(check_dense)?;
        let mut state = self.state();
        Ok(batch.iter().map(|append| state.append(append)).collect())
    }

    async fn reserve_room(&self) -> Result<RoomId, StoreError> {
        let mut state = self.state();
        let highest = state
            .rooms
            .keys()
            .next_back()
            .map_or(0, |room| room.number());
        state.next_room = state.next_room.max(highest) + 1;
        Ok(RoomId::new(state.next_room))
    }

    async fn load(&self, room: RoomId) -> Result<Option<Room>, StoreError> {
        Ok(self.state().rooms.get(&room).map(|log| log.room.clone()))
    }

    async fn records(
        &self,
        room: RoomId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Record>>, StoreError> {
        Ok(self
            .state()
            .rooms
            .get(&room)
            .map(|log| log.records(after, limit))
            .unwrap_or_default())
    }

    fn epoch(&self) -> String {
        self.epoch.clone()
    }

    async fn continues(&self, room: RoomId, epoch: &str, seq: Seq) -> Result<bool, StoreError> {
        let head = self
            .state()
            .rooms
            .get(&room)
            .map(Log::head_seq)
            .unwrap_or_default();
        Ok(seq.number() == 0 || (epoch == self.epoch && seq <= head))
    }

    async fn messages(&self, query: &MessageQuery) -> Result<Vec<Message>, StoreError> {
        Ok(self
            .state()
            .rooms
            .get(&query.room)
            .map(|log| log.messages(query))
            .unwrap_or_default())
    }

    async fn head(&self, room: RoomId, message: Seq) -> Result<(Seq, Option<Head>), StoreError> {
        let state = self.state();
        let Some(log) = state.rooms.get(&room) else {
            return Ok((Seq::default(), None));
        };
        Ok((log.head_seq(), log.head(message)))
    }

    async fn holder(&self, key: &Key) -> Result<Option<Holder>, StoreError> {
        Ok(self.state().holder(key))
    }

    async fn card(&self, room: RoomId) -> Result<Option<RoomCard>, StoreError> {
        Ok(self.state().living(room).map(Log::card))
    }

    async fn directory(&self, query: &DirectoryQuery) -> Result<Page<RoomCard>, StoreError> {
        Ok(self.state().directory(query))
    }

    async fn rooms_of(&self, user: UserId) -> Result<Vec<MyRoom>, StoreError> {
        let state = self.state();
        Ok(state
            .mine(user)
            .filter_map(|log| log.my_room(user, &state.accounts))
            .collect())
    }

    async fn members(
        &self,
        room: RoomId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<MemberCard>, StoreError> {
        let state = self.state();
        let log = state.living(room);
        Ok(log
            .map(|log| log.members(after, limit, &state.accounts))
            .unwrap_or_default())
    }

    async fn marker(&self, room: RoomId, user: UserId) -> Result<Marker, StoreError> {
        Ok(self
            .state()
            .rooms
            .get(&room)
            .map(|log| log.marker(user))
            .unwrap_or_default())
    }

    async fn markers(&self, room: RoomId, limit: usize) -> Result<Vec<(UserId, Idx)>, StoreError> {
        let state = self.state();
        let log = state.living(room);
        Ok(log.map(|log| log.markers(limit)).unwrap_or_default())
    }

    async fn mark_read(&self, markers: &[(RoomId, UserId, Idx)]) -> Result<(), StoreError> {
        let mut state = self.state();
        for (room, user, idx) in markers {
            if let Some(log) = state.rooms.get_mut(room) {
                log.mark_read(*user, *idx);
            }
        }
        Ok(())
    }

    async fn standing(&self, user: UserId, since: Timestamp) -> Result<Standing, StoreError> {
        Ok(self.state().standing(user, since))
    }

    async fn see_guest(&self, guest: UserId, at: Timestamp) -> Result<(), StoreError> {
        let mut state = self.state();
        if state
            .rooms_of
            .get(&guest)
            .is_some_and(|rooms| !rooms.is_empty())
        {
            let seen = state.guests_seen.entry(guest).or_insert(at);
            *seen = at.max(*seen);
        }
        Ok(())
    }

    async fn guests_unseen(
        &self,
        before: Timestamp,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<GuestMember>, StoreError> {
        Ok(self.state().guests_unseen(before, now, limit))
    }

    async fn set_block(&self, by: UserId, user: UserId, on: bool) -> Result<(), StoreError> {
        let blocks = &mut self.state().blocks;
        if on {
            blocks.insert((by, user))
        } else {
            blocks.remove(&(by, user))
        };
        Ok(())
    }

    async fn is_blocked(&self, by: UserId, user: UserId) -> Result<bool, StoreError> {
        Ok(self.state().blocks.contains(&(by, user)))
    }

    async fn create_account(&self, account: NewAccount) -> Result<Created, StoreError> {
        Ok(self.state().accounts.create(account))
    }

    async fn find_account(&self, login: &str) -> Result<Option<Account>, StoreError> {
        Ok(self.state().accounts.find(login))
    }

    async fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        Ok(self.state().accounts.by_number(user))
    }

    async fn set_password(&self, user: UserId, hash: &str) -> Result<(), StoreError> {
        self.state()
            .accounts
            .change(user, |account| account.password_hash = Some(hash.into()));
        Ok(())
    }

    async fn set_suspended(&self, user: UserId, on: bool) -> Result<(), StoreError> {
        self.state()
            .accounts
            .change(user, |account| account.suspended = on);
        Ok(())
    }

    async fn raise_token_epoch(&self, user: UserId) -> Result<u64, StoreError> {
        Ok(self.state().accounts.raise_epoch(user))
    }

    async fn revoke_grant(
        &self,
        user: UserId,
        grant: &str,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.state().accounts.revoke(user, grant, until);
        Ok(())
    }

    async fn token_holds(&self, user: UserId, grant: &str, epoch: u64) -> Result<bool, StoreError> {
        Ok(self.state().accounts.token_holds(user, grant, epoch))
    }

    async fn linked(&self, issuer: &str, foreign: &str) -> Result<Option<Account>, StoreError> {
        Ok(self.state().accounts.linked(issuer, foreign))
    }

    async fn link(&self, issuer: &str, foreign: &str, user: UserId) -> Result<(), StoreError> {
        self.state().accounts.link(issuer, foreign, user);
        Ok(())
    }

    async fn setting(&self, name: &str, propose: &str) -> Result<String, StoreError> {
        let mut state = self.state();
        Ok(state
            .settings
            .entry(name.into())
            .or_insert_with(|| propose.into())
            .clone())
    }

    async fn prune(&self, now: Timestamp) -> Result<(), StoreError> {
        self.state().prune(now);
        Ok(())
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
