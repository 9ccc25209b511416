//! The `groups` dialect over real sockets: guests and members of groups, and who they are.

mod accounts;
mod guests;
mod limits;
mod others;

use chat_core::Name;
use serde_json::{Value, json};

use crate::world::{Plain, World, config};

/// A server with the two groups that exist in that project.
async fn world() -> World {
    World::with(with_groups(&["Plg", "Amg"])).await
}

fn with_groups(names: &[&str]) -> chat_server::config::Config {
    let mut config = config();
    config.groups = names.iter().map(|name| Name::new(name).unwrap()).collect();
    config
}

/// Somebody with a socket.
struct Person(Plain);

impl Person {
    async fn at(world: &World) -> Self {
        Self(Plain::connect(world.address, "/").await)
    }

    /// A guest of this name in a group.
    async fn guest(world: &World, name: &str, group: &str) -> Self {
        let mut guest = Self::at(world).await;
        guest.enter(name, group).await;
        guest
    }

    /// Somebody who has just signed up under this name; his id is the name with a 1 behind it.
    async fn member(world: &World, name: &str, groups: &[&str]) -> Self {
        let mut member = Self::at(world).await;
        let said = member.ask(sign_up(name, groups)).await;
        let id = format!("{name}1");
        let data = json!({"name": name, "receiverName": name, "id": id, "groups": groups});
        assert_eq!(said, json!({"type": "sign-up", "data": data}));
        member
    }

    /// Logs in with an id, a name or an address.
    async fn log_in(&mut self, login: &str) -> Value {
        self.ask(json!({"type": "log_in", "name": login, "pwrd": "secret"}))
            .await
    }

    async fn enter(&mut self, name: &str, group: &str) {
        let said = self.first_connect(name, group).await;
        let acknowledged = json!({"type": "acknowledge-connect", "name": name, "Group": group});
        assert_eq!(said, acknowledged);
    }

    async fn first_connect(&mut self, name: &str, group: &str) -> Value {
        self.ask(json!({"type": "first-connect", "name": name, "group": group}))
            .await
    }

    async fn send(&mut self, frame: Value) {
        self.0.send(&frame.to_string()).await;
    }

    async fn say(&mut self, group: &str, text: &str) {
        self.send(message("whoever", group, text)).await;
    }

    async fn ask(&mut self, frame: Value) -> Value {
        self.send(frame).await;
        self.hear().await
    }

    async fn hear(&mut self) -> Value {
        let said = self.0.hear().await;
        let said = said.unwrap_or_else(|code| panic!("the connection ended: {code}"));
        serde_json::from_str(&said).unwrap()
    }

    #[track_caller]
    fn hears(&mut self, due: Value) -> impl Future<Output = ()> {
        let from = std::panic::Location::caller();
        async move {
            let said = self.hear().await;
            assert_eq!(said, due, "at {from}");
        }
    }

    #[track_caller]
    fn hears_line(&mut self, name: &str, text: &str) -> impl Future<Output = ()> {
        self.hears(json!({"type": "message", "name": name, "Text": text}))
    }

    #[track_caller]
    fn hears_added(&mut self, name: &str, group: &str) -> impl Future<Output = ()> {
        self.hears(json!({"type": "user-added", "name": name, "Group": group}))
    }

    async fn groups(&mut self) -> Value {
        let mut said = self.ask(json!({"type": "get_groups"})).await;
        assert_eq!(said["type"], "active-groups");
        said["groups"].take()
    }

    /// Hangs up, and waits until the server knows.
    async fn leave(self) {
        self.0.leave().await;
    }
}

fn message(name: &str, group: &str, text: &str) -> Value {
    json!({"type": "message", "name": name, "group": group, "Text": text})
}

fn sign_up(name: &str, groups: &[&str]) -> Value {
    let id = format!("{name}1");
    json!({"type": "sign-up", "name": name, "pwrd": "secret", "id": id, "groups": groups})
}

fn make(group: &str, name: &str) -> Value {
    json!({"type": "make_group", "group_name": group, "name": name})
}

fn accepted(name: &str, groups: &[&str]) -> Value {
    let data = json!({"name": name, "id": format!("{name}1"), "groups": groups});
    json!({"type": "login-accept", "data": data})
}

fn err(words: &str) -> Value {
    json!({"type": "err", "err": words})
}

fn rejected(words: &str) -> Value {
    json!({"type": "reject-connect", "err": words})
}
