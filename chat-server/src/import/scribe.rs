//! Wishes become records: judged by the engine, appended many at a time.

use std::sync::Arc;

use chat_core::{
    Actor, Cid, Command, Decision, Engine, Facts, Kind, Lifecycle, MessageFact, Name, Need, Proof,
    Record, Request, Room, RoomId, SecretHash, Seq, Standing, Timestamp, UserId,
};

use super::{ImportError, Options};
use crate::auth::hashing::Hasher;
use crate::store::{Append, Appended, Epoch, Store, StoreError};

/// Records that go to the store at once.
const RECORDS_AT_ONCE: usize = 512;

/// Records after which a room leaves a snapshot behind, so that it is loaded quickly.
const SNAPSHOT_RECORDS_MIN: usize = 256;

/// Facts that one wish may ask for.
const NEEDS_MAX: usize = 64;

/// What became of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// It is a fact, as of this moment.
    Done(Timestamp),
    /// It was one before.
    Already,
    /// Why it can't be one.
    Refused(String),
}

/// Writes the logs of rooms, one room after the other.
pub(super) struct Scribe<'a> {
    store: &'a dyn Store,
    hasher: &'a Hasher,
    /// The continuation of the logs in which all of it is read.
    epoch: Epoch,
    engine: Engine,
    /// Rooms whose last records wait for the store.
    batch: Vec<Append>,
    batch_records: usize,
    /// The room that is being written, its head in the store, and what comes after that.
    room: RoomId,
    after: Seq,
    records: Vec<Arc<Record>>,
    written: usize,
}

impl<'a> Scribe<'a> {
    pub(super) fn new(store: &'a dyn Store, hasher: &'a Hasher, options: &Options) -> Self {
        let mut limits = options.limits.clone();
        // What was said over years is brought in a moment.
        limits.posts_limited = false;
        Self {
            store,
            hasher,
            epoch: store.epoch().into(),
            engine: Engine::new(limits),
            batch: Vec::new(),
            batch_records: 0,
            room: RoomId::default(),
            after: Seq::default(),
            records: Vec::new(),
            written: 0,
        }
    }

    /// Begins with a room, which is made already or not yet.
    pub(super) async fn open(&mut self, room: RoomId) -> Result<(), ImportError> {
        let state = self.store.load(room).await?;
        self.room = room;
        self.after = state.as_ref().map(|it| it.head_seq).unwrap_or_default();
        self.written = 0;
        if let Some(state) = state {
            self.engine.load(state);
        }
        Ok(())
    }

    /// The room, if it is made.
    pub(super) fn state(&self) -> Option<&Room> {
        self.engine.room(self.room)
    }

    /// Judges a wish, and notes the fact that it becomes.
    pub(super) async fn wish(
        &mut self,
        actor: &Actor,
        at: Timestamp,
        cid: Option<Cid>,
        command: impl Into<Command>,
    ) -> Result<Judged, ImportError> {
        let mut request = Request {
            room: self.room,
            actor: actor.clone(),
            at,
            cid,
            command: command.into(),
            facts: self.facts(actor),
        };
        for _ in 0..NEEDS_MAX {
            match self.engine.decide(&request) {
                Ok(Decision::New(record)) => {
                    let at = record.at;
                    self.note(record).await?;
                    return Ok(Judged::Done(at));
                }
                // A name that this log has used names what was brought before.
                Ok(
                    Decision::Repeat { seq: _ }
                    | Decision::Signal(_)
                    | Decision::Need(Need::Used(_)),
                ) => {
                    return Ok(Judged::Already);
                }
                Ok(Decision::Need(need)) => self.supply(&mut request, need).await?,
                Err(rejection) => return Ok(Judged::Refused(rejection.to_string())),
            }
        }
        Ok(Judged::Refused("it asks for ever more".to_owned()))
    }

    /// What is known without asking: how many rooms somebody has doesn't matter here, a guest was
    /// there when he spoke, and a member of a room with a password knew it.
    fn facts(&self, actor: &Actor) -> Facts {
        Facts {
            visiting: actor.id.is_guest(),
            standing: Some(Standing::default()),
            blocked: Some(false),
            proof: self.state().map(|room| Proof {
                version: room.access_version,
                fits: true,
            }),
            ..Facts::default()
        }
    }

    async fn supply(&mut self, request: &mut Request, need: Need) -> Result<(), ImportError> {
        match need {
            Need::Hash(password) => {
                let hash = self.hasher.hash(&password).await?;
                request.facts.hash = Some(SecretHash::new(hash));
            }
            Need::Group(group) => {
                let state = self.store.load(group).await?;
                let state =
                    state.filter(|it| it.kind == Kind::Group && it.lifecycle != Lifecycle::Deleted);
                let directory = self.engine.directory_mut();
                match state {
                    Some(it) => directory.learn(group, it.head_seq, it.members.keys().copied()),
                    None => directory.learn_none(group),
                }
            }
            Need::Message(message) => {
                let (as_of, head) = self.store.head(self.room, message).await?;
                request.facts.message = Some(MessageFact {
                    message,
                    as_of,
                    head,
                });
            }
            // Everything else is supplied from the start, or belongs to a room that is gone.
            Need::Room(_)
            | Need::NewRoom
            | Need::Proof { .. }
            | Need::Standing
            | Need::Blocked(_)
            | Need::Used(_) => return Err(ImportError::Disturbed(self.room)),
        }
        Ok(())
    }

    async fn note(&mut self, record: Record) -> Result<(), ImportError> {
        if self.records.len() >= RECORDS_AT_ONCE {
            self.put(false);
            self.flush().await?;
        }
        if !self.engine.evolve(&record) {
            return Err(ImportError::Disturbed(self.room));
        }
        self.records.push(Arc::new(record));
        Ok(())
    }

    /// Ends with a room. Its records reach the store with those of the next ones.
    pub(super) async fn close(&mut self) -> Result<(), ImportError> {
        self.put(true);
        self.engine.unload(self.room);
        if self.batch_records >= RECORDS_AT_ONCE || self.batch.len() >= RECORDS_AT_ONCE {
            self.flush().await?;
        }
        Ok(())
    }

    fn put(&mut self, is_last: bool) {
        let Some(last) = self.records.last().map(|record| record.seq) else {
            return;
        };
        self.written += self.records.len();
        let snapshot = self
            .state()
            .filter(|_| is_last && self.written >= SNAPSHOT_RECORDS_MIN);
        let append = Append {
            room: self.room,
            after: self.after,
            epoch: Some(self.epoch.clone()),
            snapshot: snapshot.cloned().map(Box::new),
            records: std::mem::take(&mut self.records),
        };
        self.after = last;
        self.batch_records += append.records.len();
        self.batch.push(append);
    }

    /// Has the store keep what was noted.
    pub(super) async fn flush(&mut self) -> Result<(), ImportError> {
        let batch = std::mem::take(&mut self.batch);
        self.batch_records = 0;
        if batch.is_empty() {
            return Ok(());
        }
        let rooms: Vec<RoomId> = batch.iter().map(|append| append.room).collect();
        let appended = self.store.append(batch).await?;
        for (room, appended) in rooms.into_iter().zip(appended) {
            match appended {
                Appended::Done => {}
                Appended::Conflict { .. } | Appended::Taken(_) => {
                    return Err(ImportError::Disturbed(room));
                }
            }
        }
        Ok(())
    }

    /// An account's name, for one who acts and isn't in the file.
    pub(super) async fn actor(&self, user: UserId) -> Result<Actor, ImportError> {
        let account = match user {
            UserId::HOUSE => None,
            user => self.store.account(user).await?,
        };
        let name = match account {
            Some(account) => account.name,
            None => house()?,
        };
        Ok(Actor::new(user, name))
    }

    /// Everything that the log of the room holds so far.
    pub(super) async fn log(&self, mut each: impl FnMut(&Record)) -> Result<(), ImportError> {
        let mut after = Seq::default();
        loop {
            let records = self
                .store
                .records(self.room, after, RECORDS_AT_ONCE)
                .await?;
            let Some(last) = records.last() else {
                return Ok(());
            };
            after = last.seq;
            records.iter().for_each(|record| each(record));
        }
    }
}

/// What the house is called, where it acts.
fn house() -> Result<Name, StoreError> {
    Name::new("house").map_err(|bad| StoreError::Unavailable(bad.to_string()))
}
