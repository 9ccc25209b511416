//! Several nodes on one store: one moral each.

use chat_core::commands::{CreateRoom, Invite, Join, Kick, SetGrant};
use chat_core::{Kind, RoomId, UserId};
use chat_server::bus::Hint;
use chat_server::mail::{Refused, Reply, SessionKey, Wish};

use super::laws;
use super::stories::{ALICE, BOB, CAROL, done, named, post, wish};
use super::world::{Fault, Shape, World};

/// A user's session on a node.
fn on(node: usize, user: UserId) -> Option<SessionKey> {
    let number = user.number();
    let worker = node;
    Some(SessionKey { worker, number })
}

impl World {
    fn nodes(count: usize) -> Self {
        Self::new(Shape::Nodes, count, 1_000)
    }

    /// A room of Alice's on the first node, heard by Bob on the second.
    fn shared_room(&mut self) -> RoomId {
        let den = self.room(named("den"), &[BOB], &[ALICE]);
        self.send(den, BOB, on(1, BOB), Wish::Attach);
        self.rest();
        self.heard.clear();
        den
    }

    fn says(&mut self, node: usize, user: UserId, room: RoomId, text: &str) -> usize {
        self.send(room, user, on(node, user), wish(post(text), None))
    }

    /// Lets a node do all that it has to do.
    fn acts(&mut self, node: usize) {
        self.turn(node, Fault::None);
        while !self.places[node].questions.is_empty() {
            self.answer(node, 0, false);
            self.turn(node, Fault::None);
        }
    }

    /// The hints that are on their way.
    fn hints(&mut self) -> Vec<(usize, Hint)> {
        std::iter::from_fn(|| self.bus.next()).collect()
    }
}

#[test]
fn what_is_said_on_one_node_is_heard_on_the_others_in_one_order() {
    let mut world = World::nodes(3);
    let den = world.shared_room();
    for text in ["one", "two"] {
        world.says(0, ALICE, den, text);
        world.says(1, BOB, den, text);
    }
    world.rest();
    assert_eq!(world.heard_by(ALICE), [3, 4, 5, 6]);
    assert_eq!(world.heard_by(BOB), [3, 4, 5, 6]);
    laws::live_is_replayed(&world);
}

#[test]
fn a_record_that_comes_before_its_time_waits_for_the_one_before_it() {
    let mut world = World::nodes(2);
    let den = world.shared_room();
    for text in ["one", "two", "three"] {
        world.says(0, ALICE, den, text);
    }
    world.acts(0);
    for (node, hint) in world.hints().into_iter().rev() {
        world.tell(node, &hint);
    }
    assert_eq!(world.heard_by(BOB), [3, 4, 5]);
}

#[test]
fn a_hint_that_comes_twice_is_heard_once() {
    let mut world = World::nodes(2);
    let den = world.shared_room();
    world.says(0, ALICE, den, "hello");
    world.acts(0);
    let hints = world.hints();
    for (node, hint) in hints.iter().chain(&hints) {
        world.tell(*node, hint);
    }
    world.rest();
    assert_eq!(world.heard_by(BOB), [3]);
}

#[test]
fn somebody_who_is_told_of_something_elsewhere_is_told_once() {
    let mut world = World::nodes(2);
    let den = world.room(named("den"), &[BOB], &[]);
    let user = CAROL;
    let until = None;
    let invite = Invite { user, until };
    world.send(den, ALICE, on(0, ALICE), wish(invite, None));
    world.acts(0);
    world.trace.clear();
    let hints = world.hints();
    for (node, hint) in hints.iter().chain(&hints) {
        world.tell(*node, hint);
    }
    assert_eq!(world.trace, ["3 invited"]);
}

#[test]
fn what_the_bus_lost_is_read_with_the_next_hint() {
    let mut world = World::nodes(2);
    let den = world.shared_room();
    // More than one reading gives.
    for _ in 0..5 {
        world.says(0, ALICE, den, "unheard");
    }
    world.acts(0);
    world.bus.lose_all();
    world.says(0, ALICE, den, "heard");
    world.rest();
    assert_eq!(world.heard_by(BOB), [3, 4, 5, 6, 7, 8]);
}

#[test]
fn more_may_come_before_its_time_than_is_kept() {
    let mut world = World::nodes(2);
    let den = world.shared_room();
    for _ in 0..100 {
        world.says(0, ALICE, den, "hello");
    }
    world.acts(0);
    for (node, hint) in world.hints().into_iter().skip(1) {
        world.tell(node, &hint);
    }
    world.rest();
    assert_eq!(world.heard_by(BOB), (3..103).collect::<Vec<_>>());
}

#[test]
fn what_the_bus_lost_altogether_is_found_by_looking_into_the_store() {
    let mut world = World::nodes(2);
    let den = world.shared_room();
    world.says(0, ALICE, den, "hello");
    world.acts(0);
    world.bus.lose_all();
    world.rest();
    assert_eq!(world.heard_by(BOB), [0; 0]);
    world.compare();
    assert_eq!(world.heard_by(BOB), [3]);
}

#[test]
fn what_could_not_be_appended_is_told_to_no_other_node() {
    let mut world = World::nodes(2);
    let den = world.shared_room();
    world.says(0, ALICE, den, "hello");
    world.turn(0, Fault::Before);
    assert_eq!(world.hints().len(), 0);
    world.rest();
    assert_eq!(world.heard_by(BOB), [0; 0]);
}

#[test]
fn what_was_appended_unknown_to_its_node_is_told_once_that_is_known() {
    let mut world = World::nodes(2);
    let den = world.shared_room();
    world.says(0, ALICE, den, "hello");
    world.turn(0, Fault::After);
    world.rest();
    assert_eq!(world.heard_by(BOB), [3]);
    assert_eq!(world.heard_by(ALICE), [3]);
}

#[test]
fn whoever_is_kicked_on_one_node_hears_of_it_on_another_and_nothing_after() {
    let mut world = World::nodes(2);
    let den = world.shared_room();
    let (user, reason) = (BOB, None);
    let kick = wish(Kick { user, reason }, None);
    world.send(den, ALICE, on(0, ALICE), kick);
    world.says(0, ALICE, den, "he is gone");
    world.acts(0);
    for (node, hint) in world.hints().into_iter().rev() {
        world.tell(node, &hint);
    }
    world.rest();
    assert_eq!(world.heard_by(BOB), [3]);
    assert!(!world.places[1].hub.has_seat(on(1, BOB).unwrap(), den));
}

#[test]
fn nobody_is_refused_for_what_his_node_has_not_heard_yet() {
    let mut world = World::nodes(2);
    let den = world.room(named("den"), &[], &[]);
    world.send(den, ALICE, on(1, ALICE), Wish::Attach);
    world.rest();
    let joined = world.send(den, BOB, on(0, BOB), wish(Join::default(), None));
    world.acts(0);
    world.bus.lose_all();
    assert_eq!(world.outcome(joined), done(den, 2, false));
    // He joined on the one, and speaks on the other.
    let said = world.says(1, BOB, den, "hello");
    let seat = world.send(den, BOB, on(1, BOB), Wish::Attach);
    world.rest();
    assert_eq!(world.outcome(said), done(den, 3, false));
    assert!(world.outcome(seat).is_ok());
}

#[test]
fn a_group_that_was_asked_for_before_it_was_made_is_found() {
    let mut world = World::nodes(2);
    let den = world.room(named("den"), &[], &[]);
    let pack = world.reserve();
    let role = Some(chat_core::Role::Member);
    let grant = SetGrant { group: pack, role };
    let early = world.send(den, ALICE, on(1, ALICE), wish(grant.clone(), None));
    world.rest();
    assert!(world.outcome(early).is_err());
    // It is made and gets its role elsewhere, and nobody tells.
    let kind = Some(Kind::Group);
    let made = CreateRoom {
        kind,
        ..named("pack")
    };
    for (user, room, wished) in [
        (ALICE, pack, wish(made, None)),
        (BOB, pack, wish(Join::default(), None)),
        (ALICE, den, wish(grant, None)),
    ] {
        let mail = world.send(room, user, on(0, user), wished);
        world.acts(0);
        world.bus.lose_all();
        assert!(world.outcome(mail).is_ok(), "{:?}", world.sent[mail]);
    }
    world.compare();
    let seat = world.send(den, BOB, on(1, BOB), Wish::Attach);
    world.rest();
    assert!(world.outcome(seat).is_ok());
}

#[test]
fn a_group_that_is_loaded_has_come_further_than_it_was_known() {
    let mut world = World::nodes(2);
    let kind = Some(Kind::Group);
    let pack = CreateRoom {
        kind,
        ..named("pack")
    };
    let pack = world.room(pack, &[BOB], &[]);
    let den = world.room(named("den"), &[], &[]);
    let role = Some(chat_core::Role::Member);
    world.wishes(ALICE, den, SetGrant { group: pack, role });
    world.rest();
    let seat = world.send(den, BOB, on(1, BOB), Wish::Attach);
    world.rest();
    assert!(world.outcome(seat).is_ok());
    // Bob is thrown out elsewhere, and nobody tells; then somebody speaks to the pack here.
    let (user, reason) = (BOB, None);
    let kick = wish(Kick { user, reason }, None);
    world.send(pack, ALICE, on(0, ALICE), kick);
    world.acts(0);
    world.bus.lose_all();
    let said = world.says(1, ALICE, pack, "who is here?");
    world.rest();
    assert!(world.outcome(said).is_ok());
    assert!(!world.places[1].hub.has_seat(on(1, BOB).unwrap(), den));
}

#[test]
fn whoever_lost_a_group_on_another_node_loses_what_he_had_by_it() {
    for told in [true, false] {
        let mut world = World::nodes(2);
        let mut pack = named("pack");
        pack.kind = Some(Kind::Group);
        let pack = world.room(pack, &[BOB], &[]);
        let den = world.room(named("den"), &[], &[]);
        let role = Some(chat_core::Role::Member);
        let grant = SetGrant { group: pack, role };
        world.wishes(ALICE, den, grant);
        world.rest();
        // Bob is no member of the den; he sits there by the group, on a node without the group.
        let seat = world.send(den, BOB, on(1, BOB), Wish::Attach);
        world.rest();
        assert!(world.outcome(seat).is_ok());
        world.says(0, ALICE, pack, "bye");
        let (user, reason) = (BOB, None);
        let kick = wish(Kick { user, reason }, None);
        world.send(pack, ALICE, on(0, ALICE), kick);
        world.acts(0);
        if !told {
            world.bus.lose_all();
        }
        world.rest();
        if !told {
            world.compare();
        }
        let sits = world.places[1].hub.has_seat(on(1, BOB).unwrap(), den);
        assert!(!sits, "bob sits in the den still (told: {told})");
    }
}

#[test]
fn after_a_bus_was_down_no_more_logs_are_read_at_a_time_than_a_few() {
    const ROOMS: usize = 200;
    let mut world = World::nodes(2);
    let mut dens = Vec::new();
    for _ in 0..ROOMS {
        // Nobody makes so many in a day.
        world.now = world.now.plus_ms(24 * 60 * 60 * 1_000 / 20);
        dens.push(world.shared_room());
    }
    for den in &dens {
        world.says(0, ALICE, *den, "hello");
    }
    world.acts(0);
    world.bus.lose_all();
    world.poll(1);
    world.answer(1, 0, false);
    let mut read = 0;
    loop {
        world.turn(1, Fault::None);
        let asked = world.places[1].questions.len();
        assert!(asked <= 64, "{asked} logs are read at a time");
        if asked == 0 {
            break;
        }
        read += 1;
        world.answer(1, 0, false);
    }
    assert_eq!(read, ROOMS);
    assert_eq!(world.heard_by(BOB), [3; ROOMS]);
}

#[test]
fn whoever_loses_every_race_is_told_to_come_later_and_is_heard_then() {
    let mut world = World::nodes(2);
    let den = world.shared_room();
    let said = world.says(1, BOB, den, "and I");
    let mut races = 0;
    while world.sent[said].outcome.is_none() {
        races += 1;
        assert!(races < 1_000, "he waits for ever");
        world.take(1, usize::MAX);
        world.says(0, ALICE, den, "I first");
        world.acts(0);
        world.append(1, Fault::None);
        world.settle(1);
        while !world.places[1].questions.is_empty() {
            world.answer(1, 0, false);
        }
    }
    assert!(races >= 8, "he is sent away after {races}");
    let outcome = world.sent[said].outcome.clone();
    assert_eq!(outcome, Some(Err(Refused::StorageUnavailable)));
    let again = world.says(1, BOB, den, "and I");
    world.rest();
    assert!(matches!(
        world.sent[again].outcome,
        Some(Ok(Reply::Done { .. }))
    ));
    laws::live_is_replayed(&world);
}

impl World {
    /// What was told of comings and goings since it was last looked at.
    fn seen(&mut self) -> Vec<String> {
        let told = std::mem::take(&mut self.trace);
        let of_presence = |it: &String| it == "arrived" || it == "departed";
        told.into_iter().filter(of_presence).collect()
    }
}

#[test]
fn who_is_there_by_two_nodes_arrives_once_and_departs_once() {
    let mut world = World::nodes(3);
    let den = world.shared_room();
    world.send(den, BOB, on(2, BOB), Wish::Attach);
    world.rest();
    world.seen();
    world.send(den, BOB, on(1, BOB), Wish::Detach);
    world.rest();
    assert_eq!(world.seen(), [""; 0]);
    world.send(den, BOB, on(2, BOB), Wish::Detach);
    world.rest();
    assert_eq!(
        world.seen(),
        ["departed"],
        "Alice alone is there to hear it"
    );
    world.send(den, BOB, on(1, BOB), Wish::Attach);
    world.rest();
    assert_eq!(world.seen(), ["arrived", "arrived"]);
}

#[test]
fn a_node_that_is_silent_for_long_takes_its_people_with_it_until_it_is_heard_again() {
    let mut world = World::nodes(2);
    world.shared_room();
    world.meet();
    world.seen();
    let mut looks = 0;
    let departed = loop {
        world.poll(0);
        world.bus.lose_all();
        world.rest();
        looks += 1;
        let seen = world.seen();
        if !seen.is_empty() {
            break seen;
        }
    };
    assert_eq!(departed, ["departed"]);
    assert!((11..=16).contains(&looks), "{looks} looks around");
    world.meet();
    assert_eq!(world.seen(), ["arrived"]);
}

#[test]
fn news_of_who_is_there_may_come_in_any_order_and_late() {
    let mut world = World::nodes(2);
    let den = world.shared_room();
    world.seen();
    let mut late = Vec::new();
    for wish in [Wish::Detach, Wish::Attach, Wish::Detach] {
        world.send(den, BOB, on(1, BOB), wish);
        world.acts(1);
        late.extend(world.hints());
    }
    let Some((node, last)) = late.pop() else {
        panic!("nothing is told");
    };
    world.seen();
    world.tell(node, &last);
    assert_eq!(world.seen(), ["departed"]);
    for (node, hint) in &late {
        world.tell(*node, hint);
    }
    world.meet();
    for (node, hint) in &late {
        world.tell(*node, hint);
    }
    assert_eq!(world.seen(), [""; 0]);
}
