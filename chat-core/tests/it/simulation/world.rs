//! The world: people with sessions, a clock that jumps, rooms that leave memory and come back.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::commands::CreateRoom;
use chat_core::{
    Actor, Cid, Command, Effect, Event, Key, Kind, Limits, Name, Record, RoomId, Signal, Timestamp,
    UserId,
};

use super::draw::{Around, Draw, PEOPLE, person, pick, span};
use super::oracle::{Oracle, somebody};
use crate::check::proofs;
use crate::check::shell::{Answer, Shell};
use crate::coverage;

/// The engine in its shell, and beside them the oracle.
pub(crate) struct World {
    shell: Shell,
    oracle: Oracle,
    now: u64,
    /// How far the clock has jumped back, until the next step that waits.
    skew: u64,
    suspended: BTreeSet<UserId>,
    /// Whose sessions hear which room, by the effects alone.
    attached: BTreeSet<(RoomId, UserId)>,
    rooms_max: u64,
    /// How fast time goes from step to step; 4 is about eight steps a second.
    pace: u64,
    story: Vec<String>,
}

impl Default for World {
    fn default() -> Self {
        Self::of(8, 1)
    }
}

impl World {
    /// A world of few rooms and much talk, in which logs grow long.
    pub(crate) fn of_much_talk() -> Self {
        Self::of(2, 32)
    }

    fn of(rooms_max: u64, pace: u64) -> Self {
        let limits = small_limits();
        let mut shell = Shell::default();
        shell.limit(limits.clone());
        let (rooms, blocks, visitors) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let mut world = Self {
            shell,
            oracle: Oracle {
                rooms,
                blocks,
                visitors,
                limits,
            },
            now: 1_000_000_000,
            skew: 0,
            suspended: BTreeSet::new(),
            attached: BTreeSet::new(),
            rooms_max,
            pace,
            story: Vec::new(),
        };
        let named = |name| CreateRoom::named(Name::new(name).unwrap());
        world.wish(world.shell.reserve(), PEOPLE[0], None, &named("den").into());
        let group = CreateRoom {
            kind: Some(Kind::Group),
            ..named("team")
        };
        world.wish(world.shell.reserve(), PEOPLE[1], None, &group.into());
        world
    }

    /// Takes all steps, and proves afterwards that the logs are the rooms.
    pub(crate) fn live(mut self, steps: &[Draw]) {
        for step in steps {
            self.step(*step);
            // Whoever waited for an end acts at that very moment.
            if step.what != "until" {
                self.now += u64::from(step.b) * self.pace / 4;
            }
        }
        for (id, log) in &self.shell.logs {
            let live = self.shell.room(*id).expect("a log has a room");
            proofs::prove(&live, log);
            assert_cids_have_one_effect(log);
        }
    }

    fn step(&mut self, draw: Draw) {
        let rooms = self.shell.logs.len() as u64;
        let nowhere = u64::from(draw.room == 15);
        let room = RoomId::new(u64::from(draw.room) % rooms + 1 + nowhere * rooms);
        let around = self.around(room);
        let user = match (draw.what, draw.who) {
            // The house speaks seldom, those who are in the room and its owner mostly.
            (_, 31) => UserId::HOUSE,
            ("decline", who @ 0..26) if !around.named.is_empty() => pick(&around.named, who),
            ("join" | "visit" | "decline" | "create" | "open", who) => person(who % 7),
            (_, who @ 0..26) if !around.members.is_empty() => pick(&around.members, who),
            (_, who) => person(who % 7),
        };
        let pair = (user, person(draw.a));
        match draw.what {
            "wait" => {
                self.now += span(draw.a);
                self.skew = 0;
            }
            "back" => self.skew = span(draw.a),
            "until" => self.wait_for_an_end(room, draw.a),
            "unload" => drop(self.shell.engine.unload(room)),
            "snapshot" => self.reload_from_snapshot(room),
            "forget" => self.shell.engine.directory_mut().forget(room),
            "attend" => self.attend(room, user),
            "depart" => self.depart(room, user),
            "block" => {
                self.shell.blocks.insert(pair);
                self.oracle.blocks.insert(pair);
            }
            "unblock" => {
                self.shell.blocks.remove(&pair);
                self.oracle.blocks.remove(&pair);
            }
            "suspend" => {
                self.suspended.insert(user);
            }
            "restore" => {
                self.suspended.clear();
            }
            // A world without rooms would be a dull one.
            "delete_room" if draw.a < 170 => {}
            _ => {
                let command = draw.command(&around);
                if command.creates() && rooms >= self.rooms_max {
                    return;
                }
                let room = if command.creates() {
                    self.shell.reserve()
                } else {
                    room
                };
                let cid = draw.cid.map(|cid| Cid::new(format!("c{cid}")).unwrap());
                self.wish(room, user, cid, &command);
            }
        }
    }

    /// Asks engine and oracle, and compares their answers.
    fn wish(&mut self, room: RoomId, user: UserId, cid: Option<Cid>, command: &Command) {
        let at = Timestamp::new(self.now - self.skew);
        let actor = Actor {
            suspended: self.suspended.contains(&user),
            ..somebody(user)
        };
        let foreseen = self.oracle.predict(room, &actor, at, cid.as_ref(), command);
        let answer = self
            .shell
            .ask(room, &actor, at, cid.clone(), command.clone());
        let cid = cid.map_or(String::new(), |cid| format!(" ({cid})"));
        self.story.push(format!(
            "{at} {user} in {room}{cid}: {command:?}\n    {answer:?}"
        ));
        assert_eq!(
            answer,
            foreseen,
            "the engine, and the oracle\n{}",
            self.told()
        );
        coverage::note(command.name(), &answer);
        match answer {
            Answer::Fact(record) => self.follow(&record, command),
            Answer::Signal(Signal::Visited) => {
                self.oracle.visitors.insert((room, user));
                self.attached.insert((room, user));
            }
            Answer::Signal(_)
            | Answer::Repeat(..)
            | Answer::Refused(_)
            | Answer::NameTaken
            | Answer::NumberTaken => {}
        }
        assert_eq!(self.shell.visitors, self.oracle.visitors, "{}", self.told());
    }

    /// Does what a record's effects say, and asks of everybody who hears it whether he may.
    fn follow(&mut self, record: &Record, command: &Command) {
        let room = record.room;
        let muted = self.oracle.is_muted(room, record.by.id, record.at);
        let silent = matches!(
            record.event,
            Event::Joined(_) | Event::Left(_) | Event::InviteDeclined(_)
        );
        assert!(
            !muted || silent,
            "a muted member authors nothing\n{}",
            self.told()
        );
        let heard_before: BTreeSet<UserId> = self.hearers(room);
        self.oracle.note(record.clone(), command.clone());
        let state = self
            .shell
            .engine
            .room(room)
            .expect("a room that was written to");
        proofs::assert_sound(state, record);
        for effect in record.effects().iter() {
            match effect {
                Effect::Attach(user) => {
                    self.attached.insert((room, user));
                }
                Effect::Detach(user) => {
                    self.attached.remove(&(room, user));
                }
                Effect::Broadcast => {
                    let may = &self.hearers(room) | &heard_before;
                    let attached = self.attached.iter().filter(|(id, _)| *id == room);
                    let strangers: Vec<_> =
                        attached.filter(|(_, user)| !may.contains(user)).collect();
                    assert!(
                        strangers.is_empty(),
                        "{strangers:?} hear it\n{}",
                        self.told()
                    );
                }
                Effect::Notify(_) => {}
                Effect::Regrant(user) => self.rejudge(room, Some(user)),
                Effect::Rejudge => {
                    let hearers = self.hearers(room);
                    self.attached
                        .retain(|(id, user)| *id != room || hearers.contains(user));
                }
                Effect::Close => {
                    self.attached.retain(|(id, _)| *id != room);
                    self.rejudge(room, None);
                }
            }
        }
        let hearers = self.hearers(room);
        let deaf = self
            .attached
            .iter()
            .filter(|(id, user)| *id == room && !hearers.contains(user));
        assert_eq!(
            deaf.count(),
            0,
            "somebody stays who may not hear\n{}",
            self.told()
        );
    }

    /// Judges again who hears rooms by a role that this group gives.
    fn rejudge(&mut self, group: RoomId, user: Option<UserId>) {
        let (oracle, at) = (&self.oracle, Timestamp::new(self.now));
        self.attached.retain(|(room, who)| {
            let concerned = user.is_none_or(|user| user == *who);
            !concerned || !oracle.grants_to(*room, group) || oracle.hears(*room, *who, at)
        });
    }

    /// Who of those that are attached may hear the room at this moment.
    fn hearers(&self, room: RoomId) -> BTreeSet<UserId> {
        let at = Timestamp::new(self.now);
        let attached = self.attached.iter().filter(|(id, _)| *id == room);
        let users = attached.map(|(_, user)| *user);
        users
            .filter(|user| self.oracle.hears(room, *user, at))
            .collect()
    }

    fn attend(&mut self, room: RoomId, user: UserId) {
        if self.oracle.hears(room, user, Timestamp::new(self.now)) {
            self.attached.insert((room, user));
        }
    }

    fn depart(&mut self, room: RoomId, user: UserId) {
        self.attached.remove(&(room, user));
        self.shell.visitors.remove(&(room, user));
        self.oracle.visitors.remove(&(room, user));
    }

    fn reload_from_snapshot(&mut self, room: RoomId) {
        if let Some(room) = self.shell.engine.unload(room) {
            let snapshot = serde_json::to_string(&room).unwrap();
            self.shell
                .engine
                .load(serde_json::from_str(&snapshot).unwrap());
        }
    }

    /// Waits until something ends in the room, or until just before.
    fn wait_for_an_end(&mut self, room: RoomId, which: u8) {
        let Some(room) = self.shell.room(room) else {
            return;
        };
        let lasting = room.bans.values().chain(room.invites.values());
        let ends = lasting.flatten().chain(room.mutes.values());
        let ends: Vec<u64> = ends.map(|until| until.number()).collect();
        if !ends.is_empty() {
            let end = pick(&ends, which) - u64::from(which > 200);
            self.now = self.now.max(end);
            self.skew = 0;
        }
    }

    fn around(&self, room: RoomId) -> Around {
        let log = self.shell.logs.get(&room).into_iter().flatten();
        let posts = log.filter(|record| matches!(record.event, Event::Posted(_)));
        let mut around = Around {
            messages: posts.map(|record| record.seq).collect(),
            members: Vec::new(),
            named: Vec::new(),
            rooms: self.shell.logs.len() as u64,
            now: self.now,
        };
        if let Some(room) = self.shell.room(room) {
            let others = room.members.keys().filter(|user| **user != room.owner);
            let others = others.flat_map(|user| [room.owner, *user]);
            around.members = others.chain([room.owner]).collect();
            let named = room.bans.keys().chain(room.mutes.keys());
            around.named = named.chain(room.invites.keys()).copied().collect();
        }
        around
    }

    /// The steps up to here.
    fn told(&self) -> String {
        self.story.join("\n")
    }
}

fn assert_cids_have_one_effect(log: &[Record]) {
    let mut used = BTreeSet::new();
    for key in log.iter().flat_map(Record::keys) {
        if matches!(key, Key::Command(..)) {
            assert!(used.insert(key.clone()), "{key:?} had two effects");
        }
    }
}

/// Limits that a small world reaches.
fn small_limits() -> Limits {
    let mut limits = Limits::default();
    limits.body_bytes_max = 20;
    limits.mentions_max = 2;
    limits.reactions_distinct_max = 2;
    limits.reactions_max = 3;
    limits.pins_max = 2;
    limits.group_members_max = 4;
    limits.channel_members_max = 5;
    limits.invites_max = 2;
    limits.bans_max = 2;
    limits.grants_max = 2;
    limits.rooms_joined_max = 5;
    limits.rooms_created_a_day_max = 4;
    limits.posts_burst = 3;
    limits
}
