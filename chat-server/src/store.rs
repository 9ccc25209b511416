//! Where logs, accounts and lists are kept: one trait, several adapters, one conformance suite.
//!
//! The log is the truth. Messages, rooms, members and markers are projections that an adapter
//! writes in the same transaction, so that every list is a plain indexed query.

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;

mod account;
mod project;
mod query;
mod words;

use std::fmt;
use std::sync::Arc;

use crate::config::StoreUrl;
use async_trait::async_trait;
use chat_core::{Head, Idx, Key, Name, Record, Room, RoomId, Seq, Standing, Timestamp, UserId};
use chat_protocol::answer::{MemberCard, Message, MyRoom, Page, RoomCard};

pub use chat_protocol::command::Place;

pub use self::account::{Account, Created, Link, NewAccount};
pub use self::query::{DirectoryQuery, MessageQuery, Order};
pub use self::words::{
    Found, Scope, SearchQuery, Sought, WORDS_OF_MESSAGE_MAX, WORDS_OF_SEARCH_MAX,
};

/// A place that keeps everything which must outlive the process.
///
/// Every method may fail with a [`StoreError`]; none may panic. An adapter is cloned handles all
/// the way down: the server shares one behind an `Arc`.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Appends records to rooms: durable once this returns, or not there at all.
    ///
    /// Each room of the batch is a compare-and-set on its head, and on the continuation of the logs
    /// in which that was read. One room's refusal leaves the others of the batch committed. The
    /// answers come in the order of the batch.
    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Appended>, StoreError>;

    /// Reserves a number for a room that is to be made. Gaps are fine.
    async fn reserve_room(&self) -> Result<RoomId, StoreError>;

    /// Loads a room from its latest snapshot and its log's tail; none if there is no such room.
    async fn load(&self, room: RoomId) -> Result<Option<Room>, StoreError>;

    /// The records of a room after a position, oldest first; those of deleted messages, and of before
    /// the room was trimmed, come without their words.
    async fn records(
        &self,
        room: RoomId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Record>>, StoreError>;

    /// The last record of each of these rooms, in any order; rooms that there aren't are left out.
    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<(RoomId, Seq)>, StoreError>;

    /// Whether other processes may write to it meanwhile: then nodes find each other by it, even if
    /// they hear nothing of each other.
    fn is_shared(&self) -> bool {
        false
    }

    /// The name of this continuation of the logs: what clients remember positions with.
    ///
    /// It is drawn whenever the store is opened while nobody else has it open. It changes under
    /// whoever has it open only where all ways to it may be cut at once, and lead to an older copy
    /// afterwards. What was read between two looks that give the same name was read in that
    /// continuation.
    fn epoch(&self) -> String;

    /// Whether a position that was heard under this epoch still means the same record: whether the
    /// log has gone on from there, instead of being restored from an older copy.
    async fn continues(&self, room: RoomId, epoch: &str, seq: Seq) -> Result<bool, StoreError>;

    /// Messages of a room, oldest first, as they read today.
    async fn messages(&self, query: &MessageQuery) -> Result<Vec<Message>, StoreError>;

    /// Messages that say something, as they read today: room after room in the order of the query,
    /// the newest of each first. What it costs is bounded: a search that has become too long is left
    /// off, perhaps with nothing found yet, and goes on where it says.
    async fn search(&self, query: &SearchQuery) -> Result<Found, StoreError>;

    /// What decisions need of a message, and the room's head when it was read.
    async fn head(&self, room: RoomId, message: Seq) -> Result<(Seq, Option<Head>), StoreError>;

    /// Who holds a key.
    async fn holder(&self, key: &Key) -> Result<Option<Holder>, StoreError>;

    /// What anybody may know of a room; none if there is no such room, or it was deleted.
    async fn card(&self, room: RoomId) -> Result<Option<RoomCard>, StoreError>;

    /// Listed rooms, active or archived.
    async fn directory(&self, query: &DirectoryQuery) -> Result<Page<RoomCard>, StoreError>;

    /// The rooms that a user is a member of, in the order of their numbers, with his marker and
    /// exact counts.
    async fn rooms_of(&self, user: UserId) -> Result<Vec<MyRoom>, StoreError>;

    /// Who of these users is a member of which rooms, in the order of their numbers, first those of
    /// users and then those of rooms.
    async fn memberships(&self, users: &[UserId]) -> Result<Vec<(UserId, RoomId)>, StoreError>;

    /// Members of a room in the order of their numbers, after a user; none of a deleted room.
    async fn members(
        &self,
        room: RoomId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<MemberCard>, StoreError>;

    /// A member's marker in a room, and his exact counts; zeros for anybody else.
    ///
    /// Posting marks read up to one's own message, joining up to the last one before it. Who leaves
    /// loses his marker.
    async fn marker(&self, room: RoomId, user: UserId) -> Result<Marker, StoreError>;

    /// How far a part of a room's members have read, in the order of their numbers.
    async fn markers(
        &self,
        room: RoomId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<(UserId, Idx)>, StoreError>;

    /// Moves members' markers on; one that would go back, or past the last message, stays.
    async fn mark_read(&self, markers: &[(RoomId, UserId, Idx)]) -> Result<(), StoreError>;

    /// How many rooms a user is in, and how many he made since a moment, deleted ones included.
    /// Direct rooms don't count: others make them for him.
    async fn standing(&self, user: UserId, since: Timestamp) -> Result<Standing, StoreError>;

    /// Notes that a guest was here at a moment, if he is a member of any room.
    async fn see_guest(&self, guest: UserId, at: Timestamp) -> Result<(), StoreError>;

    /// Memberships of guests who were last here before a moment; one who was never seen counts as
    /// seen `now`.
    async fn guests_unseen(
        &self,
        before: Timestamp,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<GuestMember>, StoreError>;

    /// Notes that a user wants to hear nothing from another, or that he does again.
    async fn set_block(&self, by: UserId, user: UserId, on: bool) -> Result<(), StoreError>;

    /// Whether `by` wants to hear nothing from `user`.
    async fn is_blocked(&self, by: UserId, user: UserId) -> Result<bool, StoreError>;

    /// Makes an account, and links it if the wish says so, or does neither.
    async fn create_account(&self, account: NewAccount) -> Result<Created, StoreError>;

    /// The account that a name, an e-mail address or a handle belongs to. Names and handles compare
    /// by skeleton, addresses without regard to case.
    async fn find_account(&self, login: &str) -> Result<Option<Account>, StoreError>;

    /// An account by its number.
    async fn account(&self, user: UserId) -> Result<Option<Account>, StoreError>;

    /// Sets the hash of an account's first password.
    async fn set_password(&self, user: UserId, hash: &str, at: Timestamp)
    -> Result<(), StoreError>;

    /// Sets the hash of an account's password, and raises the epoch of its user in the same moment:
    /// all log-ins by the password that was have ended. Gives the epoch.
    async fn change_password(
        &self,
        user: UserId,
        hash: &str,
        at: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Puts another hash of the same password in the place of this one; whether it was there. A
    /// password that was changed meanwhile stays changed.
    async fn replace_hash(&self, user: UserId, old: &str, new: &str) -> Result<bool, StoreError>;

    /// Suspends an account, or lets it act again.
    async fn set_suspended(&self, user: UserId, on: bool, at: Timestamp) -> Result<(), StoreError>;

    /// Raises the epoch of a user, account or guest: tokens that name a lower one are void.
    async fn raise_token_epoch(&self, user: UserId) -> Result<u64, StoreError>;

    /// Voids one log-in of a user, until the moment at which its tokens end by themselves.
    async fn revoke_grant(
        &self,
        user: UserId,
        grant: &str,
        until: Timestamp,
    ) -> Result<(), StoreError>;

    /// Whether a token of this user, log-in and epoch still counts, as far as the store knows. A
    /// user below the guests' numbers has to have an account here.
    async fn token_holds(&self, user: UserId, grant: &str, epoch: u64) -> Result<bool, StoreError>;

    /// Which of these log-ins, each with its user and the epoch that its token names, were ended here;
    /// in the order of the question. One of a user who has no account here may be ended, too.
    async fn log_ins_ended(
        &self,
        log_ins: &[(UserId, Arc<str>, u64)],
    ) -> Result<Vec<bool>, StoreError>;

    /// The account that somebody is here who has his account elsewhere.
    async fn linked(&self, issuer: &str, foreign: &str) -> Result<Option<Account>, StoreError>;

    /// Links somebody who has his account elsewhere to an account; the first link stays, and there
    /// is none to an account that isn't here.
    async fn link(&self, issuer: &str, foreign: &str, user: UserId) -> Result<(), StoreError>;

    /// A small value that the server keeps for itself, such as its signing secret; written with
    /// `propose` if there is none.
    async fn setting(&self, name: &str, propose: &str) -> Result<String, StoreError>;

    /// Forgets what is past its time: cids out of their window, log-ins that have ended.
    async fn prune(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Erases a person, account or guest; whether he wasn't erased before.
    ///
    /// Once this returns his account is gone with all its names, his tokens are void, his words are
    /// read no more, and whatever is appended of him is kept without any. Those that he wrote before
    /// go by and by, while the store is [tended](Store::tend), also after a crash. His number is
    /// never given again; facts that bear it stay, and no state changes.
    async fn erase_user(&self, user: UserId, at: Timestamp) -> Result<bool, StoreError>;

    /// Erased people in living rooms that aren't direct ones: those that they are members of, and
    /// those that they own.
    async fn erasures(&self, limit: usize) -> Result<Vec<Erasure>, StoreError>;

    /// Rooms that keep messages past their time, those that are so longest first, and from which
    /// record on they may keep them. A room that was trimmed is not among them for an
    /// [hour](TRIMMED_EVERY_MS). What it costs depends on how many they are, not on how many rooms
    /// there are.
    ///
    /// A trimmed room's history begins where it is kept from: once a record that says so is
    /// appended, nothing that was said before is read with words any more. The words go by and by,
    /// while the store is [tended](Store::tend), also after a crash. Facts stay, and state doesn't
    /// change but by that record.
    async fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<Overdue>, StoreError>;

    /// Does a bounded piece of standing work: erasing, taking in words that can be looked for,
    /// cleaning up. Whether there is more to do.
    async fn tend(&self, now: Timestamp) -> Result<bool, StoreError>;

    /// Whether nothing of what was erased is left in the files of this store. While somebody reads them
    /// for long it may be, though there is nothing more to do.
    async fn has_forgotten(&self) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Whether the store can be written to.
    async fn check(&self) -> Result<(), StoreError>;
}

/// Opens the store that a configuration names.
///
/// # Errors
///
/// [`StoreError`] says why it can't be opened.
pub fn open(url: &StoreUrl) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match url {
        StoreUrl::Memory => Arc::new(memory::Memory::new()?),
        #[cfg(feature = "sqlite")]
        StoreUrl::Sqlite(path) => Arc::new(sqlite::Sqlite::open(path)?),
        #[cfg(not(feature = "sqlite"))]
        StoreUrl::Sqlite(_) => {
            let why = "SQLite is not part of this build (feature `sqlite`)";
            return Err(StoreError::Unavailable(why.into()));
        }
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres(url) => Arc::new(postgres::Postgres::open(url)?),
        #[cfg(not(feature = "postgres"))]
        StoreUrl::Postgres(_) => {
            let why = "PostgreSQL is not part of this build (feature `postgres`)";
            return Err(StoreError::Unavailable(why.into()));
        }
    })
}

/// The name of a [continuation](Store::epoch), as it is kept beside what was read in it.
pub type Epoch = Arc<str>;

/// Records to be appended to one room.
#[derive(Clone, Debug)]
pub struct Append {
    /// The room.
    pub room: RoomId,
    /// The head that the records follow; 0 for a room that is to be made.
    pub after: Seq,
    /// The [continuation](Store::epoch) in which that head was read; none if it doesn't matter. In
    /// another one it is a conflict, even if the head has the same number: it may be another record.
    /// A store whose continuation never changes while it is open needn't look.
    pub epoch: Option<Epoch>,
    /// The records, dense from `after + 1`.
    pub records: Vec<Arc<Record>>,
    /// The room's state after the last record, if a snapshot is due.
    pub snapshot: Option<Box<Room>>,
}

/// What became of one room's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// They are durable.
    Done,
    /// The room's head is another, or was read in another continuation; nothing was written.
    Conflict {
        /// The head.
        head: Seq,
    },
    /// Keys that the records claim are held already, by others or by an earlier one of them: all of
    /// those, in the order of the claims. Nothing was written.
    Taken(Vec<Taken>),
}

/// A key that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The key.
    pub key: Key,
    /// Who holds it.
    pub by: Holder,
}

/// The record that holds a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its room.
    pub room: RoomId,
    /// Its position there.
    pub seq: Seq,
}

/// A guest's membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestMember {
    /// The room.
    pub room: RoomId,
    /// The guest.
    pub guest: UserId,
    /// The name under which he came.
    pub name: Option<Name>,
}

/// An erased person who is still part of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Who.
    pub user: UserId,
    /// Where.
    pub room: RoomId,
    /// Whether the room is his.
    pub owns: bool,
    /// Whether he is a member of it.
    pub is_member: bool,
}

/// A room that keeps messages past their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// Which.
    pub room: RoomId,
    /// The first record that it may keep.
    pub from: Seq,
}

/// How long a room that was trimmed isn't trimmed again: each time is a record that its members hear.
pub const TRIMMED_EVERY_MS: u64 = 60 * 60 * 1_000;

/// How far somebody has read a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marker {
    /// The last message that he has read.
    pub read: Idx,
    /// Messages after that which are neither his own nor deleted.
    pub unread: u64,
    /// Those of them that mention him, or everybody.
    pub mentions: u64,
}

/// Why a store couldn't do its work. It is for the operator; a client hears
/// `storage_unavailable`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store can't be reached or written to at the moment.
    #[error("storage is unavailable: {0}")]
    Unavailable(String),
    /// Another process holds the store.
    #[error("storage is held by another process: {0}")]
    Locked(String),
    /// What is stored contradicts itself.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// The store was written by a later version.
    #[error("storage has schema {found}, this program knows up to {known}")]
    Newer {
        /// The schema that was found.
        found: u32,
        /// The latest schema that this program knows.
        known: u32,
    },
}

/// Draws the name of a continuation.
fn draw_epoch() -> Result<String, StoreError> {
    let draw = getrandom::u64().map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Ok(format!("{draw:016x}"))
}
