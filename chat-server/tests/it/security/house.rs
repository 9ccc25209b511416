//! Rooms with marked words in them, and people of every standing towards them.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use chat_server::config::{ActionsNames, Secret};

use crate::world::{Account, Native, PATIENCE, World, by, config, http};

pub(crate) const SECRET: &str = "a secret of this house";

/// A word that only some may read. Whatever is said here contains one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// What was said.
    Line,
    /// What a room is called, and what about.
    Name,
    /// Who is in it, kept out of it, or awaited.
    Person,
}

impl Mark {
    const ALL: [Self; 3] = [Self::Line, Self::Name, Self::Person];

    /// The word with this mark in a room.
    pub(crate) fn word(self, which: Which) -> String {
        format!("{self:?}-{which:?}-xyzzy").to_lowercase()
    }

    /// Every mark of a room that a text contains.
    pub(crate) fn of(which: Which, text: &str) -> Vec<Self> {
        let marks = Self::ALL.into_iter();
        marks
            .filter(|mark| text.contains(&mark.word(which)))
            .collect()
    }
}

/// Which room it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// In no list.
    Hidden,
    /// In the directory, with a password.
    Listed,
    /// In no list; who comes later doesn't read what was said before.
    SinceJoin,
    /// In no list, read only.
    Archived,
    /// Deleted.
    Deleted,
    /// Between two others.
    Direct,
}

impl Which {
    pub(crate) const ALL: [Self; 6] = [
        Self::Hidden,
        Self::Listed,
        Self::SinceJoin,
        Self::Archived,
        Self::Deleted,
        Self::Direct,
    ];
}

/// What somebody is to all of the rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Owner,
    Member,
    Muted,
    /// A member of a group that the rooms grant a role to.
    ByGroup,
    Stranger,
    Guest,
    /// A guest who was in the room that is listed, with a socket that has gone.
    Visitor,
    Invited,
    Left,
    Kicked,
    Banned,
    /// He was a member of the group.
    Expelled,
    /// A member whose account is suspended.
    Suspended,
    /// A member whose log-in has ended.
    LoggedOut,
    /// A member whose token has ended.
    Expired,
    /// A member's number in a token that somebody else signed.
    Forger,
    /// A request without any token.
    Nobody,
}

impl Standing {
    const ALL: [Self; 17] = [
        Self::Owner,
        Self::Member,
        Self::Muted,
        Self::ByGroup,
        Self::Stranger,
        Self::Guest,
        Self::Visitor,
        Self::Invited,
        Self::Left,
        Self::Kicked,
        Self::Banned,
        Self::Expelled,
        Self::Suspended,
        Self::LoggedOut,
        Self::Expired,
        Self::Forger,
        Self::Nobody,
    ];

    /// Whether the token counts.
    pub(crate) const fn is_known(self) -> bool {
        match self {
            Self::Owner
            | Self::Member
            | Self::Muted
            | Self::ByGroup
            | Self::Stranger
            | Self::Guest
            | Self::Visitor
            | Self::Invited
            | Self::Left
            | Self::Kicked
            | Self::Banned
            | Self::Expelled => true,
            Self::Suspended | Self::LoggedOut | Self::Expired | Self::Forger | Self::Nobody => {
                false
            }
        }
    }

    /// Whether he may read in a room.
    pub(crate) const fn reads(self, which: Which) -> bool {
        let is_in = matches!(
            self,
            Self::Owner | Self::Member | Self::Muted | Self::ByGroup
        );
        match which {
            Which::Hidden | Which::Listed | Which::SinceJoin | Which::Archived => is_in,
            Which::Direct => matches!(self, Self::Owner),
            Which::Deleted => false,
        }
    }

    /// What he may find out of a room, whatever he asks.
    pub(crate) fn may_see(self, which: Which) -> Vec<Mark> {
        if self.reads(which) {
            let late = which == Which::SinceJoin && self != Self::Owner;
            let marks = Mark::ALL.into_iter();
            return marks.filter(|mark| !late || *mark != Mark::Line).collect();
        }
        // Who is invited knows to what.
        let invited = matches!(which, Which::Hidden | Which::SinceJoin | Which::Archived)
            && matches!(self, Self::Invited);
        if invited || which == Which::Listed && self.is_known() {
            vec![Mark::Name]
        } else {
            Vec::new()
        }
    }

    /// The code of the refusal for whoever may not read.
    pub(crate) const fn refusal(self, which: Which) -> &'static str {
        match (self, which) {
            (Self::Suspended, _) => "suspended",
            (Self::LoggedOut | Self::Forger, _) => "token_invalid",
            (Self::Expired, _) => "token_expired",
            (Self::Nobody, _) => "unauthenticated",
            (Self::Banned, Which::Listed) => "banned",
            (_, Which::Listed) => "not_a_member",
            (Self::Invited, Which::Hidden | Which::SinceJoin | Which::Archived) => "not_a_member",
            (_, _) => "room_not_found",
        }
    }
}

/// A room with marked words in it.
#[derive(Clone, Debug)]
pub(crate) struct Marked {
    pub(crate) which: Which,
    pub(crate) id: u64,
    pub(crate) alias: String,
    /// A message that others answer.
    pub(crate) line: u64,
}

/// Somebody, with the token that he shows.
#[derive(Clone, Debug)]
pub(crate) struct Someone {
    pub(crate) standing: Standing,
    pub(crate) name: String,
    pub(crate) account: Account,
}

/// All of them.
pub(crate) struct House {
    pub(crate) world: World,
    pub(crate) host: Native,
    pub(crate) host_id: u64,
    pub(crate) rooms: Vec<Marked>,
    pub(crate) people: Vec<Someone>,
}

const PASSWORD_OF_LISTED: &str = "open sesame";

impl House {
    pub(crate) async fn open() -> Self {
        let mut config = config();
        config.jwt_secret = Secret::new(SECRET);
        // Else whoever comes from where all of them logged in may use their names in one dialect.
        config.actions_names = ActionsNames::Strict;
        config.server_limits.sessions_per_user_max = 1_000;
        config.server_limits.silent_sockets_per_address_max = 10_000;
        let world = World::with(config).await;
        let owner = world.account("owner").await;
        let host = world.enter(&owner).await;
        let mut house = Self {
            world,
            host,
            host_id: owner.id,
            rooms: Vec::new(),
            people: Vec::new(),
        };
        let group = house.found_group().await;
        for which in Which::ALL {
            let room = house.furnish(which, group).await;
            house.rooms.push(room);
        }
        for standing in Standing::ALL {
            let someone = house.introduce(standing, &owner, group).await;
            house.people.push(someone);
        }
        house.close_up().await;
        house
    }

    pub(crate) fn room(&self, which: Which) -> &Marked {
        self.rooms.iter().find(|room| room.which == which).unwrap()
    }

    async fn found_group(&mut self) -> u64 {
        let group =
            json!({"name": "Crew", "kind": "group", "listed": false, "access": {"mode": "invite"}});
        self.host.create(group).await
    }

    /// Makes a room with a line, an answer to it, a pin, a ban and an invitation.
    async fn furnish(&mut self, which: Which, group: u64) -> Marked {
        if which == Which::Direct {
            return self.furnish_direct().await;
        }
        let access = match which {
            Which::Listed => json!({"mode": "password", "password": PASSWORD_OF_LISTED}),
            _ => json!({"mode": "invite"}),
        };
        let alias = format!("den-{which:?}").to_lowercase();
        let (line, name, person) = (
            Mark::Line.word(which),
            Mark::Name.word(which),
            Mark::Person.word(which),
        );
        let history = if which == Which::SinceJoin {
            "since_join"
        } else {
            "all"
        };
        let made = json!({
            "name": name, "topic": name, "alias": alias, "access": access,
            "listed": which == Which::Listed, "history": history,
        });
        let room = self.host.create(made).await;
        let nickname = json!({"room": room, "nickname": person});
        self.host.ok("set_nickname", nickname).await;
        let line = self.talk(room, &line).await;
        let pin = json!({"room": room, "message": line});
        self.host.ok("pin", pin).await;
        for op in ["ban", "invite"] {
            let name = format!("{op} {person}");
            let user = self.world.account(&name).await.id;
            self.host.ok(op, json!({"room": room, "user": user})).await;
        }
        let grant = json!({"room": room, "group": group, "role": "member"});
        self.host.ok("set_grant", grant).await;
        Marked {
            which,
            id: room,
            alias,
            line,
        }
    }

    async fn furnish_direct(&mut self) -> Marked {
        let which = Which::Direct;
        let peer = self.world.account(&Mark::Person.word(which)).await;
        let opened = self.host.ok("open_direct", json!({"user": peer.id})).await;
        let id = opened["room"].as_u64().unwrap();
        self.host.synced(id).await;
        let line = self.talk(id, &Mark::Line.word(which)).await;
        let alias = id.to_string();
        Marked {
            which,
            id,
            alias,
            line,
        }
    }

    /// Says something, and answers it.
    async fn talk(&mut self, room: u64, words: &str) -> u64 {
        let line = self.host.post(room, words).await;
        let answer = json!({"room": room, "body": words, "thread": line});
        self.host.ok("post", answer).await;
        line
    }

    async fn introduce(&mut self, standing: Standing, owner: &Account, group: u64) -> Someone {
        let name = format!("{standing:?}").to_lowercase();
        let account = match standing {
            Standing::Owner => owner.clone(),
            Standing::Guest | Standing::Visitor => self.guest(&name).await,
            Standing::Nobody => Account {
                id: 0,
                token: String::new(),
                refresh: String::new(),
            },
            _ => self.world.account(&name).await,
        };
        let mut someone = Someone {
            standing,
            name,
            account,
        };
        self.place(&mut someone, group).await;
        someone
    }

    async fn guest(&self, name: &str) -> Account {
        let body = json!({"name": name}).to_string();
        let said = http(
            self.world.address,
            "POST",
            "/v1/auth/guest",
            &[],
            body.as_bytes(),
        )
        .await;
        let said = said.json();
        Account {
            id: said["user"]["id"].as_u64().unwrap(),
            token: said["token"].as_str().unwrap().to_owned(),
            refresh: String::new(),
        }
    }

    /// Gives somebody his standing.
    async fn place(&mut self, someone: &mut Someone, group: u64) {
        let account = someone.account.clone();
        match someone.standing {
            Standing::Owner | Standing::Stranger | Standing::Guest | Standing::Nobody => {}
            Standing::Visitor => {
                let room = self.room(Which::Listed).id;
                let mut socket = self.world.connect().await;
                socket.ok("hello", json!({"token": account.token})).await;
                let visit = json!({"room": room, "password": PASSWORD_OF_LISTED});
                socket.ok("visit", visit).await;
                socket.ok("history", json!({"room": room})).await;
                socket.leave().await;
            }
            Standing::ByGroup | Standing::Expelled => {
                let user = json!({"room": group, "user": account.id});
                self.host.ok("invite", user.clone()).await;
                self.command(&account, "join", json!({"room": group})).await;
                self.until_reads(&account, true).await;
                if someone.standing == Standing::Expelled {
                    self.host.ok("kick", user).await;
                    self.until_reads(&account, false).await;
                }
            }
            Standing::Invited => self.everywhere("invite", &account).await,
            Standing::Member => self.join_everywhere(&account).await,
            Standing::Muted => {
                self.join_everywhere(&account).await;
                self.everywhere("mute", &account).await;
            }
            Standing::Left => {
                self.join_everywhere(&account).await;
                for room in self.shared() {
                    self.command(&account, "leave", json!({"room": room})).await;
                }
            }
            Standing::Kicked => {
                self.join_everywhere(&account).await;
                self.everywhere("kick", &account).await;
            }
            Standing::Banned => {
                self.join_everywhere(&account).await;
                self.everywhere("ban", &account).await;
            }
            Standing::Suspended => {
                self.join_everywhere(&account).await;
                let user = account.id.try_into().unwrap();
                self.world.server.suspend(user, true).await.unwrap();
            }
            Standing::LoggedOut => {
                self.join_everywhere(&account).await;
                let out = by(&self.world, &account, "POST", "/v1/auth/logout", "{}").await;
                assert_eq!(out.status, 204);
            }
            Standing::Expired => {
                self.join_everywhere(&account).await;
                someone.account.token = altered(&account.token, SECRET, "exp", &json!(1_000));
            }
            Standing::Forger => {
                self.join_everywhere(&account).await;
                someone.account.token = altered(&account.token, "guessed", "gid", &json!("x"));
            }
        }
    }

    /// Asks until every room has heard of what happened in the group: each follows it by itself,
    /// within a second.
    async fn until_reads(&self, account: &Account, reads: bool) {
        let began = std::time::Instant::now();
        let living = self.rooms.iter().filter(|it| it.which != Which::Direct);
        for room in living {
            let d = json!({"room": room.id});
            while command(&self.world, account, "history", &d)
                .await
                .get("ok")
                .is_some()
                != reads
            {
                assert!(
                    began.elapsed() < PATIENCE,
                    "the {:?} room hears nothing",
                    room.which
                );
            }
        }
    }

    fn shared(&self) -> Vec<u64> {
        let shared = self.rooms.iter().filter(|room| room.which != Which::Direct);
        shared.map(|room| room.id).collect()
    }

    async fn join_everywhere(&mut self, account: &Account) {
        self.everywhere("invite", account).await;
        for room in self.shared() {
            self.command(account, "join", json!({"room": room})).await;
        }
    }

    /// The host does this to somebody in every room.
    async fn everywhere(&mut self, op: &str, account: &Account) {
        for room in self.shared() {
            let mut d = json!({"room": room, "user": account.id});
            if op == "mute" {
                d["until"] = json!(4_000_000_000_000_u64);
            }
            self.host.ok(op, d).await;
        }
    }

    /// A command that is granted, over HTTP.
    async fn command(&self, account: &Account, op: &str, d: Value) {
        let said = command(&self.world, account, op, &d).await;
        assert!(said.get("ok").is_some(), "{op} {d}: {said}");
    }

    async fn close_up(&mut self) {
        let (archived, deleted) = (self.room(Which::Archived).id, self.room(Which::Deleted).id);
        self.host.ok("archive", json!({"room": archived})).await;
        self.host.ok("delete_room", json!({"room": deleted})).await;
    }
}

/// What a frame is answered with over HTTP.
pub(crate) async fn command(world: &World, account: &Account, op: &str, d: &Value) -> Value {
    let frame = json!({"id": 1, "op": op, "d": d}).to_string();
    by(world, account, "POST", "/v1/cmd", &frame).await.json()
}

/// A token with one claim changed, signed with this secret.
pub(crate) fn altered(token: &str, secret: &str, claim: &str, value: &Value) -> String {
    let mut claims = claims_of(token);
    claims[claim] = value.clone();
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::default(), &claims, &key).unwrap()
}

/// What a token says.
pub(crate) fn claims_of(token: &str) -> Value {
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(token);
    claims.unwrap().claims
}
