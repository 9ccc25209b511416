//! Commands that come again long after they were carried out, and those of others beside them.

use std::ops::Range;

use chat_core::{RoomId, UserId};

use super::laws;
use super::stories::{ALICE, BOB, CAROL, done, named, post, session, wish};
use super::world::{Fault, World};

/// Sends posts under these cids, each of which says the same.
fn posts(world: &mut World, room: RoomId, user: UserId, cids: Range<u64>) -> Vec<usize> {
    cids.map(|cid| {
        let wish = wish(post("..."), Some(&format!("c{cid}")));
        world.send(room, user, session(user), wish)
    })
    .collect()
}

#[test]
fn however_many_old_commands_come_again_the_others_of_their_turn_lose_one() {
    let mut world = World::one();
    let den = world.room(named("den"), &[BOB, CAROL], &[]);
    posts(&mut world, den, CAROL, 0..1);
    posts(&mut world, den, ALICE, 0..400);
    world.rest();
    let again = posts(&mut world, den, ALICE, 0..40);
    let hers = posts(&mut world, den, CAROL, 0..1);
    let said = world.wishes(BOB, den, post("and me"));
    world.turn(0, Fault::None);
    assert_eq!(world.places[0].questions.len(), 1, "the room is read once");
    world.answer(0, 0, false);
    world.turn(0, Fault::None);
    assert_eq!(world.outcome(said), done(den, 405, false));
    world.rest();
    for (mail, seq) in again.into_iter().zip(5..) {
        assert_eq!(world.outcome(mail), done(den, seq, true));
    }
    assert_eq!(world.outcome(hers[0]), done(den, 4, true));
    // Whoever has done so does it to himself alone.
    let again = posts(&mut world, den, ALICE, 40..80);
    let fresh = posts(&mut world, den, ALICE, 400..401);
    let said = world.wishes(BOB, den, post("me again"));
    world.turn(0, Fault::None);
    assert_eq!(world.outcome(said), done(den, 406, false));
    world.rest();
    for (mail, seq) in again.into_iter().zip(45..) {
        assert_eq!(world.outcome(mail), done(den, seq, true));
    }
    assert_eq!(world.outcome(fresh[0]), done(den, 407, false));
    laws::nothing_is_left(&mut world);
}

#[test]
fn what_was_thrown_back_once_is_not_thrown_back_by_those_who_came_later() {
    let mut world = World::one();
    let den = world.room(named("den"), &[BOB, CAROL], &[]);
    posts(&mut world, den, CAROL, 0..1);
    posts(&mut world, den, ALICE, 0..300);
    world.rest();
    posts(&mut world, den, ALICE, 0..1);
    let said = world.wishes(BOB, den, post("and me"));
    world.turn(0, Fault::None);
    let again = posts(&mut world, den, CAROL, 0..1);
    let later = world.wishes(BOB, den, post("me again"));
    world.answer(0, 0, false);
    world.turn(0, Fault::None);
    assert_eq!(world.outcome(said), done(den, 305, false));
    world.rest();
    assert_eq!(world.outcome(again[0]), done(den, 4, true));
    assert_eq!(world.outcome(later), done(den, 306, false));
    laws::nothing_is_left(&mut world);
}
