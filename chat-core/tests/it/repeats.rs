//! A cid that is used again: the same wish gets the first answer, another one is refused, in
//! whatever single thing it differs.

use crate::check::told;

/// What was before: members, a group, and messages 6 and 7.
const BEFORE: &str = "
    alice create #den
    alice create #club kind=group
    alice create #pub kind=group
    bob join #den
    carol join #den
    gina join #den
    alice role #den carol moderator
    alice post #den hi
    alice post #den ho
    alice react #den 6 +1
    alice react #den 6 -1
    alice pin #den 6";

/// What else had to happen, a wish, and wishes that aren't the same.
const WISHES: &[(&str, &str, &[&str])] = &[
    (
        "",
        "alice post #den one",
        &[
            "alice post #den two",
            "alice post #den one reply=6",
            "alice post #den one thread=6",
            "alice post #den one mentions=bob",
            "alice post #den one all=yes",
            "alice post #den one attachments=1",
            "alice post #den one ext=x",
        ],
    ),
    (
        "",
        "alice post #den one reply=6 thread=7 mentions=bob,carol all=yes",
        &[
            "alice post #den one reply=7 thread=7 mentions=bob,carol all=yes",
            "alice post #den one reply=6 thread=6 mentions=bob,carol all=yes",
            "alice post #den one reply=6 thread=7 mentions=bob all=yes",
            "alice post #den one reply=6 thread=7 mentions=bob,carol",
        ],
    ),
    (
        "",
        "alice edit #den 6 one",
        &[
            "alice edit #den 7 one",
            "alice edit #den 6 two",
            "alice edit #den 6 one mentions=bob",
            "alice edit #den 6 one attachments=1",
            "alice edit #den 6 one ext=x",
            "alice post #den one",
        ],
    ),
    ("", "alice delete #den 6", &["alice delete #den 7"]),
    (
        "",
        "bob react #den 6 +1",
        &["bob react #den 7 +1", "bob react #den 6 -1"],
    ),
    (
        "alice react #den 7 +1",
        "alice unreact #den 6 +1",
        &["alice unreact #den 7 +1", "alice unreact #den 6 -1"],
    ),
    ("", "alice pin #den 7", &["alice pin #den 6"]),
    (
        "alice pin #den 7",
        "alice unpin #den 6",
        &["alice unpin #den 7"],
    ),
    (
        "",
        "alice create #lair",
        &[
            "alice create #lair kind=group",
            "alice create #lair alias=lair",
            "alice create #lair topic=lions",
            "alice create #lair access=invite",
            "alice create #lair access=password:secret",
            "alice create #lair listed=no",
            "alice create #lair history=since_join",
            "alice create #lair off=typing",
            "alice create #lair capacity=9",
            "alice create #lair slow=5s",
            "alice create #lair keep=30d",
            "alice create #lair allow=member:pin",
            "alice create #lair join=no",
            "alice open bob",
        ],
    ),
    (
        "",
        "alice create #lair join=no access=password:secret",
        &[
            "alice create #lair access=password:secret",
            "alice create #lair join=no",
        ],
    ),
    (
        "",
        "alice open bob",
        &["alice open carol", "alice create #lair"],
    ),
    (
        "",
        "alice update #den topic=lions",
        &[
            "alice update #den topic=tigers",
            "alice update #den topic=lions name=lair",
            "alice update #den topic=lions alias=lair",
            "alice update #den topic=lions off=typing",
            "alice update #den topic=lions capacity=9",
            "alice update #den topic=lions slow=5s",
            "alice update #den topic=lions keep=30d",
            "alice update #den topic=lions allow=member:pin",
            "alice update #den",
        ],
    ),
    (
        "",
        "alice access #den access=password:secret",
        &[
            "alice access #den access=invite",
            "alice access #den listed=no",
            "alice access #den access=password:secret listed=no",
            "alice access #den access=password:secret history=since_join",
            "alice access #den",
        ],
    ),
    (
        "",
        "alice grant #den #club member",
        &[
            "alice grant #den #pub member",
            "alice grant #den #club moderator",
            "alice grant #den #club nothing",
        ],
    ),
    ("", "alice archive #den", &["alice unarchive #den"]),
    (
        "alice archive #den",
        "alice unarchive #den",
        &["alice archive #den"],
    ),
    ("", "alice trim #den 5", &["alice trim #den 6"]),
    ("", "alice delete_room #den", &["alice archive #den"]),
    (
        "",
        "alice transfer #den bob",
        &["alice transfer #den carol", "alice transfer #den house"],
    ),
    ("", "dave join #den", &["dave leave #den"]),
    ("", "bob leave #den", &["bob join #den"]),
    (
        "",
        "alice invite #den dave",
        &["alice invite #den erin", "alice invite #den dave for=1h"],
    ),
    (
        "alice invite #den dave
         alice invite #den erin",
        "alice revoke #den dave",
        &["alice revoke #den erin", "alice invite #den dave"],
    ),
    (
        "alice invite #den dave",
        "dave decline #den",
        &["dave join #den"],
    ),
    (
        "",
        "alice kick #den bob",
        &["alice kick #den carol", "alice ban #den bob"],
    ),
    (
        "",
        "alice ban #den bob",
        &["alice ban #den carol", "alice ban #den bob for=1h"],
    ),
    (
        "alice ban #den bob
         alice ban #den carol",
        "alice unban #den bob",
        &["alice unban #den carol", "alice ban #den bob"],
    ),
    (
        "",
        "alice mute #den bob for=1h",
        &["alice mute #den carol for=1h", "alice mute #den bob for=2h"],
    ),
    (
        "alice mute #den bob for=1h
         alice mute #den carol for=1h",
        "alice unmute #den bob",
        &["alice unmute #den carol", "alice mute #den bob for=1h"],
    ),
    (
        "",
        "alice role #den bob admin",
        &[
            "alice role #den carol admin",
            "alice role #den bob moderator",
        ],
    ),
    (
        "",
        "bob nickname #den Bobby",
        &["bob nickname #den Rob", "bob nickname #den"],
    ),
];

#[test]
fn a_cid_that_is_used_again_means_the_same_wish_or_is_refused() {
    for (prelude, wish, others) in WISHES {
        let user = wish.split(' ').next().unwrap_or_default();
        let twice = format!("{BEFORE}\n{prelude}\n{wish} cid=c1\n{wish} cid=c1");
        let repeat = told(&twice).pop().unwrap_or_default();
        let repeats = repeat.starts_with(&format!("{user} repeats #"));
        assert!(repeats, "{wish}, said twice: {repeat}");
        for other in *others {
            let answer = told(&format!("{twice}\n{other} cid=c1")).pop();
            let conflict = format!("{user} refused: this cid was used for another command");
            assert_eq!(answer, Some(conflict), "{wish}, then {other}");
        }
    }
}
