//! Who may do what: stories first, then the table.

mod table;

use crate::check::check;

stories! {
    fn a_muted_member_may_only_read() {
        check("alice create #den
               bob join #den
               bob post #den hi
               alice mute #den bob for=10s
               bob post #den hi
               bob react #den 3 +1
               bob edit #den 3 hm
               bob delete #den 3
               bob typing #den
               bob nickname #den B
               bob invite #den carol
               bob read #den 1
               bob leave #den
               bob join #den
               bob post #den hi
               wait 9999ms
               bob post #den hi
               wait 1ms
               bob post #den hi",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 bob posted message 1: broadcast
               4 alice muted bob: broadcast
               bob refused: muted in this room
               bob refused: muted in this room
               bob refused: muted in this room
               bob refused: muted in this room
               bob refused: muted in this room
               bob refused: muted in this room
               bob refused: muted in this room
               bob has read 1
               5 bob left: broadcast, detach bob
               6 bob joined as Member: attach bob, broadcast
               bob refused: muted in this room
               bob refused: muted in this room
               7 bob posted message 2: broadcast");
    }

    fn mutes_are_given_and_lifted_by_rank() {
        check("alice create #den
               bob join #den
               carol join #den
               alice role #den bob moderator
               alice role #den carol moderator
               bob mute #den carol for=1h
               bob mute #den alice for=1h
               bob mute #den dave for=1h
               alice mute #den carol for=0s
               alice mute #den carol for=1h
               bob unmute #den carol
               alice unmute #den carol
               alice unmute #den carol",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 carol joined as Member: attach carol, broadcast
               4 alice made bob Moderator: broadcast
               5 alice made carol Moderator: broadcast
               bob refused: not above the other's rank
               bob refused: not above the other's rank
               bob refused: no such user
               alice refused: until is not acceptable
               6 alice muted carol: broadcast
               bob refused: not above the other's rank
               7 alice unmuted carol: broadcast
               alice repeats #den 7");
    }

    fn roles_are_given_below_ones_own() {
        check("alice create #den
               bob join #den
               carol join #den
               gina join #den
               alice role #den bob admin
               bob role #den carol admin
               bob role #den carol owner
               bob role #den carol moderator
               bob role #den carol moderator
               bob role #den alice member
               bob role #den bob member
               bob role #den dave member
               alice role #den gina member
               carol role #den gina guest
               alice role #den gina guest
               alice role #den bob member
               bob role #den carol member",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 carol joined as Member: attach carol, broadcast
               4 gina joined as Guest: attach gina, broadcast
               5 alice made bob Admin: broadcast
               bob refused: not above the other's rank
               bob refused: role is not acceptable
               6 bob made carol Moderator: broadcast
               bob repeats #den 6
               bob refused: not above the other's rank
               bob refused: not above the other's rank
               bob refused: no such user
               alice refused: not permitted: set_roles (guest)
               carol refused: not permitted: set_roles (table)
               alice repeats #den 6
               7 alice made bob Member: broadcast
               bob refused: not permitted: set_roles (table)");
    }

    fn nobody_gives_by_overrides_what_he_does_not_hold() {
        check("alice create #den
               bob join #den
               carol join #den
               alice role #den bob admin
               alice update #den deny=admin:kick
               bob kick #den carol
               bob update #den deny=guest:post
               alice update #den allow=nothing
               bob update #den allow=admin:kick
               bob update #den allow=owner:kick
               bob update #den allow=member:ban
               bob update #den allow=member:kick
               carol kick #den alice
               carol may kick #den?
               alice update #den deny=admin:mute allow=member:kick
               bob role #den carol moderator
               bob role #den carol guest",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 carol joined as Member: attach carol, broadcast
               4 alice made bob Admin: broadcast
               5 alice updated: broadcast
               bob refused: not permitted: kick (override)
               bob refused: not above the other's rank
               6 alice updated: broadcast
               bob refused: not above the other's rank
               bob refused: not above the other's rank
               bob refused: overrides is not acceptable
               7 bob updated: broadcast
               carol refused: not above the other's rank
               carol, Member, may kick: suspended, banned, role, override, muted, lifecycle, feature
               8 alice updated: broadcast
               bob refused: not permitted: mute (not_held)
               9 bob made carol Guest: broadcast");
    }

    fn an_admin_can_not_lend_a_right_that_the_owner_took() {
        check("alice create #den deny=moderator:pin
               bob join #den
               carol join #den
               alice role #den bob admin
               alice role #den carol moderator
               carol may pin #den?
               carol pin #den 1
               bob update #den allow=moderator:pin
               carol may pin #den?",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               3 carol joined as Member: attach carol, broadcast
               4 alice made bob Admin: broadcast
               5 alice made carol Moderator: broadcast
               carol, Moderator, may not pin: suspended, banned, role, not override
               carol refused: not permitted: pin (override)
               6 bob updated: broadcast
               carol, Moderator, may pin: suspended, banned, role, table, muted, lifecycle, feature");
    }

    fn an_announcement_is_for_reading() {
        check("alice create #news preset=announcement
               bob join #news
               bob post #news hi
               alice post #news hear
               bob react #news 3 +1
               alice role #news bob moderator
               bob post #news hear",
              "1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast
               bob refused: not permitted: post (override)
               3 alice posted message 1: broadcast
               4 bob reacted +1 to 3: broadcast
               5 alice made bob Moderator: broadcast
               6 bob posted message 2: broadcast");
    }

    fn presets_are_rooms_as_their_names_say() {
        check("alice create #tv preset=livestream
               alice typing #tv
               alice create #bar preset=password_channel access=password:x
               bob join #bar
               alice create #hall preset=public_channel
               bob join #hall",
              "1 alice created: attach alice, broadcast
               alice refused: not permitted: typing (feature)
               1 alice created: attach alice, broadcast
               bob refused: wrong password
               1 alice created: attach alice, broadcast
               2 bob joined as Member: attach bob, broadcast");
    }

    fn every_reason_is_explained() {
        check("alice create #den
               bob may post #den?
               bob join #den
               bob may post #den?
               bob may ban #den?
               alice may transfer_ownership #den?
               alice update #den deny=member:post allow=member:pin
               bob may post #den?
               bob may pin #den?
               alice mute #den bob for=1h
               bob may react #den?
               bob may read #den?
               alice update #den off=typing
               alice may typing #den?
               alice archive #den
               alice may post #den?
               alice unarchive #den
               alice ban #den bob
               bob may read #den?
               suspend alice
               alice may read #den?
               gina visit #den
               gina may post #den?
               house may read #den?",
              "1 alice created: attach alice, broadcast
               bob, nobody, may not post: suspended, banned, not role
               2 bob joined as Member: attach bob, broadcast
               bob, Member, may post: suspended, banned, role, table, muted, lifecycle, feature
               bob, Member, may not ban: suspended, banned, role, not table
               alice, Owner, may transfer_ownership: suspended, banned, role, table, muted, lifecycle, feature
               3 alice updated: broadcast
               bob, Member, may not post: suspended, banned, role, not override
               bob, Member, may pin: suspended, banned, role, override, muted, lifecycle, feature
               4 alice muted bob: broadcast
               bob, Member, may not react: suspended, banned, role, table, not muted
               bob, Member, may read: suspended, banned, role, table, muted, lifecycle, feature
               5 alice updated: broadcast
               alice, Owner, may not typing: suspended, banned, role, table, muted, lifecycle, not feature
               6 alice archived: broadcast
               alice, Owner, may not post: suspended, banned, role, table, muted, not lifecycle
               7 alice unarchived: broadcast
               8 alice banned bob: broadcast, notify bob, detach bob
               bob, nobody, may not read: suspended, not banned
               alice, Owner, may not read: not suspended
               gina visits
               gina, Guest, may post: suspended, banned, role, table, muted, lifecycle, feature
               house, nobody, may not read: suspended, banned, not role");
    }

    fn a_deleted_room_is_explained_too() {
        check("alice create #den
               alice delete_room #den
               alice may read #den?
               alice post #den hi
               alice delete_room #den",
              "1 alice created: attach alice, broadcast
               2 alice deleted the room: broadcast, close
               alice, Owner, may not read: suspended, not lifecycle
               alice refused: no such room
               alice refused: no such room");
    }
}
