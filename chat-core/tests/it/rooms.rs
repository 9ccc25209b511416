//! Rooms: making, changing, archiving, giving away, ending.

use chat_core::commands::CreateRoom;
use chat_core::{Name, Text};

use crate::check::{check, left};

stories! {
    fn strangers_may_not_post() {
        check("alice create #den
               bob post #den hi",
              "1 alice created: attach alice, broadcast
               bob refused: not a member of this room");
    }

    fn a_room_that_a_guest_makes_belongs_to_the_house() {
        check("gina create #den
               gina update #den topic=mine
               gina delete_room #den
               house update #den topic=order
               bob join #den
               house transfer #den gina
               house transfer #den bob
               house delete_room #den
               bob delete_room #den
               bob join #den",
              "1 gina created: attach gina, broadcast
               gina refused: not permitted: update_room (table)
               gina refused: not permitted: delete_room (table)
               2 house updated: broadcast
               3 bob joined as Member: attach bob, broadcast
               house refused: not permitted: transfer_ownership (guest)
               4 house transferred to bob: broadcast, rejudge
               house refused: not a member of this room
               5 bob deleted the room: broadcast, close
               bob refused: no such room");
    }

    fn an_archived_room_is_read_only() {
        check("alice create #den
               bob join #den
               bob post #den hi
               bob archive #den
               alice archive #den
               alice archive #den
               bob post #den hi
               bob edit #den 3 ho
               bob typing #den
               bob read #den 1
               carol join #den
               alice update #den topic=x
               bob join #den
               bob leave #den
               alice unarchive #den
               alice unarchive #den
               carol join #den
               alice archive #den
               alice delete_room #den
               alice unarchive #den
               alice may archive #den?
               carol leave #den",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 bob posted message 1: broadcast
               bob refused: not permitted: archive (table)
               4 alice archived: broadcast
               alice repeats #den 4
               bob refused: this room is archived
               bob refused: this room is archived
               bob refused: this room is archived
               bob has read 1
               carol refused: this room is archived
               alice refused: this room is archived
               bob repeats #den 2
               5 bob left: broadcast, detach bob
               6 alice unarchived: broadcast
               alice repeats #den 6
               7 carol joined as Member: attach carol, broadcast
               8 alice archived: broadcast
               9 alice deleted the room: broadcast, close
               alice refused: no such room
               alice, Owner, may not archive: suspended, not lifecycle
               carol refused: no such room");
    }

    fn an_alias_has_one_holder_and_look_alikes_share_it() {
        check("alice create #one alias=general
               bob create #two alias=GENERAL
               bob create #two alias=general2
               bob update #two alias=general
               alice update #one alias=Other
               bob update #two alias=general
               bob update #two alias=general
               carol create #three alias=general2
               bob delete_room #two
               carol update #three alias=general
               carol create #four alias=x*65",
              "1 alice created: attach alice, broadcast
               bob refused: name taken
               1 bob created: attach bob, broadcast
               bob refused: name taken
               2 alice updated: broadcast
               2 bob updated: broadcast
               3 bob updated: broadcast
               1 carol created: attach carol, broadcast
               4 bob deleted the room: broadcast, close
               2 carol updated: broadcast
               carol refused: alias is over its limit of 64");
    }

    fn a_blank_topic_takes_the_topic_away() {
        let topics = [
            ("alice create #den", None),
            ("alice create #den topic=lions", Some("lions")),
            ("alice create #den topic=", None),
            ("alice create #den
              alice update #den topic=lions", Some("lions")),
            ("alice create #den topic=lions
              alice update #den name=lair", Some("lions")),
            ("alice create #den topic=lions
              alice update #den topic=", None),
        ];
        for (script, topic) in topics {
            let room = left(script, "#den");
            assert_eq!(room.topic.as_ref().map(Text::as_str), topic, "{script}");
        }
    }

    fn a_room_is_updated_by_what_changes_it_and_not_by_who_comes_or_speaks() {
        let lines = [
            ("alice update #den topic=lions", true),
            ("alice access #den listed=no", true),
            ("alice grant #den #club member", true),
            ("alice archive #den", true),
            ("alice delete_room #den", true),
            ("alice transfer #den bob", true),
            ("alice trim #den 2", false),
            ("alice post #den hi", false),
            ("alice role #den bob admin", false),
            ("alice ban #den bob", false),
            ("bob leave #den", false),
        ];
        let before = "alice create #club kind=group
                      alice create #den
                      bob join #den
                      wait 5s";
        for (line, updates) in lines {
            let room = left(&format!("{before}\n{line}"), "#den");
            assert_eq!(room.updated_at > room.created.at, updates, "{line}");
            assert!(room.head_at > room.created.at, "{line}");
        }
    }

    fn whoever_makes_a_room_is_in_it_unless_he_says_otherwise() {
        let read = |wish: &str| serde_json::from_str::<CreateRoom>(wish).unwrap();
        let named = CreateRoom::named(Name::new("den").unwrap());
        assert_eq!(read(r#"{"name": "den"}"#), named);
        assert!(named.join);
        assert!(!read(r#"{"name": "den", "join": false}"#).join);
    }

    fn settings_have_bounds() {
        check("alice create #den
               alice update #den
               alice access #den
               alice update #den name=x*81
               alice update #den topic=x*1001
               alice update #den slow=21601s
               alice update #den keep=0d
               alice update #den keep=30d topic= off=typing name=lair
               alice access #den access=password:
               alice access #den access=groups:
               alice access #den history=since_join listed=no
               alice create #odd kind=direct
               alice create #odd preset=password_channel
               alice create #odd capacity=257 preset=private_group
               alice create #x*81",
              "1 alice created: attach alice, broadcast
               alice repeats #den 1
               alice repeats #den 1
               alice refused: name is over its limit of 80
               alice refused: topic is over its limit of 1000
               alice refused: slow_mode_s is over its limit of 21600
               alice refused: retention is not acceptable
               2 alice updated: broadcast
               alice refused: password is not acceptable
               alice refused: group is not acceptable
               3 alice changed access: broadcast, rejudge
               alice refused: kind is not acceptable
               alice refused: password is not acceptable
               alice refused: capacity is over its limit of 256
               alice refused: name is over its limit of 80");
    }

    fn what_was_said_before_a_room_was_trimmed_is_out_of_reach() {
        check("alice create #den
               bob join #den
               bob post #den early
               alice pin #den 3
               bob post #den late
               bob trim #den 5
               alice trim #den 8
               alice trim #den 5
               alice trim #den 4
               bob react #den 3 +1
               bob react #den 5 +1
               alice pin #den 3",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 bob posted message 1: broadcast
               4 alice pinned 3: broadcast
               5 bob posted message 2: broadcast
               bob refused: not permitted: update_room (table)
               alice refused: from is not acceptable
               6 alice trimmed to 5: broadcast
               alice repeats #den 6
               bob refused: no such message
               7 bob reacted +1 to 5: broadcast
               alice refused: no such message");
    }

    fn the_house_trims_whatever_is_there() {
        check("alice create #den
               alice post #den early
               alice archive #den
               alice trim #den 3
               house trim #den 3
               alice unarchive #den
               alice delete_room #den
               house trim #den 5",
              "1 alice created: attach alice, broadcast
               2 alice posted message 1: broadcast
               3 alice archived: broadcast
               alice refused: this room is archived
               4 house trimmed to 3: broadcast
               5 alice unarchived: broadcast
               6 alice deleted the room: broadcast, close
               house refused: no such room");
    }

    fn a_direct_room_has_two_members_for_life() {
        check("alice open bob as=ab
               bob open alice as=ba
               alice post #ab hi
               carol join #ab
               carol post #ab hi
               alice leave #ab
               alice kick #ab bob
               alice invite #ab carol
               alice invite #ab bob
               alice archive #ab
               alice transfer #ab bob
               alice update #ab topic=x
               alice blocks bob
               bob post #ab hi
               alice post #ab hi
               bob open alice as=ba
               carol blocks bob
               bob open carol as=bc
               carol open bob as=bc
               alice open alice as=aa
               alice open house as=ah
               alice open gina as=ag
               gina open alice as=ga
               carol open alice in=#ab",
              "1 alice created: attach alice, attach bob, broadcast
               bob repeats #ab 1
               2 alice posted message 1: broadcast
               carol refused: no such room
               carol refused: no such room
               alice refused: not permitted: read (direct)
               alice refused: not permitted: kick (table)
               alice refused: not permitted: invite (direct)
               alice repeats #ab 1
               alice refused: not permitted: archive (table)
               alice refused: not permitted: transfer_ownership (table)
               alice refused: not permitted: update_room (table)
               bob refused: blocked by the other user
               3 alice posted message 2: broadcast
               bob refused: blocked by the other user
               bob refused: blocked by the other user
               1 carol created: attach bob, attach carol, broadcast
               alice refused: user is not acceptable
               alice refused: user is not acceptable
               alice refused: not permitted: post (guest)
               gina refused: not permitted: post (guest)
               carol needs another number");
    }

    fn suspended_accounts_do_nothing() {
        check("alice create #den
               bob join #den
               bob post #den hi
               alice open bob as=ab
               carol create #club access=invite
               carol invite #club bob
               suspend bob
               bob post #den hi
               bob leave #den
               bob join #den
               bob read #den 1
               bob create #new
               bob open carol as=bc
               bob open alice as=ab
               bob open alice in=#ab
               bob decline #club",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 bob posted message 1: broadcast
               1 alice created: attach alice, attach bob, broadcast
               1 carol created: attach carol, broadcast
               2 carol invited bob: broadcast, notify bob
               bob refused: this account is suspended
               bob refused: this account is suspended
               bob refused: this account is suspended
               bob refused: this account is suspended
               bob refused: this account is suspended
               bob refused: this account is suspended
               bob refused: this account is suspended
               bob refused: this account is suspended
               bob refused: this account is suspended");
    }

    fn there_are_limits_to_making_and_joining() {
        check("limit rooms_created_a_day_max=2
               alice create #one
               alice create #two
               alice create #three
               wait 1d
               alice create #three
               limit rooms_joined_max=2
               bob join #one
               bob join #two
               bob join #three
               bob create #four
               bob create #four join=no
               alice delete_room #two
               bob join #three",
              "1 alice created: attach alice, broadcast
               1 alice created: attach alice, broadcast
               alice refused: no more than 2 rooms created in a day
               1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               2 bob joined as Member: attach bob, broadcast
               bob refused: no more than 2 rooms joined
               bob refused: no more than 2 rooms joined
               1 bob created: broadcast
               3 alice deleted the room: broadcast, close
               2 bob joined as Member: attach bob, broadcast");
    }

    fn ownership_passes_whole() {
        check("alice create #den
               bob join #den
               gina join #den
               alice transfer #den gina
               alice transfer #den carol
               alice transfer #den alice
               bob transfer #den bob
               alice transfer #den bob
               alice delete_room #den
               alice update #den topic=mine
               alice leave #den
               bob leave #den
               carol join #den
               bob transfer #den carol
               bob update #den topic=admin
               bob role #den carol member
               carol role #den bob member
               bob update #den topic=admin",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 gina joined as Guest: attach gina, broadcast
               alice refused: not permitted: transfer_ownership (guest)
               alice refused: no such user
               alice repeats #den 3
               bob refused: not permitted: transfer_ownership (table)
               4 alice transferred to bob: broadcast, rejudge
               alice refused: not permitted: delete_room (table)
               5 alice updated: broadcast
               6 alice left: broadcast, detach alice
               bob refused: the owner stays until the room is transferred or deleted
               7 carol joined as Member: attach carol, broadcast
               8 bob transferred to carol: broadcast, rejudge
               9 bob updated: broadcast
               bob refused: not above the other's rank
               10 carol made bob Member: broadcast
               bob refused: not permitted: update_room (table)");
    }

    fn an_owner_from_outside_who_gives_the_room_away_is_judged_again() {
        check("alice create #den join=no
               bob join #den
               alice transfer #den bob
               alice post #den hi",
              "1 alice created: broadcast
               2 bob joined as Member: attach bob, broadcast
               3 alice transferred to bob: broadcast, rejudge
               alice refused: not a member of this room");
    }
}

#[test]
fn an_owner_may_give_his_room_to_the_house_and_then_leave() {
    check(
        "alice create #den
               bob join #den
               bob transfer #den house
               alice transfer #den house
               alice transfer #den bob
               alice leave #den
               house transfer #den bob",
        "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               bob refused: not permitted: transfer_ownership (table)
               3 alice transferred to house: broadcast, rejudge
               alice refused: not permitted: transfer_ownership (table)
               4 alice left: broadcast, detach alice
               5 house transferred to bob: broadcast, rejudge",
    );
}
