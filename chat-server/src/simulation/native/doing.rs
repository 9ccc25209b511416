//! What a device does, and how it comes to rest.

use std::time::Duration;

use chat_core::{Cid, Event, RoomId, Seq, UserId};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::shown::Shown;
use super::{Asked, Device, Session, Wish};

impl Device {
    /// Does something.
    pub(super) fn act(&mut self, session: &mut Session) {
        self.world.deed();
        let waiting = self.unasked(session);
        if let Some(cid) = self.dice.pick(&waiting).cloned()
            && self.dice.chance(40)
        {
            return self.give(session, &cid);
        }
        let rooms: Vec<RoomId> = session.live.keys().copied().collect();
        let Some(room) = self.dice.pick(&rooms).copied() else {
            return self.come_in(session);
        };
        match self.dice.between(0, 100) {
            0..40 => self.post(session, room),
            40..43 => {
                let lines = self.dice.between(20, 80);
                (0..lines).for_each(|_| self.post(session, room));
            }
            43..52 => self.touch(session, room, "edit"),
            52..55 => self.touch(session, room, "delete"),
            55..61 => self.touch(session, room, "react"),
            61..66 => {
                let head = self.world.ledger.head(room).number();
                let d = json!({"room": room, "idx": self.dice.between(0, head + 1)});
                self.ask(session, Asked::Whatever, "mark_read", &d);
            }
            66..69 => {
                let d = json!({"room": room, "on": true});
                self.ask(session, Asked::Whatever, "typing", &d);
            }
            69..73 => self.come_in(session),
            73..75 => self.wish(session, Some(room), "leave", json!({})),
            75..86 => self.manage(session, room),
            86..90 => self.repeat(session),
            90..93 => {
                self.ask(
                    session,
                    Asked::Snapshot(room),
                    "snapshot",
                    &json!({"room": room}),
                );
            }
            93..95 => {
                let since = session.live.get(&room).map_or(0, |it| it.number());
                let d = json!({"room": room, "since": since.saturating_sub(5)});
                self.ask(session, Asked::Whatever, "records", &d);
            }
            _ => self.part(session),
        }
    }

    /// Parts with its connection, or with the world for a while.
    fn part(&mut self, session: &mut Session) {
        match self.dice.between(0, 7) {
            0 | 1 => {
                self.note("says goodbye");
                session.connection.close();
                session.leaving = true;
            }
            2 | 3 => {
                self.note("cuts its connection");
                self.world.trace.harm("connection cut");
                session.connection.cut();
            }
            4 | 5 => {
                self.note("says nothing for a while");
                self.world.trace.harm("client fell silent");
                let still = Duration::from_millis(self.dice.between(4_000, 14_000));
                session.connection.be_mute(Instant::now() + still);
            }
            _ => {
                self.note("reads nothing for a while");
                self.world.trace.harm("reader stalled");
                let still = Duration::from_millis(self.dice.between(500, 14_000));
                session.connection.be_deaf(Instant::now() + still);
                session.dozes = self.dice.chance(50);
            }
        }
    }

    fn post(&mut self, session: &mut Session, room: RoomId) {
        let long = if self.dice.chance(20) { 500 } else { 5 };
        let filler = "x".repeat(usize::try_from(self.dice.between(0, long)).unwrap_or(0));
        let body = format!("{}-{} {filler}", self.number, self.given);
        self.wish(session, Some(room), "post", json!({"body": body}));
    }

    /// Does something about a message.
    fn touch(&mut self, session: &mut Session, room: RoomId, op: &'static str) {
        let head = self.world.ledger.head(room).number();
        let message = Seq::new(self.dice.between(head.saturating_sub(30).max(1), head + 1));
        let record = self.world.ledger.record(room, message);
        if !record.is_some_and(|it| matches!(it.event, Event::Posted(_))) {
            return;
        }
        let mut d = json!({"message": message});
        match op {
            "edit" => d["body"] = json!(format!("{}-{} edited", self.number, self.given)),
            "react" => d["reaction"] = json!("+1"),
            _ => {}
        }
        self.wish(session, Some(room), op, d);
    }

    /// Joins a room that it isn't in, or makes one.
    fn come_in(&mut self, session: &mut Session) {
        let rooms = self.world.ledger.rooms();
        if rooms.len() < ROOMS {
            let access = self.access();
            let history = if self.dice.chance(60) {
                "all"
            } else {
                "since_join"
            };
            let name = format!("room {}-{}", self.number, self.given);
            let mut d = json!({"name": name, "listed": true, "history": history,
                "access": access});
            if self.dice.chance(30) {
                d["retention"] = json!({"records": self.dice.between(5, 40)});
            }
            return self.wish(session, None, "create_room", d);
        }
        let is_outside = |room: &RoomId| !session.live.contains_key(room);
        let outside: Vec<RoomId> = rooms.into_iter().filter(is_outside).collect();
        if let Some(room) = self.dice.pick(&outside).copied() {
            let d = match self.world.ledger.password(room) {
                Some(_) if self.dice.chance(30) => json!({"password": "a guess"}),
                Some(key) => json!({"password": key}),
                None => json!({}),
            };
            self.wish(session, Some(room), "join", d);
        }
    }

    /// Who shall be able to enter.
    fn access(&mut self) -> Value {
        match self.dice.between(0, 100) {
            0..50 => json!({"mode": "open"}),
            50..75 => json!({"mode": "invite"}),
            _ => {
                let key = format!("sesame {}-{}", self.number, self.given);
                json!({"mode": "password", "password": key})
            }
        }
    }

    /// Lets somebody in, or keeps him out, or has forgotten what was said.
    fn manage(&mut self, session: &mut Session, room: RoomId) {
        let users = self.world.users.borrow().clone();
        let people = self.world.ledger.of(room, |book| book.people());
        let anybody: Vec<UserId> = people.into_iter().flatten().chain(users).collect();
        let Some(user) = self.dice.pick(&anybody).copied() else {
            return;
        };
        let soon = self.world.now().plus_ms(self.dice.between(500, 20_000));
        let head = self.world.ledger.head(room).number();
        let lately = self.dice.between(head.saturating_sub(40).max(1), head + 2);
        let (op, d) = match self.dice.between(0, 17) {
            0..3 => ("invite", json!({"user": user})),
            3..6 => ("kick", json!({"user": user})),
            6 | 7 => ("ban", json!({"user": user, "until": soon})),
            8 | 9 => ("unban", json!({"user": user})),
            10 => ("mute", json!({"user": user, "until": soon})),
            11 => ("unmute", json!({"user": user})),
            12 => ("set_role", json!({"user": user, "role": "moderator"})),
            13 => ("trim", json!({"from": lately})),
            14 | 15 => ("set_access", json!({"access": self.access()})),
            _ => ("set_role", json!({"user": user, "role": "admin"})),
        };
        self.wish(session, Some(room), op, d);
    }

    /// Sends what was answered once more, or something else under its cid.
    fn repeat(&mut self, session: &mut Session) {
        let Some(wish) = self.dice.pick(&self.done).cloned() else {
            return;
        };
        let ledger = &self.world.ledger;
        let used = wish
            .room
            .and_then(|it| ledger.used(it, self.user, &wish.cid));
        if wish.op == "post" && used.is_some() && self.dice.chance(30) {
            let mut d = wish.d;
            d["body"] = json!("something else");
            return self.ask(session, Asked::Conflict, "post", &d);
        }
        if used.is_some() {
            self.give(session, &wish.cid);
        }
    }

    /// Gives a command for the first time.
    fn wish(
        &mut self,
        session: &mut Session,
        room: Option<RoomId>,
        op: &'static str,
        mut d: Value,
    ) {
        let Ok(cid) = Cid::new(format!("d{}-{}", self.number, self.given)) else {
            return;
        };
        self.given += 1;
        let key = d["password"].as_str().or(d["access"]["password"].as_str());
        if let Some(key) = key {
            self.world.ledger.bears(self.user, &cid, key);
        }
        d["cid"] = json!(cid);
        if let Some(room) = room {
            d["room"] = json!(room);
        }
        self.pending.push(Wish {
            room,
            cid: cid.clone(),
            op,
            d,
            answered: None,
            times: 0,
        });
        self.give(session, &cid);
    }

    /// Commands that nobody is asked to carry out at the moment.
    fn unasked(&self, session: &Session) -> Vec<Cid> {
        let is_asked = |cid: &Cid| {
            let mut asked = session.asked.values();
            asked.any(|(_, it)| matches!(it, Asked::Command(it) if it == cid))
        };
        let pending = self.pending.iter().map(|it| it.cid.clone());
        pending.filter(|cid| !is_asked(cid)).collect()
    }

    /// Finishes what it began; tells what it lacks to be at rest.
    pub(super) fn come_to_rest(&mut self, session: &mut Session) -> Option<String> {
        if session.leaving || !session.welcome {
            return Some("isn't welcome yet".into());
        }
        for cid in self.unasked(session) {
            self.give(session, &cid);
        }
        if let Some(wish) = self.pending.first() {
            return Some(format!(
                "waits for the answer to {} {:?}",
                wish.op, wish.cid
            ));
        }
        for room in self.world.ledger.rooms() {
            let head = self.world.ledger.head(room);
            let live = session.live.get(&room).copied();
            match (self.world.ledger.is_member(room, self.user), live) {
                (false, None) => continue,
                (true, Some(last)) if last == head => {}
                (is_member, _) => {
                    let member = if is_member { "a member" } else { "no member" };
                    return Some(format!(
                        "has {live:?} of {head} in room {room}, is {member}"
                    ));
                }
            }
            if session.compared.get(&room) != Some(&head) {
                let mut asked = session.asked.values();
                if !asked.any(|(_, it)| matches!(it, Asked::Snapshot(it) if *it == room)) {
                    let d = json!({"room": room});
                    self.ask(session, Asked::Snapshot(room), "snapshot", &d);
                }
                return Some(format!("hasn't seen room {room} as it is"));
            }
        }
        None
    }

    /// Compares a room as the server shows it with what follows from its records.
    pub(super) fn compare(&self, session: &mut Session, room: RoomId, ok: &Value) {
        let seq = Seq::new(ok["position"]["seq"].as_u64().unwrap_or_default());
        let head = self.world.ledger.head(room);
        if seq > head {
            return self.wrong(format_args!("room {room} is shown at {seq}, isn't durable"));
        }
        if seq < head || !self.world.calm.get() {
            return;
        }
        session.compared.insert(room, seq);
        let shown = Shown::read(ok);
        let due = self
            .world
            .ledger
            .of(room, |book| Shown::due(book, self.user));
        if due.as_ref().is_some_and(|due| !shown.is(due)) {
            self.wrong(format_args!(
                "room {room} is shown as {shown:?}, is {due:?}"
            ));
        }
        self.world.trace.reach("a room compared with its records");
    }
}

/// Rooms of the world, at least.
const ROOMS: usize = 4;
