//! The table of rights, typed in a second time and held against the engine: every role, every
//! permission, every override, muted or not, in every state of the room.

use chat_core::commands::{Archive, Ban, CreateRoom, Join, Mute, SetRole, UpdateRoom};
use chat_core::{
    Actor, Command, Facts, Features, Inquiry, Judgement, Name, Override, Permission, Permissions,
    Rejection, Role, RoomId, Rule, Timestamp, UserId,
};

use crate::check::shell::{Answer, Shell};

/// Owner, admin, moderator, member, guest; and whether a room may override it.
const TABLE: &str = "
    read                yes yes yes yes yes  fixed
    list_members        yes yes yes yes yes  free
    post                yes yes yes yes yes  free
    react               yes yes yes yes yes  free
    typing              yes yes yes yes yes  free
    edit_own            yes yes yes yes yes  free
    delete_own          yes yes yes yes yes  free
    set_nickname        yes yes yes yes yes  free
    mention_all         yes yes yes -   -    free
    pin                 yes yes yes -   -    free
    delete_any          yes yes yes -   -    free
    bypass_slow_mode    yes yes yes -   -    free
    invite              yes yes yes yes -    free
    kick                yes yes yes -   -    free
    mute                yes yes yes -   -    free
    ban                 yes yes -   -   -    fixed
    update_room         yes yes -   -   -    fixed
    set_access          yes yes -   -   -    fixed
    set_roles           yes yes -   -   -    fixed
    set_grants          yes yes -   -   -    fixed
    archive             yes yes -   -   -    fixed
    delete_room         yes -   -   -   -    fixed
    transfer_ownership  yes -   -   -   -    fixed";

const COLUMNS: [Role; 5] = [
    Role::Owner,
    Role::Admin,
    Role::Moderator,
    Role::Member,
    Role::Guest,
];

/// What a room says about one permission of one role.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Nothing,
    Allow,
    Deny,
    Both,
}

/// In what state the question meets the room and the one who asks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Plain,
    Muted,
    Archived,
    Banned,
    Suspended,
    SwitchedOff,
}

const STATES: [State; 6] = [
    State::Plain,
    State::Muted,
    State::Archived,
    State::Banned,
    State::Suspended,
    State::SwitchedOff,
];

#[test]
fn every_role_has_what_the_table_gives_it_and_no_more() {
    let rows = rows();
    assert_eq!(
        rows.len(),
        Permission::ALL.len(),
        "the table names every permission"
    );
    let mut questions = 0;
    for (permission, columns, free) in rows {
        for (role, by_table) in COLUMNS.into_iter().zip(columns) {
            for said in [Said::Nothing, Said::Allow, Said::Deny, Said::Both] {
                // Nobody overrides what is fixed, nor the owner's rights.
                if said != Said::Nothing && (!free || role == Role::Owner) {
                    assert_refused(role, permission, said);
                    continue;
                }
                for state in STATES {
                    // Nobody mutes or bans the owner.
                    if role == Role::Owner && matches!(state, State::Muted | State::Banned) {
                        continue;
                    }
                    let expected = expected(permission, by_table, said, state);
                    let found = asked(role, permission, said, state);
                    assert_eq!(found, expected, "{role:?} {permission} {said:?} {state:?}");
                    questions += 1;
                }
            }
        }
    }
    assert_eq!(
        questions,
        23 * (4 + 4 * 6) + 14 * 4 * 3 * 6,
        "nothing was left out"
    );
}

/// The answer by the rules as they are written, in the order in which they speak.
fn expected(
    permission: Permission,
    by_table: bool,
    said: Said,
    state: State,
) -> Result<(), Rejection> {
    let reads = matches!(permission, Permission::Read | Permission::ListMembers);
    let denied = |rule| Err(Rejection::PermissionDenied { permission, rule });
    if state == State::Suspended {
        return Err(Rejection::Suspended);
    }
    if state == State::Banned {
        return Err(Rejection::Banned { until: None });
    }
    let by_room = match said {
        Said::Nothing => by_table,
        Said::Allow => true,
        Said::Deny | Said::Both => false,
    };
    if !by_room {
        return denied(if by_table {
            Rule::Override
        } else {
            Rule::Table
        });
    }
    let keeps_the_room = matches!(permission, Permission::Archive | Permission::DeleteRoom);
    let switches = matches!(
        permission,
        Permission::Type | Permission::React | Permission::EditOwn
    );
    match state {
        State::Muted if !reads => Err(Rejection::Muted {
            until: Timestamp::new(5_000),
        }),
        State::Archived if !reads && !keeps_the_room => Err(Rejection::Archived),
        State::SwitchedOff if switches => denied(Rule::Feature),
        State::Plain
        | State::Muted
        | State::Archived
        | State::Banned
        | State::Suspended
        | State::SwitchedOff => Ok(()),
    }
}

/// The engine's answer, in a room that was brought there by commands alone.
fn asked(role: Role, permission: Permission, said: Said, state: State) -> Result<(), Rejection> {
    let (mut shell, user) = stage(role);
    if said != Said::Nothing {
        say(&mut shell, OWNER, overriding(role, permission, said));
    }
    let facts = Facts::default();
    let mut actor = person(user);
    match state {
        State::Plain => {}
        State::Muted => {
            say(
                &mut shell,
                OWNER,
                Mute {
                    user,
                    until: Timestamp::new(5_000),
                },
            );
        }
        State::Banned => say(
            &mut shell,
            OWNER,
            Ban {
                user,
                until: None,
                reason: None,
            },
        ),
        State::Archived => say(&mut shell, OWNER, Archive {}),
        State::Suspended => actor.suspended = true,
        State::SwitchedOff => {
            let (typing, receipts, reactions) = (false, false, false);
            let features = Features {
                typing,
                receipts,
                reactions,
                threads: false,
                edits: false,
            };
            let features = Some(features);
            say(
                &mut shell,
                OWNER,
                UpdateRoom {
                    features,
                    ..UpdateRoom::default()
                },
            );
        }
    }
    let at = Timestamp::new(4_999);
    let inquiry = Inquiry {
        room: ROOM,
        actor: &actor,
        at,
        facts: &facts,
        permission,
    };
    match shell.engine.judge(&inquiry) {
        Ok(Judgement::Granted(effective)) => {
            assert_eq!(effective.role, role);
            Ok(())
        }
        Ok(Judgement::Need(need)) => panic!("a question about {need:?}"),
        Err(rejection) => Err(rejection),
    }
}

fn assert_refused(role: Role, permission: Permission, said: Said) {
    let (mut shell, _) = stage(role);
    let command: Command = overriding(role, permission, said).into();
    let answer = shell.ask(ROOM, &person(OWNER), Timestamp::new(1_000), None, command);
    assert!(
        matches!(answer, Answer::Refused(_)),
        "{role:?} {permission} {said:?}: {answer:?}"
    );
}

fn overriding(role: Role, permission: Permission, said: Said) -> UpdateRoom {
    let one = Permissions::NONE.with(permission);
    let none = Permissions::NONE;
    let (allow, deny) = match said {
        Said::Nothing => (none, none),
        Said::Allow => (one, none),
        Said::Deny => (none, one),
        Said::Both => (one, one),
    };
    let overrides = Some([(role, Override { allow, deny })].into());
    UpdateRoom {
        overrides,
        ..UpdateRoom::default()
    }
}

const ROOM: RoomId = RoomId::new(1);
const OWNER: UserId = UserId::new(1);

/// A room with its owner and one more in this role, and who that is.
fn stage(role: Role) -> (Shell, UserId) {
    let mut shell = Shell::default();
    say(
        &mut shell,
        OWNER,
        CreateRoom::named(Name::new("den").unwrap()),
    );
    let user = match role {
        Role::Owner => return (shell, OWNER),
        Role::Guest => UserId::guest(2),
        Role::Admin | Role::Moderator | Role::Member => UserId::new(2),
    };
    say(&mut shell, user, Join::default());
    if matches!(role, Role::Admin | Role::Moderator) {
        say(&mut shell, OWNER, SetRole { user, role });
    }
    (shell, user)
}

fn say(shell: &mut Shell, user: UserId, command: impl Into<Command>) {
    let answer = shell.ask(
        ROOM,
        &person(user),
        Timestamp::new(1_000),
        None,
        command.into(),
    );
    assert!(matches!(answer, Answer::Fact(_)), "{answer:?}");
}

fn person(user: UserId) -> Actor {
    Actor::new(user, Name::new("somebody").unwrap())
}

/// The table's lines: permission, what each role has, whether rooms may override it.
fn rows() -> Vec<(Permission, Vec<bool>, bool)> {
    let lines = TABLE.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            let permission = serde_json::from_value(words.next().unwrap().into()).unwrap();
            let columns = words.by_ref().take(5).map(|word| word == "yes").collect();
            (permission, columns, words.next().unwrap() == "free")
        })
        .collect()
}
