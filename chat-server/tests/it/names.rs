//! Hostile names at the doors where accounts are made, whatever the dialect, and in imports.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::world::{PASSWORD, Plain, World, http};

#[path = "../../../chat-protocol/tests/it/hostile/names/table.rs"]
mod table;

use self::table::{LIKE_ALICE, NAMES};

/// Where somebody may get an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Native,
    Rest,
    Actions,
    Groups,
    /// The other name that an account has there.
    GroupsHandle,
}

const DOORS: [Door; 5] = [
    Door::Native,
    Door::Rest,
    Door::Actions,
    Door::Groups,
    Door::GroupsHandle,
];

impl Door {
    /// Asks for an account of this name; says what it is called, or that there is none.
    async fn ask(self, at: SocketAddr, name: &str, number: usize) -> Option<String> {
        let post = async |path: &str, body: Value| {
            let body = body.to_string();
            http(at, "POST", path, &[], body.as_bytes()).await
        };
        match self {
            Self::Native => {
                let body = json!({"name": name, "password": PASSWORD});
                let said = post("/v1/auth/signup", body).await;
                assert!(matches!(said.status, 201 | 409 | 422), "{}", said.body);
                let said = said.json();
                said["user"]["name"].as_str().map(str::to_owned)
            }
            Self::Rest => {
                let email = format!("u{number}@mail.example");
                let body = json!({"user_name": name, "email": email, "password": PASSWORD});
                let said = post("/v1/api/auth/signup", body).await;
                assert!(matches!(said.status, 200 | 400), "{}", said.body);
                let said = said.json();
                said["user"]["UserName"].as_str().map(str::to_owned)
            }
            Self::Actions => {
                let body = json!({"username": name, "password": format!("{PASSWORD} {number}")});
                let said = post("/api/login", body).await;
                assert!(matches!(said.status, 200 | 400 | 401), "{}", said.body);
                let token = said.json()["token"].as_str()?.to_owned();
                let bearer = format!("Bearer {token}");
                let headers = [("authorization", bearer.as_str())];
                let me = http(at, "GET", "/v1/me", &headers, b"").await;
                me.json()["name"].as_str().map(str::to_owned)
            }
            Self::Groups | Self::GroupsHandle => {
                let other = format!("other {number}");
                let (name, id) = if self == Self::Groups {
                    (name, other.as_str())
                } else {
                    (other.as_str(), name)
                };
                let wish = json!({"type": "sign-up", "name": name, "pwrd": PASSWORD, "id": id});
                let mut client = Plain::connect(at, "/somewhere").await;
                let said = client.ask(&wish.to_string()).await;
                let said: Value = serde_json::from_str(&said).unwrap();
                let field = if self == Self::Groups { "name" } else { "id" };
                said["data"][field].as_str().map(str::to_owned)
            }
        }
    }
}

#[tokio::test]
async fn every_door_gives_accounts_to_the_same_names() {
    for door in DOORS {
        let world = World::new().await;
        for (number, (what, text, taken)) in NAMES.into_iter().enumerate() {
            // Whoever has no handle goes by his name.
            if door == Door::GroupsHandle && text.trim().is_empty() {
                continue;
            }
            // Taken by the one who came with blanks around it.
            let given = door.ask(world.address, text, number).await;
            assert_eq!(given.as_deref(), taken, "{door:?}: {what}");
        }
        world.stop().await;
    }
}

#[tokio::test]
async fn nobody_gets_an_account_that_looks_like_another() {
    let world = World::new().await;
    world.account("Alice").await;
    for door in DOORS {
        for (number, text) in LIKE_ALICE.into_iter().enumerate() {
            let given = door.ask(world.address, text, number).await;
            assert_eq!(given, None, "{door:?}: {text}");
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn an_account_s_name_has_eighty_characters_at_every_door() {
    for door in DOORS {
        let world = World::new().await;
        for (number, (length, fits)) in [(79, true), (80, true), (81, false)]
            .into_iter()
            .enumerate()
        {
            let name = "\u{e9}".repeat(length);
            let given = door.ask(world.address, &name, number).await;
            assert_eq!(given.is_some(), fits, "{door:?}: {length}");
        }
        world.stop().await;
    }
}
