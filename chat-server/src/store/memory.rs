//! The store of one process: everything in memory, gone with it. For embedding, and for tests.

mod accounts;
mod erase;
mod room;
mod search;
mod state;
mod trim;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chat_core::{Head, Idx, Key, Record, Room, RoomId, Seq, Standing, Timestamp, UserId};
use chat_protocol::answer::{MemberCard, Message, MyRoom, Page, RoomCard};

use self::room::Log;
use self::state::State;
use super::project::check_dense;
use super::{
    Account, Append, Appended, Created, DirectoryQuery, Erasure, Found, GuestMember, Holder,
    Marker, MessageQuery, NewAccount, Overdue, SearchQuery, Store, StoreError, draw_epoch,
};

/// A store in memory.
#[derive(Debug)]
pub struct Memory {
    epoch: String,
    state: Arc<Mutex<State>>,
}

impl Memory {
    /// An empty store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the system has no random numbers to name it by.
    pub fn new() -> Result<Self, StoreError> {
        Ok(Self::named(draw_epoch()?))
    }

    /// An empty store under this epoch.
    #[must_use]
    pub fn named(epoch: impl Into<String>) -> Self {
        let memory = Self {
            epoch: epoch.into(),
            state: Arc::default(),
        };
        memory.state().open(&memory.epoch);
        memory
    }

    /// The same store, opened once more under an epoch of its own, as if the process had died and
    /// another had come. Whoever remembers a position of before may go on from it.
    #[must_use]
    pub fn reopen(&self, epoch: impl Into<String>) -> Self {
        let memory = Self {
            epoch: epoch.into(),
            state: Arc::clone(&self.state),
        };
        memory.state().open(&memory.epoch);
        memory
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        let next = state.next_room.max(highest) + 1;
        let room = RoomId::try_from(next).map_err(|why| StoreError::Damaged(why.to_string()))?;
        state.next_room = next;
        Ok(room)
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

    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<(RoomId, Seq)>, StoreError> {
        let state = self.state();
        let head = |room: &RoomId| Some((*room, state.rooms.get(room)?.head_seq()));
        Ok(rooms.iter().filter_map(head).collect())
    }

    fn epoch(&self) -> String {
        self.epoch.clone()
    }

    async fn continues(&self, room: RoomId, epoch: &str, seq: Seq) -> Result<bool, StoreError> {
        Ok(seq.number() == 0 || self.state().continues(room, epoch, seq))
    }

    async fn messages(&self, query: &MessageQuery) -> Result<Vec<Message>, StoreError> {
        Ok(self
            .state()
            .rooms
            .get(&query.room)
            .map(|log| log.messages(query))
            .unwrap_or_default())
    }

    async fn search(&self, query: &SearchQuery) -> Result<Found, StoreError> {
        Ok(self.state().search(query))
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

    async fn memberships(&self, users: &[UserId]) -> Result<Vec<(UserId, RoomId)>, StoreError> {
        let (state, users) = (self.state(), users.iter().collect::<BTreeSet<_>>());
        let of = |user: &'_ UserId| {
            let (user, mine) = (*user, state.mine(*user));
            mine.map(move |log| (user, log.room.id))
        };
        Ok(users.into_iter().flat_map(of).collect())
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

    async fn markers(
        &self,
        room: RoomId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<(UserId, Idx)>, StoreError> {
        let state = self.state();
        let log = state.living(room);
        Ok(log.map(|log| log.markers(after, limit)).unwrap_or_default())
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

    async fn set_password(
        &self,
        user: UserId,
        hash: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.state().accounts.change(user, |account| {
            account.password_hash = Some(hash.into());
            account.updated_at = at;
        });
        Ok(())
    }

    async fn change_password(
        &self,
        user: UserId,
        hash: &str,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.set_password(user, hash, at).await?;
        self.raise_token_epoch(user).await
    }

    async fn replace_hash(&self, user: UserId, old: &str, new: &str) -> Result<bool, StoreError> {
        Ok(self.state().accounts.replace_hash(user, old, new))
    }

    async fn set_suspended(&self, user: UserId, on: bool, at: Timestamp) -> Result<(), StoreError> {
        self.state().accounts.change(user, |account| {
            account.suspended = on;
            account.updated_at = at;
        });
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

    async fn log_ins_ended(
        &self,
        log_ins: &[(UserId, Arc<str>, u64)],
    ) -> Result<Vec<bool>, StoreError> {
        let accounts = &self.state().accounts;
        let ended = log_ins
            .iter()
            .map(|(user, grant, epoch)| accounts.is_ended(*user, grant, *epoch));
        Ok(ended.collect())
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

    async fn erase_user(&self, user: UserId, at: Timestamp) -> Result<bool, StoreError> {
        Ok(self.state().erase(user, at))
    }

    async fn erasures(&self, limit: usize) -> Result<Vec<Erasure>, StoreError> {
        Ok(self.state().erasures(limit))
    }

    async fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<Overdue>, StoreError> {
        Ok(self.state().overdue(now, limit))
    }

    async fn tend(&self, _now: Timestamp) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
