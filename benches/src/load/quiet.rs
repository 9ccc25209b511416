//! Rooms beside those where somebody talks.

use std::time::Duration;

use super::driver::says;
use super::plan::Plan;
use super::swarm::{Ear, Sound, Swarm};

/// Has the members, who are in and speak the native protocol, make the quiet rooms of the plan and
/// stay in them, each one after another.
///
/// # Errors
///
/// If a room isn't made, with what the server said.
pub fn furnish(plan: &Plan, swarm: &mut Swarm) -> Result<(), String> {
    let mut furnishing = Furnishing::new(plan);
    for member in 0..plan.connections {
        if let Some(words) = furnishing.next(member) {
            swarm.say(member, words.as_bytes());
        }
    }
    let (mut seen, mut since) = (0, swarm.now());
    while furnishing.made < plan.quiet_rooms {
        let round = swarm.round(TICK, &mut furnishing);
        round.map_err(|why| why.to_string())?;
        if let Some(failure) = furnishing.failure {
            return Err(failure);
        }
        if furnishing.made > seen {
            (seen, since) = (furnishing.made, swarm.now());
        } else if swarm.now() - since > plan.patience {
            return Err(format!(
                "{seen} of {} quiet rooms are made, and no more",
                plan.quiet_rooms
            ));
        }
    }
    Ok(())
}

struct Furnishing<'a> {
    plan: &'a Plan,
    /// The number of each member's next room.
    next: Vec<usize>,
    made: usize,
    failure: Option<String>,
}

impl<'a> Furnishing<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            next: (0..plan.connections).collect(),
            made: 0,
            failure: None,
        }
    }

    /// What makes a member's next room, if he has one to make.
    fn next(&mut self, member: usize) -> Option<String> {
        let next = self.next.get_mut(member)?;
        let number = *next;
        *next += self.plan.connections;
        (number < self.plan.quiet_rooms).then(|| {
            let run = self.plan.run;
            format!(r#"{{"id":4,"op":"create_room","d":{{"name":"quiet-{run:04x}-{number}"}}}}"#)
        })
    }
}

impl Ear for Furnishing<'_> {
    fn hear(&mut self, member: usize, _: u64, sound: Sound<'_>) -> Option<String> {
        match sound {
            Sound::Packet(packet) if says(packet, r#""err":"#) => {
                let words = String::from_utf8_lossy(packet);
                let failure = format!("a quiet room isn't made: {words}");
                self.failure.get_or_insert(failure);
            }
            Sound::Packet(packet) if says(packet, r#"{"re":4,"#) => {
                self.made += 1;
                return self.next(member);
            }
            Sound::Ended(why) => {
                let failure =
                    format!("member {member} is put out before his rooms are made: {why}");
                self.failure.get_or_insert(failure);
            }
            Sound::Opened | Sound::Packet(_) => {}
        }
        None
    }
}

const TICK: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_make_rooms_in_turn_until_there_are_enough() {
        let plan = Plan {
            connections: 2,
            quiet_rooms: 3,
            ..Plan::default()
        };
        let mut furnishing = Furnishing::new(&plan);
        let first = furnishing.next(0).unwrap();
        assert!(first.contains(r#""name":"quiet-0000-0""#), "{first}");
        let done = br#"{"re":4,"ok":{"room":9}}"#;
        let third = furnishing.hear(0, 0, Sound::Packet(done)).unwrap();
        assert!(third.contains("quiet-0000-2"), "{third}");
        assert!(furnishing.next(1).unwrap().contains("quiet-0000-1"));
        assert_eq!(furnishing.hear(0, 0, Sound::Packet(done)), None);
        assert_eq!(furnishing.made, 2);
        assert_eq!(furnishing.hear(1, 0, Sound::Packet(b"{}")), None);
        assert_eq!(furnishing.failure, None);

        let refusal = br#"{"re":4,"err":{"code":"limit"}}"#;
        assert_eq!(furnishing.hear(1, 0, Sound::Packet(refusal)), None);
        let failure = furnishing.failure.unwrap();
        assert!(failure.contains("limit"), "{failure}");
    }
}
