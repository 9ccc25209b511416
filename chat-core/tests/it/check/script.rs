//! The language of the scripts.
//!
//! A line is a wish, `USER VERB #ROOM ARGUMENTS`, or something that happens around the engine:
//!
//! ```text
//! wait 5s | back 1h            the clock goes on, or back (ms, s, m, h, d)
//! unload #den                  the room leaves memory
//! suspend bob                  bob's account is suspended
//! bob blocks alice             bob hears nothing from alice in private
//! gina departs #den            a visitor's session ends
//! limit posts_burst=3          the server has other limits
//! bob may post #den?           asks for a permission and the reasons
//! 12x bob post #den hi         the line twelve times; the transcript has the last
//! ```
//!
//! Users whose names begin with `g` are guests, `house` is the house, all others are accounts. A
//! room is known by the `#name` of the line that made it; a direct room is named by its `open`.
//! `name=value` are options wherever they stand, `cid=c1` is one for every wish. Whoever needs a
//! long text writes `x*20000`.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::commands::{
    Archive, Ban, CreateRoom, DeclineInvite, Delete, DeleteRoom, Edit, Entry, Invite, Join, Kick,
    Leave, MarkRead, Mute, OpenDirect, Pin, Post, React, RevokeInvite, SetAccess, SetGrant,
    SetNickname, SetRole, TransferOwnership, Trim, Typing, Unarchive, Unban, Unmute, Unpin,
    Unreact, UpdateRoom, Visit,
};
use chat_core::{
    Actor, Attachment, Cid, Command, Features, Name, Overrides, Password, Permission, Reaction,
    Retention, Role, RoomId, Seq, Text, Timestamp, UserId,
};

/// Who and what a script spoke of, and when.
pub(crate) struct Script {
    pub(crate) now: u64,
    pub(crate) suspended: BTreeSet<String>,
    users: BTreeMap<String, UserId>,
    rooms: BTreeMap<String, RoomId>,
}

/// A line that somebody says to the engine.
pub(crate) struct Wish {
    pub(crate) user: String,
    pub(crate) actor: Actor,
    pub(crate) room: String,
    pub(crate) cid: Option<Cid>,
    pub(crate) command: Command,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            now: 1_000_000_000,
            suspended: BTreeSet::new(),
            users: BTreeMap::from([("house".into(), UserId::HOUSE)]),
            rooms: BTreeMap::new(),
        }
    }
}

/// A span such as `5s` in milliseconds.
pub(crate) fn ms(span: &str) -> u64 {
    let units = [
        ("ms", 1),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ];
    let unit = units.iter().find(|(unit, _)| {
        span.strip_suffix(unit)
            .is_some_and(|number| number.parse::<u64>().is_ok())
    });
    let (unit, factor) = unit.expect("a span has a unit");
    span.strip_suffix(unit).unwrap().parse::<u64>().unwrap() * factor
}

impl Script {
    /// The user of this name, numbered at first mention.
    pub(crate) fn user_id(&mut self, name: &str) -> UserId {
        let number = self.users.len() as u64;
        let guest = name.starts_with('g');
        let id = if guest {
            UserId::guest(number)
        } else {
            UserId::new(number)
        };
        *self.users.entry(name.into()).or_insert(id)
    }

    pub(crate) fn user_name(&self, user: UserId) -> String {
        let mut known = self.users.iter();
        known
            .find(|(_, id)| **id == user)
            .map_or(user.to_string(), |(name, _)| name.clone())
    }

    pub(crate) fn actor(&mut self, name: &str) -> Actor {
        let id = self.user_id(name);
        let suspended = self.suspended.contains(name);
        Actor {
            suspended,
            ..Actor::new(id, Name::new(name).unwrap())
        }
    }

    pub(crate) fn knows(&self, room: &str) -> bool {
        self.rooms.contains_key(room)
    }

    /// The room of this name; one that nobody made has a number that no room has.
    pub(crate) fn room_id(&self, name: &str) -> RoomId {
        self.rooms.get(name).copied().unwrap_or(RoomId::new(999))
    }

    pub(crate) fn room_name(&self, room: RoomId) -> String {
        let mut known = self.rooms.iter();
        known
            .find(|(_, id)| **id == room)
            .map_or(room.to_string(), |(name, _)| name.clone())
    }

    pub(crate) fn remember(&mut self, name: &str, room: RoomId) {
        self.rooms.entry(name.into()).or_insert(room);
    }

    /// Reads `USER VERB #ROOM ARGUMENTS`.
    pub(crate) fn wish(&mut self, line: &str) -> Wish {
        let mut line = Line::new(line);
        let user = line.next();
        let verb = line.next();
        let room = line.next();
        let actor = self.actor(&user);
        let cid = line.option("cid").map(|cid| Cid::new(cid).unwrap());
        let command = match verb.as_str() {
            "create" | "open" | "update" | "access" | "grant" | "transfer" => {
                self.about_the_room(&verb, &room, &mut line)
            }
            "post" | "edit" | "delete" | "react" | "unreact" | "pin" | "unpin" => {
                self.about_messages(&verb, &mut line)
            }
            _ => self.about_people(&verb, &mut line),
        };
        // A creation names the room that it makes, unless it says that it is asked in another.
        let asked_in = line.option("in");
        let room = if matches!(command, Command::OpenDirect(_)) {
            format!("#{}", line.option("as").unwrap_or_default())
        } else {
            room
        };
        assert!(
            line.0.is_empty(),
            "words that nobody understood: {:?}",
            line.0
        );
        Wish {
            user,
            actor,
            room: asked_in.unwrap_or(room),
            cid,
            command,
        }
    }

    fn about_the_room(&mut self, verb: &str, room: &str, line: &mut Line) -> Command {
        match verb {
            "create" => self.creation(room, line).into(),
            "open" => OpenDirect {
                user: self.user_id(room),
            }
            .into(),
            "update" => UpdateRoom {
                name: line.option("name").map(|it| Name::new(&it).unwrap()),
                alias: line.option("alias").map(|it| Name::new(&it).unwrap()),
                topic: line.option("topic").map(|it| Text::new(it).unwrap()),
                features: line.features(),
                capacity: line.option("capacity").map(|it| it.parse().unwrap()),
                slow_mode_s: line.option("slow").map(|it| ms(&it) / 1000),
                retention: line.retention(),
                overrides: line.overrides(),
            }
            .into(),
            "access" => SetAccess {
                access: self.entry(line),
                listed: line.option("listed").map(|it| it == "yes"),
                history: line.json("history"),
            }
            .into(),
            "grant" => SetGrant {
                group: self.room_id(&line.next()),
                role: Some(line.next())
                    .filter(|it| it != "nothing")
                    .map(|it| role(&it)),
            }
            .into(),
            _ => TransferOwnership {
                to: self.user_id(&line.next()),
            }
            .into(),
        }
    }

    fn creation(&self, room: &str, line: &mut Line) -> CreateRoom {
        CreateRoom {
            preset: line.json("preset"),
            kind: line.json("kind"),
            alias: line.option("alias").map(|it| Name::new(&it).unwrap()),
            topic: line.option("topic").map(|it| Text::new(it).unwrap()),
            access: self.entry(line),
            listed: line.option("listed").map(|it| it == "yes"),
            history: line.json("history"),
            features: line.features(),
            capacity: line.option("capacity").map(|it| it.parse().unwrap()),
            slow_mode_s: line.option("slow").map(|it| ms(&it) / 1000),
            retention: line.retention(),
            overrides: line.overrides(),
            join: line.option("join").is_none_or(|it| it == "yes"),
            ..CreateRoom::named(Name::new(room.trim_start_matches('#')).unwrap())
        }
    }

    fn about_messages(&mut self, verb: &str, line: &mut Line) -> Command {
        let mentions = self.users_of(line.option("mentions"));
        let attachments = line
            .option("attachments")
            .map_or(0, |it| it.parse().unwrap());
        let url = Text::new("https://example.com/a.png").unwrap();
        let attachment = Attachment {
            url,
            name: None,
            media_type: None,
            bytes: None,
        };
        let attachments = vec![attachment; attachments];
        let ext = line
            .option("ext")
            .map(|it| (Text::new("k").unwrap(), Text::new(it).unwrap()));
        let ext = ext.into_iter().collect();
        if verb == "post" {
            let reply_to = line.option("reply").map(|it| Seq::new(it.parse().unwrap()));
            let thread = line
                .option("thread")
                .map(|it| Seq::new(it.parse().unwrap()));
            let mention_all = line.option("all").is_some();
            let body = line.rest();
            let post = Post {
                body,
                reply_to,
                thread,
                mentions,
                mention_all,
                ..Post::default()
            };
            return Post {
                attachments,
                ext,
                ..post
            }
            .into();
        }
        let message = Seq::new(line.next().parse().expect("a message's number"));
        let mut reaction = || Reaction::new(line.next()).unwrap();
        match verb {
            "delete" => Delete { message }.into(),
            "react" => React {
                message,
                reaction: reaction(),
            }
            .into(),
            "unreact" => Unreact {
                message,
                reaction: reaction(),
            }
            .into(),
            "pin" => Pin { message }.into(),
            "unpin" => Unpin { message }.into(),
            _ => {
                let body = line.rest();
                Edit {
                    mentions,
                    attachments,
                    ext,
                    ..Edit::plain(message, body)
                }
                .into()
            }
        }
    }

    fn about_people(&mut self, verb: &str, line: &mut Line) -> Command {
        let until = line
            .option("for")
            .map(|it| Timestamp::new(self.now + ms(&it)));
        let reason = line.option("reason").map(|it| Text::new(it).unwrap());
        let password = line.option("password").map(Password::new);
        let on = line.option("off").is_none();
        let mut user = || self.user_id(&line.next());
        match verb {
            "archive" => Archive {}.into(),
            "unarchive" => Unarchive {}.into(),
            "trim" => Trim {
                from: Seq::new(line.next().parse().unwrap()),
            }
            .into(),
            "delete_room" => DeleteRoom {}.into(),
            "join" => Join { password }.into(),
            "leave" => Leave {}.into(),
            "visit" => Visit { password }.into(),
            "invite" => Invite {
                user: user(),
                until,
            }
            .into(),
            "revoke" => RevokeInvite { user: user() }.into(),
            "decline" => DeclineInvite {}.into(),
            "kick" => Kick {
                user: user(),
                reason,
            }
            .into(),
            "ban" => Ban {
                user: user(),
                until,
                reason,
            }
            .into(),
            "unban" => Unban { user: user() }.into(),
            "mute" => Mute {
                user: user(),
                until: until.unwrap(),
            }
            .into(),
            "unmute" => Unmute { user: user() }.into(),
            "role" => SetRole {
                user: user(),
                role: role(&line.next()),
            }
            .into(),
            "nickname" => {
                let nickname = line.rest();
                let nickname = Name::new(nickname.as_str()).ok();
                SetNickname { nickname }.into()
            }
            "read" => MarkRead {
                idx: chat_core::Idx::new(line.next().parse().unwrap()),
            }
            .into(),
            "typing" => Typing { on }.into(),
            _ => panic!("no such verb: {verb}"),
        }
    }

    fn users_of(&mut self, list: Option<String>) -> Vec<UserId> {
        let list = list.unwrap_or_default();
        let names = list.split(',').filter(|name| !name.is_empty());
        names.map(|name| self.user_id(name)).collect()
    }

    /// `access=open`, `access=password:secret`, `access=invite`, `access=groups:#a,#b`.
    fn entry(&self, line: &mut Line) -> Option<Entry> {
        let access = line.option("access")?;
        let (mode, rest) = access.split_once(':').unwrap_or((&access, ""));
        Some(match mode {
            "open" => Entry::Open,
            "invite" => Entry::Invite,
            "password" => Entry::Password {
                password: Password::new(rest),
            },
            "groups" => {
                let names = rest.split(',').filter(|name| !name.is_empty());
                Entry::Groups {
                    groups: names.map(|name| self.room_id(name)).collect(),
                }
            }
            _ => panic!("no such access: {access}"),
        })
    }
}

pub(crate) fn role(word: &str) -> Role {
    serde_json::from_value(word.into()).expect("a role's name")
}

/// The words of a line that nobody has read yet.
struct Line(Vec<String>);

impl Line {
    fn new(line: &str) -> Self {
        Self(line.split_whitespace().map(stretched).collect())
    }

    fn next(&mut self) -> String {
        assert!(!self.0.is_empty(), "the line is too short");
        self.0.remove(0)
    }

    fn option(&mut self, name: &str) -> Option<String> {
        let prefix = format!("{name}=");
        let at = self.0.iter().position(|word| word.starts_with(&prefix))?;
        Some(stretched(&self.0.remove(at)[prefix.len()..]))
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        Some(serde_json::from_value(self.option(name)?.into()).expect("a word that it knows"))
    }

    fn rest(&mut self) -> Text {
        Text::new(self.0.split_off(0).join(" ")).unwrap()
    }

    /// `off=typing,threads`: what the room switches off.
    fn features(&mut self) -> Option<Features> {
        let off = self.option("off")?;
        let mut features = serde_json::to_value(Features::default()).unwrap();
        for feature in off.split(',').filter(|it| !it.is_empty()) {
            features[feature] = false.into();
        }
        Some(serde_json::from_value(features).unwrap())
    }

    /// `keep=30d`, `keep=1000`: how long, or how many records.
    fn retention(&mut self) -> Option<Retention> {
        let keep = self.option("keep")?;
        Some(match keep.strip_suffix('d') {
            Some(days) => Retention {
                days: Some(days.parse().unwrap()),
                records: None,
            },
            None => Retention {
                days: None,
                records: Some(keep.parse().unwrap()),
            },
        })
    }

    /// `allow=member:pin,kick` and `deny=guest:post`; `allow=nothing` takes all overrides away.
    fn overrides(&mut self) -> Option<Overrides> {
        let mut overrides: Option<Overrides> = None;
        for which in ["allow", "deny"] {
            while let Some(it) = self.option(which) {
                let overrides = overrides.get_or_insert_default();
                let Some((who, what)) = it.split_once(':') else {
                    continue;
                };
                let permission =
                    |it: &str| -> Permission { serde_json::from_value(it.into()).unwrap() };
                let permissions = what.split(',').map(permission).collect();
                let entry = overrides.entry(role(who)).or_default();
                if which == "allow" {
                    entry.allow = permissions;
                } else {
                    entry.deny = permissions;
                }
            }
        }
        overrides
    }
}

/// `x*3` is `xxx`.
fn stretched(word: &str) -> String {
    match word.split_once('*') {
        Some((text, times)) if !text.contains('=') => match times.parse() {
            Ok(times) => text.repeat(times),
            Err(_) => word.into(),
        },
        Some(_) | None => word.into(),
    }
}
