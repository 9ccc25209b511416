//! The conversation: what was typed, one line after the other, and what is heard meanwhile.

use std::collections::{BTreeMap, VecDeque};

use chat_core::commands::{CreateRoom, Leave, Post, SetNickname};
use chat_core::{Command, Name, RoomId, Text, UserId};
use chat_examples::{Connection, draw_cid};
use chat_protocol::answer::RoomCard;
use chat_protocol::command::{History, Op, Place, Status};
use chat_protocol::{RoomRef, Spelling};

use super::identity::Renewal;
use super::line::{HELP, Line};
use super::screen::Screen;

mod news;
mod replies;

pub(crate) struct Chat {
    pub(crate) connection: Connection,
    renewal: Renewal,
    screen: Screen,
    me: Option<UserId>,
    /// My rooms, by the names that they are shown under.
    rooms: BTreeMap<RoomId, String>,
    current: Option<RoomId>,
    /// What people are called, for events that name them by number.
    people: BTreeMap<UserId, String>,
    /// What was typed and isn't done yet. One line is under way at a time, so they keep their
    /// order, also where one has to wait for the server.
    typed: VecDeque<String>,
    doing: Option<(u64, Doing)>,
    state: State,
    /// Whether the person was told that the server is away.
    away: bool,
}

/// What the reply that is waited for will mean.
pub(crate) enum Doing {
    Begin,
    Rooms,
    Directory,
    Create(Name),
    Find { password: Option<String> },
    Join(Box<RoomCard>),
    History(RoomId),
    Leave(RoomId),
    Who(RoomId),
    Other(&'static str),
}

#[derive(PartialEq, Eq)]
enum State {
    Talking,
    /// Nothing more is typed; what was typed is still to be done.
    Ending,
    Over,
}

pub(crate) type Outcome = Result<(), String>;

impl Chat {
    pub(crate) fn new(connection: Connection, renewal: Renewal, screen: Screen) -> Self {
        Self {
            connection,
            renewal,
            screen,
            me: None,
            rooms: BTreeMap::new(),
            current: None,
            people: BTreeMap::new(),
            typed: VecDeque::new(),
            doing: None,
            state: State::Talking,
            away: false,
        }
    }

    pub(crate) fn listens(&self) -> bool {
        self.state == State::Talking
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    pub(crate) fn end(self) -> Screen {
        self.say("-- bye");
        self.screen
    }

    fn say(&self, words: &str) {
        self.screen.print(words);
    }

    /// Takes a line of the person; none at the end of them.
    pub(crate) fn typed(&mut self, line: Option<String>) {
        let Some(line) = line else {
            self.state = State::Ending;
            return;
        };
        match Line::read(&line) {
            Line::Help => return self.say(HELP),
            Line::Quit => return self.quit(line),
            Line::Words(_)
            | Line::Rooms
            | Line::Create(_)
            | Line::Join { .. }
            | Line::Switch(_)
            | Line::Leave
            | Line::History(_)
            | Line::Who
            | Line::Nick(_)
            | Line::Away(_)
            | Line::Back
            | Line::Me
            | Line::Nothing
            | Line::Unclear => {}
        }
        if self.away {
            self.say("-- kept until the server is back");
        }
        self.typed.push_back(line);
    }

    /// Ends when everything is done; at once if that may take long and is meant.
    fn quit(&mut self, line: String) {
        let idle = self.typed.is_empty() && self.doing.is_none();
        if idle || self.connection.is_open() {
            self.state = State::Ending;
        } else if self.typed.back() == Some(&line) {
            self.state = State::Over;
        } else {
            self.say("-- not everything is sent yet; once more to end without");
            self.typed.push_back(line);
        }
    }

    /// Begins with the next line, once nothing else is under way.
    pub(crate) fn proceed(&mut self) -> Outcome {
        while self.doing.is_none() && self.me.is_some() {
            let Some(line) = self.typed.pop_front() else {
                break;
            };
            self.act(&Line::read(&line))?;
        }
        if self.state == State::Ending && self.doing.is_none() && self.typed.is_empty() {
            self.state = State::Over;
        }
        Ok(())
    }

    fn act(&mut self, line: &Line<'_>) -> Outcome {
        match line {
            Line::Rooms => return self.ask(Doing::Rooms, Op::Rooms { after: None }),
            Line::Create(name) => match Name::new(name) {
                Ok(name) => {
                    let alias = Some(name.clone());
                    let wish = CreateRoom {
                        alias,
                        ..CreateRoom::named(name.clone())
                    };
                    return self.wish(Doing::Create(name), None, wish);
                }
                Err(why) => self.say(&format!("-- {why}")),
            },
            Line::Join { room, password } => match self.mine(room) {
                Some(room) => self.enter(room),
                None => {
                    let password = password.map(str::to_owned);
                    let room = RoomRef::read(Spelling::Number, room);
                    return self.ask(Doing::Find { password }, Op::Room { room });
                }
            },
            Line::Switch(room) => match self.mine(room) {
                Some(room) => self.enter(room),
                None => self.say("-- not one of your rooms: /join enters others"),
            },
            Line::Me => self.say(&self.who_am_i()),
            Line::Away(words) => {
                let (status, text) = (Status::Away, Text::new(*words).ok());
                return self.ask(Doing::Other("you are away"), Op::SetStatus { status, text });
            }
            Line::Back => {
                let (status, text) = (Status::Online, None);
                return self.ask(Doing::Other("you are back"), Op::SetStatus { status, text });
            }
            Line::Help => self.say(HELP),
            Line::Quit => self.state = State::Ending,
            Line::Unclear => self.say("-- there is no such command: /help lists them"),
            Line::Nothing => {}
            Line::Words(_) | Line::Leave | Line::History(_) | Line::Who | Line::Nick(_) => {
                match self.current {
                    Some(room) => return self.act_in(room, line),
                    None => self.say("-- you are in no room: /rooms lists them, /join enters one"),
                }
            }
        }
        Ok(())
    }

    /// Does what concerns the current room.
    fn act_in(&mut self, room: RoomId, line: &Line<'_>) -> Outcome {
        match line {
            Line::Words(words) => match Text::new(*words) {
                Ok(body) => return self.wish(Doing::Other(""), Some(room), Post::plain(body)),
                Err(why) => self.say(&format!("-- {why}")),
            },
            Line::Leave => return self.wish(Doing::Leave(room), Some(room), Leave {}),
            Line::History(count) => {
                return self.ask(Doing::History(room), past(room, Place::Newest, *count));
            }
            Line::Who => {
                let asked = Op::Presence {
                    room: room.into(),
                    after: None,
                };
                return self.ask(Doing::Who(room), asked);
            }
            Line::Nick(name) => match Name::new(name) {
                Ok(name) => {
                    let wish = SetNickname {
                        nickname: Some(name),
                    };
                    return self.wish(Doing::Other(""), Some(room), wish);
                }
                Err(why) => self.say(&format!("-- {why}")),
            },
            Line::Rooms
            | Line::Create(_)
            | Line::Join { .. }
            | Line::Switch(_)
            | Line::Away(_)
            | Line::Back
            | Line::Me
            | Line::Help
            | Line::Quit
            | Line::Nothing
            | Line::Unclear => {}
        }
        Ok(())
    }

    fn wish(&mut self, doing: Doing, room: Option<RoomId>, wish: impl Into<Command>) -> Outcome {
        let asked = self.connection.command(room, draw_cid(), wish);
        self.doing = Some((asked.map_err(|why| why.to_string())?, doing));
        Ok(())
    }

    fn ask(&mut self, doing: Doing, op: Op) -> Outcome {
        let asked = self.connection.ask(op);
        self.doing = Some((asked.map_err(|why| why.to_string())?, doing));
        Ok(())
    }

    /// The room of mine that is meant: by the name it is shown under, or by number.
    fn mine(&self, words: &str) -> Option<RoomId> {
        let is_meant = |(id, name): &(&RoomId, &String)| *name == words || id.to_string() == words;
        self.rooms.iter().find(is_meant).map(|(id, _)| *id)
    }

    fn enter(&mut self, room: RoomId) {
        self.current = Some(room);
        self.say(&format!("-- you are in {}", self.name_of(room)));
    }

    fn name_of(&self, room: RoomId) -> String {
        self.rooms
            .get(&room)
            .cloned()
            .unwrap_or_else(|| format!("room {room}"))
    }

    fn person(&self, user: UserId) -> String {
        self.people
            .get(&user)
            .cloned()
            .unwrap_or_else(|| format!("user {user}"))
    }

    fn who_am_i(&self) -> String {
        let name = self.me.map(|me| self.person(me)).unwrap_or_default();
        let place = self
            .current
            .map(|room| format!(", in {}", self.name_of(room)));
        format!("-- you are {name}{}", place.unwrap_or_default())
    }
}

/// What was said in a room.
fn past(room: RoomId, place: Place, limit: u64) -> Op {
    Op::History(History {
        room: room.into(),
        place,
        thread: None,
        limit: Some(limit),
    })
}
