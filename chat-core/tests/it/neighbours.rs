//! Guests of one address, in rooms that nobody asked them into.

use chat_core::commands::{Command, CreateRoom, Join, Visit};
use chat_core::{
    Actor, Decision, Engine, Limits, Name, Rejection, Request, RoomId, Standing, Timestamp, UserId,
};

#[test]
fn guests_of_one_address_hold_half_of_a_rooms_places_and_accounts_any() {
    let mut engine = Engine::new(Limits::default());
    let (most, places) = {
        let limits = engine.limits();
        (
            limits.room_guests_per_address_max,
            limits.channel_members_max,
        )
    };
    assert!(most < places / 2);
    let name = || Name::new("den").unwrap();
    let (room, at) = (RoomId::new(1), Timestamp::new(1));
    let owner = Actor::new(UserId::new(1), name());
    let mut request = Request::new(room, owner, at, CreateRoom::named(name()));
    request.facts.standing = Some(Standing::default());
    let Ok(Decision::New(created)) = engine.decide(&request) else {
        panic!("{:?}", engine.decide(&request));
    };
    assert!(engine.evolve(&created));
    for (user, neighbours, is_let_in) in [
        (UserId::guest(1), 0, true),
        (UserId::guest(1), places / 2 - 1, true),
        (UserId::guest(1), places / 2, false),
        (UserId::new(2), places / 2, true),
    ] {
        request.actor = Actor::new(user, name());
        request.facts.neighbours = neighbours;
        let mut wishes = vec![Command::from(Join::default())];
        wishes.extend(user.is_guest().then(|| Visit::default().into()));
        for wish in wishes {
            request.command = wish;
            let decision = engine.decide(&request);
            let refused =
                matches!(decision, Err(Rejection::TooMany { max, .. }) if max == places / 2);
            assert_eq!(
                (decision.is_ok(), refused),
                (is_let_in, !is_let_in),
                "{neighbours}"
            );
        }
    }
}
