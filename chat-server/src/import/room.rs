//! One room's life, as the file tells it: made, joined, talked in.
//!
//! Members join before they speak. Who spoke and isn't among the members that the file lists was one
//! once: he joins with his first line and has left when the story ends. Where the file lists no
//! members, whoever spoke with an account is one. Names without an account are guests.

use std::io::{Read, Seek};

use chat_core::commands::{
    CreateRoom, Entry, Invite, Join, Leave, Post, SetRole, TransferOwnership,
};
use chat_core::{
    Access, Actor, Cid, Name, Password, Role, Room as State, Seq, Text, Timestamp, UserId,
};

use super::file::Lines;
use super::line::{self, Kind, Line};
use super::outline::{Here, Outline, Room, Spot};
use super::people::People;
use super::report::{Desk, Note, Outcome};
use super::scribe::{Judged, Scribe};
use super::story::Story;
use super::{ImportError, Options, rooms};

/// Everything that the filling of a room takes.
pub(super) struct Work<'a, 'b, R> {
    pub(super) scribe: &'a mut Scribe<'b>,
    pub(super) people: &'a mut People<'b>,
    pub(super) lines: &'a mut Lines<R>,
    pub(super) desk: &'a mut Desk<'b>,
    pub(super) options: &'b Options,
}

/// Somebody who joins, and when.
struct Joiner {
    line: u64,
    actor: Actor,
    id: String,
    role: Option<Role>,
    at: Timestamp,
}

/// How far a message's time may lie ahead of ours: clocks differ.
const AHEAD_MS_MAX: u64 = 60_000;

impl<R: Read + Seek> Work<'_, '_, R> {
    /// Brings a room with its members and messages.
    pub(super) async fn fill(mut self, outline: &Outline, index: usize) -> Result<(), ImportError> {
        let Some(room) = outline.rooms.get(index) else {
            return Ok(());
        };
        let spots = outline.messages_of(room);
        let (Some((line, told)), Some(here)) = (&room.line, &room.here) else {
            if room.line.is_some() {
                self.lose(room, spots);
            }
            return Ok(());
        };
        self.scribe.open(here.id).await?;
        let (joiners, owner) = self.members(room, told, spots).await?;
        let heir = owner.clone().zip(told.owner.clone());
        let mut story = Story {
            id: room.id.clone(),
            listed: joiners.iter().map(|it| it.actor.id).collect(),
            lists_members: !room.members.is_empty(),
            ..Story::default()
        };
        if self.scribe.state().is_some() {
            self.recall(&mut story).await?;
        } else if !self
            .found(*line, told, here, owner, &joiners, spots)
            .await?
        {
            self.lose(room, spots);
            return Ok(());
        }
        self.tell(*line, &room.id, here);
        let mut joiners = joiners.into_iter().peekable();
        for spot in spots {
            while let Some(joiner) = joiners.next_if(|it| it.at <= spot.at) {
                self.join(&mut story, joiner).await?;
            }
            self.say(&mut story, spot).await?;
        }
        for joiner in joiners {
            self.join(&mut story, joiner).await?;
        }
        if let Some((owner, id)) = heir {
            self.bequeath(&mut story, &owner, &id).await?;
        }
        self.part(&story).await?;
        self.scribe.close().await
    }

    /// Refuses what belongs to a room that couldn't be made.
    fn lose(&mut self, room: &Room, spots: &[Spot]) {
        let why = "its room could not be made";
        for (line, _) in &room.members {
            self.desk.refuse(*line, Some(Kind::Member), why);
        }
        for spot in spots {
            self.desk.refuse(spot.line, Some(Kind::Message), why);
        }
    }

    /// Who joins, by time, and who owns the room.
    async fn members(
        &mut self,
        room: &Room,
        told: &line::Room,
        spots: &[Spot],
    ) -> Result<(Vec<Joiner>, Option<Actor>), ImportError> {
        let mut joiners: Vec<Joiner> = Vec::new();
        let mut owner = None;
        if let Some(id) = &told.owner {
            owner = self.people.find(id).await?;
        }
        let begin = begin(told, room, spots, self.options.now);
        for (line, member) in &room.members {
            let Some(actor) = self.people.find(&member.user).await? else {
                let why = format!("there is no user {:?}", member.user);
                self.desk.refuse(*line, Some(Kind::Member), why);
                continue;
            };
            if member.role == Some(Role::Owner) && told.owner.is_none() {
                owner = owner.or(Some(actor.clone()));
            }
            joiners.push(Joiner {
                line: *line,
                actor,
                id: member.user.clone(),
                role: member.role,
                at: member.joined_at.unwrap_or(begin).min(self.options.now),
            });
        }
        joiners.sort_by_key(|it| (it.at, it.line));
        Ok((joiners, owner))
    }

    /// Makes the room; whether that worked.
    async fn found(
        &mut self,
        line: u64,
        told: &line::Room,
        here: &Here,
        owner: Option<Actor>,
        joiners: &[Joiner],
        spots: &[Spot],
    ) -> Result<bool, ImportError> {
        let name = match Name::new(&told.name) {
            Ok(name) => name,
            Err(bad) => {
                self.desk.refuse(line, Some(Kind::Room), bad.to_string());
                return Ok(false);
            }
        };
        if let (Some(id), None) = (&told.owner, &owner) {
            let words = format!("there is no user {id:?} to own the room; the house owns it");
            self.desk.warn(line, words);
        }
        let is_in =
            |owner: &Actor| joiners.is_empty() || joiners.iter().any(|it| it.actor.id == owner.id);
        let join = owner.as_ref().is_some_and(is_in);
        let founder = match owner {
            Some(owner) => owner,
            None => self.scribe.actor(UserId::HOUSE).await?,
        };
        let command = CreateRoom {
            alias: here.alias.clone(),
            access: Some(match &told.access {
                line::Access::Open => Entry::Open,
                line::Access::Invite => Entry::Invite,
                line::Access::Password(password) => Entry::Password {
                    password: password.clone(),
                },
            }),
            listed: Some(told.listed),
            join,
            ..CreateRoom::named(name)
        };
        let earliest = [
            joiners.first().map(|it| it.at),
            spots.first().map(|it| it.at),
        ];
        let made = told.created_at.unwrap_or(self.options.now);
        let at = earliest.into_iter().flatten().fold(made, Timestamp::min);
        let at = at.min(self.options.now);
        let cid = rooms::founding(self.options.from, &told.id);
        match self.scribe.wish(&founder, at, cid, command).await? {
            Judged::Done(_) | Judged::Already => Ok(true),
            Judged::Refused(why) => {
                self.desk.refuse(line, Some(Kind::Room), why);
                Ok(false)
            }
        }
    }

    /// Finds in the log what earlier imports left there.
    async fn recall(&mut self, story: &mut Story) -> Result<(), ImportError> {
        story.began = self
            .scribe
            .state()
            .map(|it| it.head_seq)
            .unwrap_or_default();
        let from = self.options.from;
        self.scribe.log(|record| story.recall(from, record)).await
    }

    fn tell(&mut self, line: u64, id: &str, here: &Here) {
        let outcome = if here.is_made {
            Outcome::There
        } else {
            Outcome::Made
        };
        let alias = self.scribe.state().and_then(|it| it.alias.clone());
        let is_alias =
            |alias: &Name| Name::new(id).is_ok_and(|id| id.skeleton() == alias.skeleton());
        self.desk.done(Kind::Room, outcome);
        self.desk.tell(Note::Room {
            line,
            id: id.to_owned(),
            room: here.id,
            outcome,
            old_id_works: here.keeps_number || alias.as_ref().is_some_and(is_alias),
            alias,
        });
    }

    /// Makes somebody a member, in his role.
    async fn join(&mut self, story: &mut Story, joiner: Joiner) -> Result<(), ImportError> {
        let from = self.options.from;
        let (user, line) = (joiner.actor.id, joiner.line);
        let cid = from.cid("j", &joiner.id);
        let was_brought = story.knows(cid.as_ref());
        if !was_brought
            && let Judged::Refused(why) = self.enter(&joiner.actor, joiner.at, cid.clone()).await?
        {
            self.desk.refuse(line, Some(Kind::Member), why);
            return Ok(());
        }
        story.note(cid.as_ref());
        let since = self.member_since(user);
        let is_new = !was_brought && since.is_some_and(|since| since > story.began);
        let outcome = if is_new {
            Outcome::Made
        } else {
            Outcome::There
        };
        self.desk.done(Kind::Member, outcome);
        let owner = self.scribe.state().map(|it| it.owner);
        let role = match joiner.role {
            Some(Role::Owner) if owner != Some(user) => Role::Admin,
            Some(role @ (Role::Guest | Role::Moderator | Role::Admin)) => role,
            Some(Role::Member | Role::Owner) | None => return Ok(()),
        };
        let cid = from.cid("o", &joiner.id);
        if owner == Some(user) || since.is_none() || story.knows(cid.as_ref()) {
            return Ok(());
        }
        let owner = self.scribe.actor(owner.unwrap_or(UserId::HOUSE)).await?;
        let command = SetRole { user, role };
        story.note(cid.as_ref());
        if let Judged::Refused(why) = self.scribe.wish(&owner, joiner.at, cid, command).await? {
            self.desk
                .warn(line, format!("he is a member without his role: {why}"));
        }
        Ok(())
    }

    fn member_since(&self, user: UserId) -> Option<Seq> {
        Some(self.scribe.state()?.members.get(&user)?.since)
    }

    /// Joins, by whatever way the room leaves.
    async fn enter(
        &mut self,
        actor: &Actor,
        at: Timestamp,
        cid: Option<Cid>,
    ) -> Result<Judged, ImportError> {
        let Some(state) = self.scribe.state() else {
            return Ok(Judged::Refused("there is no room".into()));
        };
        let is_in = state.members.contains_key(&actor.id);
        let needs_invitation = match &state.access {
            Access::Open | Access::Password { hash: _ } => false,
            Access::Invite | Access::Groups { groups: _ } => !is_in && state.owner != actor.id,
        };
        if needs_invitation {
            let owner = self.scribe.actor(state.owner).await?;
            let command = Invite {
                user: actor.id,
                until: None,
            };
            if let refused @ Judged::Refused(_) =
                self.scribe.wish(&owner, at, None, command).await?
            {
                return Ok(refused);
            }
        }
        // Which password it was is nobody's business any more: that he knew it is a fact.
        let command = Join {
            password: Some(Password::new("known")),
        };
        self.scribe.wish(actor, at, cid, command).await
    }

    /// Brings a message.
    async fn say(&mut self, story: &mut Story, spot: &Spot) -> Result<(), ImportError> {
        match self.said(story, spot).await? {
            Ok(outcome) => self.desk.done(Kind::Message, outcome),
            Err(why) => self.desk.refuse(spot.line, Some(Kind::Message), why),
        }
        Ok(())
    }

    async fn said(
        &mut self,
        story: &mut Story,
        spot: &Spot,
    ) -> Result<Result<Outcome, String>, ImportError> {
        let from = self.options.from;
        let read = match self.lines.at(spot.offset)? {
            Ok(text) => line::read(from, text).ok().map(|read| read.line),
            Err(_) => None,
        };
        let Some(Line::Message(message)) = read else {
            return Ok(Err("the file was changed while it was read".into()));
        };
        let Some((key, cid)) = story.name(&message, from) else {
            return Ok(Err("it can't be named".into()));
        };
        if story.seen.contains(&key) {
            return Ok(Ok(Outcome::There));
        }
        if message.at > self.options.now.plus_ms(AHEAD_MS_MAX) {
            return Ok(Err("it was said in the future".into()));
        }
        let (user, name) = (message.user.as_deref(), message.name.as_deref());
        let actor = match self.people.speaker(&story.id, user, name).await? {
            Ok(actor) => actor,
            Err(why) => return Ok(Err(why)),
        };
        let Ok(body) = Text::new(message.body) else {
            return Ok(Err("a text may not contain NUL".into()));
        };
        let stands = |state: &State| state.own_role(actor.id).is_some();
        if !actor.id.is_guest() && !self.scribe.state().is_some_and(stands) {
            let passing = from.cid("a", &format!("{key:032x}"));
            if let Judged::Refused(why) = self.enter(&actor, message.at, passing).await? {
                return Ok(Err(why));
            }
            story.passing.extend(self.member_since(actor.id));
        }
        let command = Post {
            format: message.format,
            ..Post::plain(body)
        };
        Ok(
            match self
                .scribe
                .wish(&actor, message.at, Some(cid), command)
                .await?
            {
                Judged::Done(at) => {
                    story.seen.insert(key);
                    self.desk.report().late += u64::from(at > message.at);
                    Ok(Outcome::Made)
                }
                Judged::Already => Ok(Outcome::There),
                Judged::Refused(why) => Err(why),
            },
        )
    }

    /// Gives the room to its owner, who wasn't there yet when the house took it.
    async fn bequeath(
        &mut self,
        story: &mut Story,
        owner: &Actor,
        id: &str,
    ) -> Result<(), ImportError> {
        let cid = self.options.from.cid("w", id);
        let Some(state) = self.scribe.state() else {
            return Ok(());
        };
        let at = state.head_at;
        if state.owner != UserId::HOUSE || story.knows(cid.as_ref()) {
            return Ok(());
        }
        self.enter(owner, at, None).await?;
        story.listed.insert(owner.id);
        let house = self.scribe.actor(UserId::HOUSE).await?;
        let command = TransferOwnership { to: owner.id };
        self.scribe.wish(&house, at, cid, command).await?;
        Ok(())
    }

    /// Lets those leave who were members for their lines alone.
    async fn part(&mut self, story: &Story) -> Result<(), ImportError> {
        let Some(state) = self.scribe.state().filter(|_| story.lists_members) else {
            return Ok(());
        };
        let at = state.head_at;
        let passing: Vec<UserId> = state
            .members
            .iter()
            .filter(|(user, it)| story.passing.contains(&it.since) && !story.listed.contains(*user))
            .map(|(user, _)| *user)
            .collect();
        for user in passing {
            let actor = self.scribe.actor(user).await?;
            self.scribe.wish(&actor, at, None, Leave {}).await?;
        }
        Ok(())
    }
}

/// When a room began: it was made before anybody joined it, or spoke in it.
fn begin(told: &line::Room, room: &Room, spots: &[Spot], now: Timestamp) -> Timestamp {
    let joined = room.members.iter().filter_map(|(_, it)| it.joined_at);
    let said = spots.first().map(|it| it.at);
    let known = told.created_at.into_iter().chain(joined).chain(said);
    known.fold(now, Timestamp::min)
}
