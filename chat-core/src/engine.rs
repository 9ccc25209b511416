//! The engine: rooms in, wishes judged, facts applied.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::Cell;

use serde::{Deserialize, Serialize};

use crate::commands::{Command, Outcome, create_room, open_direct};
use crate::directory::Directory;
use crate::event::{Author, Event, Record};
use crate::id::{RoomId, Seq, Timestamp, UserId};
use crate::judge::{Case, Effective, Step};
use crate::limits::Limits;
use crate::policy::Permission;
use crate::rejection::Rejection;
use crate::request::{Actor, Decision, Facts, Need, Request, Stop};
use crate::room::Room;

/// The rooms of one worker, and who is in the groups that they grant roles to.
///
/// `decide` judges a wish and changes nothing; `evolve` applies a fact and judges nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Engine {
    rooms: BTreeMap<RoomId, Room>,
    directory: Directory,
    limits: Limits,
}

/// A question about a permission, as [`Engine::judge`] and [`Engine::explain`] answer it.
#[derive(Clone, Debug)]
pub struct Inquiry<'a> {
    /// The room.
    pub room: RoomId,
    /// Who would act.
    pub actor: &'a Actor,
    /// When.
    pub at: Timestamp,
    /// What the shell knows and the engine doesn't.
    pub facts: &'a Facts,
    /// What he would do.
    pub permission: Permission,
}

/// The answer to an [`Inquiry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// He may, in this role.
    Granted(Effective),
    /// The engine cannot say before it knows this.
    Need(Need),
}

/// The answer to an [`Inquiry`] and the chain of rules that led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Explanation {
    /// What was asked for.
    pub permission: Permission,
    /// Whether he may.
    pub allowed: bool,
    /// The role that counted, if he has one here.
    #[serde(flatten)]
    pub effective: Option<Effective>,
    /// The rules in the order in which they were walked; the last one decided.
    pub steps: Vec<Step>,
}

impl Engine {
    /// An engine without rooms.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            rooms: BTreeMap::new(),
            directory: Directory::default(),
            limits,
        }
    }

    /// The bounds that this engine holds.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A room that is loaded.
    #[must_use]
    pub fn room(&self, id: RoomId) -> Option<&Room> {
        self.rooms.get(&id)
    }

    /// The rooms that are loaded, in the order of their numbers.
    pub fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.rooms.values()
    }

    /// Who is in the groups that loaded rooms grant roles to.
    #[must_use]
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The same, to teach it.
    pub const fn directory_mut(&mut self) -> &mut Directory {
        &mut self.directory
    }

    /// Takes in a room: a snapshot, from which its log's tail goes on.
    pub fn load(&mut self, room: Room) {
        self.rooms.insert(room.id, room);
    }

    /// Forgets what a member is called in a room, who was erased: no rule reads it, and his records
    /// have lost it, too.
    pub fn forget_nickname(&mut self, room: RoomId, user: UserId) {
        let room = self.rooms.get_mut(&room);
        if let Some(member) = room.and_then(|room| room.members.get_mut(&user)) {
            member.nickname = None;
        }
    }

    /// Lets a room go.
    pub fn unload(&mut self, id: RoomId) -> Option<Room> {
        self.rooms.remove(&id)
    }

    /// Judges a wish. Reads state and changes nothing, so it is also the dry run behind "may I?".
    ///
    /// # Errors
    ///
    /// The [`Rejection`] that the actor is to hear.
    pub fn decide(&self, request: &Request) -> Result<Decision, Rejection> {
        let ruled = match self.rooms.get(&request.room) {
            Some(room) => self.rule(room, request),
            None => self.found(request),
        };
        match ruled {
            Ok(decision) => Ok(decision),
            Err(Stop::Refuse(rejection)) => Err(rejection),
            Err(Stop::Ask(need)) => Ok(Decision::Need(need)),
        }
    }

    /// Applies a fact, and says whether it did. Total, infallible, the only way in which state
    /// changes.
    ///
    /// A record that was just decided applies. A record of a room that isn't loaded, and one that is
    /// not the next of its room, changes no room: whoever follows a log has missed something, or
    /// hears it again.
    #[must_use = "a record that didn't apply is a repeat, or comes after a gap"]
    pub fn evolve(&mut self, record: &Record) -> bool {
        self.directory.hear(record);
        match self.rooms.get_mut(&record.room) {
            Some(room) => room.follow(record).is_some(),
            None => Room::founded(record).is_some_and(|room| {
                self.rooms.insert(record.room, room);
                true
            }),
        }
    }

    /// Judges a permission alone: may he read, post, kick ...?
    ///
    /// # Errors
    ///
    /// The [`Rejection`] that the actor is to hear.
    pub fn judge(&self, inquiry: &Inquiry<'_>) -> Result<Judgement, Rejection> {
        let Some(room) = self.rooms.get(&inquiry.room) else {
            return Ok(Judgement::Need(Need::Room(inquiry.room)));
        };
        let case = self.case(room, inquiry.actor, inquiry.at, inquiry.facts);
        match case.may(inquiry.permission) {
            Ok(effective) => Ok(Judgement::Granted(effective)),
            Err(Stop::Refuse(rejection)) => Err(rejection),
            Err(Stop::Ask(need)) => Ok(Judgement::Need(need)),
        }
    }

    /// Answers an inquiry with the chain of rules that led to the answer: the same function that
    /// judges commands, with somebody listening.
    ///
    /// # Errors
    ///
    /// What the engine has to know first.
    pub fn explain(&self, inquiry: &Inquiry<'_>) -> Result<Explanation, Need> {
        let room = self
            .rooms
            .get(&inquiry.room)
            .ok_or(Need::Room(inquiry.room))?;
        let case = self.case(room, inquiry.actor, inquiry.at, inquiry.facts);
        let mut steps = Vec::new();
        let allowed = match case.walk(inquiry.permission, &mut steps) {
            Ok(_) => true,
            Err(Stop::Refuse(_)) => false,
            Err(Stop::Ask(need)) => return Err(need),
        };
        let effective = match case.effective(inquiry.actor.id) {
            Ok(effective) => effective,
            Err(Stop::Ask(need)) => return Err(need),
            Err(Stop::Refuse(_)) => None,
        };
        Ok(Explanation {
            permission: inquiry.permission,
            allowed,
            effective,
            steps,
        })
    }

    fn case<'a>(
        &'a self,
        room: &'a Room,
        actor: &'a Actor,
        at: Timestamp,
        facts: &'a Facts,
    ) -> Case<'a> {
        Case {
            room,
            directory: &self.directory,
            limits: &self.limits,
            actor,
            member: room.members.get(&actor.id),
            at: room_time(room, at),
            now: at,
            facts,
            via: Cell::new(None),
        }
    }

    /// Rules on a wish in a room that is loaded.
    fn rule(&self, room: &Room, request: &Request) -> Result<Decision, Stop> {
        if let Some(repeat) = first_use(room, request)? {
            return Ok(repeat);
        }
        let case = self.case(room, &request.actor, request.at, &request.facts);
        Ok(match request.command.decide(&case)? {
            Outcome::Fact(event) => Decision::New(Record {
                room: room.id,
                seq: room.head_seq.next(),
                at: case.at,
                by: Author {
                    id: request.actor.id,
                    name: Some(case.actor_name().clone()),
                },
                via: case.via.get(),
                cid: request.cid.clone(),
                event,
            }),
            Outcome::Already(seq) => Decision::Repeat { seq },
            Outcome::Signal(signal) => Decision::Signal(signal),
        })
    }

    /// Rules on a wish whose room isn't loaded: a creation, or something to ask for.
    fn found(&self, request: &Request) -> Result<Decision, Stop> {
        if request.facts.used.is_some() {
            // The store knows the cid: the room is there, and has to answer itself.
            return Err(Need::Room(request.room).into());
        }
        let event: Event = if let Command::CreateRoom(it) = &request.command {
            create_room::found(it, request, &self.limits, &self.directory)?
        } else if let Command::OpenDirect(it) = &request.command {
            open_direct::found(it, request)?
        } else {
            return Err(Need::Room(request.room).into());
        };
        Ok(Decision::New(Record {
            room: request.room,
            seq: Seq::new(1),
            at: request.at,
            by: Author {
                id: request.actor.id,
                name: Some(request.actor.name.clone()),
            },
            via: None,
            cid: request.cid.clone(),
            event,
        }))
    }
}

/// The answer to a cid that was used before: the first one again, or that it was another wish.
fn first_use(room: &Room, request: &Request) -> Result<Option<Decision>, Stop> {
    let Some(cid) = &request.cid else {
        return Ok(None);
    };
    let known = room.cids.seq(request.actor.id, cid);
    let used = request.facts.used.as_deref();
    let Some(seq) = known.or(used.map(|used| used.seq)) else {
        return Ok(None);
    };
    let Some(used) = used.filter(|used| used.seq == seq) else {
        return Err(Need::Used(seq).into());
    };
    // What was trimmed away can't be compared: the first answer stands.
    let same = used
        .record
        .as_ref()
        .is_none_or(|record| request.command.became(&record.event));
    if same {
        Ok(Some(Decision::Repeat { seq }))
    } else {
        Err(Rejection::CidConflict.into())
    }
}

/// The time in a room: the time of day, or that of its last record if the clock was set back.
fn room_time(room: &Room, now: Timestamp) -> Timestamp {
    #[cfg(sabotage)]
    if crate::sabotage::planted("room_time_runs_back") {
        return now;
    }
    now.max(room.head_at)
}
