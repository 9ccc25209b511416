//! What the shell keeps of one room beside the engine's state.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chat_core::{Author, Effect, Record, Room, RoomId, Seq, Timestamp, UserId};
use chat_protocol::signal::Signal;

use super::elsewhere::Elsewhere;
use super::following::Ahead;
use super::presence::Presence;
use crate::mail::{Mail, Refused, Reply, SessionKey};
use crate::store::{Append, Epoch};

/// One room's place in a worker.
#[derive(Debug)]
pub(super) struct Slot<R> {
    stage: Stage<R>,
    /// How many of those that wait for the room to be loaded are judged before all others.
    apart: Option<usize>,
    pub(super) presence: Presence,
    /// How often another node was faster since anything of this one was appended.
    lost_races: u8,
    /// Turns for which the state before them is kept, since another node was faster a moment ago.
    contested: u8,
    /// The state before those records that are decided and not yet appended, if it is kept.
    before: Option<Box<Room>>,
    /// What other nodes told of who is present.
    pub(super) elsewhere: Elsewhere,
    /// Whether anybody has ever come or gone here: the others are told how things stand.
    pub(super) has_told: bool,
    /// Records that are decided and not yet appended, with the session that wished each.
    decided: VecDeque<(Arc<Record>, Option<SessionKey>)>,
    /// Records that were found when the room was loaded again, and are still to be delivered.
    pub(super) missed: VecDeque<Arc<Record>>,
    /// The last record that is known to be durable, and so was delivered.
    pub(super) heard: Option<Seq>,
    /// The continuation of the logs in which that record is.
    pub(super) epoch: Option<Epoch>,
    /// Sessions of which a mail waits for a fact; what they send meanwhile waits behind it.
    parked: BTreeMap<SessionKey, Parked<R>>,
    pub(super) used_at: Timestamp,
    /// What other nodes told of the room that couldn't be followed yet.
    pub(super) ahead: Ahead,
    /// Who has sent something again that had been carried out long before, and until when each
    /// cid of his is looked up.
    pub(super) late: BTreeMap<UserId, Timestamp>,
}

#[derive(Debug)]
enum Stage<R> {
    /// The room is being loaded; mail waits.
    Loading(VecDeque<Box<Mail<R>>>),
    /// The room couldn't be loaded; the next mail tries again.
    Stalled,
    /// The engine has it, and is at the first of those that waited: the others still do.
    Apart(VecDeque<Box<Mail<R>>>),
    /// The engine has it, or is about to make it.
    Ready,
}

/// What one session sent while a mail of its own waits for a fact.
#[derive(Debug)]
struct Parked<R> {
    asking: bool,
    behind: VecDeque<Box<Mail<R>>>,
}

/// What waits for the append of its turn.
#[derive(Debug)]
pub(super) struct Held<R> {
    pub(super) room: RoomId,
    pub(super) what: Answer<R>,
}

/// What a mail came to. The mail is kept: if the state that it was judged by never comes to be, it
/// is judged again.
#[derive(Debug)]
pub(super) enum Answer<R> {
    /// It became this record.
    Decided(Box<Mail<R>>, Seq),
    /// It needs no record of its own.
    Judged(Box<Mail<R>>, Result<Reply, Refused>),
    /// Its session may hear the room.
    Attach {
        mail: Box<Mail<R>>,
        by: Author,
        head: Seq,
        readable_from: Seq,
    },
    /// Its session hears the room no more.
    Detach(Box<Mail<R>>),
    /// Its user may be present as a visitor; whether that is news.
    Visit(Box<Mail<R>>, bool),
    /// Something ephemeral, to be heard after what came before it.
    Signal(Signal, Option<SessionKey>),
}

/// Records between two snapshots, at least; a room with many members takes its time, since its
/// snapshot is large.
const SNAPSHOT_RECORDS_MIN: u64 = 256;

/// Races for a room that are lost in a row before those who wait are told to try again later. Each
/// costs a reading of the room; for half of all races it would be as good as never.
const RACES_MAX: u8 = 200;

/// Turns after a race was lost in which a room costs a copy of its state.
const CONTESTED_TURNS: u8 = 64;

impl<R> Slot<R> {
    /// A place for a room that has to be loaded.
    pub(super) fn loading() -> Self {
        Self::at(Stage::Loading(VecDeque::new()))
    }

    /// A place for a room that is to be made.
    pub(super) fn founding(epoch: Option<Epoch>) -> Self {
        Self {
            heard: Some(Seq::default()),
            epoch,
            ..Self::at(Stage::Ready)
        }
    }

    fn at(stage: Stage<R>) -> Self {
        Self {
            stage,
            apart: None,
            lost_races: 0,
            contested: 0,
            before: None,
            presence: Presence::default(),
            elsewhere: Elsewhere::default(),
            has_told: false,
            decided: VecDeque::new(),
            missed: VecDeque::new(),
            heard: None,
            epoch: None,
            parked: BTreeMap::new(),
            used_at: Timestamp::default(),
            ahead: Ahead::default(),
            late: BTreeMap::new(),
        }
    }

    /// Whether the room has to be asked for once more; it is loading from then on.
    pub(super) fn retry(&mut self) -> bool {
        let stalled = matches!(self.stage, Stage::Stalled);
        if stalled {
            self.stage = Stage::Loading(VecDeque::new());
        }
        stalled
    }

    /// Lets a mail wait if the room is being loaded, or is at the mails before it; else gives it
    /// back.
    pub(super) fn await_load(&mut self, mail: Box<Mail<R>>) -> Option<Box<Mail<R>>> {
        match &mut self.stage {
            Stage::Loading(waiting) | Stage::Apart(waiting) => {
                waiting.push_back(mail);
                None
            }
            Stage::Stalled | Stage::Ready => Some(mail),
        }
    }

    /// Sets those apart that wait: they are judged in a turn of their own.
    pub(super) fn set_apart(&mut self) {
        if let Stage::Loading(waiting) = &self.stage {
            self.apart = Some(waiting.len());
        }
    }

    /// Whether the mails that were set apart are being judged.
    pub(super) const fn is_apart(&self) -> bool {
        matches!(self.stage, Stage::Apart(_))
    }

    /// Gives back what waited for the mails that were set apart.
    pub(super) fn let_in(&mut self) -> VecDeque<Box<Mail<R>>> {
        match &mut self.stage {
            Stage::Apart(waiting) => {
                let waiting = std::mem::take(waiting);
                self.stage = Stage::Ready;
                waiting
            }
            Stage::Loading(_) | Stage::Stalled | Stage::Ready => VecDeque::new(),
        }
    }

    /// Lets a mail wait behind an earlier one of its session, else gives it back.
    pub(super) fn await_turn(&mut self, mail: Box<Mail<R>>) -> Option<Box<Mail<R>>> {
        match mail.from.and_then(|session| self.parked.get_mut(&session)) {
            Some(parked) => {
                parked.behind.push_back(mail);
                None
            }
            None => Some(mail),
        }
    }

    /// Starts to let a session's mail wait.
    pub(super) fn park(&mut self, session: SessionKey) {
        let parked = self.parked.entry(session).or_insert_with(|| Parked {
            asking: true,
            behind: VecDeque::new(),
        });
        parked.asking = true;
    }

    /// A session's mail has its fact: what waits behind it may go on.
    pub(super) fn answered(&mut self, session: SessionKey) {
        if let Some(parked) = self.parked.get_mut(&session) {
            parked.asking = false;
        }
    }

    /// The next mail of a session that waited, unless one before it waits again.
    pub(super) fn next_behind(&mut self, session: SessionKey) -> Option<Box<Mail<R>>> {
        let parked = self
            .parked
            .get_mut(&session)
            .filter(|parked| !parked.asking)?;
        let next = parked.behind.pop_front();
        if next.is_none() {
            self.parked.remove(&session);
        }
        next
    }

    /// The room is loaded: gives back what waited for it, or the first of that.
    pub(super) fn ready(&mut self, heard: Seq) -> VecDeque<Box<Mail<R>>> {
        self.heard = Some(heard);
        let mut waiting = self.take_waiting(Stage::Ready);
        if let Some(apart) = self.apart.take() {
            let others = waiting.split_off(apart.min(waiting.len()));
            self.stage = Stage::Apart(others);
        }
        waiting
    }

    /// How many mails wait for the room.
    pub(super) fn count_waiting(&self) -> usize {
        match &self.stage {
            Stage::Loading(waiting) | Stage::Apart(waiting) => waiting.len(),
            Stage::Stalled | Stage::Ready => 0,
        }
    }

    /// The room can't be loaded at the moment: gives back what waited for it.
    pub(super) fn stall(&mut self) -> VecDeque<Box<Mail<R>>> {
        self.apart = None;
        self.take_waiting(Stage::Stalled)
    }

    fn take_waiting(&mut self, next: Stage<R>) -> VecDeque<Box<Mail<R>>> {
        match std::mem::replace(&mut self.stage, next) {
            Stage::Loading(waiting) | Stage::Apart(waiting) => waiting,
            Stage::Stalled | Stage::Ready => VecDeque::new(),
        }
    }

    /// The room has to be loaded again; the records that were decided never happened.
    pub(super) fn reload(&mut self) {
        self.decided.clear();
        if self.is_ready() {
            self.stage = Stage::Loading(VecDeque::new());
        }
    }

    /// Takes in a decided record; tells whether it is the first of this turn.
    pub(super) fn decided(&mut self, record: Arc<Record>, from: Option<SessionKey>) -> bool {
        self.decided.push_back((record, from));
        self.decided.len() == 1
    }

    pub(super) fn last_decided(&self) -> Seq {
        self.decided
            .back()
            .map_or_else(Seq::default, |(record, _)| record.seq)
    }

    /// A record of this turn by its position.
    pub(super) fn in_flight(&self, seq: Seq) -> Option<Arc<Record>> {
        let (first, _) = self.decided.front()?;
        let at = seq.number().checked_sub(first.seq.number())?;
        let (record, _) = self.decided.get(usize::try_from(at).ok()?)?;
        Some(record.clone())
    }

    /// What is to be appended.
    pub(super) fn append(&mut self, room: RoomId, state: Option<&Room>) -> Option<Append> {
        let (first, _) = self.decided.front()?;
        let after = first.seq.prev();
        // Whether these records pass a multiple of the distance, so that nothing is to be kept.
        let due = state.filter(|state| {
            // A power of two stays as it is while a room grows: multiples of a number that grows
            // with the head would be passed all the time.
            let quarter = SNAPSHOT_RECORDS_MIN.max(state.members.len() as u64 / 4);
            #[cfg(sabotage)]
            let quarter = match chat_core::sabotage::planted("snapshots_regardless_of_their_size") {
                true => SNAPSHOT_RECORDS_MIN,
                false => quarter,
            };
            let distance = 1 << quarter.ilog2();
            state.head_seq.number() / distance > after.number() / distance
        });
        Some(Append {
            room,
            after,
            epoch: self.epoch.clone(),
            records: self
                .decided
                .iter()
                .map(|(record, _)| record.clone())
                .collect(),
            snapshot: due.cloned().map(Box::new),
        })
    }

    /// Keeps the state that is durable, where it may be needed again: to load a large room takes
    /// longer than another node needs to be faster once more.
    pub(super) fn keep_before(&mut self, state: Option<&Room>) {
        if self.contested > 0 && self.decided.is_empty() {
            self.contested -= 1;
            self.before = state.cloned().map(Box::new);
        }
    }

    /// Takes out the state before what was decided last, if it was kept.
    pub(super) const fn take_before(&mut self) -> Option<Box<Room>> {
        self.before.take()
    }

    /// Whether what was missed is enough to know the room again.
    pub(super) fn has_before(&self) -> bool {
        self.before.as_ref().map(|it| it.head_seq) == self.heard && self.heard.is_some()
    }

    /// Notes that another node was faster; tells whether it is worth another try.
    pub(super) const fn lose_race(&mut self) -> bool {
        self.contested = CONTESTED_TURNS;
        self.lost_races += 1;
        let goes_on = self.lost_races < RACES_MAX;
        if !goes_on {
            self.lost_races = 0;
        }
        goes_on
    }

    /// The next record of this turn, which is durable.
    pub(super) fn commit(&mut self) -> Option<(Arc<Record>, Option<SessionKey>)> {
        let next = self.decided.pop_front()?;
        self.lost_races = 0;
        if self.decided.is_empty() {
            self.before = None;
        }
        self.heard = Some(next.0.seq);
        Some(next)
    }

    /// Nobody is present any more, here or elsewhere, as far as is known.
    pub(super) fn forget_people(&mut self) {
        self.presence.clear();
        self.elsewhere.clear();
    }

    /// Whether a record sends this user away that is still to be delivered: until then he hears the
    /// room.
    pub(super) fn is_sent_away(&self, user: UserId) -> bool {
        let decided = self.decided.iter().map(|(record, _)| record);
        let mut to_come = decided.chain(&self.missed);
        to_come.any(|record| record.effects().iter().any(|it| it == Effect::Detach(user)))
    }

    /// Whether the room is to be made, and isn't yet.
    pub(super) fn is_founding(&self) -> bool {
        self.heard == Some(Seq::default())
    }

    /// Whether nothing has been decided that would make the room.
    pub(super) fn is_unfounded(&self) -> bool {
        self.is_ready() && self.is_founding() && self.decided.is_empty()
    }

    /// Whether mail can be judged.
    pub(super) const fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Ready | Stage::Apart(_))
    }

    /// Whether the room couldn't be loaded, and records of which nobody knows may have to be
    /// delivered: to those who hear it, or to all who lean on it.
    pub(super) const fn owes(&self) -> bool {
        matches!(self.stage, Stage::Stalled) && self.heard.is_some()
    }

    /// Takes out what waits behind a mail of this session.
    pub(super) fn unpark(&mut self, session: SessionKey) -> VecDeque<Box<Mail<R>>> {
        self.parked
            .remove(&session)
            .map(|parked| parked.behind)
            .unwrap_or_default()
    }

    /// Takes out all that waits behind mails of any session.
    pub(super) fn unpark_all(&mut self) -> impl Iterator<Item = Box<Mail<R>>> + use<R> {
        std::mem::take(&mut self.parked)
            .into_values()
            .flat_map(|parked| parked.behind)
    }

    pub(super) fn is_idle(&self, now: Timestamp, idle_ms: u64) -> bool {
        !matches!(self.stage, Stage::Loading(_) | Stage::Apart(_))
            && !self.owes()
            && self.presence.is_empty()
            && self.decided.is_empty()
            && self.parked.is_empty()
            && now.ms_since(self.used_at) >= idle_ms
    }
}

#[cfg(test)]
mod tests;
