//! Where members come in.

use std::ops::Range;
use std::time::Duration;

use super::driver::{Step, Verdict};
use super::histogram::Histogram;
use super::swarm::{Ear, Sound, Swarm};
use super::town::Town;

/// How members came in.
#[derive(Clone, Debug, Default)]
pub struct Arrival {
    /// How many.
    pub members: usize,
    /// From the first who set out to the last who was in, in nanoseconds.
    pub wall_ns: u64,
    /// From setting out to being in, for each, in nanoseconds.
    pub latency: Histogram,
}

/// What members do at the door and behind it.
pub trait Manners {
    /// The town that they come to.
    fn town(&self) -> &Town;

    /// A member's next step, after what he heard; nothing if his connection has just been opened.
    fn enter(&mut self, member: usize, at_ns: u64, heard: Option<&[u8]>) -> Step;

    /// What a member who is in answers to a packet.
    fn inside(&mut self, _member: usize, _at_ns: u64, packet: &[u8]) -> Option<String> {
        match self.town().driver.judge(packet) {
            Verdict::Answer(answer) => Some(answer.to_owned()),
            Verdict::Noise | Verdict::Refusal => None,
        }
    }
}

/// Brings these members in, so many at a time as the plan says.
///
/// # Errors
///
/// If one of them can't come in, with what the server said.
pub fn arrive(
    manners: &mut impl Manners,
    swarm: &mut Swarm,
    members: Range<usize>,
) -> Result<Arrival, String> {
    let began_ns = swarm.now_ns();
    let connecting = manners.town().plan.connecting;
    let mut door = Door {
        manners,
        first: members.start,
        began_ns: vec![0; members.len()],
        inside: 0,
        latency: Histogram::default(),
        last_ns: began_ns,
        last_heard: String::new(),
        failure: None,
    };
    let mut coming = members.clone();
    let mut outside = 0;
    while door.inside < members.len() {
        while outside - door.inside < connecting
            && let Some(member) = coming.next()
        {
            door.call(member, swarm)?;
            outside += 1;
        }
        swarm
            .round(TICK, &mut door)
            .map_err(|why| why.to_string())?;
        if let Some(failure) = door.failure {
            return Err(failure);
        }
        if swarm.now_ns().saturating_sub(door.last_ns) > PATIENCE_NS {
            let (inside, all) = (door.inside, members.len());
            return Err(format!(
                "{inside} of {all} are in, and nobody more in {} s; heard last: {:?}",
                PATIENCE_NS / 1_000_000_000,
                door.last_heard
            ));
        }
    }
    Ok(Arrival {
        members: members.len(),
        wall_ns: door.last_ns - began_ns,
        latency: door.latency,
    })
}

/// Those who come, and how far they are.
struct Door<'a, M> {
    manners: &'a mut M,
    first: usize,
    /// When each of them set out; 0 once he is in.
    began_ns: Vec<u64>,
    inside: usize,
    latency: Histogram,
    last_ns: u64,
    last_heard: String,
    failure: Option<String>,
}

impl<M: Manners> Door<'_, M> {
    fn call(&mut self, member: usize, swarm: &mut Swarm) -> Result<(), String> {
        if let Some(began) = self.began_ns.get_mut(member - self.first) {
            *began = swarm.now_ns();
        }
        swarm.open(member, &self.manners.town().guest(member))
    }

    fn fail(&mut self, member: usize, why: &str) {
        let server = self.manners.town().plan.server;
        let text = format!("member {member} isn't let in by {server}: {}", cut(why));
        self.failure.get_or_insert(text);
    }
}

impl<M: Manners> Ear for Door<'_, M> {
    fn hear(&mut self, member: usize, at_ns: u64, sound: Sound<'_>) -> Option<String> {
        let heard = match sound {
            Sound::Opened => None,
            Sound::Packet(packet) => Some(packet),
            Sound::Ended(why) => {
                self.fail(member, why);
                return None;
            }
        };
        let began = member.checked_sub(self.first);
        let began = began.and_then(|at| self.began_ns.get_mut(at));
        let Some(began) = began.filter(|began_ns| **began_ns > 0) else {
            return self.manners.inside(member, at_ns, heard?);
        };
        let words = heard.map(String::from_utf8_lossy).unwrap_or_default();
        match self.manners.enter(member, at_ns, heard) {
            Step::Wait => self.last_heard = cut(&words),
            Step::Say(words) => return Some(words),
            Step::In => {
                self.latency.record(at_ns.saturating_sub(*began));
                *began = 0;
                self.inside += 1;
                self.last_ns = at_ns;
            }
            Step::Refused => self.fail(member, &words),
        }
        None
    }
}

/// The beginning of what the server said.
fn cut(words: &str) -> String {
    words.chars().take(WORDS_CHARS).collect()
}

const WORDS_CHARS: usize = 300;

/// How often it is looked whether somebody has come in.
const TICK: Duration = Duration::from_millis(100);

const PATIENCE_NS: u64 = 10_000_000_000;
