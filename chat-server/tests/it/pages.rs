//! Web pages as front ends of the dialects are written, each in a browser as people use it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use chat_server::config::{Config, Secret};

use crate::require;
use crate::world::{World, config};

#[tokio::test]
async fn people_talk_on_the_page_of_the_rooms_dialect() {
    converse("rooms", config()).await;
}

#[tokio::test]
async fn people_talk_on_the_page_of_the_rest_dialect_and_read_what_was_said_before() {
    converse("rest", config()).await;
}

#[tokio::test]
async fn people_talk_on_the_page_of_the_actions_dialect_in_both_kinds_of_frames() {
    converse("actions", config()).await;
}

#[tokio::test]
async fn people_talk_on_the_page_of_the_groups_dialect() {
    converse("groups", config()).await;
}

#[tokio::test]
async fn a_page_of_the_native_dialect_loses_its_connection_and_nothing_else() {
    converse("native", config()).await;
}

#[tokio::test]
async fn guests_talk_on_the_page_of_the_socketio_dialect_over_each_transport() {
    converse("socketio", config()).await;
}

#[tokio::test]
async fn who_has_a_token_is_believed_on_the_page_of_the_socketio_dialect() {
    let mut config = config();
    config.jwt_secret = Secret::new(SECRET);
    converse_with("socketio", &[SECRET], config).await;
}

#[tokio::test]
async fn everybody_reads_everybody_whatever_page_he_came_by() {
    converse("everybody", config()).await;
}

/// Plays the story of a page against a server that is set up like this.
async fn converse(page: &str, config: Config) {
    converse_with(page, &[], config).await;
}

/// The same, with arguments for the story.
async fn converse_with(page: &str, arguments: &[&str], mut config: Config) {
    let Some(browser) = require::chromium(&format!("the {page} page in a browser")) else {
        return;
    };
    let mut stage = browser.command(&format!("pages/{page}.mjs"));
    stage.args(arguments);
    let stage = tokio::task::spawn_blocking(move || Stage::open(stage));
    let mut stage = stage.await.unwrap();
    config.origins.push(stage.origin.clone());
    let world = World::with(config).await;
    let address = world.address.to_string();
    let played = tokio::task::spawn_blocking(move || stage.play(&address));
    played.await.unwrap();
    world.stop().await;
}

/// What an older backend signed its tokens with.
const SECRET: &str = "a secret that is long enough to sign with";

/// The process that serves the pages and drives the browser. It dies with the test.
struct Stage {
    child: Child,
    /// Where the pages come from.
    origin: String,
}

impl Stage {
    fn open(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut origin = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut origin)
            .unwrap();
        let origin = origin.trim().to_owned();
        assert!(origin.starts_with("http://"), "no pages: {origin:?}");
        Self { child, origin }
    }

    /// Names the server, and waits for the end of the story.
    fn play(&mut self, address: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{address}").unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "the story broke off: {status}");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
