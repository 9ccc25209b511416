//! Members who say nothing and hear nothing but pings.

use std::time::Duration;

use super::driver::{Driver, Verdict};
use super::swarm::{Ear, Sound, Swarm};

/// What happens while nothing is to happen.
#[derive(Debug)]
pub struct Silence {
    driver: &'static dyn Driver,
    /// Connections that the server closed.
    pub closed: u64,
    /// Why it did, as far as it said so.
    pub said: Vec<String>,
}

impl Silence {
    /// Silence among those who speak this.
    #[must_use]
    pub const fn new(driver: &'static dyn Driver) -> Self {
        Self {
            driver,
            closed: 0,
            said: Vec::new(),
        }
    }

    /// Keeps the connections for so long.
    ///
    /// # Errors
    ///
    /// If the system can't wait.
    pub fn last(&mut self, span: Duration, swarm: &mut Swarm) -> std::io::Result<()> {
        let end = swarm.now() + span;
        while swarm.now() < end {
            swarm.round(TICK, self)?;
        }
        Ok(())
    }
}

impl Ear for Silence {
    fn hear(&mut self, _: usize, _: u64, sound: Sound<'_>) -> Option<String> {
        match sound {
            Sound::Opened => None,
            Sound::Packet(packet) => match self.driver.judge(packet) {
                Verdict::Answer(answer) => Some(answer.to_owned()),
                Verdict::Noise | Verdict::Refusal => None,
            },
            Sound::Ended(why) => {
                self.closed += 1;
                if self.said.len() < SAID_MAX {
                    self.said.push(why.to_owned());
                }
                None
            }
        }
    }
}

const TICK: Duration = Duration::from_millis(50);

const SAID_MAX: usize = 10;
