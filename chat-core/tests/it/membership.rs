//! Who is in a room: entering, visiting, leaving, being removed.

use crate::check::check;

stories! {
    fn whoever_joins_twice_gets_the_same_answer() {
        check("alice create #den
               bob join #den
               carol join #den
               bob join #den
               bob leave #den
               bob join #den
               bob join #den",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 carol joined as Member: attach carol, broadcast
               bob repeats #den 2
               4 bob left: broadcast, detach bob
               5 bob joined as Member: attach bob, broadcast
               bob repeats #den 5");
    }

    fn the_maker_may_stay_outside_and_come_later_as_the_owner_he_is() {
        check("alice create #den join=no
               alice post #den hello
               alice nickname #den Al
               alice leave #den
               alice join #den
               alice nickname #den Al
               alice leave #den",
              "1 alice created: broadcast
               2 alice posted message 1: broadcast
               alice refused: not a member of this room
               alice refused: not a member of this room
               3 alice joined as Admin, owner: attach alice, broadcast
               4 alice is called Al: broadcast
               alice refused: the owner stays until the room is transferred or deleted");
    }

    fn a_password_opens_a_room_until_it_is_changed() {
        check("alice create #den access=password:sesame
               bob join #den
               bob join #den password=simsim
               bob join #den password=
               bob join #den password=x*1025
               bob join #den password=sesame
               alice access #den access=password:other
               carol join #den password=sesame
               carol join #den password=other
               alice access #den access=open
               dave join #den password=whatever",
              "1 alice created: attach alice, broadcast
               bob refused: wrong password
               bob refused: wrong password
               bob refused: password is not acceptable
               bob refused: password is over its limit of 1024
               2 bob joined as Member, by password: attach bob, broadcast
               3 alice changed access: broadcast, rejudge
               carol refused: wrong password
               4 carol joined as Member, by password: attach carol, broadcast
               5 alice changed access: broadcast, rejudge
               6 dave joined as Member: attach dave, broadcast");
    }

    fn an_invitation_opens_a_room_once() {
        check("alice create #den access=invite
               bob join #den
               alice invite #den bob
               alice invite #den bob
               bob join #den
               bob leave #den
               bob join #den
               alice invite #den carol for=10s
               wait 10s
               carol join #den
               alice invite #den carol for=10s
               alice revoke #den carol
               alice revoke #den carol
               carol join #den
               alice invite #den carol
               carol decline #den
               carol join #den
               carol decline #den
               alice invite #den alice
               alice invite #den house",
              "1 alice created: attach alice, broadcast
               bob refused: an invitation is needed
               2 alice invited bob: broadcast, notify bob
               alice repeats #den 2
               3 bob joined as Member, invited: attach bob, broadcast
               4 bob left: broadcast, detach bob
               bob refused: an invitation is needed
               5 alice invited carol: broadcast, notify carol
               carol refused: an invitation is needed
               6 alice invited carol: broadcast, notify carol
               7 alice took back the invitation of carol: broadcast, notify carol
               alice repeats #den 7
               carol refused: an invitation is needed
               8 alice invited carol: broadcast, notify carol
               9 carol declined: broadcast
               carol refused: an invitation is needed
               carol refused: not a member of this room
               alice repeats #den 1
               alice refused: no such user");
    }

    fn an_unlisted_room_does_not_exist_for_outsiders() {
        check("alice create #den listed=no
               bob join #den
               bob post #den hi
               bob leave #den
               bob decline #den
               bob visit #den
               gina visit #den
               bob join #nowhere
               bob visit #nowhere
               gina visit #nowhere
               alice invite #den bob
               bob post #den hi
               bob join #den
               alice ban #den bob
               bob join #den
               bob post #den hi",
              "1 alice created: attach alice, broadcast
               bob refused: no such room
               bob refused: no such room
               bob refused: no such room
               bob refused: no such room
               bob refused: no such room
               gina refused: no such room
               bob refused: no such room
               bob refused: no such room
               gina refused: no such room
               2 alice invited bob: broadcast, notify bob
               bob refused: not a member of this room
               3 bob joined as Member, invited: attach bob, broadcast
               4 alice banned bob: broadcast, notify bob, detach bob
               bob refused: no such room
               bob refused: no such room");
    }

    fn a_visitor_leaves_no_trace_but_his_lines() {
        check("alice create #den
               bob visit #den
               gina post #den hi
               gina visit #den
               gina post #den hi
               gina nickname #den G
               gina invite #den gus
               gina departs #den
               gina post #den hi
               gina visit #den
               alice mute #den gina for=10s
               gina post #den hi
               alice kick #den gina
               gina post #den hi
               gina visit #den
               gina post #den hi
               wait 10s
               gina post #den hi
               alice ban #den gina
               gina post #den hi
               gina visit #den",
              "1 alice created: attach alice, broadcast
               bob refused: not permitted: read (guest)
               gina refused: not a member of this room
               gina visits
               2 gina posted message 1: broadcast
               gina refused: not a member of this room
               gina refused: not permitted: invite (table)
               gina refused: not a member of this room
               gina visits
               3 alice muted gina: broadcast
               gina refused: muted in this room
               4 alice kicked gina: broadcast, detach gina
               gina refused: not a member of this room
               gina visits
               gina refused: muted in this room
               5 gina posted message 2: broadcast
               6 alice banned gina: broadcast, notify gina, detach gina
               gina refused: banned from this room
               gina refused: banned from this room");
    }

    fn visitors_take_places_too() {
        check("alice create #den capacity=2
               gina visit #den
               gina visit #den
               gus visit #den
               gina departs #den
               gus visit #den
               gus join #den
               gina visit #den
               bob join #den",
              "1 alice created: attach alice, broadcast
               gina visits
               gina visits
               gus refused: this room is full
               gus visits
               2 gus joined as Guest: attach gus, broadcast
               gina refused: this room is full
               bob refused: this room is full");
    }

    fn a_room_takes_as_many_as_it_says() {
        check("alice create #den capacity=2
               bob join #den
               carol join #den
               bob leave #den
               carol join #den
               alice update #den capacity=1
               alice update #den capacity=0
               alice update #den capacity=10001
               alice update #den capacity=3
               dave join #den",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               carol refused: this room is full
               3 bob left: broadcast, detach bob
               4 carol joined as Member: attach carol, broadcast
               alice refused: capacity is not acceptable
               alice refused: capacity is not acceptable
               alice refused: capacity is over its limit of 10000
               5 alice updated: broadcast
               6 dave joined as Member: attach dave, broadcast");
    }

    fn a_ban_outlives_leaving_inviting_and_grants() {
        check("alice create #den
               alice create #team kind=group listed=yes
               bob join #team
               alice grant #den #team moderator
               bob join #den
               alice ban #den bob for=10s
               bob join #den
               bob post #den hi
               alice invite #den bob
               wait 9999ms
               bob join #den
               wait 1ms
               bob join #den
               alice ban #den bob
               alice unban #den bob
               alice unban #den bob
               bob join #den
               alice ban #den bob for=0s
               alice ban #den alice
               alice ban #den house",
              "1 alice created: attach alice, broadcast
               1 alice created: attach alice, broadcast, regrant alice
               2 bob joined as Member: attach bob, broadcast, regrant bob
               2 alice granted Moderator to #team: broadcast, rejudge
               3 bob joined as Member, by #team: attach bob, broadcast
               4 alice banned bob: broadcast, notify bob, detach bob
               bob refused: banned from this room
               bob refused: banned from this room
               alice refused: not permitted: invite (target_banned)
               bob refused: banned from this room
               5 bob joined as Member, by #team: attach bob, broadcast
               6 alice banned bob: broadcast, notify bob, detach bob
               7 alice unbanned bob: broadcast, notify bob
               alice repeats #den 7
               8 bob joined as Member, by #team: attach bob, broadcast
               alice refused: until is not acceptable
               alice refused: not above the other's rank
               alice refused: no such user");
    }

    fn what_one_is_given_takes_nothing_from_another() {
        check("alice create #den access=invite
               bob join #den
               alice ban #den bob for=10s
               alice ban #den carol for=5s
               alice ban #den dave
               alice invite #den erin for=10s
               alice invite #den frank for=5s
               alice invite #den fred
               wait 5s
               alice ban #den harry
               alice invite #den ivy
               bob join #den
               dave join #den
               erin join #den
               frank join #den
               fred join #den
               alice invite #den carol
               alice invite #den bob
               wait 5s
               alice invite #den bob",
              "1 alice created: attach alice, broadcast
               bob refused: an invitation is needed
               2 alice banned bob: broadcast, notify bob, detach bob
               3 alice banned carol: broadcast, notify carol, detach carol
               4 alice banned dave: broadcast, notify dave, detach dave
               5 alice invited erin: broadcast, notify erin
               6 alice invited frank: broadcast, notify frank
               7 alice invited fred: broadcast, notify fred
               8 alice banned harry: broadcast, notify harry, detach harry
               9 alice invited ivy: broadcast, notify ivy
               bob refused: banned from this room
               dave refused: banned from this room
               10 erin joined as Member, invited: attach erin, broadcast
               frank refused: an invitation is needed
               11 fred joined as Member, invited: attach fred, broadcast
               12 alice invited carol: broadcast, notify carol
               alice refused: not permitted: invite (target_banned)
               13 alice invited bob: broadcast, notify bob");
    }

    fn kicked_members_may_come_back_where_access_allows() {
        check("alice create #den
               bob join #den
               alice kick #den bob reason=noise
               alice kick #den bob
               alice kick #den bob reason=x*1001
               bob join #den
               bob kick #den alice
               alice kick #den bob reason=x*1001",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 alice kicked bob: broadcast, detach bob
               alice refused: no such user
               alice refused: no such user
               4 bob joined as Member: attach bob, broadcast
               bob refused: not permitted: kick (table)
               alice refused: reason is over its limit of 1000");
    }

    fn bans_mutes_and_invitations_have_limits_that_expired_ones_do_not_fill() {
        check("limit bans_max=1
               limit invites_max=1
               alice create #den
               bob join #den
               carol join #den
               alice mute #den bob for=10s
               alice mute #den carol for=10s
               wait 10s
               alice mute #den carol for=10s
               alice invite #den dave for=10s
               alice invite #den erin
               alice invite #den dave
               wait 10s
               alice invite #den erin
               alice revoke #den dave
               alice ban #den bob for=10s
               alice ban #den carol
               wait 10s
               alice ban #den carol",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 carol joined as Member: attach carol, broadcast
               4 alice muted bob: broadcast
               alice refused: no more than 1 mutes
               5 alice muted carol: broadcast
               6 alice invited dave: broadcast, notify dave
               alice refused: no more than 1 invites
               7 alice invited dave: broadcast, notify dave
               alice refused: no more than 1 invites
               8 alice took back the invitation of dave: broadcast, notify dave
               9 alice banned bob: broadcast, notify bob, detach bob
               alice refused: no more than 1 bans
               10 alice banned carol: broadcast, notify carol, detach carol");
    }
}
