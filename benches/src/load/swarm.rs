//! All connections, in one thread that sleeps in one place.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use chat_server::clock::{Clock, SystemClock};
use mio::{Events, Poll, Registry, Token};

use super::driver::{Driver, Guest};
use super::link::{Calling, Link, Side};
use super::plan::Plan;
use super::socket::Opening;

/// Whoever listens to what the connections hear.
pub trait Ear {
    /// Hears something of a member's connection, at this moment; gives what it answers.
    fn hear(&mut self, member: usize, at_ns: u64, sound: Sound<'_>) -> Option<String>;
}

/// What is heard of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound<'a> {
    /// It is open.
    Opened,
    /// A packet has come.
    Packet(&'a [u8]),
    /// It has ended, and why.
    Ended(&'a str),
}

/// Connections of members, by their numbers.
pub struct Swarm {
    plan: Plan,
    driver: &'static dyn Driver,
    clock: SystemClock,
    poll: Poll,
    registry: Rc<Registry>,
    events: Events,
    /// What all connections are read into.
    buffer: Box<[u8]>,
    links: Vec<Option<Link>>,
    /// Who has said something that hasn't been sent.
    unsent: Vec<usize>,
}

impl Swarm {
    /// No connection yet.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn new(plan: &Plan, driver: &'static dyn Driver) -> io::Result<Self> {
        let mut links = Vec::new();
        links.resize_with(plan.connections + plan.stalled, || None);
        let poll = Poll::new()?;
        Ok(Self {
            registry: Rc::new(poll.registry().try_clone()?),
            poll,
            plan: plan.clone(),
            driver,
            clock: SystemClock::new(),
            events: Events::with_capacity(EVENTS),
            buffer: vec![0; BUFFER_BYTES].into(),
            links,
            unsent: Vec::new(),
        })
    }

    /// The time of this run, in nanoseconds.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.now().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The time of this run.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Begins to open a member's connection.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn open(&mut self, member: usize, guest: &Guest) -> Result<(), String> {
        let calling = Calling {
            opening: Opening {
                to: self.plan.server,
                from: self.plan.source(member),
                small: member >= self.plan.connections,
            },
            registry: Rc::clone(&self.registry),
            tokens: [Token(member * 2), Token(member * 2 + 1)],
            host: self.plan.host.clone(),
            path: match &self.plan.path {
                Some(path) => path.clone(),
                None => self.driver.path(guest),
            },
        };
        let link = Link::open(calling, self.driver)
            .map_err(|why| format!("no connection to {}: {why}", self.plan.server))?;
        if let Some(place) = self.links.get_mut(member) {
            *place = Some(link);
        }
        Ok(())
    }

    /// Whether a member is connected, or about to be.
    #[must_use]
    pub fn is_open(&self, member: usize) -> bool {
        matches!(self.links.get(member), Some(Some(_)))
    }

    /// Has a member say something; it is sent with the next round.
    pub fn say(&mut self, member: usize, packet: &[u8]) {
        if let Some(Some(link)) = self.links.get_mut(member) {
            if link.is_silent() {
                self.unsent.push(member);
            }
            link.say(packet);
        }
    }

    /// Cuts a member's connection without a word.
    pub fn cut(&mut self, member: usize) {
        if let Some(link) = self.links.get_mut(member) {
            *link = None;
        }
    }

    /// Reads nothing more of a member's connection, and keeps it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn stall(&mut self, member: usize) -> io::Result<()> {
        match self.links.get_mut(member) {
            Some(Some(link)) => link.ignore(),
            Some(None) | None => Ok(()),
        }
    }

    /// Sends what was said, waits until something happens, at most so long, and has it heard.
    ///
    /// # Errors
    ///
    /// If the system can't wait.
    pub fn round(&mut self, wait: Duration, ear: &mut impl Ear) -> io::Result<()> {
        while let Some(member) = self.unsent.pop() {
            if let Some(Some(link)) = self.links.get_mut(member) {
                // Whether it has ended is told by the round, too.
                drop(link.write());
            }
        }
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(why) if why.kind() == io::ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for event in &self.events {
            let Token(token) = event.token();
            let member = token / 2;
            let side = if token % 2 == 0 {
                Side::First
            } else {
                Side::Second
            };
            let Some(place) = self.links.get_mut(member) else {
                continue;
            };
            let Some(link) = place else { continue };
            let mut done = Ok(());
            if event.is_readable() {
                let now = self.clock.elapsed();
                let at_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
                let hear = |sound: Sound<'_>| ear.hear(member, at_ns, sound);
                done = link.read(side, &mut self.buffer, event.is_read_closed(), hear);
            }
            // An answer is sent at once.
            if let Err(why) = done.and_then(|()| link.write()) {
                ear.hear(member, 0, Sound::Ended(&why));
                *place = None;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Swarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.links.iter().flatten().count();
        write!(f, "Swarm({open} open)")
    }
}

/// What is heard of at a time.
const EVENTS: usize = 1_024;

/// The longest frame that can be read; large enough for a read to take much.
const BUFFER_BYTES: usize = 2 * 1_024 * 1_024;
