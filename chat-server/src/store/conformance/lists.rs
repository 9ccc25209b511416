//! Rooms, members, markers.

use std::sync::Arc;

use crate::store::{Created, DirectoryQuery, Marker, NewAccount, Order};
use chat_core::commands::{
    Archive, CreateRoom, Delete, DeleteRoom, Edit, Entry, Join, Kick, Leave, OpenDirect, Post,
    SetAccess, SetNickname, SetRole, TransferOwnership, UpdateRoom,
};
use chat_core::{Idx, Lifecycle, Role, RoomId, Seq, Standing, Timestamp, UserId};
use chat_protocol::answer::Mode;

use super::Any;
use super::stage::{ALICE, BOB, CAROL, Stage, name, room, text};

pub(super) async fn a_card_follows_its_room(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    let made = stage.at;
    stage.join(den, BOB).await;
    stage.post(den, BOB, "hi").await;
    let card = store.card(den).await.unwrap().unwrap();
    assert_eq!(
        (card.members, card.head_seq, card.head_idx),
        (2, Seq::new(3), Idx::new(1))
    );
    assert_eq!(
        (card.created.by, card.created.at, card.updated_at),
        (ALICE, made, made)
    );
    assert_eq!(
        (card.access, card.listed, card.lifecycle),
        (Mode::Open, true, Lifecycle::Active)
    );

    let update = UpdateRoom {
        name: Some(name("Lair")),
        alias: Some(name("lair")),
        topic: Some(text("dragons")),
        ..UpdateRoom::default()
    };
    stage.act(den, ALICE, update).await;
    let access = SetAccess {
        access: Some(Entry::Invite),
        listed: Some(false),
        ..SetAccess::default()
    };
    stage.act(den, ALICE, access).await;
    stage.act(den, ALICE, Archive {}).await;
    let changed = stage.at;
    let card = store.card(den).await.unwrap().unwrap();
    assert_eq!(
        (card.name, card.alias),
        (Some(name("Lair")), Some(name("lair")))
    );
    assert_eq!(
        (card.topic, card.updated_at),
        (Some(text("dragons")), changed)
    );
    assert_eq!(
        (card.access, card.listed, card.lifecycle),
        (Mode::Invite, false, Lifecycle::Archived)
    );
    assert_eq!(store.card(room(9)).await.unwrap(), None);
}

fn listed(order: Order, limit: usize) -> DirectoryQuery {
    let mut query = DirectoryQuery::first(order, limit);
    query.looked_at_max = 100;
    query
}

/// All rooms of a list, part by part.
async fn walk(store: &Any, mut query: DirectoryQuery) -> Vec<u64> {
    let mut rooms = Vec::new();
    loop {
        let page = store.directory(&query).await.unwrap();
        assert!(page.items.len() <= query.limit);
        rooms.extend(page.items.iter().map(|card| card.id.number()));
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return rooms,
        }
    }
}

pub(super) async fn the_directory_shows_listed_rooms_in_parts(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    for number in 1..=7 {
        let hidden = CreateRoom {
            listed: Some(number != 3),
            ..CreateRoom::named(name("den"))
        };
        stage.create(number, hidden).await;
    }
    stage.act(room(5), ALICE, Archive {}).await;
    stage.act(room(6), ALICE, DeleteRoom {}).await;
    for limit in [1, 2, 3, 5, 6] {
        assert_eq!(
            walk(&store, listed(Order::Oldest, limit)).await,
            [1, 2, 4, 5, 7]
        );
        assert_eq!(
            walk(&store, listed(Order::Newest, limit)).await,
            [7, 5, 4, 2, 1]
        );
    }
    let mut odd = listed(Order::Oldest, 9);
    odd.cursor = Some("; --".into());
    let page = store.directory(&odd).await.unwrap();
    assert!(page.items.is_empty() && page.next.is_none());
}

pub(super) async fn the_directory_is_searched_by_name_and_alias(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    stage.create(1, CreateRoom::named(name("Köln 100%"))).await;
    let aliased = CreateRoom {
        alias: Some(name("Kölner")),
        ..CreateRoom::named(name("x"))
    };
    stage.create(2, aliased).await;
    stage.create(3, CreateRoom::named(name("Bonn"))).await;
    for (search, expected) in [
        ("KÖLN", vec![1, 2]),
        ("öln", vec![1, 2]),
        ("%", vec![1]),
        ("_", vec![]),
        ("bonn", vec![3]),
        ("", vec![1, 2, 3]),
    ] {
        let mut query = listed(Order::Oldest, 2);
        query.search = Some(search.into());
        assert_eq!(walk(&store, query).await, expected, "{search}");
    }
}

pub(super) async fn a_search_for_rooms_looks_at_so_many_and_says_where_to_go_on(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    for number in 1..=9 {
        let title = if number % 4 == 0 { "den" } else { "hall" };
        stage.create(number, CreateRoom::named(name(title))).await;
    }
    let query = |limit, looked_at_max| {
        let mut query = listed(Order::Oldest, limit);
        query.search = Some("den".into());
        query.looked_at_max = looked_at_max;
        query
    };
    for (limit, looked_at_max, found, next) in [
        (5, 3, vec![], Some("3")),
        (5, 4, vec![4], Some("4")),
        (5, 8, vec![4, 8], Some("8")),
        (5, 9, vec![4, 8], None),
        (1, 9, vec![4], Some("7")),
    ] {
        let page = store.directory(&query(limit, looked_at_max)).await.unwrap();
        let rooms: Vec<_> = page.items.iter().map(|card| card.id.number()).collect();
        assert_eq!(
            (rooms, page.next.as_deref()),
            (found, next),
            "{limit} of {looked_at_max}"
        );
    }
    for looked_at_max in 1..10 {
        assert_eq!(walk(&store, query(2, looked_at_max)).await, [4, 8]);
    }
}

pub(super) async fn members_come_in_the_order_of_their_numbers(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    let carol_since = stage.join(den, CAROL).await;
    stage.join(den, BOB).await;
    let guest = UserId::guest(7);
    stage.join(den, guest).await;
    stage
        .act(
            den,
            ALICE,
            SetRole {
                user: BOB,
                role: Role::Moderator,
            },
        )
        .await;
    stage
        .act(
            den,
            BOB,
            SetNickname {
                nickname: Some(name("Bobby")),
            },
        )
        .await;
    let members = store.members(den, None, 10).await.unwrap();
    let seen: Vec<_> = members
        .iter()
        .map(|member| {
            (
                member.user.id,
                member.user.name.as_ref().unwrap().as_str(),
                member.role,
            )
        })
        .collect();
    assert_eq!(
        seen[..3],
        [
            (ALICE, "alice", Role::Owner),
            (BOB, "Bobby", Role::Moderator),
            (CAROL, "carol", Role::Member)
        ]
    );
    assert_eq!((members[3].user.id, members[3].role), (guest, Role::Guest));
    assert_eq!(members[2].since, carol_since);
    assert_eq!(
        store.members(den, Some(ALICE), 2).await.unwrap(),
        members[1..3]
    );
    assert!(store.members(den, Some(guest), 2).await.unwrap().is_empty());

    stage.act(den, BOB, SetNickname { nickname: None }).await;
    let bob = &store.members(den, Some(ALICE), 1).await.unwrap()[0];
    assert_eq!(bob.user.name, Some(name("bob")));
}

pub(super) async fn who_has_gone_is_listed_no_more(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    stage.join(den, CAROL).await;
    stage.act(den, ALICE, TransferOwnership { to: CAROL }).await;
    let kick = Kick {
        user: BOB,
        reason: None,
    };
    stage.act(den, CAROL, kick).await;
    stage.act(den, ALICE, Leave {}).await;
    let members = store.members(den, None, 10).await.unwrap();
    let seen: Vec<_> = members
        .iter()
        .map(|member| (member.user.id, member.role))
        .collect();
    assert_eq!(seen, [(CAROL, Role::Owner)]);
    assert_eq!(store.card(den).await.unwrap().unwrap().members, 1);
}

pub(super) async fn the_peer_of_a_direct_room_is_known_by_name(store: Any) {
    for user in ["alice", "bob"] {
        let account = NewAccount::new(name(user), Timestamp::new(1));
        assert!(matches!(
            store.create_account(account).await.unwrap(),
            Created::Account(_)
        ));
    }
    let mut stage = Stage::new(Arc::clone(&store));
    stage.act(room(1), ALICE, OpenDirect { user: BOB }).await;
    for (user, peer, called) in [(ALICE, BOB, "bob"), (BOB, ALICE, "alice")] {
        let mine = store.rooms_of(user).await.unwrap();
        assert_eq!(mine.len(), 1);
        let seen = mine[0].peer.clone().unwrap();
        assert_eq!(
            (seen.id, seen.name, mine[0].role),
            (peer, Some(name(called)), Role::Member)
        );
    }
    assert_eq!(
        store.standing(BOB, Timestamp::new(0)).await.unwrap(),
        Standing::default()
    );
}

pub(super) async fn the_rooms_of_many_are_told_at_once(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    for number in [3, 1, 2] {
        stage.den(number).await;
    }
    stage.join(room(2), BOB).await;
    stage.join(room(1), BOB).await;
    stage.join(room(3), CAROL).await;
    stage.act(room(3), CAROL, Leave {}).await;
    let asked = [BOB, CAROL, ALICE, BOB, UserId::new(77)];
    let rooms = store.memberships(&asked).await.unwrap();
    let expected = [(ALICE, 1), (ALICE, 2), (ALICE, 3), (BOB, 1), (BOB, 2)];
    let expected = expected.map(|(user, number)| (user, room(number)));
    assert_eq!(rooms, expected);
    assert!(store.memberships(&[]).await.unwrap().is_empty());
}

pub(super) async fn a_deleted_room_is_in_no_list(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    assert_eq!(store.rooms_of(BOB).await.unwrap().len(), 1);
    assert_eq!(store.memberships(&[BOB]).await.unwrap(), [(BOB, den)]);
    stage.act(den, ALICE, DeleteRoom {}).await;
    assert_eq!(store.card(den).await.unwrap(), None);
    assert!(store.rooms_of(BOB).await.unwrap().is_empty());
    assert!(store.memberships(&[BOB]).await.unwrap().is_empty());
    assert!(store.members(den, None, 9).await.unwrap().is_empty());
    assert_eq!(
        store.standing(BOB, Timestamp::new(0)).await.unwrap(),
        Standing::default()
    );
    assert_eq!(
        store.load(den).await.unwrap().unwrap().lifecycle,
        Lifecycle::Deleted
    );
}

pub(super) async fn standing_counts_rooms(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let first = stage.den(1).await;
    let after_first = stage.at.plus_ms(1);
    let second = stage.den(2).await;
    stage.join(first, BOB).await;
    stage.join(second, BOB).await;
    stage.act(second, BOB, Leave {}).await;
    let standing = |rooms_joined, rooms_created| Standing {
        rooms_joined,
        rooms_created,
    };
    let ever = Timestamp::new(0);
    assert_eq!(store.standing(ALICE, ever).await.unwrap(), standing(2, 2));
    assert_eq!(
        store.standing(ALICE, after_first).await.unwrap(),
        standing(2, 1)
    );
    assert_eq!(store.standing(BOB, ever).await.unwrap(), standing(1, 0));
}

fn marker(read: u64, unread: u64, mentions: u64) -> Marker {
    Marker {
        read: Idx::new(read),
        unread,
        mentions,
    }
}

async fn read_up_to(store: &Any, den: RoomId, user: UserId, idx: u64) -> Marker {
    store
        .mark_read(&[(den, user, Idx::new(idx))])
        .await
        .unwrap();
    store.marker(den, user).await.unwrap()
}

pub(super) async fn markers_never_go_back(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    let mention = Post {
        mentions: vec![BOB],
        ..Post::plain(text("bob!"))
    };
    stage.act(den, ALICE, mention).await;
    let gone = stage.post(den, ALICE, "gone").await;
    let everybody = Post {
        mention_all: true,
        ..Post::plain(text("all!"))
    };
    stage.act(den, ALICE, everybody).await;
    assert_eq!(store.marker(den, BOB).await.unwrap(), marker(0, 3, 2));
    assert_eq!(store.marker(den, ALICE).await.unwrap(), marker(3, 0, 0));
    stage.act(den, ALICE, Delete { message: gone }).await;
    assert_eq!(store.marker(den, BOB).await.unwrap(), marker(0, 2, 2));
    assert_eq!(read_up_to(&store, den, BOB, 1).await, marker(1, 1, 1));
    assert_eq!(read_up_to(&store, den, BOB, 0).await, marker(1, 1, 1));
    assert_eq!(read_up_to(&store, den, BOB, 99).await, marker(1, 1, 1));
    assert_eq!(read_up_to(&store, den, CAROL, 2).await, Marker::default());
    stage.post(den, BOB, "mine").await;
    assert_eq!(store.marker(den, BOB).await.unwrap(), marker(4, 0, 0));
    assert_eq!(store.marker(den, ALICE).await.unwrap(), marker(3, 1, 0));
}

pub(super) async fn markers_come_in_parts(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    stage.join(den, CAROL).await;
    stage.post(den, CAROL, "one").await;
    let mut found = Vec::new();
    loop {
        let after = found.last().map(|(user, _)| *user);
        let part = store.markers(den, after, 2).await.unwrap();
        found.extend(&part);
        if part.len() < 2 {
            break;
        }
    }
    let read = [(ALICE, 0), (BOB, 0), (CAROL, 1)];
    assert_eq!(found, read.map(|(user, idx)| (user, Idx::new(idx))));
}

pub(super) async fn who_joins_has_nothing_unread(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    stage.post(den, ALICE, "early").await;
    stage.join(den, BOB).await;
    assert_eq!(store.marker(den, BOB).await.unwrap(), marker(1, 0, 0));
    stage.post(den, ALICE, "late").await;
    assert_eq!(store.marker(den, BOB).await.unwrap(), marker(1, 1, 0));
    stage.act(den, BOB, Leave {}).await;
    assert_eq!(store.marker(den, BOB).await.unwrap(), Marker::default());
    stage.act(den, BOB, Join::default()).await;
    assert_eq!(store.marker(den, BOB).await.unwrap(), marker(2, 0, 0));
}

pub(super) async fn an_edit_moves_its_mentions(store: Any) {
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    stage.join(den, CAROL).await;
    let said = Post {
        mentions: vec![BOB],
        ..Post::plain(text("bob!"))
    };
    let said = stage.act(den, ALICE, said).await.seq;
    let edit = Edit {
        mentions: vec![CAROL],
        ..Edit::plain(said, text("carol, I mean"))
    };
    stage.act(den, ALICE, edit).await;
    assert_eq!(store.marker(den, BOB).await.unwrap(), marker(0, 1, 0));
    assert_eq!(store.marker(den, CAROL).await.unwrap(), marker(0, 1, 1));
    stage.act(den, ALICE, Delete { message: said }).await;
    assert_eq!(store.marker(den, CAROL).await.unwrap(), marker(0, 0, 0));
}

pub(super) async fn guests_who_stay_away_are_found(store: Any) {
    let (guest, at) = (UserId::guest(7), Timestamp::new);
    let mut stage = Stage::new(Arc::clone(&store));
    let den = stage.den(1).await;
    stage.join(den, BOB).await;
    stage.join(den, guest).await;
    let unseen = |before, now| {
        let store = Arc::clone(&store);
        async move {
            let found = store.guests_unseen(at(before), at(now), 10).await.unwrap();
            found
                .into_iter()
                .map(|it| (it.room, it.guest))
                .collect::<Vec<_>>()
        }
    };
    // Nobody has seen him yet: his time begins.
    assert_eq!(unseen(1_000, 5_000).await, []);
    assert_eq!(unseen(5_001, 6_000).await, [(den, guest)]);
    store.see_guest(guest, at(9_000)).await.unwrap();
    store.see_guest(guest, at(8_000)).await.unwrap();
    assert_eq!(unseen(9_000, 10_000).await, []);
    assert_eq!(unseen(9_001, 10_000).await, [(den, guest)]);
    stage.act(den, guest, Leave {}).await;
    assert_eq!(unseen(9_001, 10_000).await, []);
    // A visitor leaves no trace.
    store.see_guest(UserId::guest(8), at(1)).await.unwrap();
    assert_eq!(unseen(9_001, 10_000).await, []);
}
