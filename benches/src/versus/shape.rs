//! What contenders are put to.

/// A number of people, and what they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it is called in tables.
    pub title: &'static str,
    /// Members in all.
    pub connections: usize,
    /// Rooms over which they are spread.
    pub rooms: usize,
    /// What they do there.
    pub doing: Doing,
}

/// What members do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Some members of each room talk; each has so many lines under way.
    Talking {
        /// Members of each room who talk.
        senders: usize,
        /// Lines of each that not everybody has heard.
        in_flight: usize,
    },
    /// Nothing.
    Idling,
}

/// The shapes, as tables show them.
pub const SHAPES: [Shape; 5] = [
    talk(
        "100x1",
        "100 connections, 1 room, 16 lines under way",
        100,
        1,
        (8, 2),
    ),
    talk(
        "1000x10",
        "1000 connections, 10 rooms, 8 lines under way in each",
        1_000,
        10,
        (8, 1),
    ),
    talk(
        "1000x1",
        "1000 connections, 1 room, 16 lines under way",
        1_000,
        1,
        (8, 2),
    ),
    talk(
        "line",
        "one line at a time, 100 connections",
        100,
        1,
        (1, 1),
    ),
    Shape {
        name: "idle",
        title: "idle connections",
        connections: 10_000,
        rooms: 100,
        doing: Doing::Idling,
    },
];

const fn talk(
    name: &'static str,
    title: &'static str,
    connections: usize,
    rooms: usize,
    (senders, in_flight): (usize, usize),
) -> Shape {
    Shape {
        name,
        title,
        connections,
        rooms,
        doing: Doing::Talking { senders, in_flight },
    }
}

impl Shape {
    /// The shape of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        SHAPES.into_iter().find(|shape| shape.name == name)
    }

    /// The same with at most so many connections.
    #[must_use]
    pub fn of_at_most(self, connections: usize) -> Self {
        Self {
            connections: self.connections.min(connections),
            ..self
        }
    }

    /// Whether nobody talks.
    #[must_use]
    pub fn is_idle(self) -> bool {
        self.doing == Doing::Idling
    }
}
