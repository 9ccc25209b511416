//! Special cases, one moral each.

use chat_core::commands::{
    CreateRoom, Join, Kick, Leave, OpenDirect, Post, SetGrant, UpdateRoom, Visit,
};
use chat_core::{Cid, Command, Kind, Name, Record, Rejection, Role, RoomId, Seq, Text, UserId};
use chat_server::mail::{Look, Refused, Reply, SessionKey, Wish};

use super::laws;
use super::world::{Fault, Shape, World};

pub(super) const ALICE: UserId = UserId::new(1);
pub(super) const BOB: UserId = UserId::new(2);
pub(super) const CAROL: UserId = UserId::new(3);

/// A user's session on the first worker.
pub(super) fn session(user: UserId) -> Option<SessionKey> {
    Some(SessionKey {
        worker: 0,
        number: user.number(),
    })
}

pub(super) fn wish(command: impl Into<Command>, cid: Option<&str>) -> Wish {
    Wish::Command {
        command: command.into(),
        cid: cid.map(|cid| Cid::new(cid).unwrap()),
        used: None,
        near: None,
    }
}

pub(super) fn post(text: &str) -> Post {
    Post::plain(Text::new(text).unwrap())
}

pub(super) fn named(name: &str) -> CreateRoom {
    CreateRoom::named(Name::new(name).unwrap())
}

pub(super) fn kick(user: UserId) -> Kick {
    Kick { user, reason: None }
}

pub(super) fn done(room: RoomId, seq: u64, dup: bool) -> Result<Reply, Refused> {
    let seq = Seq::new(seq);
    Ok(Reply::Done { room, seq, dup })
}

fn not_found() -> Result<Reply, Refused> {
    Err(Rejection::RoomNotFound.into())
}

impl World {
    pub(super) fn one() -> Self {
        Self::new(Shape::Workers, 1, 1_000)
    }

    pub(super) fn wishes(
        &mut self,
        user: UserId,
        room: RoomId,
        command: impl Into<Command>,
    ) -> usize {
        self.send(room, user, session(user), wish(command, None))
    }

    pub(super) fn outcome(&self, mail: usize) -> Result<Reply, Refused> {
        let outcome = self.sent[mail].outcome.clone();
        outcome.unwrap_or_else(|| panic!("not answered: {:?}", self.sent[mail]))
    }

    /// Makes a room of Alice's with these members; their sessions hear it if they are seated.
    pub(super) fn room(
        &mut self,
        room: CreateRoom,
        members: &[UserId],
        seated: &[UserId],
    ) -> RoomId {
        let id = self.reserve();
        self.wishes(ALICE, id, room);
        self.rest();
        for user in members {
            self.wishes(*user, id, Join::default());
        }
        for user in seated {
            self.send(id, *user, session(*user), Wish::Attach);
        }
        self.rest();
        self.trace.clear();
        id
    }

    pub(super) fn heard_by(&self, user: UserId) -> Vec<u64> {
        let heard = self.heard.iter().filter(|(_, hearer)| *hearer == user);
        heard
            .map(|(record, _): &(Record, _)| record.seq.number())
            .collect()
    }
}

#[test]
fn a_pair_has_one_direct_room_whoever_opens_it() {
    let mut world = World::new(Shape::Workers, 2, 1_000);
    let first = world.reserve();
    world.wishes(ALICE, first, OpenDirect { user: BOB });
    world.rest();
    for (user, peer) in [(BOB, ALICE), (ALICE, BOB)] {
        // Cold and warm, and from a number that belongs to the other worker.
        let number = world.reserve();
        let again = world.wishes(user, number, OpenDirect { user: peer });
        world.rest();
        assert_eq!(world.outcome(again), done(first, 1, true));
        let later = world.now.plus_ms(1);
        world.places[0].turn.sweep(later, 0);
        world.places[1].turn.sweep(later, 0);
    }
}

#[test]
fn a_guess_at_a_number_that_is_kept_disturbs_nobody() {
    let mut world = World::one();
    let room = world.reserve();
    let made = world.wishes(ALICE, room, named("den"));
    let guess = world.wishes(BOB, room, post("is anybody here?"));
    let behind = world.wishes(ALICE, room, Join::default());
    world.turn(0, Fault::None);
    assert_eq!(world.outcome(guess), not_found());
    world.rest();
    assert_eq!(world.outcome(made), done(room, 1, false));
    assert_eq!(world.outcome(behind), done(room, 1, true));
}

#[test]
fn what_was_sent_behind_a_refused_creation_is_answered() {
    let mut world = World::one();
    let room = world.reserve();
    let twin = OpenDirect { user: BOB };
    let made = world.wishes(ALICE, room, twin);
    let behind = world.wishes(ALICE, room, post("hi"));
    world.turn(0, Fault::None);
    world.answer(0, 0, true);
    world.rest();
    assert_eq!(world.outcome(made), Err(Refused::StorageUnavailable));
    assert_eq!(world.outcome(behind), not_found());
    laws::nothing_is_left(&mut world);
}

#[test]
fn who_hears_that_his_seat_failed_has_none() {
    let mut world = World::one();
    let den = world.room(named("den"), &[BOB], &[]);
    world.wishes(ALICE, den, post("hi"));
    let attach = world.send(den, BOB, session(BOB), Wish::Attach);
    world.take(0, 10);
    world.append(0, Fault::Before);
    world.settle(0);
    assert_eq!(world.outcome(attach), Err(Refused::StorageUnavailable));
    world.rest();
    assert_eq!(
        world.trace,
        Vec::<String>::new(),
        "nobody hears what never was"
    );
    laws::nothing_is_left(&mut world);
}

#[test]
fn what_a_lost_answer_left_behind_is_heard_and_not_done_again() {
    let mut world = World::one();
    let den = world.room(named("den"), &[BOB], &[BOB]);
    let hello = || wish(post("hello"), Some("a1"));
    let lost = world.send(den, ALICE, session(ALICE), hello());
    world.turn(0, Fault::After);
    assert_eq!(world.outcome(lost), Err(Refused::StorageUnavailable));
    assert_eq!(world.heard_by(BOB), [0; 0]);
    let again = world.send(den, ALICE, session(ALICE), hello());
    world.rest();
    assert_eq!(world.outcome(again), done(den, 3, true));
    assert_eq!(world.heard_by(BOB), [3]);
}

#[test]
fn what_may_have_happened_is_delivered_even_if_loading_fails_at_first() {
    let mut world = World::one();
    let den = world.room(named("den"), &[BOB], &[BOB]);
    world.wishes(ALICE, den, post("hello"));
    world.turn(0, Fault::After);
    world.answer(0, 0, true);
    world.turn(0, Fault::None);
    assert_eq!(world.heard_by(BOB), [0; 0]);
    let now = world.now;
    world.places[0].turn.sweep(now, 1_000_000);
    world.rest();
    assert_eq!(world.heard_by(BOB), [3]);
}

#[test]
fn a_conflict_judges_again_and_keeps_the_order_of_a_session() {
    let mut world = World::new(Shape::Nodes, 2, 1_000);
    let den = world.room(named("den"), &[BOB], &[]);
    // Bob leaves and comes back in one breath; coming back waits for a fact.
    let leave = world.wishes(BOB, den, Leave {});
    let back = world.wishes(BOB, den, Join::default());
    world.take(0, 10);
    let other = SessionKey {
        worker: 1,
        number: 9,
    };
    world.send(den, ALICE, Some(other), wish(post("first"), None));
    for _ in 0..2 {
        world.turn(1, Fault::None);
        while !world.places[1].questions.is_empty() {
            world.answer(1, 0, false);
        }
    }
    world.turn(1, Fault::None);
    world.append(0, Fault::None);
    world.settle(0);
    world.rest();
    assert_eq!(world.outcome(leave), done(den, 4, false));
    assert_eq!(world.outcome(back), done(den, 5, false));
    laws::live_is_replayed(&world);
}

#[test]
fn a_taken_alias_refuses_nobody_but_its_claimant() {
    let mut world = World::one();
    let owner = CreateRoom {
        alias: Some(Name::new("home").unwrap()),
        ..named("other")
    };
    world.room(owner, &[], &[]);
    let den = world.room(named("den"), &[BOB], &[BOB]);
    let before = world.wishes(BOB, den, post("one"));
    let alias = Some(Name::new("Home").unwrap());
    let update = UpdateRoom {
        alias,
        ..UpdateRoom::default()
    };
    let claim = world.wishes(ALICE, den, update);
    let after = world.wishes(BOB, den, post("two"));
    world.rest();
    assert_eq!(world.outcome(claim), Err(Refused::NameTaken));
    assert_eq!(world.outcome(before), done(den, 3, false));
    assert_eq!(world.outcome(after), done(den, 4, false));
    assert_eq!(world.heard_by(BOB), [3, 4]);
}

#[test]
fn a_creation_that_is_sent_again_gives_the_same_room() {
    let mut world = World::new(Shape::Workers, 3, 1_000);
    let den = || CreateRoom {
        alias: Some(Name::new("den").unwrap()),
        ..named("den")
    };
    let room = world.reserve();
    let lost = world.send(room, ALICE, session(ALICE), wish(den(), Some("c1")));
    world.turn(1, Fault::None);
    world.answer(1, 0, false);
    world.turn(1, Fault::After);
    for _ in 0..2 {
        let number = world.reserve();
        let again = world.send(number, ALICE, session(ALICE), wish(den(), Some("c1")));
        world.rest();
        assert_eq!(world.outcome(again), done(room, 1, true));
    }
    assert_eq!(world.outcome(lost), Err(Refused::StorageUnavailable));
    let number = world.reserve();
    let other = wish(named("cave"), Some("c1"));
    let other = world.send(number, ALICE, session(ALICE), other);
    world.rest();
    assert_eq!(world.outcome(other), Err(Rejection::CidConflict.into()));
}

#[test]
fn an_old_repeat_that_would_be_refused_gets_the_first_answer() {
    let mut world = World::one();
    let den = world.room(named("den"), &[BOB], &[]);
    let hello = || wish(post("hello"), Some("b1"));
    let first = world.send(den, BOB, session(BOB), hello());
    world.rest();
    for number in 0..300 {
        let cid = format!("a{number}");
        world.send(den, ALICE, session(ALICE), wish(post("..."), Some(&cid)));
    }
    world.wishes(ALICE, den, kick(BOB));
    world.rest();
    let again = world.send(den, BOB, session(BOB), hello());
    let other = world.send(den, BOB, session(BOB), wish(post("let me in"), Some("b2")));
    world.rest();
    assert_eq!(world.outcome(first), done(den, 3, false));
    assert_eq!(world.outcome(again), done(den, 3, true));
    assert_eq!(world.outcome(other), Err(Rejection::NotAMember.into()));
}

#[test]
fn three_hundred_commands_of_one_turn_repeat_none_under_a_wrong_number() {
    let mut world = World::one();
    let den = world.room(named("den"), &[], &[]);
    let mut mails = Vec::new();
    for number in 0..300 {
        let cid = format!("a{}", number % 299);
        mails.push(world.send(den, ALICE, session(ALICE), wish(post("..."), Some(&cid))));
    }
    world.rest();
    assert_eq!(world.outcome(mails[0]), done(den, 2, false));
    // It can't be told apart before the first is on disk.
    assert_eq!(world.outcome(mails[299]), Err(Refused::Overloaded));
    assert_eq!(world.archive.log(den).count(), 300);
}

#[test]
fn who_hears_a_room_no_more_is_noted_however_much_waits() {
    let mut world = World::new(Shape::Workers, 1, 1);
    let den = world.room(named("den"), &[], &[ALICE]);
    let room = world.reserve();
    world.wishes(BOB, room, named("waits"));
    world.turn(0, Fault::None);
    let refused = world.send(den, ALICE, session(ALICE), Wish::Look(Look::View));
    world.send(den, ALICE, session(ALICE), Wish::Detach);
    world.turn(0, Fault::None);
    assert_eq!(world.outcome(refused), Err(Refused::Overloaded));
    world.rest();
    laws::nothing_is_left(&mut world);
}

#[test]
fn a_visit_that_failed_counts_no_visitor() {
    let mut world = World::one();
    let den = world.room(named("den"), &[], &[]);
    let guest = UserId::guest(7);
    world.wishes(ALICE, den, post("hi"));
    let visit = world.wishes(guest, den, Visit { password: None });
    world.take(0, 10);
    world.append(0, Fault::Before);
    world.settle(0);
    assert_eq!(world.outcome(visit), Err(Refused::StorageUnavailable));
    world.rest();
    let talk = world.wishes(guest, den, post("am I in?"));
    world.rest();
    assert_eq!(world.outcome(talk), Err(Rejection::NotAMember.into()));
    laws::nothing_is_left(&mut world);
}

#[test]
fn a_guest_who_leaves_and_comes_back_in_one_turn_is_there() {
    let mut world = World::one();
    let den = world.room(named("den"), &[], &[]);
    let guest = UserId::guest(7);
    world.wishes(guest, den, Visit { password: None });
    world.rest();
    world.send(den, guest, session(guest), Wish::Attach);
    world.rest();
    world.send(den, guest, session(guest), Wish::Detach);
    let again = world.wishes(guest, den, Visit { password: None });
    world.rest();
    assert_eq!(world.outcome(again), Ok(Reply::Accepted));
    let seat = world.send(den, guest, session(guest), Wish::Attach);
    let talk = world.wishes(guest, den, post("back again"));
    world.rest();
    assert!(matches!(world.outcome(seat), Ok(Reply::Attached { .. })));
    assert_eq!(world.outcome(talk), done(den, 2, false));
    world.send(den, guest, session(guest), Wish::Detach);
    let talk = world.wishes(guest, den, post("am I still in?"));
    world.rest();
    assert_eq!(world.outcome(talk), Err(Rejection::NotAMember.into()));
    laws::nothing_is_left(&mut world);
}

/// A group with Bob in it, and a room of the other worker in which its members may read.
fn group_and_den(world: &mut World) -> (RoomId, RoomId) {
    let crew = CreateRoom {
        kind: Some(Kind::Group),
        ..named("crew")
    };
    let crew = world.room(crew, &[BOB], &[]);
    let den = world.room(named("den"), &[], &[]);
    world.wishes(
        ALICE,
        den,
        SetGrant {
            group: crew,
            role: Some(Role::Member),
        },
    );
    world.rest();
    (crew, den)
}

#[test]
fn who_loses_his_group_hears_its_rooms_no_more() {
    let mut world = World::new(Shape::Workers, 2, 1_000);
    let (crew, den) = group_and_den(&mut world);
    let seat = world.send(den, BOB, session(BOB), Wish::Attach);
    world.rest();
    assert!(world.outcome(seat).is_ok());
    world.wishes(ALICE, crew, kick(BOB));
    world.rest();
    world.wishes(ALICE, den, post("among us"));
    world.rest();
    assert_eq!(world.heard_by(BOB), [0; 0]);
}

#[test]
fn a_group_that_changes_while_it_is_asked_for_is_asked_for_again() {
    let mut world = World::new(Shape::Workers, 2, 1_000);
    let (crew, den) = group_and_den(&mut world);
    let place = world.owner(den, 0);
    let later = world.now.plus_ms(1);
    world.places[place].turn.sweep(later, 0);
    let seat = world.send(den, BOB, session(BOB), Wish::Attach);
    world.turn(place, Fault::None);
    world.answer(place, 0, false);
    world.turn(place, Fault::None);
    // The members are read, and change before the answer arrives.
    world.answer(place, 0, false);
    world.wishes(ALICE, crew, kick(BOB));
    let other = world.owner(crew, 0);
    world.turn(other, Fault::None);
    while !world.places[other].questions.is_empty() {
        world.answer(other, 0, false);
    }
    world.turn(other, Fault::None);
    while !world.wires[&(other, place)].is_empty() {
        world.carry((other, place));
    }
    world.rest();
    assert_eq!(world.outcome(seat), Err(Rejection::NotAMember.into()));
}

#[test]
fn a_membership_that_never_was_gives_no_right() {
    let mut world = World::one();
    let (crew, den) = group_and_den(&mut world);
    let join = world.wishes(CAROL, crew, Join::default());
    world.turn(0, Fault::None);
    world.answer(0, 0, false);
    let seat = world.send(den, CAROL, session(CAROL), Wish::Attach);
    world.turn(0, Fault::Before);
    assert_eq!(world.outcome(join), Err(Refused::StorageUnavailable));
    assert!(
        world.outcome(seat).is_ok(),
        "judged by what was decided before it"
    );
    world.rest();
    world.wishes(ALICE, den, post("among us"));
    world.rest();
    assert_eq!(world.heard_by(CAROL), [0; 0]);
    world.wishes(ALICE, crew, kick(BOB));
    let seat = world.send(den, BOB, session(BOB), Wish::Attach);
    world.rest();
    assert_eq!(world.outcome(seat), Err(Rejection::NotAMember.into()));
}
