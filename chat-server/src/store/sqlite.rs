//! The store of one machine: one SQLite file, one thread that writes it, a few that read.
//!
//! The file is in write-ahead mode with full synchronisation: what was answered is on disk. What
//! several callers wish while one transaction is on its way goes to disk together in the next.

mod accounts;
mod append;
mod checkpoint;
mod column;
mod erase;
mod fault;
mod guests;
mod keys;
mod log;
mod messages;
mod open;
mod project;
mod readers;
mod retention;
mod rooms;
mod scrub;
mod search;
mod terms;
mod trim;
pub mod upkeep;
mod writer;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chat_core::limits::{CID_WINDOW_MS, CIDS_HELD};
use chat_core::{Head, Idx, Key, Record, Room, RoomId, Seq, Standing, Timestamp, UserId};
use chat_protocol::answer::{MemberCard, Message, MyRoom, Page, RoomCard};

use self::readers::Readers;
use self::writer::{Alone, Desk, Writer};
use super::project::check_dense;
use super::{
    Account, Append, Appended, Created, DirectoryQuery, Erasure, Found, GuestMember, Holder,
    Marker, MessageQuery, NewAccount, Overdue, SearchQuery, Store, StoreError, draw_epoch,
};

/// Threads that read.
const READERS: usize = 2;

/// Numbers of rooms that are reserved on disk at a time.
const ROOMS_RESERVED: u64 = 64;

/// Parts of the list of cids that are looked through in one go.
const PRUNED_PARTS_MAX: usize = 10;

/// A store in one SQLite file.
pub struct Sqlite {
    // In the order in which they go: the readers' connections, the writer's, the lock.
    readers: Readers,
    writer: Writer,
    epoch: String,
    reserved: Mutex<Range<u64>>,
    /// Up to where the list of cids was looked through for those to be forgotten.
    pruned: Mutex<keys::Place>,
    _lock: open::Lock,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite")
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

impl Sqlite {
    /// Opens a file, and makes it if there is none. Its folder has to exist.
    ///
    /// Beside the file lie, while it is open, its write-ahead log and a file that holds the lock.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if another process, or another part of this one, has it open;
    /// [`StoreError::Damaged`] if it isn't a database of this program; [`StoreError::Newer`] if a
    /// later version wrote it; [`StoreError::Unavailable`] if it can't be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let lock = open::lock(path)?;
        let (db, database) = open::writer(path)?;
        let epoch = draw_epoch()?;
        let run = open::begin_run(&db, path, &epoch)?;
        open::keep_names(path)?;
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("everything_read_at_start") {
            let read = db.query_row("SELECT sum(length(sum)) FROM records", [], |_| Ok(()));
            read.map_err(|error| open::refusal(path, error))?;
        }
        let scrub = scrub::Scrub::new(&db, path).map_err(|fault| StoreError::from(&fault))?;
        let gone = erase::everybody(&db).map_err(|fault| StoreError::from(&fault))?;
        let again = path.to_owned();
        let reopen = move || open::writer_again(&again);
        let connections = (0..READERS)
            .map(|_| open::reader(path))
            .collect::<Result<Vec<_>, _>>()?;
        let readers = Readers::start(connections).map_err(|fault| StoreError::from(&fault))?;
        let checkpoint = checkpoint::Checkpoint::new(&db, path, database, readers.movers())?;
        let desk = Desk::new(db, run, reopen, gone, scrub, checkpoint);
        Ok(Self {
            readers,
            writer: Writer::start(desk).map_err(|fault| StoreError::from(&fault))?,
            epoch,
            reserved: Mutex::new(0..0),
            pruned: Mutex::new(keys::FIRST),
            _lock: lock,
        })
    }
}

/// Reads: the question goes to a reading thread.
macro_rules! read {
    ($store:ident, $question:expr) => {
        $store.readers.read($question).await
    };
}

/// Writes: undone alone if it fails, durable when it returns.
macro_rules! write_alone {
    ($store:ident, $work:expr) => {
        $store.writer.write(Alone::Yes, $work).await
    };
}

#[async_trait]
impl Store for Sqlite {
    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Appended>, StoreError> {
        batch.iter().try_for_each(check_dense)?;
        self.writer
            .write(Alone::No, move |desk| append::append(desk, &batch))
            .await
    }

    async fn reserve_room(&self) -> Result<RoomId, StoreError> {
        let next = || {
            self.reserved
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next()
        };
        if let Some(number) = next() {
            return Ok(RoomId::new(number));
        }
        let first = write_alone!(self, |desk| append::reserve_rooms(desk, ROOMS_RESERVED))?;
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        // Two callers may come here at once. Each takes the first of what he reserved, and the
        // rest of one is a gap.
        *reserved = first + 1..first + ROOMS_RESERVED;
        Ok(RoomId::new(first))
    }

    async fn load(&self, room: RoomId) -> Result<Option<Room>, StoreError> {
        read!(self, move |db| log::load(db, room))
    }

    async fn records(
        &self,
        room: RoomId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Record>>, StoreError> {
        read!(self, move |db| log::records(db, room, after, limit))
    }

    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<(RoomId, Seq)>, StoreError> {
        let rooms = rooms.to_vec();
        read!(self, move |db| log::heads(db, &rooms))
    }

    fn epoch(&self) -> String {
        self.epoch.clone()
    }

    async fn continues(&self, room: RoomId, epoch: &str, seq: Seq) -> Result<bool, StoreError> {
        let epoch = epoch.to_owned();
        read!(self, move |db| log::continues(db, room, &epoch, seq))
    }

    async fn messages(&self, query: &MessageQuery) -> Result<Vec<Message>, StoreError> {
        let query = query.clone();
        read!(self, move |db| messages::messages(db, &query))
    }

    async fn search(&self, query: &SearchQuery) -> Result<Found, StoreError> {
        let query = query.clone();
        read!(self, move |db| search::search(db, &query))
    }

    async fn head(&self, room: RoomId, message: Seq) -> Result<(Seq, Option<Head>), StoreError> {
        read!(self, move |db| messages::head(db, room, message))
    }

    async fn holder(&self, key: &Key) -> Result<Option<Holder>, StoreError> {
        let key = key.clone();
        read!(self, move |db| keys::holder(db, &key))
    }

    async fn card(&self, room: RoomId) -> Result<Option<RoomCard>, StoreError> {
        read!(self, move |db| rooms::card(db, room))
    }

    async fn directory(&self, query: &DirectoryQuery) -> Result<Page<RoomCard>, StoreError> {
        let query = query.clone();
        read!(self, move |db| rooms::directory(db, &query))
    }

    async fn rooms_of(&self, user: UserId) -> Result<Vec<MyRoom>, StoreError> {
        read!(self, move |db| rooms::rooms_of(db, user))
    }

    async fn memberships(&self, users: &[UserId]) -> Result<Vec<(UserId, RoomId)>, StoreError> {
        let users: BTreeSet<UserId> = users.iter().copied().collect();
        read!(self, move |db| rooms::memberships(db, &users))
    }

    async fn members(
        &self,
        room: RoomId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<MemberCard>, StoreError> {
        read!(self, move |db| rooms::members(db, room, after, limit))
    }

    async fn marker(&self, room: RoomId, user: UserId) -> Result<Marker, StoreError> {
        read!(self, move |db| rooms::marker(db, room, user))
    }

    async fn markers(
        &self,
        room: RoomId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<(UserId, Idx)>, StoreError> {
        read!(self, move |db| rooms::markers(db, room, after, limit))
    }

    async fn mark_read(&self, markers: &[(RoomId, UserId, Idx)]) -> Result<(), StoreError> {
        let markers = markers.to_vec();
        write_alone!(self, move |desk| rooms::mark_read(&desk.db, &markers))
    }

    async fn standing(&self, user: UserId, since: Timestamp) -> Result<Standing, StoreError> {
        read!(self, move |db| rooms::standing(db, user, since))
    }

    async fn see_guest(&self, guest: UserId, at: Timestamp) -> Result<(), StoreError> {
        write_alone!(self, move |desk| guests::see(&desk.db, guest, at))
    }

    async fn guests_unseen(
        &self,
        before: Timestamp,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<GuestMember>, StoreError> {
        write_alone!(self, move |desk| guests::unseen(
            &desk.db, before, now, limit
        ))
    }

    async fn set_block(&self, by: UserId, user: UserId, on: bool) -> Result<(), StoreError> {
        write_alone!(self, move |desk| accounts::set_block(
            &desk.db, by, user, on
        ))
    }

    async fn is_blocked(&self, by: UserId, user: UserId) -> Result<bool, StoreError> {
        read!(self, move |db| accounts::is_blocked(db, by, user))
    }

    async fn create_account(&self, account: NewAccount) -> Result<Created, StoreError> {
        write_alone!(self, move |desk| accounts::create(&desk.db, &account))
    }

    async fn find_account(&self, login: &str) -> Result<Option<Account>, StoreError> {
        let login = login.to_owned();
        read!(self, move |db| accounts::find(db, &login))
    }

    async fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        read!(self, move |db| accounts::by_number(db, user))
    }

    async fn set_password(
        &self,
        user: UserId,
        hash: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let hash = hash.to_owned();
        write_alone!(self, move |desk| accounts::set_password(
            &desk.db, user, &hash, at
        ))
    }

    async fn change_password(
        &self,
        user: UserId,
        hash: &str,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let hash = hash.to_owned();
        write_alone!(self, move |desk| {
            accounts::set_password(&desk.db, user, &hash, at)?;
            accounts::raise_epoch(&desk.db, user)
        })
    }

    async fn replace_hash(&self, user: UserId, old: &str, new: &str) -> Result<bool, StoreError> {
        let (old, new) = (old.to_owned(), new.to_owned());
        write_alone!(self, move |desk| accounts::replace_hash(
            &desk.db, user, &old, &new
        ))
    }

    async fn set_suspended(&self, user: UserId, on: bool, at: Timestamp) -> Result<(), StoreError> {
        write_alone!(self, move |desk| accounts::set_suspended(
            &desk.db, user, on, at
        ))
    }

    async fn raise_token_epoch(&self, user: UserId) -> Result<u64, StoreError> {
        write_alone!(self, move |desk| accounts::raise_epoch(&desk.db, user))
    }

    async fn revoke_grant(
        &self,
        user: UserId,
        grant: &str,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let grant = grant.to_owned();
        write_alone!(self, move |desk| accounts::revoke(
            &desk.db, user, &grant, until
        ))
    }

    async fn token_holds(&self, user: UserId, grant: &str, epoch: u64) -> Result<bool, StoreError> {
        let grant = grant.to_owned();
        read!(self, move |db| accounts::token_holds(
            db, user, &grant, epoch
        ))
    }

    async fn log_ins_ended(
        &self,
        log_ins: &[(UserId, Arc<str>, u64)],
    ) -> Result<Vec<bool>, StoreError> {
        let log_ins = log_ins.to_vec();
        read!(self, move |db| accounts::are_ended(db, &log_ins))
    }

    async fn linked(&self, issuer: &str, foreign: &str) -> Result<Option<Account>, StoreError> {
        let (issuer, foreign) = (issuer.to_owned(), foreign.to_owned());
        read!(self, move |db| accounts::linked(db, &issuer, &foreign))
    }

    async fn link(&self, issuer: &str, foreign: &str, user: UserId) -> Result<(), StoreError> {
        let (issuer, foreign) = (issuer.to_owned(), foreign.to_owned());
        write_alone!(self, move |desk| accounts::link(
            &desk.db, &issuer, &foreign, user
        ))
    }

    async fn setting(&self, name: &str, propose: &str) -> Result<String, StoreError> {
        let (name, propose) = (name.to_owned(), propose.to_owned());
        write_alone!(self, move |desk| accounts::setting(
            &desk.db, &name, &propose
        ))
    }

    async fn prune(&self, now: Timestamp) -> Result<(), StoreError> {
        write_alone!(self, move |desk| accounts::prune_grants(&desk.db, now))?;
        let before = now.minus_ms(CID_WINDOW_MS);
        // A part at a time, so that nobody waits long behind it, and so many parts of a long list
        // in one go; the next time it goes on there.
        for _ in 0..PRUNED_PARTS_MAX {
            let from = *self.pruned.lock().unwrap_or_else(PoisonError::into_inner);
            let (expired, next) =
                read!(self, move |db| keys::expired(db, from, before, CIDS_HELD))?;
            if !expired.is_empty() {
                write_alone!(self, move |desk| keys::forget(&desk.db, &expired))?;
            }
            let mut pruned = self.pruned.lock().unwrap_or_else(PoisonError::into_inner);
            *pruned = next.unwrap_or(keys::FIRST);
            if next.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn erase_user(&self, user: UserId, at: Timestamp) -> Result<bool, StoreError> {
        write_alone!(self, move |desk| {
            let begun = erase::begin(&desk.db, user, at)?;
            if begun {
                desk.note_erased()?;
                desk.note_gone(user);
            }
            Ok(begun)
        })
    }

    async fn erasures(&self, limit: usize) -> Result<Vec<Erasure>, StoreError> {
        read!(self, move |db| erase::unfinished(db, limit))
    }

    async fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<Overdue>, StoreError> {
        read!(self, move |db| retention::overdue(db, now, limit))
    }

    async fn tend(&self, now: Timestamp) -> Result<bool, StoreError> {
        let work = move |desk: &mut Desk| {
            if erase::go_on(&desk.db)? || trim::go_on(&desk.db)? {
                desk.note_erased()?;
                return Ok(true);
            }
            if retention::look_up(&desk.db)? {
                return Ok(true);
            }
            if let Some(room) = terms::catch_up(&desk.db, desk.place, desk.is_waited_for)? {
                desk.place = room;
                return Ok(true);
            }
            desk.scrub(now)
        };
        self.writer.write_aside(work).await
    }

    async fn has_forgotten(&self) -> Result<bool, StoreError> {
        write_alone!(self, |desk| Ok(desk.has_forgotten()))
    }

    async fn check(&self) -> Result<(), StoreError> {
        write_alone!(self, |desk| {
            // More than a line needs: where this fits, the next lines do.
            desk.db.execute(
                "INSERT OR REPLACE INTO settings (name, value)
                 VALUES ('check', hex(zeroblob(16384)))",
                [],
            )?;
            Ok(())
        })
    }
}
