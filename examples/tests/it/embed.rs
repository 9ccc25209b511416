//! The server inside an application with users of its own.

use std::process::Command;

use chat_protocol::client::Output;
use serde_json::json;
use tempfile::TempDir;

use crate::person::Person;
use crate::program::Program;

struct App {
    /// It lives as long as this.
    _program: Program,
    authority: String,
}

impl App {
    fn start(folder: &TempDir) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_embed"));
        command
            .args(["--listen", "127.0.0.1:0", "--database"])
            .arg(folder.path().join("app.db"));
        let mut program = Program::start(&mut command);
        let line = program.prints("listening on ");
        let authority = line.rsplit("http://").next().unwrap().to_owned();
        Self {
            _program: program,
            authority,
        }
    }

    /// Logs in to the application; gives the session.
    async fn log_in(&self, name: &str) -> String {
        let body = json!({ "name": name });
        let answer = chat_examples::http::post(&self.authority, "/login", &body);
        answer.await.unwrap()["session"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn log_out(&self, session: &str) {
        let body = json!({ "session": session });
        // It answers without a body, which is no JSON.
        drop(chat_examples::http::post(&self.authority, "/logout", &body).await);
    }

    fn chats(&self, session: &str) -> Person {
        Person::with_token(&format!("ws://{}/chat/v1/ws", self.authority), session)
    }
}

#[tokio::test]
async fn users_of_the_application_chat_below_its_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(&folder);
    let mut ann = app.chats(&app.log_in("ann").await);
    let mut bob = app.chats(&app.log_in("bob").await);
    let den = ann.creates("den").await;
    bob.joins(den).await;
    let hello = bob.posts(den, "hello ann");
    bob.reply(hello).await;
    let heard = ann.hears("hello ann").await;
    assert_eq!(heard.by.name.unwrap().as_str(), "bob");
    drop(app);

    // The application has forgotten its sessions; the chat knows who is who.
    let app = App::start(&folder);
    let mut ann = app.chats(&app.log_in("ann").await);
    let mut bob = app.chats(&app.log_in("bob").await);
    let hello = bob.posts(den, "hello again");
    bob.reply(hello).await;
    assert_eq!(ann.history(den).await.len(), 2);
}

#[tokio::test]
async fn who_leaves_the_application_leaves_the_chat() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(&folder);
    let session = app.log_in("ann").await;
    let mut ann = app.chats(&session);
    ann.creates("den").await;
    app.log_out(&session).await;
    let Output::Stop { code } = ann.last_word().await else {
        panic!("she is still there")
    };
    assert_eq!(code, 4501);
    let mut nobody = app.chats(&session);
    assert!(matches!(nobody.last_word().await, Output::Stop { .. }));
}
