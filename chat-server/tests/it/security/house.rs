//! Rooms with marked words in them, and people of every standing towards them.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use chat_server::config::{ActionsNames, Secret};

use crate::world::{Account, Native, PATIENCE, World, by, config, http};

pub(crate) use super::standing::{Mark, Standing, Which};

pub(crate) const SECRET: &str = "a secret of this house";

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
            Which::Hidden | Which::SinceJoin | Which::Archived | Which::Deleted | Which::Direct => {
                json!({"mode": "invite"})
            }
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
            Standing::Member
            | Standing::Muted
            | Standing::ByGroup
            | Standing::Stranger
            | Standing::Invited
            | Standing::Left
            | Standing::Kicked
            | Standing::Banned
            | Standing::Expelled
            | Standing::Suspended
            | Standing::LoggedOut
            | Standing::Expired
            | Standing::Forger => self.world.account(&name).await,
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
                self.world.server.suspend(user).await.unwrap();
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
