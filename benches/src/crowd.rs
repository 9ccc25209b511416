//! Rooms of many members, and the posts that come from them.

use chat_core::commands::{Command, CreateRoom, Join, Post, SetGrant};
use chat_core::{
    Actor, Cid, Decision, Engine, Facts, Limits, Name, Record, Request, Role, RoomId, Seq,
    Standing, Text, Timestamp, UserId,
};

/// Steps from one author to the next: coprime to the sizes of all rooms, so that the posts come
/// from all over a room and everybody has a turn.
const STRIDE: u64 = 7_919;

/// An engine without a bound on posts, for rooms of any size.
#[must_use]
pub fn engine() -> Engine {
    let mut limits = Limits::default();
    limits.posts_limited = false;
    limits.channel_members_max = 1_000_000;
    Engine::new(limits)
}

/// Has a wish decided and applied.
///
/// # Panics
///
/// If the wish becomes no record: then something else is measured than what the name says.
pub fn act(engine: &mut Engine, request: &Request) -> Record {
    match engine.decide(request) {
        Ok(Decision::New(record)) => {
            assert!(engine.evolve(&record));
            record
        }
        other => panic!("{:?} became {other:?}", request.command.name()),
    }
}

/// Makes an open room of user 1 and has the users up to this number join; returns its log.
pub fn fill(engine: &mut Engine, room: RoomId, members: u64) -> Vec<Record> {
    let create = wish(room, UserId::new(1), CreateRoom::named(name("den")));
    let mut log = vec![act(engine, &create)];
    for user in 2..=members {
        log.push(join(engine, room, user));
    }
    log
}

/// Has a user join an open room.
pub fn join(engine: &mut Engine, room: RoomId, user: u64) -> Record {
    act(engine, &wish(room, UserId::new(user), Join::default()))
}

/// Makes a room whose only member is user 1, and in which the users up to this number may post
/// because they are in a group.
pub fn grant(engine: &mut Engine, room: RoomId, members: u64) {
    let group = RoomId::new(room.number() + 1);
    fill(engine, room, 1);
    let users = (1..=members).map(UserId::new);
    engine.directory_mut().learn(group, Seq::new(1), users);
    let role = Some(Role::Member);
    act(
        engine,
        &wish(room, UserId::new(1), SetGrant { group, role }),
    );
}

/// Posts without end to one room.
#[derive(Clone, Debug)]
pub struct Posts {
    room: RoomId,
    authors: u64,
    guests: bool,
    cids: bool,
    body: Text,
    said: u64,
}

impl Posts {
    /// Posts of users 1 to `authors`, with bodies of 64 bytes.
    #[must_use]
    pub fn new(room: RoomId, authors: u64) -> Self {
        Self {
            room,
            authors,
            guests: false,
            cids: false,
            body: body(64),
            said: 0,
        }
    }

    /// The same from as many visitors.
    #[must_use]
    pub fn of_visitors(self) -> Self {
        Self {
            guests: true,
            ..self
        }
    }

    /// The same, each with a cid of its own.
    #[must_use]
    pub fn with_cids(self) -> Self {
        Self { cids: true, ..self }
    }

    /// Has everybody post once, so that the room knows all of them as people who posted lately.
    pub fn warm(&mut self, engine: &mut Engine) {
        for _ in 0..self.authors.max(1_000) {
            act(engine, &self.post());
        }
    }

    /// The next post, a millisecond after the one before.
    ///
    /// # Panics
    ///
    /// Never: the number of a post makes a cid.
    pub fn post(&mut self) -> Request {
        self.said += 1;
        let author = 1 + self.said.wrapping_mul(STRIDE) % self.authors;
        let user = if self.guests {
            UserId::guest(author)
        } else {
            UserId::new(author)
        };
        let mut request = wish(self.room, user, Post::plain(self.body.clone()));
        request.at = request.at.plus_ms(self.said);
        request.facts.visiting = self.guests;
        let cid = || Cid::new(format!("{:016x}", self.said)).expect("16 bytes are a cid");
        request.cid = self.cids.then(cid);
        request
    }
}

/// A body of this many bytes that looks like talk.
///
/// # Panics
///
/// Never: talk has no NUL.
#[must_use]
pub fn body(bytes: usize) -> Text {
    let words = "see you at the \"old\" harbour at nine, and bring the map. ";
    let text: String = words.chars().cycle().take(bytes).collect();
    Text::new(text).expect("it has no NUL")
}

fn wish(room: RoomId, user: UserId, command: impl Into<Command>) -> Request {
    Request {
        room,
        actor: Actor::new(user, name(&format!("member {user}"))),
        at: Timestamp::new(1_700_000_000_000),
        cid: None,
        command: command.into(),
        facts: Facts {
            standing: Some(Standing::default()),
            ..Facts::default()
        },
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("it is short and plain")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEN: RoomId = RoomId::new(1);

    #[test]
    fn everybody_in_a_room_posts_once_before_anybody_posts_twice() {
        let mut engine = engine();
        fill(&mut engine, DEN, 1_000);
        assert_eq!(engine.room(DEN).unwrap().members.len(), 1_000);

        let mut posts = Posts::new(DEN, 1_000);
        let authors = (0..1_000).map(|_| act(&mut engine, &posts.post()).by.id);
        let authors: std::collections::BTreeSet<_> = authors.collect();
        assert_eq!(authors.len(), 1_000);
    }

    #[test]
    fn members_of_a_group_and_visitors_post_where_they_are_no_members() {
        let mut engine = engine();
        grant(&mut engine, DEN, 10);
        let by_grant = act(&mut engine, &Posts::new(DEN, 10).post());
        assert!(by_grant.via.is_some());

        let visitors = Posts::new(DEN, 10).of_visitors().with_cids();
        let by_visitor = act(&mut engine, &visitors.clone().post());
        assert!(by_visitor.by.id.is_guest() && by_visitor.cid.is_some());
        assert_eq!(engine.room(DEN).unwrap().members.len(), 1);
    }
}
