//! What is said, and what becomes of it.

use chat_core::Name;

use crate::check::{check, left};

stories! {
    fn messages_are_counted_apart_from_records() {
        check("alice create #den
               alice post #den one
               bob join #den
               bob post #den two
               bob read #den 2
               bob read #den 3
               carol read #den 1",
              "1 alice created: attach alice, broadcast
               2 alice posted message 1: broadcast
               3 bob joined as Member: attach bob, broadcast
               4 bob posted message 2: broadcast
               bob has read 2
               bob refused: idx is not acceptable
               carol refused: not a member of this room");
    }

    fn content_has_bounds_to_the_byte() {
        check("alice create #den
               alice post #den
               alice post #den attachments=1
               alice post #den x*16384
               alice post #den x*16385
               alice post #den hi attachments=10
               alice post #den hi attachments=11
               alice post #den hi ext=x*4095
               alice post #den hi ext=x*4096
               limit mentions_max=1
               alice post #den hi mentions=bob
               alice post #den hi mentions=bob,carol
               alice edit #den 3 x*16385
               alice edit #den 3",
              "1 alice created: attach alice, broadcast
               alice refused: there is nothing to post
               2 alice posted message 1: broadcast
               3 alice posted message 2: broadcast
               alice refused: body is over its limit of 16384
               4 alice posted message 3: broadcast
               alice refused: no more than 10 attachments
               5 alice posted message 4: broadcast
               alice refused: ext is over its limit of 4096
               6 alice posted message 5: broadcast
               alice refused: no more than 1 mentions
               alice refused: body is over its limit of 16384
               alice refused: there is nothing to post");
    }

    fn authors_edit_their_own_within_a_day() {
        check("alice create #den
               bob join #den
               bob post #den hi
               bob edit #den 3 ho
               alice edit #den 3 no
               bob edit #den 2 no
               bob edit #den 9 no
               wait 24h
               bob edit #den 3 just in time
               wait 1ms
               bob edit #den 3 too late",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 bob posted message 1: broadcast
               4 bob edited 3: broadcast
               alice refused: not permitted: edit_own (not_the_author)
               bob refused: no such message
               bob refused: no such message
               5 bob edited 3: broadcast
               bob refused: the message is too old to be edited");
    }

    fn authors_and_moderators_delete() {
        check("alice create #den
               bob join #den
               carol join #den
               bob post #den hi
               carol delete #den 4
               bob delete #den 4
               bob delete #den 4
               bob edit #den 4 hm
               carol post #den reply=4 what
               alice post #den mine
               alice role #den bob moderator
               bob delete #den 6
               carol post #den noise
               bob delete #den 8
               carol delete #den 8
               alice delete #den 0
               alice delete #den 1
               alice post #den last
               carol ban #den bob
               alice kick #den bob
               alice delete #den 4",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 carol joined as Member: attach carol, broadcast
               4 bob posted message 1: broadcast
               carol refused: not permitted: delete_any (table)
               5 bob deleted 4: broadcast
               bob repeats #den 5
               bob refused: the message was deleted
               carol refused: the message was deleted
               6 alice posted message 2: broadcast
               7 alice made bob Moderator: broadcast
               bob refused: not above the other's rank
               8 carol posted message 3: broadcast
               9 bob deleted 8: broadcast
               carol repeats #den 9
               alice refused: no such message
               alice refused: no such message
               10 alice posted message 4: broadcast
               carol refused: not permitted: ban (table)
               11 alice kicked bob: broadcast, detach bob
               alice repeats #den 5");
    }

    fn reactions_are_set_once_and_taken_back_once() {
        check("limit reactions_distinct_max=2
               limit reactions_max=3
               alice create #den
               bob join #den
               carol join #den
               alice post #den hi
               bob react #den 4 +1
               bob react #den 4 +1
               bob unreact #den 4 -1
               alice react #den 4 +1
               bob react #den 4 -1
               carol react #den 4 eh
               carol react #den 4 +1
               bob unreact #den 4 -1
               carol react #den 4 eh
               alice delete #den 4
               bob react #den 4 +1
               bob react #den 1 +1",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 carol joined as Member: attach carol, broadcast
               4 alice posted message 1: broadcast
               5 bob reacted +1 to 4: broadcast
               bob repeats #den 5
               bob repeats #den 5
               6 alice reacted +1 to 4: broadcast
               7 bob reacted -1 to 4: broadcast
               carol refused: no more than 2 reactions
               carol refused: no more than 3 reactions
               8 bob took -1 from 4: broadcast
               9 carol reacted eh to 4: broadcast
               10 alice deleted 4: broadcast
               bob refused: the message was deleted
               bob refused: no such message");
    }

    fn pins_are_few_and_go_with_their_message() {
        check("limit pins_max=1
               alice create #den
               bob join #den
               bob post #den hi
               bob post #den ho
               bob pin #den 3
               alice pin #den 3
               alice pin #den 3
               alice pin #den 4
               bob delete #den 3
               alice unpin #den 3
               alice pin #den 4
               alice unpin #den 4
               alice pin #den 3",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 bob posted message 1: broadcast
               4 bob posted message 2: broadcast
               bob refused: not permitted: pin (table)
               5 alice pinned 3: broadcast
               alice repeats #den 5
               alice refused: no more than 1 pins
               6 bob deleted 3: broadcast
               alice repeats #den 6
               7 alice pinned 4: broadcast
               8 alice unpinned 4: broadcast
               alice refused: the message was deleted");
    }

    fn threads_begin_at_a_message_that_is_in_none() {
        check("alice create #den
               alice post #den root
               alice post #den thread=2 leaf
               alice post #den thread=3 twig
               alice post #den thread=1 what
               alice post #den reply=3 fine
               alice post #den reply=7 what
               alice update #den off=threads
               alice post #den thread=2 leaf",
              "1 alice created: attach alice, broadcast
               2 alice posted message 1: broadcast
               3 alice posted message 2: broadcast
               alice refused: message is not acceptable
               alice refused: no such message
               4 alice posted message 3: broadcast
               alice refused: no such message
               5 alice updated: broadcast
               alice refused: not permitted: post (feature)");
    }

    fn slow_mode_holds_to_the_millisecond_and_not_for_moderators() {
        check("alice create #den slow=5s
               bob join #den
               bob post #den one
               wait 4999ms
               bob post #den two
               wait 1ms
               bob post #den two
               alice post #den one
               alice post #den two
               alice role #den bob moderator
               bob post #den three",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 bob posted message 1: broadcast
               bob refused: slow mode: wait 1 s (1 ms)
               4 bob posted message 2: broadcast
               5 alice posted message 3: broadcast
               6 alice posted message 4: broadcast
               7 alice made bob Moderator: broadcast
               8 bob posted message 5: broadcast");
    }

    fn a_clock_that_was_set_back_holds_nobody_up() {
        check("alice create #den slow=5s
               bob join #den
               wait 5h
               bob post #den one
               back 5h
               30x bob post #den two
               wait 5h
               wait 1s
               bob post #den too early
               wait 5s
               bob post #den three",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 bob posted message 1: broadcast
               33 bob posted message 31: broadcast
               bob refused: slow mode: wait 4 s (4000 ms)
               34 bob posted message 32: broadcast");
    }

    fn posts_are_bounded_in_rate() {
        check("alice create #den
               10x alice post #den hi
               alice post #den hi
               wait 499ms
               alice post #den hi
               wait 1ms
               alice post #den hi
               alice post #den hi
               wait 10s
               10x alice post #den hi
               alice post #den hi
               limit posts_limited=false
               alice post #den hi",
              "1 alice created: attach alice, broadcast
               11 alice posted message 10: broadcast
               alice refused: too fast: wait 1 s (500 ms)
               alice refused: too fast: wait 1 s (1 ms)
               12 alice posted message 11: broadcast
               alice refused: too fast: wait 1 s (500 ms)
               22 alice posted message 21: broadcast
               alice refused: too fast: wait 1 s (500 ms)
               23 alice posted message 22: broadcast");
    }

    fn time_that_runs_backwards_does_not_reach_the_log() {
        check("alice create #den
               bob join #den
               alice mute #den bob for=10s
               wait 10s
               bob post #den one
               back 1h
               bob post #den two
               alice ban #den bob for=1h",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 alice muted bob: broadcast
               4 bob posted message 1: broadcast
               5 bob posted message 2: broadcast
               alice refused: until is not acceptable");
    }

    fn a_repeated_cid_gets_the_first_answer() {
        check("alice create #den cid=c1
               alice create #den2 cid=c1
               alice create #other cid=c1
               bob create #other cid=c1
               alice post #den hi cid=c1
               alice post #den hi cid=c2
               alice post #den hi cid=c2
               alice post #den ho cid=c2
               alice archive #den cid=c2
               bob join #den cid=c2
               bob join #den cid=c2
               alice typing #den cid=c2
               bob post #den cid=c3
               bob post #den hi cid=c3
               alice ban #den bob
               bob post #den hi cid=c3",
              "1 alice created: attach alice, broadcast
               alice refused: this cid was used for another command
               alice refused: this cid was used for another command
               1 bob created: attach bob, broadcast
               alice refused: this cid was used for another command
               2 alice posted message 1: broadcast
               alice repeats #den 2
               alice refused: this cid was used for another command
               alice refused: this cid was used for another command
               3 bob joined as Member: attach bob, broadcast
               bob repeats #den 3
               alice refused: this cid was used for another command
               bob refused: there is nothing to post
               4 bob posted message 2: broadcast
               5 alice banned bob: broadcast, notify bob, detach bob
               bob repeats #den 4");
    }

    fn everybody_is_mentioned_by_those_who_may() {
        check("alice create #den
               bob join #den
               bob post #den all=yes hear
               alice post #den all=yes hear
               alice update #den allow=member:mention_all
               bob post #den all=yes hear",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               bob refused: not permitted: mention_all (table)
               3 alice posted message 1: broadcast
               4 alice updated: broadcast
               5 bob posted message 2: broadcast");
    }

    fn who_joined_later_does_not_reach_what_was_before_him() {
        check("alice create #den history=since_join
               alice post #den before
               bob join #den
               bob react #den 2 +1
               bob post #den reply=2 what
               bob delete #den 2
               alice post #den after
               bob react #den 4 +1
               bob leave #den
               bob join #den
               bob react #den 4 +1
               alice react #den 2 +1",
              "1 alice created: attach alice, broadcast
               2 alice posted message 1: broadcast
               3 bob joined as Member: attach bob, broadcast
               bob refused: no such message
               bob refused: no such message
               bob refused: no such message
               4 alice posted message 2: broadcast
               5 bob reacted +1 to 4: broadcast
               6 bob left: broadcast, detach bob
               7 bob joined as Member: attach bob, broadcast
               bob refused: no such message
               8 alice reacted +1 to 2: broadcast");
    }

    fn what_is_switched_off_is_refused() {
        check("alice create #den off=typing,reactions,edits
               alice post #den hi
               alice typing #den
               alice react #den 2 +1
               alice edit #den 2 ho
               alice update #den off=
               alice typing #den
               alice typing #den off=yes
               alice react #den 2 +1
               alice edit #den 2 ho",
              "1 alice created: attach alice, broadcast
               2 alice posted message 1: broadcast
               alice refused: not permitted: typing (feature)
               alice refused: not permitted: react (feature)
               alice refused: not permitted: edit_own (feature)
               3 alice updated: broadcast
               alice is typing
               alice stopped typing
               4 alice reacted +1 to 2: broadcast
               5 alice edited 2: broadcast");
    }

    fn a_nickname_goes_with_the_membership() {
        check("alice create #den
               bob join #den
               bob nickname #den Bobby
               bob nickname #den Bobby
               bob nickname #den x*41
               bob nickname #den
               bob nickname #den Bobby
               bob leave #den
               bob nickname #den Bobby",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 bob is called Bobby: broadcast
               bob repeats #den 3
               bob refused: nickname is over its limit of 40
               4 bob is called as everywhere: broadcast
               5 bob is called Bobby: broadcast
               6 bob left: broadcast, detach bob
               bob refused: not a member of this room");
    }

    fn a_nickname_is_the_member_s_name_in_this_room() {
        let names = [
            ("", None),
            ("bob nickname #den Bobby", Some("Bobby")),
            ("bob nickname #den Bobby
              bob nickname #den", None),
            ("bob nickname #den Bobby
              bob leave #den
              bob join #den", None),
        ];
        for (story, name) in names {
            let room = left(&format!("alice create #den\nbob join #den\n{story}"), "#den");
            let mut members = room.members.keys().rev();
            let bob = members.next().copied().expect("bob joined last");
            assert_eq!(room.nickname(bob).map(Name::as_str), name, "{story}");
        }
    }

    fn a_number_is_used_for_one_room_only() {
        check("alice create #den
               alice create #lair in=#den
               alice open bob in=#den
               alice open bob as=bob
               alice open carol in=#bob",
              "1 alice created: attach alice, broadcast
               alice needs another number
               alice needs another number
               1 alice created: attach alice, attach bob, broadcast
               alice needs another number");
    }
}
