//! What a worker's rooms still know of somebody who was erased.

use chat_core::commands::{OpenDirect, SetNickname};
use chat_core::{Name, RoomId};

use super::stories::{ALICE, BOB, post};
use super::world::{Fault, World};

fn nickname(text: &str) -> SetNickname {
    SetNickname {
        nickname: Some(Name::new(text).unwrap()),
    }
}

fn called(world: &World, room: RoomId) -> Option<Name> {
    let room = world.places[0].turn.engine().room(room).unwrap();
    room.nickname(ALICE).cloned()
}

#[test]
fn nobody_is_called_by_a_name_that_was_erased_though_he_cannot_leave() {
    let mut world = World::one();
    let room = world.reserve();
    world.wishes(ALICE, room, OpenDirect { user: BOB });
    world.rest();
    world.wishes(ALICE, room, nickname("Sweetheart"));
    world.rest();
    assert!(called(&world, room).is_some());
    world.places[0].turn.forget_names(ALICE);
    assert_eq!(called(&world, room), None);
    // What she had still sent, and a state that was read before.
    world.wishes(ALICE, room, nickname("Darling"));
    world.rest();
    assert_eq!(called(&world, room), None);
    let later = world.now.plus_ms(1);
    world.places[0].turn.sweep(later, 0);
    assert!(world.places[0].turn.engine().room(room).is_none());
    world.wishes(BOB, room, post("still here"));
    world.turn(0, Fault::None);
    world.rest();
    assert_eq!(called(&world, room), None);
}
