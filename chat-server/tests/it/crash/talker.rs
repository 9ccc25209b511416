//! A client that remembers all that it was told, and holds whoever it talks to next to it.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::world::{Account, Native};

/// Somebody who posts line after line into a room, hears it, and comes back after each cut.
pub(super) struct Talker {
    pub(super) account: Account,
    pub(super) room: u64,
    pub(super) name: String,
    /// How long he waits between two lines.
    pub(super) pace: Duration,
    /// He deletes a line of his own after this many others.
    pub(super) regrets: Option<usize>,
    /// The log of what is done to the disk, to note how long it was at which moment.
    pub(super) disk: Option<PathBuf>,
    /// What was acknowledged, in order.
    pub(super) acknowledged: Vec<Line>,
    /// What was heard, in order.
    pub(super) heard: Vec<Line>,
    /// Answers that said that nobody knows.
    pub(super) refused: usize,
    /// What was sent and not answered.
    unknown: Option<(String, Value, String)>,
    /// Up to where he has heard the room.
    position: Option<(Value, u64)>,
    lines: usize,
}

/// A line of a room, as somebody knows it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) room: u64,
    pub(super) seq: u64,
    /// The command's id if it was his own; what was said, if he heard it.
    pub(super) words: String,
    /// When it was decided, if he heard it.
    pub(super) at: u64,
    /// How long the disk's log was when he knew.
    pub(super) mark: u64,
}

impl Talker {
    pub(super) fn new(account: &Account, room: u64, name: impl Into<String>) -> Self {
        Self {
            account: account.clone(),
            room,
            name: name.into(),
            pace: Duration::ZERO,
            regrets: None,
            disk: None,
            acknowledged: Vec::new(),
            heard: Vec::new(),
            refused: 0,
            unknown: None,
            position: None,
            lines: 0,
        }
    }

    /// Comes, goes on where he stood, and talks until this many lines more were acknowledged, or
    /// the connection ends; whether it lasted.
    pub(super) async fn talk(&mut self, address: SocketAddr, lines: usize) -> bool {
        let Some(mut client) = self.arrive(address).await else {
            return false;
        };
        let enough = self.acknowledged.len() + lines;
        while self.acknowledged.len() < enough {
            let again = Instant::now() + self.pace;
            if !self.say(&mut client).await {
                return false;
            }
            while Instant::now() < again {
                match timeout_at(again, client.event_or_end()).await {
                    Ok(Some(event)) => self.hear(&event),
                    Ok(None) => return false,
                    Err(_) => break,
                }
            }
        }
        true
    }

    async fn arrive(&mut self, address: SocketAddr) -> Option<Native> {
        let stream = TcpStream::connect(address).await.ok()?;
        let mut client = Native::try_over(stream, address).await?;
        let room = self.room.to_string();
        let hello = match &self.position {
            Some((epoch, seq)) => {
                json!({"token": self.account.token, "resume": {&room: [epoch, seq]}})
            }
            None => json!({"token": self.account.token, "subscribe": [self.room]}),
        };
        let id = client.ask("hello", hello).await;
        let welcome = client.reply_or_end(id).await?;
        let found = &welcome["rooms"][&room];
        if let Some((epoch, seq)) = &mut self.position {
            assert_eq!(
                (&found["st"], &found["from"]),
                (&json!("ok"), &json!(*seq)),
                "{welcome}"
            );
            *epoch = welcome["epoch"].clone();
        } else {
            self.position = Some((welcome["epoch"].clone(), found["head"].as_u64().unwrap()));
        }
        Some(client)
    }

    /// Sends what nobody has answered yet, or something new, until it is answered for good.
    async fn say(&mut self, client: &mut Native) -> bool {
        let (op, d, cid) = self.unknown.clone().unwrap_or_else(|| self.wish());
        self.unknown = Some((op.clone(), d.clone(), cid.clone()));
        let id = client.ask(&op, d.clone()).await;
        let Some(answer) = client.outcome_or_end(id).await else {
            self.overhear(client);
            return false;
        };
        let mark = self.mark();
        self.overhear(client);
        match answer {
            Ok(done) => {
                let seq = done["seq"].as_u64().unwrap();
                self.acknowledged.push(Line {
                    room: self.room,
                    seq,
                    words: cid,
                    at: 0,
                    mark,
                });
                self.unknown = None;
            }
            Err(refusal) => {
                let code = refusal["code"].as_str().unwrap();
                assert!(
                    matches!(code, "storage_unavailable" | "shutting_down"),
                    "{refusal}"
                );
                self.refused += 1;
            }
        }
        true
    }

    fn wish(&mut self) -> (String, Value, String) {
        self.lines += 1;
        let cid = format!("{}-{}", self.name, self.lines);
        let regretted = self
            .regrets
            .filter(|every| self.lines.is_multiple_of(*every));
        let earlier = regretted.and_then(|every| self.acknowledged.get(self.lines - every));
        match earlier {
            Some(line) => {
                let d = json!({"room": self.room, "message": line.seq, "cid": cid});
                ("delete".into(), d, cid)
            }
            None => {
                let d = json!({"room": self.room, "body": cid, "cid": cid});
                ("post".into(), d, cid)
            }
        }
    }

    /// Looks at what came in between.
    fn overhear(&mut self, client: &mut Native) {
        while let Some(event) = client.heard_event() {
            self.hear(&event);
        }
    }

    /// Each line comes once, and right after the one before it.
    fn hear(&mut self, event: &Value) {
        let seq = event["seq"].as_u64().unwrap();
        let (_, position) = self.position.as_mut().unwrap();
        assert_eq!(seq, *position + 1, "{} hears {event}", self.name);
        *position = seq;
        let words = event["d"]["content"]["body"].as_str().unwrap_or_default();
        let at = event["at"].as_u64().unwrap();
        if let Some(before) = self.heard.last() {
            assert!(before.at <= at, "the time of the room went back: {event}");
        }
        let (room, words, mark) = (self.room, words.to_owned(), self.mark());
        self.heard.push(Line {
            room,
            seq,
            words,
            at,
            mark,
        });
    }

    fn mark(&self) -> u64 {
        let length = |path| fs::metadata(path).unwrap().len();
        self.disk.as_ref().map_or(0, length)
    }
}
