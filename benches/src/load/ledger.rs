//! What every member has heard, and what is wrong with it.

use std::collections::HashSet;
use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::line::Line;
use super::plan::Plan;

/// What must not happen, counted over a whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Faults {
    /// Lines that a member should have heard and didn't.
    pub lost: u64,
    /// Lines that a member heard once more.
    pub duplicated: u64,
    /// Lines that came after a later one of the same sender, and members who heard the senders of
    /// their room in another order than the rest.
    pub disordered: u64,
    /// Lines that were heard in another room than the one they were said in, or by their sender
    /// where he doesn't hear himself.
    pub leaked: u64,
    /// Requests that the server refused.
    pub refused: u64,
    /// Connections that the server closed.
    pub closed: u64,
}

impl Faults {
    /// Whether everybody heard what he should, once, in order and nothing else.
    #[must_use]
    pub const fn none(&self) -> bool {
        let heard = self.lost + self.duplicated + self.disordered + self.leaked;
        heard + self.refused + self.closed == 0
    }
}

impl AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.disordered += other.disordered;
        self.leaked += other.leaked;
        self.refused += other.refused;
        self.closed += other.closed;
    }
}

impl fmt::Display for Faults {
    /// Lines lost, doubled, out of order and leaked; what else went wrong only if it did.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            lost,
            duplicated,
            disordered,
            leaked,
            ..
        } = self;
        write!(f, "{lost} / {duplicated} / {disordered} / {leaked}")?;
        for (count, what) in [(self.refused, "refused"), (self.closed, "closed")] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// Every member's account.
#[derive(Debug)]
pub struct Ledger {
    rooms: usize,
    senders: usize,
    echo: bool,
    /// Of each member and each sender of his room, the number of the last line heard.
    last: Vec<u32>,
    /// Of each member, all that he has heard, in its order, as one number.
    order: Vec<u64>,
    /// Who hasn't heard what came before something that he has heard.
    skipped: HashSet<(usize, u32, u32)>,
    /// Of each sender, how many lines he has said.
    said: Vec<u32>,
    heard: u64,
    expected: u64,
    faults: Faults,
}

impl Ledger {
    /// An empty ledger for the members of a plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let senders = plan.senders;
        Self {
            rooms: plan.rooms,
            senders,
            echo: plan.echo,
            last: vec![0; plan.connections * senders],
            order: vec![0; plan.connections],
            skipped: HashSet::new(),
            said: vec![0; plan.rooms * senders],
            heard: 0,
            expected: 0,
            faults: Faults::default(),
        }
    }

    /// Notes that a sender says his next line, and gives its number and how many shall hear it.
    pub fn say(&mut self, room: usize, place: usize) -> (u32, usize) {
        let copies = self.members(room) - usize::from(!self.echo);
        self.expected += copies as u64;
        let said = self.said.get_mut(room * self.senders + place);
        let number = said.map_or(0, |said| {
            *said += 1;
            *said
        });
        (number, copies)
    }

    /// Notes that a member heard a line. Whether it was one that he should hear, for the first time.
    pub fn hear(&mut self, member: usize, line: &Line) -> bool {
        let own = line.place as usize == member / self.rooms;
        let foreign = usize::from(line.room) != member % self.rooms;
        if foreign || line.place as usize >= self.senders || (own && !self.echo) {
            self.faults.leaked += 1;
            return false;
        }
        let at = member * self.senders + line.place as usize;
        let Some(last) = self.last.get_mut(at) else {
            self.faults.leaked += 1;
            return false;
        };
        let before = *last;
        if line.number <= before {
            return self.hear_again(member, line);
        }
        *last = line.number;
        for number in (before + 1..line.number).take(SKIPPED_MAX) {
            self.skipped.insert((member, line.place, number));
        }
        self.heard += 1;
        if let Some(order) = self.order.get_mut(member) {
            let said = u64::from(line.place) << 32 | u64::from(line.number);
            *order = (order.rotate_left(5) ^ said).wrapping_mul(ORDER);
        }
        true
    }

    /// A line that isn't later than the last one: late, or heard before.
    fn hear_again(&mut self, member: usize, line: &Line) -> bool {
        let late = self.skipped.remove(&(member, line.place, line.number));
        if late {
            self.faults.disordered += 1;
            self.heard += 1;
        } else {
            self.faults.duplicated += 1;
        }
        late
    }

    /// Lines that are still to be heard, over all members.
    #[must_use]
    pub const fn open(&self) -> u64 {
        self.expected.saturating_sub(self.heard)
    }

    /// Notes that the server refused something.
    pub const fn refuse(&mut self) {
        self.faults.refused += 1;
    }

    /// Notes that the server closed a connection.
    pub const fn close(&mut self) {
        self.faults.closed += 1;
    }

    /// What is wrong with all that was heard. What hasn't come yet counts as lost.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = self.faults;
        faults.lost = self.open();
        if faults.lost == 0 {
            faults.disordered += (0..self.rooms).map(|room| self.strays(room)).sum::<u64>();
        }
        faults
    }

    /// How many members of a room heard its lines in another order than the first of them.
    ///
    /// Where senders don't hear themselves, only the others have heard the same lines.
    fn strays(&self, room: usize) -> u64 {
        let from = if self.echo { 0 } else { self.senders };
        let orders = self.order.iter().skip(room).step_by(self.rooms).skip(from);
        let mut orders = orders.copied();
        let first = orders.next();
        orders.filter(|order| Some(*order) != first).count() as u64
    }

    fn members(&self, room: usize) -> usize {
        (self.order.len() + self.rooms - 1 - room) / self.rooms
    }
}

/// Lines that are looked out for after one that came too early.
const SKIPPED_MAX: usize = 10_000;

/// Odd and without pattern, so that two orders hardly come to the same number.
const ORDER: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rooms of four, two of them senders; says and hears what is written: `0.1` is the first
    /// sender of the member's room with his first line.
    fn ledger(echo: bool, said: usize, story: &[(usize, &[(u32, u32)])]) -> Faults {
        let plan = Plan {
            connections: 8,
            rooms: 2,
            senders: 2,
            echo,
            ..Plan::default()
        };
        let mut ledger = Ledger::new(&plan);
        for turn in 0..said {
            ledger.say(0, turn % 2);
        }
        for (member, lines) in story {
            for (place, number) in *lines {
                let line = Line {
                    run: 0,
                    room: 0,
                    place: *place,
                    number: *number,
                    due_ns: 0,
                };
                ledger.hear(*member, &line);
            }
        }
        ledger.faults()
    }

    const NONE: Faults = Faults {
        lost: 0,
        duplicated: 0,
        disordered: 0,
        leaked: 0,
        refused: 0,
        closed: 0,
    };

    #[test]
    fn everybody_who_hears_everything_once_in_order_is_without_fault() {
        let all: &[_] = &[(0, 1), (1, 1), (0, 2)];
        let story = [(0, all), (2, all), (4, all), (6, all)];
        assert_eq!(ledger(true, 3, &story), NONE);
        assert!(ledger(true, 3, &story).none());
    }

    #[test]
    fn where_senders_do_not_hear_themselves_the_others_hear_one_order() {
        let story: [(usize, &[_]); 4] = [
            (0, &[(1, 1)]),
            (2, &[(0, 1), (0, 2)]),
            (4, &[(0, 1), (1, 1), (0, 2)]),
            (6, &[(0, 1), (1, 1), (0, 2)]),
        ];
        assert_eq!(ledger(false, 3, &story), NONE);
        let own: (usize, &[_]) = (0, &[(0, 1)]);
        let faults = ledger(false, 3, &[story[0], story[1], story[2], story[3], own]);
        assert_eq!(faults, Faults { leaked: 1, ..NONE });
    }

    #[test]
    fn each_fault_is_counted_by_its_name() {
        let all: &[_] = &[(0, 1), (1, 1), (0, 2)];
        let with = |last: &[_]| ledger(true, 3, &[(0, all), (2, all), (4, all), (6, last)]);
        assert_eq!(with(&[(0, 1), (1, 1)]), Faults { lost: 1, ..NONE });
        let twice = Faults {
            duplicated: 1,
            ..NONE
        };
        assert_eq!(with(&[(0, 1), (1, 1), (1, 1), (0, 2)]), twice);
        let late = Faults {
            disordered: 1,
            ..NONE
        };
        assert_eq!(with(&[(1, 1), (0, 1), (0, 2)]), late);
        // Late within one sender's lines: that line, and with it the order of the room.
        assert_eq!(with(&[(0, 2), (0, 1), (1, 1)]).disordered, 2);
        let astray: (usize, &[_]) = (1, &[(0, 1)]);
        let faults = ledger(true, 3, &[(0, all), (2, all), (4, all), (6, all), astray]);
        assert_eq!(faults, Faults { leaked: 1, ..NONE });
    }
}
