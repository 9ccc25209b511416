//! Moving in: files of older servers, brought here by the program, and what their people find.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use chat_server::Server;
use chat_server::auth::hashing::HashingCost;
use chat_server::config::{Listen, Secret};
use chat_server::store::Store;
use chat_server::store::sqlite::Sqlite;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{Native, World, config, http};

mod conflicts;
mod lines;
mod moving;
mod random;

/// What the older servers signed their tokens with.
const SECRET: &str = "the secret of the older server";

/// The hash that bcrypt made of `U*U` at cost 5, as its authors published it.
const HASH: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

/// A folder with a store, and files to be imported into it.
struct House {
    folder: TempDir,
}

/// What an import printed, and how it ended.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
    report: Vec<Value>,
}

impl House {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Imports a file of these bytes by the program.
    fn import(&self, from: &str, file: impl AsRef<[u8]>, more: &[&str]) -> Said {
        std::fs::write(self.path("moving.jsonl"), file).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        command
            .current_dir(self.folder.path())
            .env_clear()
            .args(["import", "--from", from, "moving.jsonl"])
            .args(["--report", "report.jsonl"])
            .args(more);
        let output = command.output().unwrap();
        let report = std::fs::read_to_string(self.path("report.jsonl")).unwrap_or_default();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
            report: report
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
        }
    }

    /// Imports the same lines twice: all of them the first time, and nothing the second.
    #[track_caller]
    fn import_twice(&self, from: &str, lines: &[Value]) -> Said {
        let first = self.import(from, file(lines), &[]);
        assert_eq!(
            (first.code, first.err.as_str()),
            (Some(0), ""),
            "{}",
            first.out
        );
        let again = self.import(from, file(lines), &[]);
        assert_eq!(
            (again.code, again.err.as_str()),
            (Some(0), ""),
            "{}",
            again.out
        );
        assert!(again.out.ends_with("nothing was made\n"), "{}", again.out);
        for what in ["users", "rooms", "members", "messages"] {
            let (first, again) = (first.count(what), again.count(what));
            assert_eq!(again, (0, first.0 + first.1, 0), "{what}");
        }
        first
    }

    /// A server over what was imported.
    async fn open(&self) -> World {
        let mut config = config();
        config.jwt_secret = Secret::new(SECRET);
        let server = Server::builder(config)
            .store(Arc::new(self.store()))
            .hashing(HashingCost {
                memory_kib: 8,
                passes: 1,
            });
        let server = server.start().await.unwrap();
        let address = server.listen(Listen::local(0)).await.unwrap();
        World { server, address }
    }

    /// The store, which nobody here has open.
    fn store(&self) -> Sqlite {
        Sqlite::open(self.path("chat.db")).unwrap()
    }

    async fn hash_of(&self, name: &str) -> String {
        let store = self.store();
        let account = store.find_account(name).await.unwrap().unwrap();
        account.password_hash.unwrap()
    }
}

impl Said {
    /// How many of a kind were made, were there already, and were refused.
    #[track_caller]
    fn count(&self, what: &str) -> (u64, u64, u64) {
        let summary = self.report.last().unwrap();
        assert_eq!(summary["note"], "summary");
        let count = |outcome: &str| summary[what][outcome].as_u64().unwrap();
        (count("made"), count("there"), count("refused"))
    }

    /// What the report says of a user or a room by its old id.
    #[track_caller]
    fn of(&self, note: &str, id: &str) -> &Value {
        let found = |it: &&Value| it["note"] == note && it["id"] == id;
        self.report.iter().find(found).unwrap()
    }

    /// Why a line was refused.
    #[track_caller]
    fn refusal(&self, line: u64) -> &str {
        let found = |it: &&Value| it["note"] == "refused" && it["line"] == line;
        let refused = self.report.iter().find(found);
        refused.unwrap_or_else(|| panic!("line {line}: {:?}", self.report))["why"]
            .as_str()
            .unwrap()
    }
}

fn file(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// A token that an older server made.
fn token(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(&Header::default(), claims, &key).unwrap()
}

/// Logs in, and says as whom; none if the password is wrong.
async fn log_in(world: &World, login: &str, password: &str) -> Option<u64> {
    let body = json!({"login": login, "password": password}).to_string();
    let said = http(
        world.address,
        "POST",
        "/v1/auth/login",
        &[],
        body.as_bytes(),
    )
    .await;
    (said.status == 200).then(|| said.json()["user"]["id"].as_u64().unwrap())
}

/// Says hello with a token of an older server, and hears who that is.
async fn hello(world: &World, claims: &Value) -> (Native, Value) {
    let mut client = world.connect().await;
    let welcome = client.ok("hello", json!({"token": token(claims)})).await;
    (client, welcome["user"].clone())
}

/// Who said what in a room, and when.
async fn history(client: &mut Native, room: impl Into<Value>) -> Vec<(String, String, u64)> {
    let room: Value = room.into();
    let page = client
        .ok("history", json!({"room": room, "limit": 200}))
        .await;
    let items = page["items"].as_array().unwrap();
    let read = |it: &Value| {
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        let at = it["at"].as_u64().unwrap();
        (text(&it["by"]["name"]), text(&it["content"]["body"]), at)
    };
    items.iter().map(read).collect()
}

fn line(name: &str, body: &str, at: u64) -> (String, String, u64) {
    (name.to_owned(), body.to_owned(), at)
}
