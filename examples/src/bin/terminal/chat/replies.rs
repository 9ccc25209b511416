//! What the server answers to what was typed.

use chat_core::commands::Join;
use chat_core::{Password, RoomId, Seq};
use chat_protocol::answer::{Message, Mode, MyRoom, Page, PresenceCard, RoomCard};
use chat_protocol::command::{Op, Place, Status};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Chat, Doing, Outcome, past};
use crate::screen::clock;

/// Messages that are shown of a room when one enters it.
const PAST_MESSAGES: u64 = 10;

impl Chat {
    /// Takes the answer to what is under way.
    pub(super) fn replied(&mut self, doing: Doing, answer: Value) -> Outcome {
        match doing {
            Doing::Begin => self.begin(read::<Page<MyRoom>>(answer)?),
            Doing::Rooms => {
                self.list_mine(&read::<Page<MyRoom>>(answer)?);
                let all = Op::Directory {
                    search: None,
                    cursor: None,
                    limit: None,
                };
                return self.ask(Doing::Directory, all);
            }
            Doing::Directory => self.list_others(&read::<Page<RoomCard>>(answer)?),
            Doing::Create(name) => {
                let room = number(&answer, "room").ok_or("the server names no room")?;
                self.rooms.insert(room, name.as_str().to_owned());
                self.enter(room);
            }
            Doing::Find { password } => {
                let card: RoomCard = read(answer)?;
                let wish = Join {
                    password: password.map(Password::new),
                };
                return self.wish(Doing::Join(Box::new(card.clone())), Some(card.id), wish);
            }
            Doing::Join(card) => {
                self.learn(&card);
                self.enter(card.id);
                // What is said after one's own joining comes by itself.
                let joined: Seq = number(&answer, "seq").unwrap_or_default();
                let before = past(card.id, Place::Before(joined), PAST_MESSAGES);
                return self.ask(Doing::History(card.id), before);
            }
            Doing::History(room) => self.show(room, &read::<Page<Message>>(answer)?),
            Doing::Leave(room) => self.left(room),
            Doing::Who(room) => {
                let present: Page<PresenceCard> = read(answer)?;
                let mut people: Vec<String> = present.items.iter().map(described).collect();
                people.sort();
                self.say(&format!(
                    "-- in {}: {}",
                    self.name_of(room),
                    people.join(", ")
                ));
            }
            Doing::Other("") => {}
            Doing::Other(words) => self.say(&format!("-- {words}")),
        }
        Ok(())
    }

    fn begin(&mut self, mine: Page<MyRoom>) {
        for it in mine.items {
            self.learn(&it.room);
            if it.unread > 0 {
                let name = self.name_of(it.room.id);
                self.say(&format!("-- {} unread in {name}", it.unread));
            }
        }
        match self.rooms.keys().next() {
            Some(room) => self.enter(*room),
            None => self.say("-- /rooms lists rooms, /join enters one, /help lists the rest"),
        }
    }

    /// Notes a room as one of mine.
    fn learn(&mut self, card: &RoomCard) {
        self.rooms.insert(card.id, title(card));
    }

    fn list_mine(&mut self, mine: &Page<MyRoom>) {
        for it in &mine.items {
            self.learn(&it.room);
            let unread = if it.unread > 0 {
                format!(", {} unread", it.unread)
            } else {
                String::new()
            };
            self.say(&format!("-- {}{unread} (yours)", entry(&it.room)));
        }
    }

    fn list_others(&self, listed: &Page<RoomCard>) {
        let others = listed
            .items
            .iter()
            .filter(|card| !self.rooms.contains_key(&card.id));
        others.for_each(|card| self.say(&format!("-- {}", entry(card))));
        if listed.items.is_empty() && self.rooms.is_empty() {
            self.say("-- there is no room yet: /create makes one");
        }
    }

    fn show(&self, room: RoomId, past: &Page<Message>) {
        let room = self.name_of(room);
        if !past.items.is_empty() {
            self.say(&format!("-- said in {room} before:"));
        }
        for it in &past.items {
            let name = it.by.name.as_ref().map_or("somebody", |name| name.as_str());
            let body = it
                .content
                .as_ref()
                .map_or("(deleted)", |content| content.body.as_str());
            self.say(&format!("{} {room} {name}: {body}", clock(it.at)));
        }
    }

    /// A room is no longer one of mine.
    pub(super) fn left(&mut self, room: RoomId) {
        if self.rooms.contains_key(&room) {
            self.say(&format!("-- you are no longer in {}", self.name_of(room)));
            self.rooms.remove(&room);
        }
        if self.current == Some(room) {
            self.current = None;
        }
    }
}

fn entry(card: &RoomCard) -> String {
    let lock = match card.access {
        Mode::Open => "",
        Mode::Password => ", password",
        Mode::Invite => ", by invitation",
        Mode::Groups => ", for groups",
    };
    format!(
        "{} {}: {} members{lock}",
        card.id,
        title(card),
        card.members
    )
}

fn title(card: &RoomCard) -> String {
    card.name.as_ref().map_or_else(
        || format!("room {}", card.id),
        |name| name.as_str().to_owned(),
    )
}

fn described(it: &PresenceCard) -> String {
    let name = it
        .user
        .name
        .as_ref()
        .map_or("somebody", |name| name.as_str());
    match (it.status, &it.text) {
        (Status::Online, _) => name.to_owned(),
        (Status::Away, Some(words)) if !words.as_str().is_empty() => {
            format!("{name} (away: {})", words.as_str())
        }
        (Status::Away, _) => format!("{name} (away)"),
    }
}

fn read<T: DeserializeOwned>(answer: Value) -> Result<T, String> {
    serde_json::from_value(answer)
        .map_err(|why| format!("the server answers in another way: {why}"))
}

fn number<T: TryFrom<u64>>(answer: &Value, name: &str) -> Option<T> {
    T::try_from(answer.get(name)?.as_u64()?).ok()
}
