//! The store of many nodes: one PostgreSQL database that all of them write to.
//!
//! No node owns it. Each append is one transaction, which holds the lines of its rooms from the
//! comparison of their heads to the commit: of two nodes that are at the same position one is first,
//! and the other hears where the room is by then. What was acknowledged was committed with
//! `synchronous_commit = on`; if a commit isn't answered, the append failed as far as anybody hears,
//! and the room is read again. A connection that is lost is made again, by itself.
//!
//! Connections are made without TLS, and must lead to PostgreSQL itself or to something that keeps a
//! session together: a pooler that gives each transaction another session breaks the locks that tell
//! who has the store open.
//!
//! What was erased is gone for whoever asks PostgreSQL. Its files keep old versions of rows until they
//! are vacuumed and overwritten, and its write-ahead log and backups keep them longer: that they go is
//! the operator's concern. So are backups: `pg_dump` makes one. While one is brought back, no node may
//! have the database open; after that, positions that the lost part had are told from others.

mod accounts;
mod append;
mod column;
mod erase;
mod fault;
mod guests;
mod keys;
mod log;
mod messages;
mod pool;
mod presence;
mod project;
mod retention;
mod rooms;
mod said;
mod schema;
mod search;
mod terms;
mod trim;
mod tx;

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chat_core::limits::{CID_WINDOW_MS, CIDS_HELD};
use chat_core::{Head, Idx, Key, Record, Room, RoomId, Seq, Standing, Timestamp, UserId};
use chat_protocol::answer::{MemberCard, Message, MyRoom, Page, RoomCard};

use self::fault::Fault;
use self::pool::Pool;
use self::schema::Lock;
use self::tx::params;
use super::project::check_dense;
use super::{
    Account, Append, Appended, Created, DirectoryQuery, Erasure, Found, GuestMember, Holder,
    Marker, MessageQuery, NewAccount, Overdue, SearchQuery, Store, StoreError,
};
use crate::config::PostgresUrl;

/// Numbers of rooms that are reserved at a time.
const ROOMS_RESERVED: u64 = 64;

/// Parts of the list of cids that are looked through in one go.
const PRUNED_PARTS_MAX: usize = 10;

/// How often work is tried again that another transaction stood in the way of, or whose connection was
/// gone before it began.
const RETRIES: usize = 8;

/// A store in a PostgreSQL database.
pub struct Postgres {
    pool: Arc<Pool>,
    reserved: Mutex<Range<u64>>,
    /// Up to where the list of cids was looked through for those to be forgotten.
    pruned: Mutex<keys::Place>,
    /// The last room whose words were taken in.
    place: Mutex<RoomId>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres")
            .field("epoch", &self.pool.epoch())
            .finish_non_exhaustive()
    }
}

impl Postgres {
    /// Opens a database, and makes the tables if there are none. Others may have it open.
    ///
    /// # Errors
    ///
    /// [`StoreError::Newer`] if a later version wrote it; [`StoreError::Unavailable`] if it can't be
    /// reached, or isn't fit.
    pub fn open(url: &PostgresUrl) -> Result<Self, StoreError> {
        let config = url.expose().parse().map_err(|_| {
            let why = "the address of the database can't be read".to_owned();
            StoreError::Unavailable(why)
        })?;
        let pool = Arc::new(Pool::new(config)?);
        let opened = pool.block_on(|pool| async move { pool.presence().await.map(drop) });
        opened.map_err(|fault| match StoreError::from(fault) {
            StoreError::Unavailable(why) => StoreError::Unavailable(format!("{url}: {why}")),
            StoreError::Locked(why) => StoreError::Locked(why),
            StoreError::Damaged(why) => StoreError::Damaged(why),
            StoreError::Newer { found, known } => StoreError::Newer { found, known },
        })?;
        Ok(Self {
            pool,
            reserved: Mutex::new(0..0),
            pruned: Mutex::new(keys::FIRST),
            place: Mutex::new(RoomId::default()),
        })
    }
}

/// Does a piece of work in a transaction, again if that is how it comes to an end. Only what was never
/// committed is done again.
macro_rules! within {
    ($store:ident, $lease:ident, $begin:ident, $end:expr, |$tx:ident| $work:expr) => {{
        let mut left = RETRIES;
        loop {
            let mut lease = $store.pool.$lease().await?;
            let $tx = match lease.$begin().await {
                Err(fault) if left > 0 && fault.is_lost() => {
                    left -= 1;
                    continue;
                }
                begun => begun?,
            };
            let done = $work.await;
            let done = match done {
                Ok(done) => $end($tx).await.map(|()| done),
                Err(fault) => {
                    drop($tx);
                    Err(fault)
                }
            };
            lease.is_over = true;
            match done {
                Ok(done) => break Ok(done),
                Err(fault) if left > 0 && fault.is_passing() => left -= 1,
                Err(fault) => break Err(StoreError::from(fault)),
            }
        }
    }};
}

/// Reads, all of it at one moment of the store.
macro_rules! read {
    ($store:ident, |$tx:ident| $work:expr) => {
        within!($store, reader, moment, async |_| Ok(()), |$tx| $work)
    };
}

/// Writes: durable when it returns, or not there at all.
macro_rules! write {
    ($store:ident, |$tx:ident| $work:expr) => {
        within!($store, writer, begin, tx::Tx::commit, |$tx| $work)
    };
}

#[async_trait]
impl Store for Postgres {
    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Appended>, StoreError> {
        batch.iter().try_for_each(check_dense)?;
        write!(self, |tx| append::append(&tx, &batch))
    }

    async fn reserve_room(&self) -> Result<RoomId, StoreError> {
        let next = || {
            let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
            reserved.next()
        };
        if let Some(number) = next() {
            return Ok(RoomId::new(number));
        }
        let first = write!(self, |tx| append::reserve_rooms(&tx, ROOMS_RESERVED))?;
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        // Two callers may come here at once. Each takes the first of what he reserved, and the
        // rest of one is a gap.
        *reserved = first + 1..first + ROOMS_RESERVED;
        Ok(RoomId::new(first))
    }

    async fn load(&self, room: RoomId) -> Result<Option<Room>, StoreError> {
        read!(self, |tx| log::load(&tx, room))
    }

    async fn records(
        &self,
        room: RoomId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Record>>, StoreError> {
        read!(self, |tx| log::records(&tx, room, after, limit))
    }

    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<(RoomId, Seq)>, StoreError> {
        read!(self, |tx| log::heads(&tx, rooms))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn epoch(&self) -> String {
        self.pool.epoch()
    }

    async fn continues(&self, room: RoomId, epoch: &str, seq: Seq) -> Result<bool, StoreError> {
        read!(self, |tx| log::continues(&tx, room, epoch.to_owned(), seq))
    }

    async fn messages(&self, query: &MessageQuery) -> Result<Vec<Message>, StoreError> {
        read!(self, |tx| messages::messages(&tx, query))
    }

    async fn search(&self, query: &SearchQuery) -> Result<Found, StoreError> {
        read!(self, |tx| search::search(&tx, query))
    }

    async fn head(&self, room: RoomId, message: Seq) -> Result<(Seq, Option<Head>), StoreError> {
        read!(self, |tx| messages::head(&tx, room, message))
    }

    async fn holder(&self, key: &Key) -> Result<Option<Holder>, StoreError> {
        read!(self, |tx| keys::holder(&tx, key))
    }

    async fn card(&self, room: RoomId) -> Result<Option<RoomCard>, StoreError> {
        read!(self, |tx| rooms::card(&tx, room))
    }

    async fn directory(&self, query: &DirectoryQuery) -> Result<Page<RoomCard>, StoreError> {
        read!(self, |tx| rooms::directory(&tx, query))
    }

    async fn rooms_of(&self, user: UserId) -> Result<Vec<MyRoom>, StoreError> {
        read!(self, |tx| rooms::rooms_of(&tx, user))
    }

    async fn memberships(&self, users: &[UserId]) -> Result<Vec<(UserId, RoomId)>, StoreError> {
        read!(self, |tx| rooms::memberships(&tx, users))
    }

    async fn members(
        &self,
        room: RoomId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<MemberCard>, StoreError> {
        read!(self, |tx| rooms::members(&tx, room, after, limit))
    }

    async fn marker(&self, room: RoomId, user: UserId) -> Result<Marker, StoreError> {
        read!(self, |tx| rooms::marker(&tx, room, user))
    }

    async fn markers(
        &self,
        room: RoomId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<(UserId, Idx)>, StoreError> {
        read!(self, |tx| rooms::markers(&tx, room, after, limit))
    }

    async fn mark_read(&self, markers: &[(RoomId, UserId, Idx)]) -> Result<(), StoreError> {
        write!(self, |tx| rooms::mark_read(&tx, markers))
    }

    async fn standing(&self, user: UserId, since: Timestamp) -> Result<Standing, StoreError> {
        read!(self, |tx| rooms::standing(&tx, user, since))
    }

    async fn see_guest(&self, guest: UserId, at: Timestamp) -> Result<(), StoreError> {
        write!(self, |tx| guests::see(&tx, guest, at))
    }

    async fn guests_unseen(
        &self,
        before: Timestamp,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<GuestMember>, StoreError> {
        write!(self, |tx| guests::unseen(&tx, before, now, limit))
    }

    async fn set_block(&self, by: UserId, user: UserId, on: bool) -> Result<(), StoreError> {
        write!(self, |tx| accounts::set_block(&tx, by, user, on))
    }

    async fn is_blocked(&self, by: UserId, user: UserId) -> Result<bool, StoreError> {
        read!(self, |tx| accounts::is_blocked(&tx, by, user))
    }

    async fn create_account(&self, account: NewAccount) -> Result<Created, StoreError> {
        write!(self, |tx| accounts::create(&tx, &account))
    }

    async fn find_account(&self, login: &str) -> Result<Option<Account>, StoreError> {
        read!(self, |tx| accounts::find(&tx, login))
    }

    async fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        read!(self, |tx| accounts::by_number(&tx, user))
    }

    async fn set_password(
        &self,
        user: UserId,
        hash: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        write!(self, |tx| accounts::set_password(&tx, user, hash, at))
    }

    async fn change_password(
        &self,
        user: UserId,
        hash: &str,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        write!(self, |tx| async {
            accounts::set_password(&tx, user, hash, at).await?;
            accounts::raise_epoch(&tx, user).await
        })
    }

    async fn replace_hash(&self, user: UserId, old: &str, new: &str) -> Result<bool, StoreError> {
        write!(self, |tx| accounts::replace_hash(&tx, user, old, new))
    }

    async fn set_suspended(&self, user: UserId, on: bool, at: Timestamp) -> Result<(), StoreError> {
        write!(self, |tx| accounts::set_suspended(&tx, user, on, at))
    }

    async fn raise_token_epoch(&self, user: UserId) -> Result<u64, StoreError> {
        write!(self, |tx| accounts::raise_epoch(&tx, user))
    }

    async fn revoke_grant(
        &self,
        user: UserId,
        grant: &str,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        write!(self, |tx| accounts::revoke(&tx, user, grant, until))
    }

    async fn token_holds(&self, user: UserId, grant: &str, epoch: u64) -> Result<bool, StoreError> {
        read!(self, |tx| accounts::token_holds(&tx, user, grant, epoch))
    }

    async fn log_ins_ended(
        &self,
        log_ins: &[(UserId, Arc<str>, u64)],
    ) -> Result<Vec<bool>, StoreError> {
        read!(self, |tx| accounts::are_ended(&tx, log_ins))
    }

    async fn linked(&self, issuer: &str, foreign: &str) -> Result<Option<Account>, StoreError> {
        read!(self, |tx| accounts::linked(&tx, issuer, foreign))
    }

    async fn link(&self, issuer: &str, foreign: &str, user: UserId) -> Result<(), StoreError> {
        write!(self, |tx| accounts::link(&tx, issuer, foreign, user))
    }

    async fn setting(&self, name: &str, propose: &str) -> Result<String, StoreError> {
        write!(self, |tx| accounts::setting(&tx, name, propose))
    }

    async fn prune(&self, now: Timestamp) -> Result<(), StoreError> {
        write!(self, |tx| accounts::prune_grants(&tx, now))?;
        let before = now.minus_ms(CID_WINDOW_MS);
        // A part at a time, so that nobody waits long behind it, and so many parts of a long list
        // in one go; the next time it goes on there.
        for _ in 0..PRUNED_PARTS_MAX {
            let from = *self.pruned.lock().unwrap_or_else(PoisonError::into_inner);
            let looked = write!(self, |tx| async {
                if !tends(&tx).await? {
                    return Ok(None);
                }
                let next = keys::forget(&tx, from, before, CIDS_HELD).await?;
                Ok(Some(next))
            })?;
            let Some(next) = looked else {
                break;
            };
            let mut pruned = self.pruned.lock().unwrap_or_else(PoisonError::into_inner);
            *pruned = next.unwrap_or(keys::FIRST);
            if next.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn erase_user(&self, user: UserId, at: Timestamp) -> Result<bool, StoreError> {
        write!(self, |tx| erase::begin(&tx, user, at))
    }

    async fn erasures(&self, limit: usize) -> Result<Vec<Erasure>, StoreError> {
        read!(self, |tx| erase::unfinished(&tx, limit))
    }

    async fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<Overdue>, StoreError> {
        read!(self, |tx| retention::overdue(&tx, now, limit))
    }

    async fn tend(&self, _: Timestamp) -> Result<bool, StoreError> {
        let place = *self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let (is_more, room) = write!(self, |tx| async {
            if !tends(&tx).await? {
                return Ok((false, None));
            }
            if erase::go_on(&tx).await? || trim::go_on(&tx).await? {
                return Ok((true, None));
            }
            let room = terms::catch_up(&tx, place).await?;
            Ok((room.is_some(), room))
        })?;
        if let Some(room) = room {
            *self.place.lock().unwrap_or_else(PoisonError::into_inner) = room;
        }
        Ok(is_more)
    }

    async fn check(&self) -> Result<(), StoreError> {
        write!(self, |tx| async {
            let sql = "INSERT INTO settings (name, value) VALUES ('check', now()::text)
                       ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            tx.execute(sql, params![]).await.map(drop)
        })
    }
}

/// Whether this node does the standing work until the end of the transaction: one is enough.
async fn tends(tx: &tx::Tx<'_>) -> Result<bool, Fault> {
    let found = tx.row(schema::TRY, params![Lock::Tending.number()]).await?;
    found.map_or(Ok(false), |row| column::get(&row, 0))
}
