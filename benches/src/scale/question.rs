//! What is asked of our server, and at which sizes.

use super::figure::Figure;
use crate::versus::contender::Store;

/// A question: something grows, and it is measured what that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it is called in tables.
    pub title: &'static str,
    /// What there is more and more of.
    pub grows: &'static str,
    /// How many of them there are, ascending.
    pub sizes: &'static [usize],
    /// The same in a hurry.
    pub quick_sizes: &'static [usize],
    /// Who is asked.
    pub contenders: &'static [Contender],
    /// What is shown, first what ratios are made of.
    pub figures: &'static [Figure],
    /// What ratios are to.
    pub over: Over,
    /// How often everybody has a turn.
    pub rounds: usize,
    /// Who is there, and what they do.
    pub doing: Doing,
}

/// Our server in one of its forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contender {
    /// What it is called.
    pub name: &'static str,
    /// What members speak.
    pub driver: &'static str,
    /// Where rooms are kept.
    pub store: Store,
    /// Whether members are cut off and come back.
    pub resumes: bool,
}

/// What a ratio is to, in the same round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The same contender at the smallest size.
    Smallest,
    /// The first contender at the same size.
    First,
}

/// What grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// The members of one room, 8 of whom talk with 2 lines each under way.
    Members,
    /// Rooms of ten, 4 of whom talk with 1 line each under way: a worker takes 4096 requests at once.
    Rooms,
    /// Senders, each in a room of his own up to a hundred, who wait for their own line.
    Senders,
    /// Rooms in which nobody talks, beside ten of a hundred members, 8 of whom do in each.
    Beside,
    /// Workers for a thousand members in ten rooms.
    Workers,
    /// Members who come all at once into rooms of ten.
    Arrivals,
    /// Members who come all at once into ten rooms, and tell those who are there.
    Gatherings,
    /// Connections that do nothing, in a hundred rooms.
    Idle,
}

/// The questions, as tables show them.
pub const QUESTIONS: [Question; 8] = [
    Question {
        name: "members",
        title: "One room, and more and more members: 8 of them talk, 2 lines of each under way",
        grows: "members",
        sizes: &[10, 100, 1_000, 5_000, 10_000],
        quick_sizes: &[10, 1_000],
        contenders: &VOICES,
        figures: &[Figure::Cpu, Figure::Deliveries, Figure::Late],
        over: Over::Smallest,
        rounds: 2,
        doing: Doing::Members,
    },
    Question {
        name: "rooms",
        title: "More and more rooms of 10 members: 4 of each talk, 1 line of each under way",
        grows: "rooms",
        sizes: &[1, 10, 100, 1_000],
        quick_sizes: &[1, 100],
        contenders: &VOICES,
        figures: &[Figure::Cpu, Figure::Deliveries, Figure::Late],
        over: Over::Smallest,
        rounds: 2,
        doing: Doing::Rooms,
    },
    Question {
        name: "beside",
        title: "1 000 members in 10 rooms, 8 lines under way in each, and more and more rooms beside, \
                each with somebody in it, where nobody talks",
        grows: "quiet rooms",
        sizes: &[10, 1_000, 10_000, 100_000],
        quick_sizes: &[10, 10_000],
        contenders: &[Contender::new("native", "native", Store::Memory)],
        figures: &[Figure::Cpu, Figure::Deliveries, Figure::Late],
        over: Over::Smallest,
        rounds: 2,
        doing: Doing::Beside,
    },
    Question {
        name: "durable",
        title: "More and more senders, each in a room of his own up to 100, who wait for their own line",
        grows: "senders",
        sizes: &[1, 10, 100, 1_000],
        quick_sizes: &[1, 100],
        contenders: &[
            Contender::new("memory", "native", Store::Memory),
            Contender::new("sqlite", "native", Store::Sqlite),
        ],
        figures: &[
            Figure::Posts,
            Figure::Median,
            Figure::Late,
            Figure::CpuPerPost,
            Figure::Bytes,
            Figure::Writes,
            Figure::Sync,
        ],
        over: Over::First,
        rounds: 3,
        doing: Doing::Senders,
    },
    Question {
        name: "workers",
        title: "1 000 members in 10 rooms, 8 lines under way in each, and more workers, on no \
                processor of their own",
        grows: "workers",
        sizes: &[1, 2],
        quick_sizes: &[1, 2],
        contenders: &VOICES,
        figures: &[Figure::Cpu, Figure::Deliveries, Figure::Late],
        over: Over::Smallest,
        rounds: 3,
        doing: Doing::Workers,
    },
    Question {
        name: "storms",
        title: "Members who come all at once (connect, upgrade, hello, join), 10 to a room",
        grows: "members",
        sizes: &[2_000, 5_000],
        quick_sizes: &[2_000],
        contenders: &STORMS,
        figures: &[Figure::Entry, Figure::Entries],
        over: Over::Smallest,
        rounds: 2,
        doing: Doing::Arrivals,
    },
    Question {
        name: "gatherings",
        title: "The same in 10 rooms: whoever is there hears of everybody who comes",
        grows: "members",
        sizes: &[500, 2_000],
        quick_sizes: &[500],
        contenders: &STORMS,
        figures: &[Figure::Entry, Figure::Entries],
        over: Over::Smallest,
        rounds: 2,
        doing: Doing::Gatherings,
    },
    Question {
        name: "memory",
        title: "Idle connections, in 100 rooms",
        grows: "connections",
        sizes: &[1_000, 10_000],
        quick_sizes: &[1_000],
        contenders: &[
            Contender::new("native", "native", Store::Memory),
            Contender::new("rooms", "rooms", Store::Memory),
            Contender::new("socketio", "socketio", Store::Memory),
        ],
        figures: &[Figure::Memory, Figure::Entry],
        over: Over::Smallest,
        rounds: 1,
        doing: Doing::Idle,
    },
];

const VOICES: [Contender; 2] = [
    Contender::new("native", "native", Store::Memory),
    Contender::new("rooms", "rooms", Store::Memory),
];

const STORMS: [Contender; 3] = [
    Contender::new("native", "native", Store::Memory),
    Contender::new("rooms", "rooms", Store::Memory),
    Contender {
        resumes: true,
        ..Contender::new("native, coming back", "native", Store::Memory)
    },
];

impl Contender {
    const fn new(name: &'static str, driver: &'static str, store: Store) -> Self {
        Self {
            name,
            driver,
            store,
            resumes: false,
        }
    }
}

impl Question {
    /// The questions that these words name, or all.
    ///
    /// # Errors
    ///
    /// A word that names none, with all names.
    pub fn named(words: &[String]) -> Result<Vec<Self>, String> {
        let names = QUESTIONS.map(|question| question.name);
        if let Some(word) = words.iter().find(|word| !names.contains(&word.as_str())) {
            return Err(format!("{word} is no question ({})", names.join(", ")));
        }
        let wanted = |question: &Self| words.is_empty() || words.iter().any(|w| w == question.name);
        Ok(QUESTIONS.into_iter().filter(wanted).collect())
    }

    /// Its sizes that so many descriptors suffice for.
    #[must_use]
    pub fn sizes(&self, quick: bool, descriptors: usize) -> Vec<usize> {
        let sizes = if quick { self.quick_sizes } else { self.sizes };
        let fits = |size: &usize| self.doing.people(*size).connections + SPARE <= descriptors;
        sizes.iter().copied().filter(fits).collect()
    }
}

/// Who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct People {
    /// Members in all.
    pub connections: usize,
    /// Rooms over which they are spread.
    pub rooms: usize,
    /// Members of each room who talk.
    pub senders: usize,
    /// Lines of each that are under way.
    pub in_flight: usize,
}

impl Doing {
    /// Who is there at a size.
    #[must_use]
    pub fn people(self, size: usize) -> People {
        let people = |connections: usize, rooms, senders, in_flight| People {
            connections,
            rooms,
            senders,
            in_flight,
        };
        match self {
            Self::Members => people(size, 1, 8, 2),
            Self::Rooms => people(size * 10, size, 4, 1),
            Self::Senders => {
                let rooms = size.min(ROOMS_OF_SENDERS_MAX);
                people(size, rooms, size / rooms.max(1), 1)
            }
            Self::Beside | Self::Workers => people(1_000, 10, 8, 1),
            Self::Arrivals => people(size, size.div_ceil(10), 1, 1),
            Self::Gatherings => people(size, 10, 1, 1),
            Self::Idle => people(size, 100, 1, 1),
        }
    }
}

const ROOMS_OF_SENDERS_MAX: usize = 100;

/// Descriptors for what is no connection of a member.
const SPARE: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_have_rooms_of_their_own_up_to_a_hundred() {
        let people = |size| {
            let people = Doing::Senders.people(size);
            (people.connections, people.rooms, people.senders)
        };
        assert_eq!(people(10), (10, 10, 1));
        assert_eq!(people(100), (100, 100, 1));
        assert_eq!(people(1_000), (1_000, 100, 10));
    }

    #[test]
    fn sizes_for_which_there_are_no_descriptors_are_left_out() {
        let [members, rooms, ..] = QUESTIONS;
        assert_eq!(members.sizes(false, 1_600), [10, 100, 1_000]);
        assert_eq!(rooms.sizes(false, 1_600), [1, 10, 100]);
        assert_eq!(members.sizes(true, 20_000), [10, 1_000]);
    }

    #[test]
    fn a_question_that_nobody_asks_is_refused_with_those_that_there_are() {
        assert_eq!(Question::named(&[]).unwrap(), QUESTIONS);
        let some = Question::named(&["durable".to_owned()]).unwrap();
        assert_eq!(some.len(), 1);
        let refusal = Question::named(&["speed".to_owned()]).unwrap_err();
        assert!(refusal.starts_with("speed is no question (members, rooms, beside, durable, "));
    }

    #[test]
    fn sizes_ascend_so_that_the_first_is_the_smallest() {
        for question in QUESTIONS {
            for sizes in [question.sizes, question.quick_sizes] {
                assert!(sizes.is_sorted() && !sizes.is_empty(), "{}", question.name);
            }
        }
    }
}
