//! Roles that are held through groups.

use crate::check::check;

stories! {
    fn a_grant_holds_as_long_as_the_membership() {
        check("alice create #team kind=group
               alice create #den access=invite
               alice grant #den #team member
               bob post #den hi
               bob join #team
               bob post #den hi
               bob read #den 1
               bob join #den
               bob post #den ho
               bob leave #den
               alice kick #team bob
               bob post #den hi",
              "1 alice created: attach alice, broadcast, regrant alice
               1 alice created: attach alice, broadcast
               2 alice granted Member to #team: broadcast, rejudge
               bob refused: not a member of this room
               2 bob joined as Member: attach bob, broadcast, regrant bob
               3 bob posted message 1 through #team: broadcast
               bob refused: not a member of this room
               4 bob joined as Member, by #team: attach bob, broadcast
               5 bob posted message 2: broadcast
               6 bob left: broadcast, detach bob
               3 alice kicked bob: broadcast, detach bob, regrant bob
               bob refused: not a member of this room");
    }

    fn the_higher_of_two_roles_counts() {
        check("alice create #team kind=group
               alice create #staff kind=group
               alice create #den
               bob join #team
               bob join #staff
               bob join #den
               bob may pin #den?
               alice grant #den #team moderator
               bob may pin #den?
               alice grant #den #staff admin
               bob may ban #den?
               alice grant #den #staff nothing
               bob may ban #den?
               alice delete_room #team
               bob may pin #den?",
              "1 alice created: attach alice, broadcast, regrant alice
               1 alice created: attach alice, broadcast, regrant alice
               1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast, regrant bob
               2 bob joined as Member: attach bob, broadcast, regrant bob
               2 bob joined as Member: attach bob, broadcast
               bob, Member, may not pin: suspended, banned, role, not table
               3 alice granted Moderator to #team: broadcast, rejudge
               bob, Moderator through #team, may pin: suspended, banned, role, table, muted, lifecycle, feature
               4 alice granted Admin to #staff: broadcast, rejudge
               bob, Admin through #staff, may ban: suspended, banned, role, table, muted, lifecycle, feature
               5 alice granted nothing to #staff: broadcast, rejudge
               bob, Moderator through #team, may not ban: suspended, banned, role, not table
               3 alice deleted the room: broadcast, close
               bob, Member, may not pin: suspended, banned, role, not table");
    }

    fn ranks_through_groups_protect_and_count() {
        check("alice create #staff kind=group
               alice create #den
               alice grant #den #staff admin
               bob join #staff
               carol join #staff
               dave join #den
               bob join #den
               alice role #den dave moderator
               dave kick #den bob
               dave mute #den carol for=1h
               bob kick #den dave
               bob kick #den carol
               bob ban #den carol
               alice ban #den carol
               carol post #den hi
               bob mute #den erin for=1h",
              "1 alice created: attach alice, broadcast, regrant alice
               1 alice created: attach alice, broadcast
               2 alice granted Admin to #staff: broadcast, rejudge
               2 bob joined as Member: attach bob, broadcast, regrant bob
               3 carol joined as Member: attach carol, broadcast, regrant carol
               3 dave joined as Member: attach dave, broadcast
               4 bob joined as Member, by #staff: attach bob, broadcast
               5 alice made dave Moderator: broadcast
               dave refused: not above the other's rank
               dave refused: not above the other's rank
               6 bob kicked dave through #staff: broadcast, detach dave
               bob refused: not above the other's rank
               bob refused: not above the other's rank
               7 alice banned carol: broadcast, notify carol, detach carol
               carol refused: banned from this room
               bob refused: no such user");
    }

    fn grants_are_given_by_members_of_the_group_below_their_own_rank() {
        check("alice create #team kind=group
               bob create #den
               alice join #den
               bob grant #den #team member
               bob role #den alice admin
               alice grant #den #team admin
               alice grant #den #team owner
               alice grant #den #team moderator
               alice grant #den #team moderator
               alice grant #den #den member
               alice grant #den #nowhere member
               bob join #team
               bob grant #den #team admin
               alice grant #den #team member
               alice grant #den #team nothing
               bob grant #den #team nothing
               bob grant #den #team nothing
               alice join #team
               limit grants_max=0
               bob grant #den #team member",
              "1 alice created: attach alice, broadcast, regrant alice
               1 bob created: attach bob, broadcast
               2 alice joined as Member: attach alice, broadcast
               bob refused: group is not acceptable
               3 bob made alice Admin: broadcast
               alice refused: not above the other's rank
               alice refused: role is not acceptable
               4 alice granted Moderator to #team: broadcast, rejudge
               alice repeats #den 4
               alice refused: group is not acceptable
               alice refused: group is not acceptable
               2 bob joined as Member: attach bob, broadcast, regrant bob
               5 bob granted Admin to #team: broadcast, rejudge
               alice refused: not above the other's rank
               alice refused: not above the other's rank
               6 bob granted nothing to #team: broadcast, rejudge
               bob repeats #den 6
               alice repeats #team 1
               bob refused: no more than 0 grants");
    }

    fn a_channel_is_no_group() {
        check("alice create #cafe
               alice create #den
               alice grant #den #cafe member
               alice access #den access=groups:#cafe
               bob join #cafe
               alice grant #den #cafe member",
              "1 alice created: attach alice, broadcast
               1 alice created: attach alice, broadcast
               alice refused: group is not acceptable
               alice refused: group is not acceptable
               2 bob joined as Member: attach bob, broadcast
               alice refused: group is not acceptable");
    }

    fn groups_open_a_room_to_their_members() {
        check("alice create #team kind=group
               alice create #den access=groups:#team listed=no
               bob join #den
               bob join #team
               bob join #den
               bob post #den hi
               bob leave #team
               bob post #den still a member
               bob leave #den
               bob join #den
               gina join #team
               gina visit #den
               carol access #den access=open
               carol create #club access=groups:#team
               limit grants_max=0
               alice access #den access=groups:#team",
              "1 alice created: attach alice, broadcast, regrant alice
               1 alice created: attach alice, broadcast
               bob refused: no such room
               2 bob joined as Member: attach bob, broadcast, regrant bob
               2 bob joined as Member, by #team: attach bob, broadcast
               3 bob posted message 1: broadcast
               3 bob left: broadcast, detach bob, regrant bob
               4 bob posted message 2: broadcast
               5 bob left: broadcast, detach bob
               bob refused: no such room
               4 gina joined as Guest: attach gina, broadcast, regrant gina
               gina visits
               carol refused: no such room
               carol refused: group is not acceptable
               alice refused: no more than 0 grants");
    }

    fn whoever_reads_through_a_group_may_say_that_he_is_no_member() {
        check("alice create #team kind=group
               alice create #den listed=no
               alice grant #den #team member
               bob join #team
               bob leave #den
               bob decline #den",
              "1 alice created: attach alice, broadcast, regrant alice
               1 alice created: attach alice, broadcast
               2 alice granted Member to #team: broadcast, rejudge
               2 bob joined as Member: attach bob, broadcast, regrant bob
               bob refused: not a member of this room
               bob repeats #den 2");
    }

    fn a_group_that_left_memory_is_asked_for_again() {
        check("alice create #team kind=group
               bob join #team
               alice create #den access=invite
               alice grant #den #team member
               unload #team
               bob post #den hi
               unload #den
               limit posts_burst=3
               bob post #den ho
               alice kick #team bob
               bob post #den hm",
              "1 alice created: attach alice, broadcast, regrant alice
               2 bob joined as Member: attach bob, broadcast, regrant bob
               1 alice created: attach alice, broadcast
               2 alice granted Member to #team: broadcast, rejudge
               3 bob posted message 1 through #team: broadcast
               4 bob posted message 2 through #team: broadcast
               3 alice kicked bob: broadcast, detach bob, regrant bob
               bob refused: not a member of this room");
    }

    fn a_private_group_is_for_the_invited_and_from_there_on() {
        check("alice create #club preset=private_group
               alice post #club before
               bob join #club
               alice invite #club bob
               bob join #club
               bob react #club 2 +1
               bob invite #club carol
               carol join #club",
              "1 alice created: attach alice, broadcast, regrant alice
               2 alice posted message 1: broadcast
               bob refused: no such room
               3 alice invited bob: broadcast, notify bob
               4 bob joined as Member, invited: attach bob, broadcast, regrant bob
               bob refused: no such message
               5 bob invited carol: broadcast, notify carol
               6 carol joined as Member, invited: attach carol, broadcast, regrant carol");
    }
}
