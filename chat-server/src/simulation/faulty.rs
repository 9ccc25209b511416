//! A store between the server and the store that is put to the test: late, down, and with answers
//! that get lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{Head, Idx, Key, Record, Room, RoomId, Seq, Standing, Timestamp, UserId};
use chat_protocol::answer::{MemberCard, Message, MyRoom, Page, RoomCard};
use tokio::time::Instant;

use super::dice::Dice;
use super::ledger::Ledger;
use super::trace::Trace;
use crate::store::{
    Account, Append, Appended, Created, DirectoryQuery, Erasure, Found, GuestMember, Holder,
    Marker, MessageQuery, NewAccount, Overdue, SearchQuery, Store, StoreError,
};

/// How well the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Everything succeeds, quickly.
    Well,
    /// What is asked may fail, and takes its time.
    Frail,
    /// Everything takes long.
    Slow,
    /// Nothing succeeds.
    Down,
}

/// The health of a store, to be changed from outside.
#[derive(Clone, Debug)]
pub(super) struct Ward(Arc<Mutex<Patient>>);

#[derive(Debug)]
struct Patient {
    health: Health,
    dice: Dice,
    failed_at: Option<Instant>,
}

/// A store whose health changes.
#[derive(Debug)]
pub(super) struct Faulty {
    inner: Arc<dyn Store>,
    ward: Ward,
    ledger: Ledger,
    trace: Trace,
}

/// What happens to a request.
struct Fate {
    late: Duration,
    fails_before: bool,
    fails_after: bool,
}

impl Ward {
    pub(super) fn new(dice: Dice) -> Self {
        Self(Arc::new(Mutex::new(Patient {
            health: Health::Frail,
            dice,
            failed_at: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Patient> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, health: Health) {
        self.lock().health = health;
    }

    /// Whether anything that was asked has failed at this moment or since.
    pub(super) fn failed_since(&self, moment: Instant) -> bool {
        self.lock().failed_at.is_some_and(|at| at >= moment)
    }

    fn fate(&self) -> Fate {
        let Patient { health, dice, .. } = &mut *self.lock();
        let (late_ms, fails) = match health {
            Health::Well => (1, 0),
            Health::Frail => (8, 3),
            Health::Slow => (400, 0),
            Health::Down => (100, 100),
        };
        let fails_before = dice.chance(fails);
        Fate {
            late: Duration::from_millis(dice.between(0, late_ms + 1)),
            fails_before,
            fails_after: *health == Health::Frail && !fails_before && dice.chance(fails),
        }
    }
}

impl Faulty {
    pub(super) fn over(inner: Arc<dyn Store>, ward: Ward, ledger: Ledger, trace: Trace) -> Self {
        Self {
            inner,
            ward,
            ledger,
            trace,
        }
    }

    fn lost(&self, what: &'static str) -> StoreError {
        self.trace.harm(what);
        self.ward.lock().failed_at = Some(Instant::now());
        StoreError::Unavailable(what.into())
    }

    /// Lets a request through, or not.
    async fn pass(&self) -> Result<&dyn Store, StoreError> {
        let fate = self.ward.fate();
        if !fate.late.is_zero() {
            tokio::time::sleep(fate.late).await;
        }
        if fate.fails_before {
            return Err(self.lost("request failed"));
        }
        Ok(&*self.inner)
    }
}

/// An answer that the server may not live to hear.
struct Unsaid<'a>(Option<&'a Trace>);

impl Drop for Unsaid<'_> {
    fn drop(&mut self) {
        if let Some(trace) = self.0 {
            trace.harm("server crashed between commit and reply");
        }
    }
}

#[async_trait]
impl Store for Faulty {
    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Appended>, StoreError> {
        let fate = self.ward.fate();
        tokio::time::sleep(fate.late).await;
        if fate.fails_before {
            return Err(self.lost("append failed before the write"));
        }
        let records: Vec<_> = batch.iter().map(|it| it.records.clone()).collect();
        let answers = self.inner.append(batch).await?;
        for (records, answer) in records.iter().zip(&answers) {
            match answer {
                Appended::Done => records.iter().for_each(|it| self.ledger.enter(it)),
                Appended::Conflict { .. } => self.trace.reach("append met a conflict"),
                Appended::Taken(_) => self.trace.reach("append met a taken key"),
            }
        }
        let mut unsaid = Unsaid(Some(&self.trace));
        tokio::time::sleep(fate.late).await;
        unsaid.0 = None;
        if fate.fails_after {
            return Err(self.lost("append failed after the write"));
        }
        Ok(answers)
    }

    async fn reserve_room(&self) -> Result<RoomId, StoreError> {
        self.pass().await?.reserve_room().await
    }

    async fn load(&self, room: RoomId) -> Result<Option<Room>, StoreError> {
        self.pass().await?.load(room).await
    }

    async fn records(
        &self,
        room: RoomId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Record>>, StoreError> {
        let store = self.pass().await?;
        let records = store.records(room, after, limit).await;
        // What was read may be late as well.
        self.pass().await?;
        records
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    fn epoch(&self) -> String {
        self.inner.epoch()
    }

    async fn continues(&self, room: RoomId, epoch: &str, seq: Seq) -> Result<bool, StoreError> {
        self.pass().await?.continues(room, epoch, seq).await
    }

    async fn messages(&self, query: &MessageQuery) -> Result<Vec<Message>, StoreError> {
        self.pass().await?.messages(query).await
    }

    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<(RoomId, Seq)>, StoreError> {
        self.pass().await?.heads(rooms).await
    }

    async fn search(&self, query: &SearchQuery) -> Result<Found, StoreError> {
        self.pass().await?.search(query).await
    }

    async fn head(&self, room: RoomId, message: Seq) -> Result<(Seq, Option<Head>), StoreError> {
        self.pass().await?.head(room, message).await
    }

    async fn holder(&self, key: &Key) -> Result<Option<Holder>, StoreError> {
        self.pass().await?.holder(key).await
    }

    async fn card(&self, room: RoomId) -> Result<Option<RoomCard>, StoreError> {
        self.pass().await?.card(room).await
    }

    async fn directory(&self, query: &DirectoryQuery) -> Result<Page<RoomCard>, StoreError> {
        self.pass().await?.directory(query).await
    }

    async fn rooms_of(&self, user: UserId) -> Result<Vec<MyRoom>, StoreError> {
        self.pass().await?.rooms_of(user).await
    }

    async fn memberships(&self, users: &[UserId]) -> Result<Vec<(UserId, RoomId)>, StoreError> {
        self.pass().await?.memberships(users).await
    }

    async fn members(
        &self,
        room: RoomId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<MemberCard>, StoreError> {
        self.pass().await?.members(room, after, limit).await
    }

    async fn marker(&self, room: RoomId, user: UserId) -> Result<Marker, StoreError> {
        self.pass().await?.marker(room, user).await
    }

    async fn markers(
        &self,
        room: RoomId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<(UserId, Idx)>, StoreError> {
        self.pass().await?.markers(room, after, limit).await
    }

    async fn mark_read(&self, markers: &[(RoomId, UserId, Idx)]) -> Result<(), StoreError> {
        self.pass().await?.mark_read(markers).await
    }

    async fn standing(&self, user: UserId, since: Timestamp) -> Result<Standing, StoreError> {
        self.pass().await?.standing(user, since).await
    }

    async fn see_guest(&self, guest: UserId, at: Timestamp) -> Result<(), StoreError> {
        self.pass().await?.see_guest(guest, at).await
    }

    async fn guests_unseen(
        &self,
        before: Timestamp,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<GuestMember>, StoreError> {
        self.pass().await?.guests_unseen(before, now, limit).await
    }

    async fn set_block(&self, by: UserId, user: UserId, on: bool) -> Result<(), StoreError> {
        self.pass().await?.set_block(by, user, on).await
    }

    async fn is_blocked(&self, by: UserId, user: UserId) -> Result<bool, StoreError> {
        self.pass().await?.is_blocked(by, user).await
    }

    async fn create_account(&self, account: NewAccount) -> Result<Created, StoreError> {
        self.pass().await?.create_account(account).await
    }

    async fn find_account(&self, login: &str) -> Result<Option<Account>, StoreError> {
        self.pass().await?.find_account(login).await
    }

    async fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        self.pass().await?.account(user).await
    }

    async fn set_password(
        &self,
        user: UserId,
        hash: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.pass().await?.set_password(user, hash, at).await
    }

    async fn change_password(
        &self,
        user: UserId,
        hash: &str,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.pass().await?.change_password(user, hash, at).await
    }

    async fn replace_hash(&self, user: UserId, old: &str, new: &str) -> Result<bool, StoreError> {
        self.pass().await?.replace_hash(user, old, new).await
    }

    async fn set_suspended(&self, user: UserId, on: bool, at: Timestamp) -> Result<(), StoreError> {
        self.pass().await?.set_suspended(user, on, at).await
    }

    async fn raise_token_epoch(&self, user: UserId) -> Result<u64, StoreError> {
        self.pass().await?.raise_token_epoch(user).await
    }

    async fn revoke_grant(
        &self,
        user: UserId,
        grant: &str,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.pass().await?.revoke_grant(user, grant, until).await
    }

    async fn token_holds(&self, user: UserId, grant: &str, epoch: u64) -> Result<bool, StoreError> {
        self.pass().await?.token_holds(user, grant, epoch).await
    }

    async fn log_ins_ended(
        &self,
        log_ins: &[(UserId, Arc<str>, u64)],
    ) -> Result<Vec<bool>, StoreError> {
        self.pass().await?.log_ins_ended(log_ins).await
    }

    async fn linked(&self, issuer: &str, foreign: &str) -> Result<Option<Account>, StoreError> {
        self.pass().await?.linked(issuer, foreign).await
    }

    async fn link(&self, issuer: &str, foreign: &str, user: UserId) -> Result<(), StoreError> {
        self.pass().await?.link(issuer, foreign, user).await
    }

    async fn setting(&self, name: &str, propose: &str) -> Result<String, StoreError> {
        self.pass().await?.setting(name, propose).await
    }

    async fn prune(&self, now: Timestamp) -> Result<(), StoreError> {
        self.pass().await?.prune(now).await
    }

    async fn erase_user(&self, user: UserId, at: Timestamp) -> Result<bool, StoreError> {
        self.pass().await?.erase_user(user, at).await
    }

    async fn erasures(&self, limit: usize) -> Result<Vec<Erasure>, StoreError> {
        self.pass().await?.erasures(limit).await
    }

    async fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<Overdue>, StoreError> {
        self.pass().await?.overdue(now, limit).await
    }

    async fn tend(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.pass().await?.tend(now).await
    }

    async fn has_forgotten(&self) -> Result<bool, StoreError> {
        self.pass().await?.has_forgotten().await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.pass().await?.check().await
    }
}
