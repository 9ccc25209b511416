//! A store in memory that counts what is read of each room, and fails or hangs when it is told to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use chat_core::{Head, Idx, Key, Record, Room, RoomId, Seq, Standing, Timestamp, UserId};
use chat_protocol::answer::{MemberCard, Message, MyRoom, Page, RoomCard};
use chat_server::store::memory::Memory;
use chat_server::store::{
    Account, Append, Appended, Created, DirectoryQuery, Erasure, Found, GuestMember, Holder,
    Marker, MessageQuery, NewAccount, Overdue, SearchQuery, Store, StoreError,
};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::world::PATIENCE;

#[derive(Debug)]
pub(crate) struct Watched {
    inner: Memory,
    /// Reads of each room, of its log or as a whole.
    reads: Mutex<BTreeMap<RoomId, usize>>,
    /// Whether logs can't be read.
    pub(crate) fails: AtomicBool,
    /// Whether nothing is appended at the moment.
    pub(crate) hangs: watch::Sender<bool>,
    /// Whether logs are read at the moment, or who reads waits.
    pub(crate) reads_hang: watch::Sender<bool>,
    /// How many wait for that.
    pub(crate) readers: watch::Sender<usize>,
    /// Whether rooms are neither written nor loaded.
    pub(crate) down: AtomicBool,
    /// How often it was asked whether it is there.
    pub(crate) checks: AtomicUsize,
    /// Whether whoever ends log-ins is answered at the moment; it is done in any case.
    pub(crate) endings_hang: watch::Sender<bool>,
    /// How many wait for that.
    pub(crate) enders: watch::Sender<usize>,
    /// What was read of logs.
    given: Mutex<Vec<Weak<Record>>>,
}

impl Watched {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Memory::new().unwrap(),
            reads: Mutex::default(),
            fails: AtomicBool::new(false),
            hangs: watch::Sender::new(false),
            reads_hang: watch::Sender::new(false),
            readers: watch::Sender::new(0),
            down: AtomicBool::new(false),
            checks: AtomicUsize::new(0),
            endings_hang: watch::Sender::new(false),
            enders: watch::Sender::new(0),
            given: Mutex::default(),
        })
    }

    /// How often each room was read since this was asked last.
    pub(crate) fn reads(&self) -> BTreeMap<RoomId, usize> {
        std::mem::take(&mut *self.reads.lock().unwrap())
    }

    fn note(&self, room: RoomId) {
        *self.reads.lock().unwrap().entry(room).or_default() += 1;
    }

    /// Waits until somebody reads a log who has to wait.
    pub(crate) async fn reader(&self) {
        let mut readers = self.readers.subscribe();
        let comes = readers.wait_for(|readers| *readers > 0);
        timeout(PATIENCE, comes).await.unwrap().unwrap();
    }

    /// How many records were read of logs, and how many of those somebody has still.
    pub(super) fn given(&self) -> (usize, usize) {
        let given = self.given.lock().unwrap();
        let held = given.iter().filter(|record| record.strong_count() > 0);
        (given.len(), held.count())
    }

    /// A reader's own copies.
    fn give(&self, records: Vec<Arc<Record>>) -> Vec<Arc<Record>> {
        let copy = |record: Arc<Record>| Arc::new(Record::clone(&record));
        let records: Vec<_> = records.into_iter().map(copy).collect();
        self.given
            .lock()
            .unwrap()
            .extend(records.iter().map(Arc::downgrade));
        records
    }

    fn up(&self) -> Result<(), StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("it is a test".into()));
        }
        Ok(())
    }

    async fn read(&self) {
        let mut hangs = self.reads_hang.subscribe();
        if *hangs.borrow_and_update() {
            self.readers.send_modify(|readers| *readers += 1);
            hangs.wait_for(|hangs| !*hangs).await.unwrap();
            self.readers.send_modify(|readers| *readers -= 1);
        }
    }

    /// Waits until somebody ends log-ins who has to wait.
    pub(crate) async fn ender(&self) {
        let mut enders = self.enders.subscribe();
        let comes = enders.wait_for(|enders| *enders > 0);
        timeout(PATIENCE, comes).await.unwrap().unwrap();
        self.enders.send_modify(|enders| *enders = 0);
    }

    async fn ended<T>(&self, done: T) -> T {
        let mut hangs = self.endings_hang.subscribe();
        if *hangs.borrow_and_update() {
            self.enders.send_modify(|enders| *enders += 1);
            hangs.wait_for(|hangs| !*hangs).await.unwrap();
        }
        done
    }

    async fn wait(&self) {
        let mut hangs = self.hangs.subscribe();
        hangs.wait_for(|hangs| !*hangs).await.unwrap();
    }
}

/// The whole trait: what is watched as it is written here, the rest passed on.
macro_rules! store {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl Store for Watched {
            async fn append(&self, batch: Vec<Append>) -> Result<Vec<Appended>, StoreError> {
                self.up()?;
                self.wait().await;
                self.inner.append(batch).await
            }

            async fn load(&self, room: RoomId) -> Result<Option<Room>, StoreError> {
                self.note(room);
                self.up()?;
                self.inner.load(room).await
            }

            async fn records(
                &self,
                room: RoomId,
                after: Seq,
                limit: usize,
            ) -> Result<Vec<Arc<Record>>, StoreError> {
                self.note(room);
                self.read().await;
                if self.fails.load(Ordering::SeqCst) {
                    return Err(StoreError::Unavailable("it is a test".into()));
                }
                Ok(self.give(self.inner.records(room, after, limit).await?))
            }

            async fn continues(
                &self,
                room: RoomId,
                epoch: &str,
                seq: Seq,
            ) -> Result<bool, StoreError> {
                self.note(room);
                self.inner.continues(room, epoch, seq).await
            }

            fn epoch(&self) -> String {
                self.inner.epoch()
            }

            async fn check(&self) -> Result<(), StoreError> {
                self.checks.fetch_add(1, Ordering::SeqCst);
                self.up()?;
                self.inner.check().await
            }

            async fn change_password(
                &self,
                user: UserId,
                hash: &str,
                at: Timestamp,
            ) -> Result<u64, StoreError> {
                let done = self.inner.change_password(user, hash, at).await;
                self.ended(done).await
            }

            async fn raise_token_epoch(&self, user: UserId) -> Result<u64, StoreError> {
                let done = self.inner.raise_token_epoch(user).await;
                self.ended(done).await
            }

            async fn revoke_grant(
                &self,
                user: UserId,
                grant: &str,
                until: Timestamp,
            ) -> Result<(), StoreError> {
                let done = self.inner.revoke_grant(user, grant, until).await;
                self.ended(done).await
            }

            async fn erase_user(&self, user: UserId, at: Timestamp) -> Result<bool, StoreError> {
                let done = self.inner.erase_user(user, at).await;
                self.ended(done).await
            }

            $(async fn $name(&self, $($arg: $type),*) -> Result<$out, StoreError> {
                self.inner.$name($($arg),*).await
            })*
        }
    };
}

store! {
    reserve_room() -> RoomId;
    messages(query: &MessageQuery) -> Vec<Message>;
    heads(rooms: &[RoomId]) -> Vec<(RoomId, Seq)>;
    search(query: &SearchQuery) -> Found;
    head(room: RoomId, message: Seq) -> (Seq, Option<Head>);
    holder(key: &Key) -> Option<Holder>;
    card(room: RoomId) -> Option<RoomCard>;
    directory(query: &DirectoryQuery) -> Page<RoomCard>;
    rooms_of(user: UserId) -> Vec<MyRoom>;
    memberships(users: &[UserId]) -> Vec<(UserId, RoomId)>;
    members(room: RoomId, after: Option<UserId>, limit: usize) -> Vec<MemberCard>;
    marker(room: RoomId, user: UserId) -> Marker;
    markers(room: RoomId, after: Option<UserId>, limit: usize) -> Vec<(UserId, Idx)>;
    mark_read(markers: &[(RoomId, UserId, Idx)]) -> ();
    standing(user: UserId, since: Timestamp) -> Standing;
    see_guest(guest: UserId, at: Timestamp) -> ();
    guests_unseen(before: Timestamp, now: Timestamp, limit: usize) -> Vec<GuestMember>;
    set_block(by: UserId, user: UserId, on: bool) -> ();
    is_blocked(by: UserId, user: UserId) -> bool;
    create_account(account: NewAccount) -> Created;
    find_account(login: &str) -> Option<Account>;
    account(user: UserId) -> Option<Account>;
    set_password(user: UserId, hash: &str, at: Timestamp) -> ();
    replace_hash(user: UserId, old: &str, new: &str) -> bool;
    set_suspended(user: UserId, on: bool, at: Timestamp) -> ();
    token_holds(user: UserId, grant: &str, epoch: u64) -> bool;
    log_ins_ended(log_ins: &[(UserId, Arc<str>, u64)]) -> Vec<bool>;
    linked(issuer: &str, foreign: &str) -> Option<Account>;
    link(issuer: &str, foreign: &str, user: UserId) -> ();
    setting(name: &str, propose: &str) -> String;
    prune(now: Timestamp) -> ();
    erasures(limit: usize) -> Vec<Erasure>;
    overdue(now: Timestamp, limit: usize) -> Vec<Overdue>;
    tend(now: Timestamp) -> bool;
}
