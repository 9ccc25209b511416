//! Random wishes: a few small numbers, and the command that they stand for.

use std::fmt;

use chat_core::commands::{
    Archive, Ban, CreateRoom, DeclineInvite, Delete, DeleteRoom, Edit, Entry, Invite, Join, Kick,
    Leave, MarkRead, Mute, OpenDirect, Pin, Post, Preset, React, RevokeInvite, SetAccess, SetGrant,
    SetNickname, SetRole, TransferOwnership, Trim, Typing, Unarchive, Unban, Unmute, Unpin,
    Unreact, UpdateRoom, Visit,
};
use chat_core::{
    Command, Features, History, Idx, Kind, Name, Override, Overrides, Password, Permission,
    Permissions, Reaction, Role, RoomId, Seq, Text, Timestamp, UserId,
};
use proptest::prelude::{Strategy, any, prop};

/// One step of a world. Smaller numbers are plainer wishes, so that shrinking makes it readable.
#[derive(Clone, Copy)]
pub(crate) struct Draw {
    pub(crate) what: &'static str,
    pub(crate) who: u8,
    pub(crate) room: u8,
    pub(crate) a: u8,
    pub(crate) b: u8,
    pub(crate) cid: Option<u16>,
}

/// What there is to speak of.
pub(crate) struct Around {
    pub(crate) messages: Vec<Seq>,
    /// Who is in the room, the owner first and for every other one once more.
    pub(crate) members: Vec<UserId>,
    /// Who is banned, muted or invited.
    pub(crate) named: Vec<UserId>,
    pub(crate) rooms: u64,
    pub(crate) now: u64,
}

impl fmt::Debug for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            who,
            room,
            a,
            b,
            cid,
        } = self;
        write!(f, "{what} {who} {room} {a} {b} {cid:?}")
    }
}

/// What is wished, and how often.
const WISHES: &[(usize, &str)] = &[
    (20, "post"),
    (16, "join"),
    (3, "leave"),
    (8, "visit"),
    (6, "invite"),
    (6, "revoke"),
    (6, "decline"),
    (4, "kick"),
    (4, "ban"),
    (8, "unban"),
    (5, "mute"),
    (10, "unmute"),
    (14, "role"),
    (2, "nickname"),
    (7, "edit"),
    (5, "delete"),
    (8, "react"),
    (8, "unreact"),
    (4, "pin"),
    (5, "unpin"),
    (2, "read"),
    (1, "typing"),
    (5, "create"),
    (4, "open"),
    (8, "update"),
    (5, "access"),
    (8, "grant"),
    (1, "archive"),
    (3, "unarchive"),
    (2, "trim"),
    (1, "delete_room"),
    (5, "transfer"),
    (14, "wait"),
    (3, "back"),
    (8, "until"),
    (4, "unload"),
    (3, "snapshot"),
    (2, "forget"),
    (6, "attend"),
    (3, "depart"),
    (6, "block"),
    (3, "unblock"),
    (1, "suspend"),
    (6, "restore"),
];

/// Steps in which people talk so many times as much as usual, and clients draw so many cids.
pub(crate) fn draws(talk: usize, cids: u16) -> impl Strategy<Value = Draw> {
    let times = |what: &str, times: usize| if what == "post" { times * talk } else { times };
    let whats: Vec<&str> = WISHES
        .iter()
        .flat_map(|(often, what)| vec![*what; times(what, *often)])
        .collect();
    let cid = prop::option::weighted(if talk > 1 { 0.8 } else { 0.3 }, 0..cids);
    (
        prop::sample::select(whats),
        0u8..32,
        0u8..16,
        any::<u8>(),
        any::<u8>(),
        cid,
    )
        .prop_map(|(what, who, room, a, b, cid)| Draw {
            what,
            who,
            room,
            a,
            b,
            cid,
        })
}

/// Everybody there is: four accounts, three guests, and the house, who speaks seldom.
pub(crate) const PEOPLE: [UserId; 8] = [
    UserId::new(1),
    UserId::new(2),
    UserId::new(3),
    UserId::new(4),
    UserId::guest(5),
    UserId::guest(6),
    UserId::guest(7),
    UserId::HOUSE,
];

pub(crate) fn person(number: u8) -> UserId {
    PEOPLE[usize::from(number) % PEOPLE.len()]
}

const SPANS_MS: [u64; 8] = [1, 499, 500, 1_000, 5_000, 60_000, 3_600_000, 90_000_000];

pub(crate) fn span(number: u8) -> u64 {
    SPANS_MS[usize::from(number) % SPANS_MS.len()]
}

pub(crate) fn pick<T: Clone>(list: &[T], number: u8) -> T {
    list[usize::from(number) % list.len()].clone()
}

fn text(number: u8) -> Text {
    Text::new(pick(
        &["hi", "ho", "hm", "", "   ", "quite a long text, for once"],
        number,
    ))
    .unwrap()
}

fn name(number: u8) -> Name {
    Name::new(pick(&["a", "A", "b", "c"], number)).unwrap()
}

fn role(number: u8) -> Role {
    pick(
        &[
            Role::Member,
            Role::Moderator,
            Role::Admin,
            Role::Guest,
            Role::Owner,
        ],
        number,
    )
}

fn password(number: u8) -> Option<Password> {
    pick(&[None, Some("sesame"), Some("simsim"), Some("")], number).map(Password::new)
}

impl Draw {
    /// The wish, given what there is to speak of.
    pub(crate) fn command(&self, around: &Around) -> Command {
        match self.what {
            "post" | "edit" | "delete" | "react" | "unreact" | "pin" | "unpin" | "read"
            | "trim" => self.about_messages(&around.messages),
            "create" | "open" | "update" | "access" | "grant" => self.about_the_room(around),
            _ => self.about_people(around),
        }
    }

    fn about_messages(&self, messages: &[Seq]) -> Command {
        let (a, b) = (self.a, self.b);
        let message = match messages.len() {
            0 => Seq::new(a.into()),
            _ if a >= 250 => Seq::new((a - 250).into()),
            _ => pick(messages, a),
        };
        let reaction = Reaction::new(pick(&["+1", "-1", "eh"], b)).unwrap();
        let idx = Idx::new(u64::from(a) % (messages.len() as u64 + 2));
        let mentions = self.mentions();
        match self.what {
            "post" => self.post(messages).into(),
            "edit" => Edit {
                mentions,
                ..Edit::plain(message, text(b))
            }
            .into(),
            "delete" => Delete { message }.into(),
            "react" => React { message, reaction }.into(),
            "unreact" => Unreact { message, reaction }.into(),
            "pin" => Pin { message }.into(),
            "unpin" => Unpin { message }.into(),
            "trim" => Trim { from: message }.into(),
            _ => MarkRead { idx }.into(),
        }
    }

    fn about_the_room(&self, around: &Around) -> Command {
        let (a, b, rooms) = (self.a, self.b, around.rooms);
        // The second room is a group from the start.
        let any = RoomId::new(u64::from(b) % (rooms + 1) + 1);
        let group = if b < 128 { RoomId::new(2) } else { any };
        let role = (a < 220).then(|| role(a));
        let histories = [None, None, Some(History::All), Some(History::SinceJoin)];
        match self.what {
            "create" => self.create(rooms).into(),
            "open" => OpenDirect { user: person(b) }.into(),
            "update" => self.update().into(),
            "access" => SetAccess {
                access: (a % 3 > 0).then(|| self.entry(rooms)),
                listed: pick(&[None, Some(true), Some(false), Some(true)], b),
                history: pick(&histories, b / 4),
            }
            .into(),
            _ => SetGrant { group, role }.into(),
        }
    }

    fn about_people(&self, around: &Around) -> Command {
        let (a, b) = (self.a, self.b);
        let likely = match self.what {
            "unban" | "unmute" | "revoke" => &around.named,
            _ => &around.members,
        };
        let present = b < 160 && self.what != "invite" && !likely.is_empty();
        let user = if present { pick(likely, b) } else { person(b) };
        let moment = Timestamp::new(around.now + span(a));
        let until = (a < 100).then_some(moment);
        let reason = (b > 128).then(|| Text::new("because").unwrap());
        let (password, nickname) = (password(a), (a > 50).then(|| name(a)));
        match self.what {
            "join" => Join { password }.into(),
            "leave" => Leave {}.into(),
            "visit" => Visit { password }.into(),
            "invite" => Invite { user, until }.into(),
            "revoke" => RevokeInvite { user }.into(),
            "decline" => DeclineInvite {}.into(),
            "kick" => Kick { user, reason }.into(),
            "ban" => Ban {
                user,
                until,
                reason,
            }
            .into(),
            "unban" => Unban { user }.into(),
            "mute" => Mute {
                user,
                until: moment,
            }
            .into(),
            "unmute" => Unmute { user }.into(),
            "role" => SetRole {
                user,
                role: role(a),
            }
            .into(),
            "nickname" => SetNickname { nickname }.into(),
            "typing" => Typing { on: b < 128 }.into(),
            "archive" => Archive {}.into(),
            "unarchive" => Unarchive {}.into(),
            "delete_room" => DeleteRoom {}.into(),
            "transfer" => TransferOwnership { to: user }.into(),
            what => panic!("no such wish: {what}"),
        }
    }

    fn post(&self, messages: &[Seq]) -> Post {
        let (a, b) = (self.a, self.b);
        let earlier = |number: u8| {
            if messages.is_empty() {
                Seq::new(1)
            } else {
                pick(messages, number)
            }
        };
        Post {
            body: text(if a < 230 { a % 3 } else { a }),
            reply_to: (b % 8 == 1).then(|| earlier(a)),
            thread: (b % 8 == 2).then(|| earlier(a)),
            mentions: if b % 8 == 3 {
                self.mentions()
            } else {
                Vec::new()
            },
            mention_all: b % 8 == 4,
            ..Post::default()
        }
    }

    fn mentions(&self) -> Vec<UserId> {
        (0..self.a % 4)
            .map(|number| person(number.wrapping_mul(self.b)))
            .collect()
    }

    fn create(&self, rooms: u64) -> CreateRoom {
        let (a, b) = (self.a, self.b);
        let presets = [
            None,
            None,
            Some(Preset::PublicChannel),
            Some(Preset::PasswordChannel),
            Some(Preset::PrivateGroup),
            Some(Preset::Announcement),
            Some(Preset::Livestream),
        ];
        CreateRoom {
            preset: pick(&presets, a),
            kind: pick(
                &[
                    None,
                    None,
                    Some(Kind::Group),
                    Some(Kind::Group),
                    Some(Kind::Direct),
                ],
                b,
            ),
            alias: (a > 200).then(|| name(b)),
            access: (b % 3 == 0).then(|| self.entry(rooms)),
            capacity: (a % 5 == 0).then_some(u64::from(b % 12)),
            slow_mode_s: (a % 5 == 1).then_some(u64::from(b) * 100),
            overrides: (a % 5 == 2).then(|| self.overrides()),
            listed: pick(&[None, Some(true), Some(false)], b / 5),
            join: a % 7 > 0,
            ..CreateRoom::named(name(0))
        }
    }

    fn entry(&self, rooms: u64) -> Entry {
        let (a, b) = (self.a / 3, self.b);
        let group = |number: u8| RoomId::new(u64::from(number) % rooms.max(1) + 1);
        let password = if b % 16 == 0 {
            ""
        } else {
            pick(&["sesame", "simsim"], b)
        };
        let groups = (0..a / 4 % 4)
            .map(|number| group(b.wrapping_add(number)))
            .collect();
        match a % 4 {
            0 => Entry::Open,
            1 => Entry::Password {
                password: Password::new(password),
            },
            2 => Entry::Invite,
            _ => Entry::Groups { groups },
        }
    }

    fn update(&self) -> UpdateRoom {
        let (a, b) = (self.a, self.b);
        let on = |bit: u8| b & (1 << bit) == 0;
        let (typing, receipts, reactions) = (on(0), on(1), on(2));
        let features = Features {
            typing,
            receipts,
            reactions,
            threads: on(3),
            edits: on(4),
        };
        UpdateRoom {
            name: (a % 6 == 0).then(|| name(b)),
            alias: (a % 12 == 1).then(|| name(b)),
            features: (a % 6 == 2).then_some(features),
            capacity: (a % 6 == 3).then_some(u64::from(b % 14)),
            slow_mode_s: (a % 6 == 4).then_some(pick(&[0, 1, 5, 60, 30_000], b)),
            overrides: (a % 6 == 5 || a % 12 == 7).then(|| self.overrides()),
            ..UpdateRoom::default()
        }
    }

    /// Overrides of up to two roles, each with a few permissions.
    fn overrides(&self) -> Overrides {
        let (a, b) = (self.a / 6, self.b);
        let some = |step: u8| -> Permissions {
            let numbers = (0..b % 3).map(|number| b.wrapping_add(number.wrapping_mul(step)));
            numbers
                .map(|number| pick(Permission::ALL, number / 2))
                .collect()
        };
        let said = Override {
            allow: some(7),
            deny: some(31),
        };
        let mut overrides = Overrides::new();
        overrides.extend((a % 8 > 0).then(|| (role(a), said)));
        overrides.extend((a % 8 > 5).then(|| (role(a / 8), said)));
        overrides
    }
}
