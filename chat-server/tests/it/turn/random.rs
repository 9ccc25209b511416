//! Worlds drawn from seeds. `SEED=n` runs one of them again, `SEEDS=n` runs so many.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::commands::{
    Ban, CreateRoom, Delete, Edit, Entry, Invite, Join, Kick, Leave, MarkRead, OpenDirect, Post,
    SetAccess, SetGrant, TransferOwnership, Typing, Unban, UpdateRoom, Visit,
};
use chat_core::{
    Cid, Command, Idx, Kind, Name, Password, Permission, Record, Role, RoomId, Seq, Text, UserId,
};
use chat_server::mail::{Look, Refused, Reply, SessionKey, Wish};

use super::dice::Dice;
use super::laws;
use super::world::{Fault, Shape, World};

/// A session, and what it remembers.
struct Client {
    session: SessionKey,
    user: UserId,
    /// Visits and attachments whose answers are still to come.
    entering: BTreeMap<RoomId, usize>,
    visited: BTreeSet<RoomId>,
}

/// A command under one cid, and each mail that carried it.
struct Errand {
    user: UserId,
    room: Option<RoomId>,
    cid: Option<Cid>,
    command: Command,
    mails: Vec<usize>,
}

struct Story {
    dice: Dice,
    world: World,
    clients: Vec<Client>,
    errands: Vec<Errand>,
    visits: BTreeSet<(RoomId, UserId)>,
}

const STEPS: usize = 260;
const USERS: u64 = 4;
const GUESTS: u64 = 2;

#[test]
fn whatever_fails_everybody_is_answered_once_and_hears_the_log() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|it| it.parse::<u64>().unwrap())
    };
    let seeds = match (number("SEED"), number("SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(count)) => 0..count,
        (None, None) => 0..300,
    };
    for seed in seeds {
        let run = std::panic::catch_unwind(|| Story::new(seed).run());
        if let Err(cause) = run {
            eprintln!("SEED={seed} tells this story again");
            std::panic::resume_unwind(cause);
        }
    }
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let shape = if dice.chance(60) {
            Shape::Workers
        } else {
            Shape::Nodes
        };
        let places = 1 + dice.below(3);
        let waiting_max = if dice.chance(20) { 6 } else { 1_000 };
        let users = (1..=USERS).map(UserId::new);
        let users = users.chain((0..GUESTS).map(UserId::guest));
        let mut clients = Vec::new();
        for user in users {
            for _ in 0..=dice.below(2) {
                let session = SessionKey {
                    worker: dice.below(places),
                    number: clients.len() as u64 + 1,
                };
                clients.push(Client {
                    session,
                    user,
                    entering: BTreeMap::new(),
                    visited: BTreeSet::new(),
                });
            }
        }
        Self {
            world: World::new(shape, places, waiting_max),
            dice,
            clients,
            errands: Vec::new(),
            visits: BTreeSet::new(),
        }
    }

    fn run(mut self) {
        for _ in 0..STEPS {
            self.step();
        }
        self.finish();
        let users: Vec<UserId> = self.clients.iter().map(|it| it.user).collect();
        let rooms = self.rooms();
        laws::all_is_answered_in_order(&self.world);
        laws::live_is_replayed(&self.world);
        if self.world.shape == Shape::Workers {
            laws::groups_are_known_as_they_are(&self.world, &users, &rooms);
        }
        laws::seats_are_known_and_deserved(&mut self.world, &self.visits);
        for errand in &self.errands {
            errand.is_told_the_truth(&self.world, &rooms);
        }
        self.leave();
        laws::nothing_is_left(&mut self.world);
        laws::all_is_answered_in_order(&self.world);
    }

    fn step(&mut self) {
        self.world.now = self.world.now.plus_ms(self.dice.draw() % 30);
        match self.dice.below(100) {
            0..45 => self.client_acts(),
            45..52 => self.try_again(),
            52..78 => self.place_acts(),
            78..90 => self.question_is_answered(),
            _ => {
                let wires: Vec<_> = self.world.wires.keys().copied().collect();
                if let Some(wire) = self.dice.pick(&wires) {
                    self.world.carry(*wire);
                }
            }
        }
        self.notice();
    }

    fn place_acts(&mut self) {
        let place = self.dice.below(self.world.places.len());
        if self.world.is_appending(place) {
            return self.world.settle(place);
        }
        if self.dice.chance(3) {
            let now = self.world.now;
            self.world.places[place].turn.sweep(now, 0);
        }
        let most = 1 + self.dice.below(8);
        self.world.take(place, most);
        let fault = match self.dice.below(20) {
            0 => Fault::Before,
            1 => Fault::After,
            _ => Fault::None,
        };
        self.world.append(place, fault);
    }

    fn question_is_answered(&mut self) {
        let place = self.dice.below(self.world.places.len());
        let count = self.world.places[place].questions.len();
        if count > 0 {
            let (at, fails) = (self.dice.below(count), self.dice.chance(4));
            self.world.answer(place, at, fails);
        }
    }

    fn client_acts(&mut self) {
        let at = self.dice.below(self.clients.len());
        let (session, user) = (self.clients[at].session, self.clients[at].user);
        let rooms = self.rooms();
        let room = self.dice.pick(&rooms).copied().unwrap_or(RoomId::new(1));
        let entering = self.clients[at].entering.contains_key(&room);
        match self.dice.below(20) {
            0..2 => {
                let command = self.creation();
                self.errand(at, None, command);
            }
            2..5 if !entering => {
                let mail = self.world.send(room, user, Some(session), Wish::Attach);
                self.clients[at].entering.insert(room, mail);
            }
            5 if !entering => self.detach(at, room),
            6 if !entering && user.is_guest() => {
                let visit = Visit { password: None };
                let wish = Wish::Command {
                    command: visit.into(),
                    cid: None,
                    used: None,
                };
                let mail = self.world.send(room, user, Some(session), wish);
                self.clients[at].entering.insert(room, mail);
            }
            7 => {
                let look = match self.dice.below(5) {
                    0 => Look::View,
                    1 => Look::May(Permission::Post),
                    2 => Look::Presence,
                    3 => Look::People,
                    _ => Look::Explain {
                        permission: Permission::Post,
                        user: Some(UserId::new(1)),
                    },
                };
                let from = self.dice.chance(70).then_some(session);
                self.world.send(room, user, from, Wish::Look(look));
            }
            8 => {
                // A number that may be kept for a room which isn't made yet.
                let next = rooms.last().map_or(1, |it| it.number()) + self.dice.draw() % 3;
                let body = Text::new("is anybody here?").unwrap();
                self.errand(at, Some(RoomId::new(next)), Post::plain(body).into());
            }
            _ => {
                let command = self.command(&rooms);
                self.errand(at, Some(room), command);
            }
        }
    }

    fn creation(&mut self) -> Command {
        if self.dice.chance(25) {
            let user = self.user();
            return OpenDirect { user }.into();
        }
        let mut room = CreateRoom::named(Name::new("den").unwrap());
        if self.dice.chance(30) {
            let alias = format!("alias {}", self.dice.below(3));
            room.alias = Some(Name::new(&alias).unwrap());
        }
        if self.dice.chance(30) {
            room.kind = Some(Kind::Group);
        }
        if self.dice.chance(15) {
            let password = Password::new("sesame");
            room.access = Some(Entry::Password { password });
        }
        room.into()
    }

    fn command(&mut self, rooms: &[RoomId]) -> Command {
        let user = self.user();
        let message = Seq::new(1 + self.dice.draw() % 12);
        let body = || Text::new("hello").unwrap();
        let reason = None;
        let until = None;
        match self.dice.below(30) {
            0..6 => Join {
                password: self.dice.chance(50).then(|| Password::new("sesame")),
            }
            .into(),
            6..8 => Leave {}.into(),
            8..10 => Kick { user, reason }.into(),
            10 => Ban {
                user,
                until,
                reason,
            }
            .into(),
            11 => Unban { user }.into(),
            12 => Invite { user, until }.into(),
            13 => Typing { on: true }.into(),
            14 => MarkRead { idx: Idx::new(1) }.into(),
            15 => Edit::plain(message, body()).into(),
            16 => Delete { message }.into(),
            17..19 => {
                let group = self.dice.pick(rooms).copied().unwrap_or(RoomId::new(1));
                let role = self.dice.chance(80).then_some(Role::Member);
                SetGrant { group, role }.into()
            }
            19 => UpdateRoom {
                alias: Some(Name::new(&format!("alias {}", self.dice.below(3))).unwrap()),
                ..UpdateRoom::default()
            }
            .into(),
            20 => {
                let password = Password::new("sesame");
                let access = if self.dice.chance(50) {
                    Entry::Password { password }
                } else {
                    Entry::Open
                };
                SetAccess {
                    access: Some(access),
                    ..SetAccess::default()
                }
                .into()
            }
            21 => TransferOwnership { to: user }.into(),
            _ => Post::plain(body()).into(),
        }
    }

    /// Sends a command, mostly under a cid.
    fn errand(&mut self, at: usize, room: Option<RoomId>, command: Command) {
        let drawn = format!("c{}", self.errands.len());
        let cid = self.dice.chance(85).then(|| Cid::new(drawn).unwrap());
        self.errands.push(Errand {
            user: self.clients[at].user,
            room,
            cid,
            command,
            mails: Vec::new(),
        });
        let errand = self.errands.len() - 1;
        self.carry_out(errand, Some(self.clients[at].session));
    }

    fn carry_out(&mut self, at: usize, from: Option<SessionKey>) {
        let errand = &mut self.errands[at];
        let room = errand.room.unwrap_or_else(|| self.world.reserve());
        let wish = Wish::Command {
            command: errand.command.clone(),
            cid: errand.cid.clone(),
            used: None,
        };
        let mail = self.world.send(room, errand.user, from, wish);
        errand.mails.push(mail);
    }

    /// Sends an errand once more, by any session of its user: because it failed, or for no reason.
    fn try_again(&mut self) {
        let again: Vec<usize> = (0..self.errands.len())
            .filter(|at| self.errands[*at].cid.is_some())
            .collect();
        if let Some(at) = self.dice.pick(&again).copied() {
            let user = self.errands[at].user;
            let sessions: Vec<_> = self.clients.iter().filter(|it| it.user == user).collect();
            let from = self.dice.pick(&sessions).map(|it| it.session);
            self.carry_out(at, from);
        }
    }

    /// Lets the clients note what was said to them.
    fn notice(&mut self) {
        for client in &mut self.clients {
            let sent = &self.world.sent;
            let done: Vec<(RoomId, usize)> = client
                .entering
                .iter()
                .filter(|(_, mail)| sent[**mail].outcome.is_some())
                .map(|(room, mail)| (*room, *mail))
                .collect();
            for (room, mail) in done {
                client.entering.remove(&room);
                if sent[mail].outcome == Some(Ok(Reply::Accepted)) {
                    client.visited.insert(room);
                    self.visits.insert((room, client.user));
                }
            }
        }
    }

    /// Comes to rest, and tries again what failed until nothing does.
    fn finish(&mut self) {
        for _ in 0..50 {
            self.world.rest();
            self.notice();
            let failed: Vec<usize> = (0..self.errands.len())
                .filter(|at| {
                    let last = self.errands[*at].mails.last();
                    self.errands[*at].cid.is_some()
                        && last.is_some_and(|it| laws::is_retryable(&self.world, *it))
                })
                .collect();
            if failed.is_empty() {
                let now = self.world.now;
                for place in &mut self.world.places {
                    place.turn.sweep(now, u64::MAX);
                }
                return self.world.rest();
            }
            // One after the other: nobody is refused for want of a place to wait.
            for at in failed {
                let user = self.errands[at].user;
                let client = self.clients.iter().find(|it| it.user == user);
                let from = client.map(|it| it.session);
                self.carry_out(at, from);
                self.world.rest();
            }
        }
        panic!("what fails can't be tried again for ever");
    }

    fn detach(&mut self, at: usize, room: RoomId) {
        let client = &mut self.clients[at];
        let seated = self.world.places[client.session.worker]
            .hub
            .has_seat(client.session, room);
        if client.visited.remove(&room) || seated {
            let (session, user) = (Some(client.session), client.user);
            self.world.send(room, user, session, Wish::Detach);
        }
    }

    fn leave(&mut self) {
        for at in 0..self.clients.len() {
            for room in self.rooms() {
                self.detach(at, room);
            }
        }
        self.world.rest();
    }

    fn user(&mut self) -> UserId {
        let at = self.dice.below(self.clients.len());
        self.clients[at].user
    }

    /// The numbers of all rooms that are made.
    fn rooms(&self) -> Vec<RoomId> {
        let last = self.world.sent.iter().map(|it| it.room.number()).max();
        (1..=last.unwrap_or(0))
            .map(RoomId::new)
            .filter(|room| !self.world.log(*room).is_empty())
            .collect()
    }
}

impl Errand {
    /// What was said to an errand is what the logs say of it.
    fn is_told_the_truth(&self, world: &World, rooms: &[RoomId]) {
        let Some(cid) = &self.cid else { return };
        let is_mine = |it: &Record| it.by.id == self.user && it.cid.as_ref() == Some(cid);
        let stored: Vec<(RoomId, Seq)> = rooms
            .iter()
            .flat_map(|room| world.log(*room))
            .filter(is_mine)
            .map(|it| (it.room, it.seq))
            .collect();
        assert!(
            stored.len() <= 1,
            "{:?} has two effects: {stored:?}",
            self.command
        );
        let outcomes: Vec<_> = self
            .mails
            .iter()
            .filter_map(|mail| world.sent[*mail].outcome.clone())
            .collect();
        for outcome in &outcomes {
            if let Ok(Reply::Done {
                room,
                seq,
                dup: false,
            }) = outcome
            {
                assert_eq!(stored, [(*room, *seq)], "{:?}", self.command);
            }
            let leaves_records = matches!(self.command, Command::Post(_) | Command::CreateRoom(_));
            if let (true, Ok(Reply::Done { room, seq, .. })) = (leaves_records, outcome) {
                assert_eq!(stored, [(*room, *seq)], "{:?}", self.command);
            }
        }
        // The fact was made by the mail that was told so, else by one of those that failed.
        let answered = |told: fn(&Result<Reply, Refused>) -> bool| {
            let mails = self.mails.iter().map(|mail| &world.sent[*mail]);
            let told = mails.filter(move |it| it.outcome.as_ref().is_some_and(told));
            told.map(|it| it.answered_at).max()
        };
        let made = answered(|it| matches!(it, Ok(Reply::Done { dup: false, .. })))
            .or_else(|| answered(|it| *it == Err(Refused::StorageUnavailable)));
        for mail in &self.mails {
            let refused = matches!(
                world.sent[*mail].outcome,
                Some(Err(Refused::Rejected(_) | Refused::NameTaken))
            );
            // Of two at the same time, one may have been judged before the other was carried out.
            if refused && made.is_none_or(|made| made <= *mail) {
                assert!(
                    stored.is_empty(),
                    "{:?} was refused and is fact at {stored:?}: {outcomes:?}",
                    self.command
                );
            }
        }
    }
}
