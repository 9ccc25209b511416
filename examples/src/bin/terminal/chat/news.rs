//! What is heard without being asked for: people, and the connection itself.

use chat_core::{Author, Event, Name, RoomId, UserId};
use chat_protocol::client::Output;
use chat_protocol::code::Code;
use chat_protocol::command::Op;
use chat_protocol::event::Heard;
use serde_json::Value;

use super::{Chat, Doing, Outcome};
use crate::screen::clock;

impl Chat {
    /// Takes the next thing that the connection gives.
    pub(crate) async fn hear(&mut self, output: Output) -> Outcome {
        match output {
            Output::Welcome(welcome) => return self.welcomed(&welcome),
            Output::Unwelcome(refused) if refused.known() == Some(Code::TokenExpired) => {
                let token = self.renewal.renew().await;
                self.connection
                    .refresh(token.ok_or("the token has expired: log in again")?);
            }
            Output::Unwelcome(refused) => {
                self.say(&format!("-- the server refuses: {}", refused.msg));
            }
            Output::TokenExpiring { .. } => {
                if let Some(token) = self.renewal.renew().await {
                    self.connection.refresh(token);
                }
            }
            Output::Event(heard) => self.heard(&heard),
            Output::Reply { id, result } => {
                if let Some((_, doing)) = self.doing.take_if(|(asked, _)| *asked == id) {
                    return match result {
                        Ok(answer) => self.replied(doing, answer),
                        Err(refused) => {
                            self.say(&format!("-- refused: {}", refused.msg));
                            Ok(())
                        }
                    };
                }
            }
            Output::Reset { room, .. } => {
                let room = self.name_of(room);
                self.say(&format!(
                    "-- part of what was said in {room} was missed: /history shows it"
                ));
            }
            Output::Gone { room } => self.left(room),
            Output::Reconnect { .. } => {
                if !std::mem::replace(&mut self.away, true) {
                    self.say("-- the server is away; trying until it is back");
                }
            }
            Output::Stop { code } => self.say(&format!("-- the connection has ended ({code})")),
            Output::Send(_) | Output::Signal(_) | Output::Synced { .. } => {}
        }
        Ok(())
    }

    fn welcomed(&mut self, welcome: &Value) -> Outcome {
        let user = welcome.get("user").cloned().unwrap_or_default();
        let user: Author = serde_json::from_value(user).map_err(|why| why.to_string())?;
        let known = self.me.replace(user.id) == Some(user.id);
        self.note(&user);
        self.away = false;
        if known {
            self.say("-- connected again; what was missed follows");
            return Ok(());
        }
        self.say(&format!("-- connected as {}", self.person(user.id)));
        self.ask(Doing::Begin, Op::Rooms { after: None })
    }

    fn note(&mut self, author: &Author) -> String {
        if let Some(name) = &author.name {
            self.people.insert(author.id, name.as_str().to_owned());
        }
        self.person(author.id)
    }

    fn heard(&mut self, heard: &Heard) {
        let who = self.note(&heard.by);
        let (time, room) = (clock(heard.at), heard.room);
        let what = match &heard.event {
            Some(event) => self.told(&who, event),
            // From a server that is younger than this program.
            None => format!("* {who}: {}", heard.name),
        };
        if let Some(Event::RoomCreated(it)) = &heard.event {
            self.named(room, it.name.as_ref());
        } else if let Some(Event::RoomUpdated(it)) = &heard.event {
            self.named(room, it.name.as_ref());
        }
        self.say(&format!("{time} {} {what}", self.name_of(room)));
        if let Some(Event::Kicked(it)) = &heard.event {
            self.lost(room, it.user);
        } else if let Some(Event::Banned(it)) = &heard.event {
            self.lost(room, it.user);
        }
    }

    fn named(&mut self, room: RoomId, name: Option<&Name>) {
        if let Some(name) = name {
            self.rooms.insert(room, name.as_str().to_owned());
        }
    }

    fn lost(&mut self, room: RoomId, user: UserId) {
        if self.me == Some(user) {
            self.left(room);
        }
    }

    /// An event in a few words.
    fn told(&self, who: &str, event: &Event) -> String {
        match event {
            Event::Posted(it) => {
                let body = it
                    .content
                    .as_ref()
                    .map_or("(deleted)", |content| content.body.as_str());
                format!("{who}: {body}")
            }
            Event::Joined(_) => format!("* {who} joined"),
            Event::Left(_) => format!("* {who} left"),
            Event::Kicked(it) => format!("* {who} removed {}", self.person(it.user)),
            Event::Banned(it) => format!("* {who} banned {}", self.person(it.user)),
            Event::Muted(it) => format!("* {who} muted {}", self.person(it.user)),
            Event::Invited(it) => format!("* {who} invited {}", self.person(it.user)),
            Event::RoleChanged(it) => {
                let role = format!("{:?}", it.role).to_lowercase();
                format!("* {who} made {} {role}", self.person(it.user))
            }
            Event::NicknameChanged(it) => match &it.nickname {
                Some(name) => format!("* {who} is called {} here", name.as_str()),
                None => format!("* {who} goes by the usual name"),
            },
            Event::Edited(it) => {
                let body = it
                    .content
                    .as_ref()
                    .map_or("", |content| content.body.as_str());
                format!("* {who} edited message {}: {body}", it.message)
            }
            Event::Deleted(it) => format!("* {who} deleted message {}", it.message),
            Event::Reacted(it) => format!("* {who} reacts: {}", it.reaction.as_str()),
            Event::RoomCreated(_) => format!("* {who} made the room"),
            Event::RoomUpdated(_)
            | Event::AccessChanged(_)
            | Event::GrantChanged(_)
            | Event::RoomArchived(_)
            | Event::RoomUnarchived(_)
            | Event::RoomTrimmed(_)
            | Event::RoomDeleted(_)
            | Event::OwnershipTransferred(_)
            | Event::InviteRevoked(_)
            | Event::InviteDeclined(_)
            | Event::Unbanned(_)
            | Event::Unmuted(_)
            | Event::Unreacted(_)
            | Event::Pinned(_)
            | Event::Unpinned(_) => format!("* {who}: {}", event.name().replace('_', " ")),
        }
    }
}
