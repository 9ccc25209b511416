//! A chat server in a process of its own, so that it can die at any moment.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use chat_server::Server;
use chat_server::config::{Config, StoreUrl};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::Program;

/// One server, over any number of lives.
pub(crate) struct House {
    folder: TempDir,
    address: String,
    server: Program,
}

impl House {
    pub(crate) fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (server, address) = start(&folder, "127.0.0.1:0");
        Self {
            folder,
            address,
            server,
        }
    }

    /// The address of the native dialect.
    pub(crate) fn socket(&self) -> String {
        format!("ws://{}/v1/ws", self.address)
    }

    /// The server is gone in the middle of whatever it did.
    pub(crate) fn dies(&mut self) {
        self.server.kill();
    }

    /// It is there again, at the same address with the same disk.
    pub(crate) fn comes_back(&mut self) {
        let (server, address) = start(&self.folder, &self.address);
        assert_eq!(address, self.address);
        self.server = server;
    }

    /// Makes an account; gives its token.
    pub(crate) async fn sign_up(&self, name: &str) -> String {
        let body = json!({ "name": name, "password": PASSWORD });
        let answer = chat_examples::http::post(&self.address, "/v1/auth/signup", &body).await;
        answer
            .unwrap()
            .get("token")
            .and_then(Value::as_str)
            .unwrap()
            .to_owned()
    }
}

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse";

const FOLDER: &str = "CHAT_EXAMPLES_FOLDER";
const LISTEN: &str = "CHAT_EXAMPLES_LISTEN";

/// Runs this very program again, as a server.
fn start(folder: &TempDir, listen: &str) -> (Program, String) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "server::a_server_for_the_others", "--nocapture"]);
    command.env(FOLDER, folder.path()).env(LISTEN, listen);
    let mut server = Program::start(&mut command);
    let line = server.prints("listening on ");
    let address = line.rsplit("http://").next().unwrap().to_owned();
    (server, address)
}

/// What the others talk to, when one of them runs this program again; by itself it does nothing.
#[tokio::test]
async fn a_server_for_the_others() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let mut config = Config::default();
    config.store = StoreUrl::Sqlite(PathBuf::from(folder).join("chat.db"));
    let server = Server::builder(config).start().await.unwrap();
    let listen = env::var(LISTEN).unwrap().parse().unwrap();
    println!(
        "listening on http://{}",
        server.listen(listen).await.unwrap()
    );
    std::future::pending::<()>().await;
}
