//! Members who talk, and members who listen.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use super::driver::Verdict;
use super::ledger::Ledger;
use super::line::{Line, Template, scan};
use super::options::WaitFor;
use super::outcome::Outcome;
use super::plan::Pace;
use super::swarm::{Ear, Sound, Swarm};
use super::tally::Tally;
use super::town::Town;

/// A conversation in all rooms of a town.
pub struct Talk<'a> {
    /// Who takes part.
    pub town: &'a Town,
    /// By room, and by place in it.
    senders: Vec<Sender>,
    /// Senders with lines to say that nobody is waiting for.
    ready: VecDeque<usize>,
    /// How many lines have been due so far, at a fixed rate.
    due: usize,
    began_ns: u64,
    /// When it was last looked for lines that nobody hears.
    looked_ns: u64,
    /// Who has heard what.
    pub ledger: Ledger,
    /// What is counted in the measured span.
    pub tally: Tally,
    /// What the server said when it refused something or hung up.
    said: Vec<String>,
}

/// A member who talks.
struct Sender {
    member: usize,
    template: Template,
    /// His lines under way.
    open: Vec<Open>,
}

/// A line under way.
struct Open {
    number: u32,
    /// How many have still to hear it.
    left: usize,
    said_ns: u64,
}

impl<'a> Talk<'a> {
    /// A conversation that begins at this moment.
    #[must_use]
    pub fn new(town: &'a Town, now_ns: u64) -> Self {
        let plan = &town.plan;
        let places =
            (0..plan.rooms * plan.senders).map(|at| (at / plan.senders, at % plan.senders));
        let senders: Vec<_> = places
            .filter_map(|(room, place)| Sender::new(town, room, place))
            .collect();
        let turns = match plan.pace {
            Pace::Closed { in_flight, .. } => in_flight,
            Pace::Fixed(_) => 0,
        };
        // Rooms take turns, and in each its senders.
        let round = (0..plan.senders)
            .flat_map(|place| (0..plan.rooms).map(move |room| room * plan.senders + place));
        Self {
            ready: (0..turns).flat_map(|_| round.clone()).collect(),
            due: 0,
            began_ns: now_ns,
            looked_ns: now_ns,
            ledger: Ledger::new(plan),
            tally: Tally::default(),
            said: Vec::new(),
            senders,
            town,
        }
    }

    /// Says whatever is to be said by now, and waits for what comes of it.
    ///
    /// # Errors
    ///
    /// If the system can't wait.
    pub fn round(&mut self, swarm: &mut Swarm) -> io::Result<()> {
        let wait = match self.town.plan.pace {
            Pace::Closed { .. } => {
                while let Some(sender) = self.ready.pop_front() {
                    self.say(sender, swarm.now_ns(), swarm);
                }
                TICK
            }
            Pace::Fixed(rate) => self.say_due(rate, swarm),
        };
        swarm.round(wait, self)?;
        self.give_up(swarm.now_ns());
        Ok(())
    }

    /// Says one line for each sender of each room.
    pub fn say_all(&mut self, swarm: &mut Swarm) {
        for sender in 0..self.senders.len() {
            self.say(sender, swarm.now_ns(), swarm);
        }
    }

    /// Only listens.
    ///
    /// # Errors
    ///
    /// If the system can't wait.
    pub fn listen(&mut self, swarm: &mut Swarm) -> io::Result<()> {
        swarm.round(TICK, self)
    }

    /// Listens until so many lines are still to be heard, or nothing more comes.
    ///
    /// # Errors
    ///
    /// If the system can't wait.
    pub fn hear_down_to(&mut self, least: u64, swarm: &mut Swarm) -> io::Result<()> {
        let (mut open, mut since_ns) = (self.ledger.open(), swarm.now_ns());
        while open > least && swarm.now_ns() - since_ns < self.patience_ns() {
            self.listen(swarm)?;
            if self.ledger.open() < open {
                (open, since_ns) = (self.ledger.open(), swarm.now_ns());
            }
        }
        Ok(())
    }

    /// Listens to the end, and tells what was wrong.
    ///
    /// # Errors
    ///
    /// If the system can't wait.
    pub fn finish(&mut self, swarm: &mut Swarm, outcome: &mut Outcome) -> io::Result<()> {
        self.hear_down_to(0, swarm)?;
        // What comes twice, comes soon.
        let end_ns = swarm.now_ns() + AFTERWARDS_NS;
        while swarm.now_ns() < end_ns {
            self.listen(swarm)?;
        }
        let closed = outcome.faults.closed;
        outcome.faults = self.ledger.faults();
        outcome.faults.closed += closed;
        outcome.said.append(&mut self.said);
        Ok(())
    }

    /// Says all lines that are due, and gives the time until the next one is.
    fn say_due(&mut self, rate: f64, swarm: &mut Swarm) -> Duration {
        let plan = &self.town.plan;
        let now_ns = swarm.now_ns();
        loop {
            let due = Duration::from_secs_f64(self.due as f64 / rate).as_nanos();
            let due_ns = self.began_ns + u64::try_from(due).unwrap_or(u64::MAX);
            if due_ns > now_ns {
                // The system sleeps milliseconds; whoever sleeps too long is late himself.
                let ms = (due_ns - now_ns) / 1_000_000;
                return Duration::from_millis(ms).min(TICK);
            }
            let (room, place) = (self.due % plan.rooms, self.due / plan.rooms % plan.senders);
            self.due += 1;
            self.say(room * plan.senders + place, due_ns, swarm);
        }
    }

    fn say(&mut self, at: usize, due_ns: u64, swarm: &mut Swarm) {
        let plan = &self.town.plan;
        let Some(sender) = self.senders.get_mut(at) else {
            return;
        };
        if !swarm.is_open(sender.member) || self.tally.is_full() {
            return;
        }
        let (number, copies) = self.ledger.say(at / plan.senders, at % plan.senders);
        self.tally.say();
        if let Pace::Closed { wait_for, .. } = plan.pace {
            let left = match wait_for {
                WaitFor::All => copies,
                WaitFor::Own => 1,
            };
            sender.open.push(Open {
                number,
                left,
                said_ns: due_ns,
            });
        }
        swarm.say(sender.member, sender.template.fill(number, due_ns));
    }

    fn hear_line(&mut self, member: usize, at_ns: u64, line: &Line) {
        if line.run != self.town.plan.run || !self.ledger.hear(member, line) {
            return;
        }
        self.tally.hear(at_ns, line.due_ns);
        let Pace::Closed { wait_for, .. } = self.town.plan.pace else {
            return;
        };
        let at = usize::from(line.room) * self.town.plan.senders + line.place as usize;
        let Some(sender) = self.senders.get_mut(at) else {
            return;
        };
        if wait_for == WaitFor::Own && member != sender.member {
            return;
        }
        let mut lines = sender.open.iter_mut();
        let Some(index) = lines.position(|open| open.number == line.number) else {
            return;
        };
        if let Some(open) = sender.open.get_mut(index) {
            open.left -= 1;
            if open.left == 0 {
                sender.open.swap_remove(index);
                self.ready.push_back(at);
            }
        }
    }

    /// Waits no longer for lines that were said too long ago.
    fn give_up(&mut self, now_ns: u64) {
        let patience_ns = self.patience_ns();
        if now_ns - self.looked_ns < patience_ns / 50 {
            return;
        }
        self.looked_ns = now_ns;
        for (at, sender) in self.senders.iter_mut().enumerate() {
            let before = sender.open.len();
            let fresh = |open: &Open| now_ns.saturating_sub(open.said_ns) < patience_ns;
            sender.open.retain(fresh);
            self.ready.extend((sender.open.len()..before).map(|_| at));
        }
    }

    fn patience_ns(&self) -> u64 {
        u64::try_from(self.town.plan.patience.as_nanos()).unwrap_or(u64::MAX)
    }

    fn note(&mut self, words: &str) {
        if self.said.len() < SAID_MAX {
            self.said.push(words.chars().take(WORDS_CHARS).collect());
        }
    }
}

impl Ear for Talk<'_> {
    fn hear(&mut self, member: usize, at_ns: u64, sound: Sound<'_>) -> Option<String> {
        let packet = match sound {
            Sound::Packet(packet) => packet,
            Sound::Opened => return None,
            Sound::Ended(why) => {
                self.ledger.close();
                self.note(why);
                return None;
            }
        };
        let mut lines = scan(packet).peekable();
        if lines.peek().is_some() {
            lines.for_each(|line| self.hear_line(member, at_ns, &line));
            return None;
        }
        match self.town.driver.judge(packet) {
            Verdict::Noise => None,
            Verdict::Answer(answer) => Some(answer.to_owned()),
            Verdict::Refusal => {
                self.ledger.refuse();
                self.note(&String::from_utf8_lossy(packet));
                None
            }
        }
    }
}

impl Sender {
    fn new(town: &Town, room: usize, place: usize) -> Option<Self> {
        let plan = &town.plan;
        let member = place * plan.rooms + room;
        let line = Line {
            run: plan.run,
            room: u16::try_from(room).ok()?,
            place: u32::try_from(place).ok()?,
            number: 0,
            due_ns: 0,
        };
        let called = town.rooms.get(room)?.as_deref()?;
        let post = town
            .driver
            .post(&town.guest(member), called, &line.body(plan.body));
        Some(Self {
            member,
            template: Template::new(post)?,
            open: Vec::new(),
        })
    }
}

/// How often it is looked at the time when nothing happens.
pub const TICK: Duration = Duration::from_millis(50);

const AFTERWARDS_NS: u64 = 200_000_000;

const SAID_MAX: usize = 10;

const WORDS_CHARS: usize = 300;
