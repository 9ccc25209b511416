//! What a device hears, and what it may hear.

use std::collections::BTreeMap;

use chat_core::{Cid, Effect, Event, Record, RoomId, Seq, UserId};
use chat_protocol::dialect::Dialect;
use chat_protocol::voice::{Hearer, Voice};
use serde_json::Value;

use super::{Asked, Device, Session, Wish};
use crate::simulation::ledger::removes;

impl Device {
    pub(super) fn hear(&mut self, session: &mut Session, line: &str) {
        self.note(&format!("< {line}"));
        let Ok(frame) = serde_json::from_str::<Value>(line) else {
            return self.wrong("heard what is no frame");
        };
        if frame["re"].is_u64() {
            self.hear_reply(session, &frame);
        } else if frame["ev"].is_string() {
            self.hear_event(session, line, &frame);
        } else if frame["sig"].is_string() {
            self.hear_signal(session, &frame);
        } else {
            self.hear_system(session, &frame);
        }
    }

    fn hear_system(&self, session: &Session, frame: &Value) {
        match frame["sys"].as_str() {
            Some("synced") => {
                let (room, seq) = position(frame);
                let live = session.live.get(&room).copied();
                // It may have been removed, and has heard of that.
                if live.is_some_and(|last| last != seq) {
                    self.wrong(format_args!(
                        "told to have {seq} of room {room}, has {live:?}"
                    ));
                }
            }
            Some("lagged") => self.world.trace.reach("told that it lags"),
            Some("ping" | "bye" | "token_expiring") => {}
            Some(_) | None => self.wrong("heard what has no meaning"),
        }
    }

    fn hear_signal(&self, session: &Session, frame: &Value) {
        let (room, _) = position(frame);
        self.world.trace.reach("signal heard");
        if session.gone.contains(&room) && !self.world.ledger.is_member(room, self.user) {
            self.wrong(format_args!(
                "a signal of room {room}, which it was removed from"
            ));
        }
    }

    fn hear_event(&mut self, session: &mut Session, line: &str, frame: &Value) {
        let (room, seq) = position(frame);
        let ledger = &self.world.ledger;
        let Some(record) = ledger.record(room, seq) else {
            return self.wrong(format_args!("{seq} of room {room} isn't durable"));
        };
        let own = record.by.id == self.user;
        let gone = ledger.of(room, |book| book.is_erased(&record)) == Some(true);
        let hearer = Hearer::of(&record, self.user);
        if !(is_spelled(&record, hearer, line)
            || gone && frame["by"]["id"] == record.by.id.number())
        {
            self.wrong(format_args!(
                "{seq} of room {room} reads otherwise: {record:?}"
            ));
        }
        if ledger.of(room, |book| book.may_hear(&record, self.user)) != Some(true) {
            self.wrong(format_args!("heard {seq} of room {room}, which it may not"));
        }
        if matches!(record.event, Event::RoomTrimmed(_)) {
            let by_house = record.by.id == UserId::HOUSE;
            self.world.trace.reach(match by_house {
                true => "heard that the house trimmed a room",
                false => "heard that a room was trimmed",
            });
        }
        self.check_order(session, &record);
        if let Some(cid) = record.cid.as_ref().filter(|_| own) {
            self.check_answered(session, cid);
        }
        let before = session.resumed.get(&room).is_some_and(|to| seq <= *to);
        if removes(&record) == Some(self.user) && !before {
            session.live.remove(&room);
            session.gone.insert(room);
            self.places.remove(&room);
            let left = matches!(&record.event, Event::Left(_));
            let what = if left {
                "heard that it left"
            } else {
                "heard that it was removed"
            };
            self.world.trace.reach(what);
        }
    }

    /// Each record is the next one, from where the session came in.
    fn check_order(&mut self, session: &mut Session, record: &Record) {
        let (room, seq) = (record.room, record.seq);
        match session.live.get(&room) {
            Some(last) if last.next() == seq => {}
            Some(last) if *last >= seq => {
                return self.wrong(format_args!("{seq} of room {room} once more, after {last}"));
            }
            Some(last) => {
                return self.wrong(format_args!("room {room} has a hole after {last}: {seq}"));
            }
            None => {
                let has = |effect| record.effects().iter().any(|it| it == effect);
                if has(Effect::Notify(self.user)) && !has(Effect::Attach(self.user)) {
                    return self.world.trace.reach("told of a room from outside");
                }
                if !has(Effect::Attach(self.user)) && !self.is_first(room, seq) {
                    return self.wrong(format_args!("hears room {room} from nowhere: {seq}"));
                }
            }
        }
        session.live.insert(room, seq);
        session.gone.remove(&room);
        self.places.insert(room, (session.epoch.clone(), seq));
    }

    /// Whether all of a member's room before this record is out of reach, how he joined included.
    fn is_first(&self, room: RoomId, seq: Seq) -> bool {
        let ledger = &self.world.ledger;
        let hides = ledger.of(room, |book| book.hides(self.user, seq.prev()));
        hides == Some(true) && ledger.is_member(room, self.user)
    }

    /// The answer comes before what it led to, unless the command was sent before, and this is what
    /// became of that.
    fn check_answered(&self, session: &Session, cid: &Cid) {
        let mut asked = session.asked.values();
        let waits = asked.any(|(_, it)| matches!(it, Asked::Command(it) if it == cid));
        let first = |it: &Wish| it.cid == *cid && it.times == 1;
        if waits && self.pending.iter().any(first) {
            self.wrong(format_args!("heard {cid:?} before its answer"));
        }
    }

    fn hear_reply(&mut self, session: &mut Session, frame: &Value) {
        let id = frame["re"].as_u64().unwrap_or_default();
        let Some((_, asked)) = session.asked.remove(&id) else {
            return self.wrong(format_args!("an answer to nothing: {frame}"));
        };
        let code = frame["err"]["code"].as_str();
        match (asked, code) {
            (Asked::Hello(places), None) => self.welcome(session, &frame["ok"], &places),
            (Asked::Hello(_), Some(code)) => {
                if !is_passing(code) {
                    self.wrong(format_args!("is not welcome: {code}"));
                }
                session.connection.close();
                session.leaving = true;
            }
            (Asked::Command(cid), None) => self.hear_done(&cid, &frame["ok"]),
            (Asked::Command(cid), Some(code)) => self.hear_refused(&cid, code),
            (Asked::Conflict, Some(code)) => {
                if !is_passing(code) && code != "cid_conflict" {
                    self.wrong(format_args!("{code} instead of a conflict"));
                }
                self.world.trace.reach("cid conflict told");
            }
            // Words that are erased can't be compared: the first answer stands.
            (Asked::Conflict, None) if frame["ok"]["dup"] == true => {}
            (Asked::Conflict, None) => self.wrong("a cid was taken twice"),
            (Asked::Snapshot(room), None) => self.compare(session, room, &frame["ok"]),
            (Asked::Snapshot(_) | Asked::Whatever, _) => {}
        }
    }

    fn hear_done(&mut self, cid: &Cid, ok: &Value) {
        let take = |from: &mut Vec<Wish>| {
            let at = from.iter().position(|it| it.cid == *cid)?;
            Some(from.remove(at))
        };
        let Some(mut wish) = take(&mut self.pending).or_else(|| take(&mut self.done)) else {
            return;
        };
        if ok["dup"] == true {
            self.world.trace.reach("told that it was done before");
        }
        let room = ok["room"].as_u64().map(RoomId::new).or(wish.room);
        let seq = ok["seq"].as_u64().map(Seq::new);
        if let (Some(room), Some(seq)) = (room, seq) {
            self.check_done(&wish, room, seq);
            wish.answered = Some(seq);
        }
        self.done.push(wish);
        if self.done.len() > DONE_MAX {
            self.done.remove(0);
        }
    }

    fn check_done(&self, wish: &Wish, room: RoomId, seq: Seq) {
        let cid = &wish.cid;
        if self.world.ledger.record(room, seq).is_none() {
            self.wrong(format_args!(
                "{} {cid:?} was answered and isn't durable",
                wish.op
            ));
        }
        let used = self.world.ledger.used(room, self.user, cid);
        // What was so already is answered with how it came to be so.
        if matches!(wish.op, "post" | "edit" | "create_room") && used != Some(seq) {
            self.wrong(format_args!(
                "{} {cid:?} is {seq} and took effect at {used:?}",
                wish.op
            ));
        }
        if used.is_some() && wish.answered.is_some_and(|first| first != seq) {
            self.wrong(format_args!("{cid:?} was {:?}, is {seq}", wish.answered));
        }
    }

    fn hear_refused(&mut self, cid: &Cid, code: &str) {
        if is_passing(code) {
            let of_store = code == "storage_unavailable";
            let what = if of_store {
                "storage unavailable told"
            } else {
                "unavailable told"
            };
            return self.world.trace.reach(what);
        }
        let Some(at) = self.pending.iter().position(|it| it.cid == *cid) else {
            return self.wrong(format_args!("{cid:?} was done and is refused: {code}"));
        };
        let wish = self.pending.remove(at);
        let used = wish
            .room
            .and_then(|room| self.world.ledger.used(room, self.user, cid));
        if let Some(seq) = used {
            self.wrong(format_args!(
                "{cid:?} took effect at {seq} and is refused: {code}"
            ));
        }
        self.world.trace.reach("command refused");
    }

    fn welcome(
        &mut self,
        session: &mut Session,
        ok: &Value,
        places: &BTreeMap<RoomId, (String, Seq)>,
    ) {
        session.welcome = true;
        session.epoch = ok["epoch"].as_str().unwrap_or_default().to_owned();
        self.places.clear();
        let rooms = ok["rooms"].as_object().into_iter().flatten();
        let states: BTreeMap<RoomId, &Value> = rooms
            .filter_map(|(room, state)| Some((RoomId::new(room.parse().ok()?), state)))
            .collect();
        for room in places.keys().filter(|room| !states.contains_key(room)) {
            self.wrong(format_args!("no word of room {room}"));
        }
        for (room, state) in states {
            if let Some(seq) = self.resumed(room, state, places.get(&room).map(|it| it.1)) {
                session.live.insert(room, seq);
                let to = state["to"].as_u64().map_or(seq, Seq::new);
                session.resumed.insert(room, to);
                self.places.insert(room, (session.epoch.clone(), seq));
            }
        }
    }

    /// From where on a room is heard.
    fn resumed(&self, room: RoomId, state: &Value, at: Option<Seq>) -> Option<Seq> {
        let seq = |name: &str| Seq::new(state[name].as_u64().unwrap_or_default());
        let trace = &self.world.trace;
        match (state["st"].as_str(), at) {
            (Some("ok"), Some(at)) => {
                let missed = seq("to") > at;
                trace.reach(if missed {
                    "resumed, and missed some"
                } else {
                    "resumed"
                });
                if seq("from") != at {
                    self.wrong(format_args!(
                        "resumed room {room} from elsewhere: {state}, {at}"
                    ));
                }
                Some(at)
            }
            (Some("new"), None) => {
                trace.reach("attached anew");
                Some(seq("head"))
            }
            (Some("reset"), Some(at)) => {
                self.check_reset(room, state, at);
                Some(seq("head"))
            }
            (Some("gone"), at) => {
                // Without a position it was one of his rooms, a moment ago.
                let away = at.is_some();
                trace.reach(if away {
                    "removed while away"
                } else {
                    "removed while coming"
                });
                None
            }
            (_, _) => {
                self.wrong(format_args!("room {room} is {state}, asked for {at:?}"));
                None
            }
        }
    }

    /// A reset has to have its reason.
    fn check_reset(&self, room: RoomId, state: &Value, at: Seq) {
        let head = state["head"].as_u64().unwrap_or_default();
        let trace = &self.world.trace;
        let justified = match state["why"].as_str() {
            Some("too_far") => {
                trace.reach("reset: too far");
                let most = self.world.host.config.server_limits.catch_up_records_max;
                head > at.number() + most
            }
            Some("trimmed") => {
                trace.reach("reset: what lies between isn't his");
                let hides = self
                    .world
                    .ledger
                    .of(room, |it| it.hides(self.user, at.next()));
                hides == Some(true)
            }
            // The store was never put back, and no position lies ahead of it.
            Some(_) | None => false,
        };
        if !justified {
            self.wrong(format_args!(
                "room {room} is reset without need: {state}, at {at}"
            ));
        }
    }
}

/// Commands that are remembered after they were answered, to be sent again.
const DONE_MAX: usize = 30;

/// Whether asking again helps.
fn is_passing(code: &str) -> bool {
    matches!(
        code,
        "storage_unavailable" | "unavailable" | "shutting_down"
    )
}

fn is_spelled(record: &Record, hearer: Hearer, line: &str) -> bool {
    let mut spelled = false;
    Voice::of(Dialect::Native).event(record, hearer, &mut |text| {
        spelled = text == line.as_bytes()
    });
    spelled
}

fn position(frame: &Value) -> (RoomId, Seq) {
    let number = |name: &str| frame[name].as_u64().unwrap_or_default();
    (RoomId::new(number("room")), Seq::new(number("seq")))
}
