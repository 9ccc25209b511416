//! The first reading: users become accounts, and of the rest it is noted where it stands.

use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Seek};

use chat_core::{Name, RoomId, Timestamp};

use super::ImportError;
use super::file::{Lines, Place};
use super::line::{self, Kind, Line};
use super::people::People;
use super::report::{Desk, Outcome};

/// What the file holds, but for its users and the words of its messages.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// The rooms, in the order in which the file first names them.
    pub(super) rooms: Vec<Room>,
    by_id: HashMap<String, usize>,
    /// The messages, by room and time.
    pub(super) messages: Vec<Spot>,
}

/// A room, and who and what is in it.
#[derive(Debug)]
pub(super) struct Room {
    /// What it is called there.
    pub(super) id: String,
    /// Its line, if there is one; without it nothing of it is brought.
    pub(super) line: Option<(u64, line::Room)>,
    /// Its members, each with the line that says so.
    pub(super) members: Vec<(u64, line::Member)>,
    /// Its messages, within those of the outline.
    pub(super) messages: std::ops::Range<usize>,
    /// Where it is here.
    pub(super) here: Option<Here>,
    latest: Timestamp,
    sorted: bool,
}

/// A room's place here.
#[derive(Clone, Debug)]
pub(super) struct Here {
    pub(super) id: RoomId,
    /// Whether it was made before.
    pub(super) is_made: bool,
    /// The unique name that it is to have.
    pub(super) alias: Option<Name>,
    /// Whether its number is the one that it had there.
    pub(super) keeps_number: bool,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    room: usize,
    pub(super) at: Timestamp,
    pub(super) line: u64,
    pub(super) offset: u64,
}

/// Reads the whole file once.
pub(super) async fn read<R: Read + Seek>(
    lines: &mut Lines<R>,
    people: &mut People<'_>,
    desk: &mut Desk<'_>,
) -> Result<Outline, ImportError> {
    let from = people.from();
    let mut outline = Outline::default();
    let mut warned = BTreeSet::new();
    while let Some((place, text)) = lines.next()? {
        let read = text.map_err(|why| (None, why.to_owned()));
        let read = match read.and_then(|text| line::read(from, text)) {
            Ok(read) => read,
            Err((kind, why)) => {
                desk.refuse(place.number, kind, why);
                continue;
            }
        };
        for field in read.unknown {
            let words = format!("unknown field {field:?} of a {}", read.kind.word());
            if warned.len() < FIELDS_WARNED_OF && warned.insert(words.clone()) {
                desk.warn(place.number, words);
            }
        }
        if let Line::User(user) = read.line {
            for room in &user.rooms {
                let member = line::Member {
                    room: room.clone(),
                    user: user.id.clone(),
                    role: None,
                    joined_at: None,
                };
                outline.note_member(place, member);
            }
            people.add(place.number, user, desk).await?;
        } else {
            outline.note(place, read.line, desk);
        }
    }
    people.finish(desk).await?;
    Ok(outline)
}

/// Unknown fields that are told of, each once.
const FIELDS_WARNED_OF: usize = 100;

impl Outline {
    fn note(&mut self, place: Place, line: Line, desk: &mut Desk<'_>) {
        match line {
            Line::Gone => desk.report().deleted += 1,
            Line::User(_) => {}
            Line::Member(member) => self.note_member(place, member),
            Line::Message(message) => {
                let room = self.index(&message.room);
                if let Some(it) = self.rooms.get_mut(room) {
                    it.sorted &= it.latest <= message.at;
                    it.latest = it.latest.max(message.at);
                }
                self.messages.push(Spot {
                    room,
                    at: message.at,
                    line: place.number,
                    offset: place.offset,
                });
            }
            Line::Room(room) => {
                let index = self.index(&room.id);
                match self.rooms.get_mut(index) {
                    Some(it) if it.line.is_none() => it.line = Some((place.number, room)),
                    Some(_) | None => desk.done(Kind::Room, Outcome::There),
                }
            }
        }
    }

    fn note_member(&mut self, place: Place, member: line::Member) {
        let index = self.index(&member.room);
        if let Some(room) = self.rooms.get_mut(index) {
            room.members.push((place.number, member));
        }
    }

    fn index(&mut self, id: &str) -> usize {
        if let Some(index) = self.by_id.get(id) {
            return *index;
        }
        let index = self.rooms.len();
        self.by_id.insert(id.to_owned(), index);
        self.rooms.push(Room {
            id: id.to_owned(),
            line: None,
            members: Vec::new(),
            messages: 0..0,
            here: None,
            latest: Timestamp::default(),
            sorted: true,
        });
        index
    }

    /// Puts the messages in order, and refuses what belongs to rooms that have no line.
    pub(super) fn settle(&mut self, desk: &mut Desk<'_>) {
        self.messages.sort_unstable();
        let mut from = 0;
        for (index, room) in self.rooms.iter_mut().enumerate() {
            let rest = self.messages.get(from..).unwrap_or_default();
            let count = rest.partition_point(|spot| spot.room <= index);
            room.messages = from..from + count;
            from += count;
            desk.report().unsorted += u64::from(!room.sorted);
            if room.line.is_none() {
                let why = || format!("the file has no room {:?}", room.id);
                for (line, _) in room.members.drain(..) {
                    desk.refuse(line, Some(Kind::Member), why());
                }
                let lost = self.messages.get(room.messages.clone()).unwrap_or_default();
                for spot in lost {
                    desk.refuse(spot.line, Some(Kind::Message), why());
                }
            }
        }
    }

    /// The messages of a room, oldest first.
    pub(super) fn messages_of(&self, room: &Room) -> &[Spot] {
        self.messages.get(room.messages.clone()).unwrap_or_default()
    }
}
