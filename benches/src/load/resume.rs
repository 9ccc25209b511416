//! Everybody is cut off, misses lines, and comes back for them.

use super::door::{self, Manners};
use super::driver::{Step, between, says};
use super::options::Options;
use super::outcome::{Connect, Outcome, Resume};
use super::process::Processes;
use super::swarm::{Ear, Sound, Swarm};
use super::talk::{TICK, Talk};
use super::town::Town;

/// Has everybody but the first of each room miss lines, and measures how they come back.
///
/// # Errors
///
/// If somebody can't come back, with what the server said.
pub fn resume(
    options: &Options,
    town: &Town,
    swarm: &mut Swarm,
    server: &Processes,
    outcome: &mut Outcome,
) -> Result<(), String> {
    let missed_lines = options.lines.unwrap_or(LINES);
    let positions = positions(town, swarm)?;
    for member in town.others() {
        swarm.cut(member);
    }
    let mut talk = Talk::new(town, swarm.now_ns());
    for _ in 0..missed_lines {
        talk.say_all(swarm);
        let heard_by_those_who_stay = talk.ledger.open() - town.plan.rooms as u64;
        talk.hear_down_to(heard_by_those_who_stay, swarm)
            .map_err(|why| why.to_string())?;
    }

    let cpu_s = server.cpu_s();
    let mut homecoming = Homecoming {
        talk: &mut talk,
        positions,
    };
    let arrival = door::arrive(&mut homecoming, swarm, town.others())?;
    let cpu_s = (!server.is_empty()).then(|| server.cpu_s() - cpu_s);
    outcome.resume = Some(Resume {
        missed_lines,
        arrival: Connect::new(&arrival, cpu_s),
    });
    // Whoever is back hears what is said from here on.
    talk.say_all(swarm);
    talk.finish(swarm, outcome).map_err(|why| why.to_string())
}

/// Where each room stands, as `"epoch",seq`.
fn positions(town: &Town, swarm: &mut Swarm) -> Result<Vec<String>, String> {
    let mut asking = Asking {
        rooms: vec![None; town.plan.rooms],
    };
    for (founder, room) in town.founders().zip(town.rooms.iter().flatten()) {
        let question = format!(r#"{{"id":3,"op":"snapshot","d":{{"room":{room}}}}}"#);
        swarm.say(founder, question.as_bytes());
    }
    let until = swarm.now() + town.plan.patience;
    while asking.rooms.contains(&None) && swarm.now() < until {
        let round = swarm.round(TICK, &mut asking);
        round.map_err(|why| why.to_string())?;
    }
    let known: Option<Vec<_>> = asking.rooms.into_iter().collect();
    known.ok_or_else(|| "the server doesn't say where its rooms stand".to_owned())
}

/// Whoever is asked where his room stands.
struct Asking {
    rooms: Vec<Option<String>>,
}

impl Ear for Asking {
    fn hear(&mut self, member: usize, _: u64, sound: Sound<'_>) -> Option<String> {
        if let Sound::Packet(packet) = sound
            && let Some(position) = between(packet, r#""position":{"epoch":"#, &['}'])
            && let Some(room) = self.rooms.get_mut(member)
        {
            *room = Some(position.replace(r#""seq":"#, ""));
        }
        None
    }
}

/// How members come back: each as himself, at the position that he had.
struct Homecoming<'a, 'town> {
    talk: &'a mut Talk<'town>,
    positions: Vec<String>,
}

impl Manners for Homecoming<'_, '_> {
    fn town(&self) -> &Town {
        self.talk.town
    }

    fn enter(&mut self, member: usize, at_ns: u64, heard: Option<&[u8]>) -> Step {
        let Some(packet) = heard else {
            return self.hello(member).map_or(Step::Refused, Step::Say);
        };
        if says(packet, r#""err":"#) || says(packet, r#""st":"reset""#) {
            return Step::Refused;
        }
        self.talk.hear(member, at_ns, Sound::Packet(packet));
        if says(packet, r#"{"sys":"synced""#) {
            Step::In
        } else {
            Step::Wait
        }
    }

    fn inside(&mut self, member: usize, at_ns: u64, packet: &[u8]) -> Option<String> {
        self.talk.hear(member, at_ns, Sound::Packet(packet))
    }
}

impl Homecoming<'_, '_> {
    fn hello(&self, member: usize) -> Option<String> {
        let town = self.talk.town;
        let room = town.plan.seat(member).room;
        let (called, position) = (town.rooms.get(room)?.as_ref()?, self.positions.get(room)?);
        let token = town.credentials.as_ref()?.get(&member)?;
        Some(format!(
            r#"{{"id":1,"op":"hello","d":{{"token":"{token}","resume":{{"{called}":[{position}]}}}}}}"#
        ))
    }
}

/// Lines that are missed, unless it is said how many: as many as somebody may say at once.
const LINES: u64 = 9;
