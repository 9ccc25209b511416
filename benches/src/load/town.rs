//! The members and their rooms, and how they come in.

use std::ops::Range;
use std::time::Duration;

use super::driver::{self, Driver, Guest, Step, Verdict};
use super::histogram::Histogram;
use super::options::DriverName;
use super::plan::Plan;
use super::swarm::{Ear, Sound, Swarm};

/// Who is where, and what the server calls it.
#[derive(Debug)]
pub struct Town {
    /// The plan of the run.
    pub plan: Plan,
    /// What the server speaks.
    pub driver: &'static dyn Driver,
    /// What the server calls each room; learned from the first member of it.
    pub rooms: Vec<Option<String>>,
}

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

impl Town {
    /// Prepares a town.
    ///
    /// # Errors
    ///
    /// What the server said.
    pub fn new(plan: Plan, name: DriverName) -> Result<Self, String> {
        let driver = driver::named(name);
        let rooms = driver.prepare(&plan)?;
        Ok(Self {
            plan,
            driver,
            rooms,
        })
    }

    /// The first member of each room, who makes it.
    #[must_use]
    pub const fn founders(&self) -> Range<usize> {
        0..self.plan.rooms
    }

    /// Everybody else who reads.
    #[must_use]
    pub const fn others(&self) -> Range<usize> {
        self.plan.rooms..self.plan.connections
    }

    /// Those who don't.
    #[must_use]
    pub const fn stalled(&self) -> Range<usize> {
        self.plan.connections..self.plan.connections + self.plan.stalled
    }

    /// What a member is called, and his room.
    #[must_use]
    pub fn guest(&self, member: usize) -> Guest {
        Guest {
            name: format!("guest-{:04x}-{member}", self.plan.run),
            room_name: self.plan.room_name(self.plan.seat(member).room),
        }
    }

    /// Brings these members in, so many at a time as the plan says.
    ///
    /// # Errors
    ///
    /// If one of them can't come in, with what the server said.
    pub fn arrive(&mut self, swarm: &mut Swarm, members: Range<usize>) -> Result<Arrival, String> {
        let began_ns = swarm.now_ns();
        let mut door = Door {
            began_ns: vec![0; members.len()],
            first: members.start,
            town: self,
            inside: 0,
            latency: Histogram::default(),
            last_ns: began_ns,
            last_heard: String::new(),
            failure: None,
        };
        let mut coming = members.clone();
        let mut outside = 0;
        while door.inside < members.len() {
            while outside - door.inside < door.town.plan.connecting
                && let Some(member) = coming.next()
            {
                if let Some(began) = door.began_ns.get_mut(member - members.start) {
                    *began = swarm.now_ns();
                }
                swarm.open(member, &door.town.guest(member))?;
                outside += 1;
            }
            swarm
                .round(TICK, &mut door)
                .map_err(|why| why.to_string())?;
            if let Some(failure) = door.failure {
                return Err(failure);
            }
            if swarm.now_ns() - door.last_ns > PATIENCE_NS {
                let (inside, all) = (door.inside, members.len());
                return Err(format!(
                    "{inside} of {all} are in, and nobody more in {} s; heard last: {}",
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
}

/// Where members come in.
struct Door<'a> {
    town: &'a mut Town,
    /// The first of those who come.
    first: usize,
    /// When each of them set out; 0 once he is in.
    began_ns: Vec<u64>,
    inside: usize,
    latency: Histogram,
    last_ns: u64,
    last_heard: String,
    failure: Option<String>,
}

impl Ear for Door<'_> {
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
        let began = began
            .and_then(|at| self.began_ns.get_mut(at))
            .filter(|at| **at > 0);
        let Some(began) = began else {
            return match self.town.driver.judge(heard?) {
                Verdict::Answer(answer) => Some(answer.to_owned()),
                Verdict::Noise | Verdict::Refusal => None,
            };
        };
        let guest = self.town.guest(member);
        let room = self.town.rooms.get_mut(self.town.plan.seat(member).room)?;
        let words = heard.map(String::from_utf8_lossy).unwrap_or_default();
        match self.town.driver.enter(&guest, room, heard) {
            Step::Wait => {}
            Step::Say(words) => return Some(words),
            Step::In => {
                self.latency.record(at_ns.saturating_sub(*began));
                *began = 0;
                self.inside += 1;
                self.last_ns = at_ns;
            }
            Step::Refused => self.fail(member, &words),
        }
        if self.last_heard.is_empty() {
            self.last_heard = words.chars().take(WORDS_CHARS).collect();
        }
        None
    }
}

impl Door<'_> {
    fn fail(&mut self, member: usize, why: &str) {
        let why: String = why.chars().take(WORDS_CHARS).collect();
        let server = self.town.plan.server;
        let text = format!("member {member} isn't let in by {server}: {why}");
        self.failure.get_or_insert(text);
    }
}

const WORDS_CHARS: usize = 300;

/// How often it is looked whether somebody has come in.
const TICK: Duration = Duration::from_millis(100);

const PATIENCE_NS: u64 = 10_000_000_000;
