//! Who is sent away in the middle of a turn.

use chat_core::commands::{Entry, Join, SetAccess, Typing};
use chat_server::mail::Wish;

use super::stories::{ALICE, BOB, kick, named, post, session};
use super::world::{Fault, World};

#[test]
fn who_is_kicked_hears_nothing_that_was_decided_later_in_the_same_turn() {
    let mut world = World::one();
    let den = world.room(named("den"), &[BOB], &[ALICE, BOB]);
    world.wishes(ALICE, den, post("out"));
    world.wishes(ALICE, den, kick(BOB));
    world.wishes(ALICE, den, Typing { on: true });
    world.wishes(ALICE, den, post("he is gone"));
    world.turn(0, Fault::None);
    assert_eq!(
        world.trace,
        ["3 posted", "4 kicked", "departed", "typing", "5 posted"]
    );
    assert_eq!(world.heard_by(BOB), [3, 4]);
}

#[test]
fn who_is_kicked_hears_all_that_was_decided_before_in_the_same_turn() {
    let mut world = World::one();
    let den = world.room(named("den"), &[BOB], &[ALICE, BOB]);
    let closed = SetAccess {
        access: Some(Entry::Invite),
        ..SetAccess::default()
    };
    world.wishes(ALICE, den, closed);
    world.wishes(ALICE, den, post("out"));
    world.wishes(ALICE, den, kick(BOB));
    world.wishes(ALICE, den, post("he is gone"));
    world.turn(0, Fault::None);
    assert_eq!(world.heard_by(BOB), [3, 4, 5]);
    assert_eq!(world.heard_by(ALICE), [2, 3, 4, 5, 6]);
}

#[test]
fn whoever_comes_back_in_the_turn_of_his_kick_hears_the_rest() {
    let mut world = World::one();
    let den = world.room(named("den"), &[BOB], &[ALICE, BOB]);
    world.wishes(ALICE, den, kick(BOB));
    world.turn(0, Fault::None);
    let back = world.wishes(BOB, den, Join::default());
    world.turn(0, Fault::None);
    world.answer(0, 0, false);
    world.send(den, BOB, session(BOB), Wish::Attach);
    world.wishes(ALICE, den, post("again?"));
    world.rest();
    assert!(world.outcome(back).is_ok());
    assert_eq!(world.heard_by(BOB).last(), Some(&5));
}
