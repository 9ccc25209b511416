//! Worlds drawn from seeds. `SEED=n` runs one of them again, `SEEDS=n` runs so many.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use chat_core::commands::{
    Ban, CreateRoom, Delete, Edit, Entry, Invite, Join, Kick, Leave, MarkRead, OpenDirect, Post,
    SetAccess, SetGrant, TransferOwnership, Typing, Unban, UpdateRoom, Visit,
};
use chat_core::{
    Cid, Command, Idx, Kind, Name, Password, Permission, Role, RoomId, Seq, Text, UserId,
};
use chat_server::mail::{Look, Reply, SessionKey, Wish};

use super::errand::Errand;
use super::faults::Faults;
use super::laws;
use super::world::{Fault, Shape, World};
use chat_server::simulation::Dice;

/// A session, and what it remembers.
struct Client {
    session: SessionKey,
    user: UserId,
    /// Visits and attachments whose answers are still to come.
    entering: BTreeMap<RoomId, usize>,
    visited: BTreeSet<RoomId>,
}

struct Story {
    dice: Dice,
    world: World,
    clients: Vec<Client>,
    errands: Vec<Errand>,
    visits: BTreeSet<(RoomId, UserId)>,
}

/// Stories told in the gate.
const SEEDS: u64 = 1_000;
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
        (None, None) => 0..SEEDS,
    };
    let count = seeds.end - seeds.start;
    let (mut faults, mut steps) = (Faults::default(), 0);
    for seed in seeds {
        let run = std::panic::catch_unwind(|| {
            let (first, again) = (Story::new(seed).run(), Story::new(seed).run());
            assert_eq!(first, again, "the same seed tells another story");
            first
        });
        let told = run.unwrap_or_else(|cause| {
            eprintln!("SEED={seed} tells this story again");
            std::panic::resume_unwind(cause);
        });
        faults.add(&told.faults);
        steps += STEPS;
    }
    println!("{count} seeds, {steps} steps, each twice: {faults}");
    if count >= SEEDS {
        assert_eq!(faults.missing(), [""; 0], "never reached by {count} seeds");
    }
}

/// What came of a story.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    faults: Faults,
    /// A hash of all that anybody was told, and of what is in memory at the end.
    hash: u64,
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let shape = if dice.chance(40) {
            Shape::Workers
        } else {
            Shape::Nodes
        };
        let places = match shape {
            Shape::Workers => 1 + dice.below(3),
            Shape::Nodes => 2 + dice.below(2),
        };
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

    fn run(mut self) -> Told {
        for _ in 0..STEPS {
            self.step();
        }
        self.finish();
        let users: Vec<UserId> = self.clients.iter().map(|it| it.user).collect();
        let rooms = self.rooms();
        laws::all_is_answered_in_order(&self.world);
        laws::live_is_replayed(&self.world);
        laws::all_is_heard(&self.world);
        laws::groups_are_known_as_they_are(&self.world, &users, &rooms);
        laws::seats_are_known_and_deserved(&mut self.world, &self.visits);
        for errand in &self.errands {
            errand.is_told_the_truth(&self.world);
        }
        laws::the_store_is_what_was_archived(&self.world);
        let hash = self.hash();
        self.leave();
        laws::nothing_is_left(&mut self.world);
        laws::all_is_answered_in_order(&self.world);
        let faults = self.world.faults;
        Told { faults, hash }
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.world.trace.hash(&mut hasher);
        for sent in &self.world.sent {
            format!("{:?}", sent.outcome).hash(&mut hasher);
        }
        for place in &self.world.places {
            for room in place.turn.engine().rooms() {
                format!("{room:?}").hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    fn step(&mut self) {
        self.world.now = self.world.now.plus_ms(self.dice.draw() % 30);
        match self.dice.below(100) {
            0..45 => self.client_acts(),
            45..52 => self.try_again(),
            52..78 => self.place_acts(),
            78..86 => self.question_is_answered(),
            _ if self.world.shape == Shape::Nodes => self.bus_carries(),
            _ => {
                let wires: Vec<_> = self.world.wires.keys().copied().collect();
                if let Some(wire) = self.dice.pick(&wires) {
                    self.world.carry(*wire);
                }
            }
        }
        self.notice();
    }

    fn bus_carries(&mut self) {
        let nodes = self.world.places.len();
        match self.dice.below(30) {
            0 => {
                let (one, other) = (self.dice.below(nodes), self.dice.below(nodes));
                self.world.bus.part(one, other, &mut self.world.faults);
            }
            1 => self.world.poll(self.dice.below(nodes)),
            // Of each record the others are told, and of each who comes or goes.
            _ => (0..3).for_each(|_| {
                let (dice, faults) = (&mut self.dice, &mut self.world.faults);
                if let Some((node, hint)) = self.world.bus.arrive(dice, faults) {
                    self.world.tell(node, &hint);
                }
            }),
        }
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
                    near: None,
                };
                let mail = self.world.send(room, user, Some(session), wish);
                self.clients[at].entering.insert(room, mail);
            }
            7 => {
                let look = match self.dice.below(5) {
                    0 => Look::View,
                    1 => Look::May(Permission::Post),
                    2 => Look::Presence {
                        after: None,
                        most: 2,
                    },
                    3 => Look::People { most: 2 },
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
        match self.dice.below(31) {
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
            17..20 => {
                let group = self.dice.pick(rooms).copied().unwrap_or(RoomId::new(1));
                let role = self.dice.chance(80).then_some(Role::Member);
                SetGrant { group, role }.into()
            }
            20 => UpdateRoom {
                alias: Some(Name::new(&format!("alias {}", self.dice.below(3))).unwrap()),
                ..UpdateRoom::default()
            }
            .into(),
            21 => {
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
            22 => TransferOwnership { to: user }.into(),
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
            near: None,
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
                self.world.rest();
                self.world.compare();
                return self.world.meet();
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
        self.world.archive.rooms()
    }
}
