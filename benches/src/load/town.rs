//! The members and their rooms.

use std::collections::HashMap;
use std::ops::Range;

use super::door::{self, Arrival, Manners};
use super::driver::{self, Driver, Guest, Step};
use super::options::DriverName;
use super::plan::Plan;
use super::swarm::Swarm;

/// Who is where, and what the server calls it.
#[derive(Debug)]
pub struct Town {
    /// The plan of the run.
    pub plan: Plan,
    /// What the server speaks.
    pub driver: &'static dyn Driver,
    /// What the server calls each room; learned from the first member of it.
    pub rooms: Vec<Option<String>>,
    /// What each member proves later that it is he, if that is asked of him.
    pub credentials: Option<HashMap<usize, String>>,
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
            credentials: None,
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

    /// Brings these members in for the first time.
    ///
    /// # Errors
    ///
    /// If one of them can't come in, with what the server said.
    pub fn arrive(&mut self, swarm: &mut Swarm, members: Range<usize>) -> Result<Arrival, String> {
        door::arrive(self, swarm, members)
    }
}

impl Manners for Town {
    fn town(&self) -> &Town {
        self
    }

    fn enter(&mut self, member: usize, _: u64, heard: Option<&[u8]>) -> Step {
        let guest = self.guest(member);
        if let (Some(credentials), Some(heard)) = (&mut self.credentials, heard)
            && let Some(credential) = self.driver.credential(heard)
        {
            credentials.insert(member, credential.to_owned());
        }
        match self.rooms.get_mut(self.plan.seat(member).room) {
            Some(room) => self.driver.enter(&guest, room, heard),
            None => Step::Refused,
        }
    }
}
