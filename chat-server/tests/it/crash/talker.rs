//! A client that remembers all that it was told, and holds whoever it talks to next to it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
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
    /// The connection that has ended, for what was heard last.
    pub(super) left: Option<Native>,
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
            left: None,
        }
    }

    /// Comes, goes on where he stood, and talks until this many lines more were acknowledged, or
    /// the connection ends; whether it lasted.
    pub(super) async fn talk(&mut self, address: SocketAddr, lines: usize) -> bool {
        let Some(mut client) = self.arrive(address).await else {
            return false;
        };
        let lasted = self.talk_over(&mut client, lines).await;
        if !lasted {
            self.left = Some(client);
        }
        lasted
    }

    async fn talk_over(&mut self, client: &mut Native, lines: usize) -> bool {
        let enough = self.acknowledged.len() + lines;
        while self.acknowledged.len() < enough {
            let again = Instant::now() + self.pace;
            if !self.say(client).await {
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
        let welcome = loop {
            let id = client.ask("hello", hello.clone()).await;
            match client.outcome_or_end(id).await? {
                Ok(welcome) => break welcome,
                // A machine that has much to do; whoever is told to comes again.
                Err(refusal) => assert_eq!(refusal["code"], "storage_unavailable", "{refusal}"),
            }
        };
        let found = &welcome["rooms"][&room];
        let epoch = welcome["epoch"].clone();
        let Some((known, seq)) = &mut self.position else {
            self.position = Some((epoch, found["head"].as_u64().unwrap()));
            return Some(client);
        };
        *known = epoch;
        if found["why"] == "too_far" {
            let head = found["head"].as_u64().unwrap();
            return self.read_up_to(head, &mut client).await.then_some(client);
        }
        assert_eq!(
            (&found["st"], &found["from"]),
            (&json!("ok"), &json!(*seq)),
            "{welcome}"
        );
        Some(client)
    }

    /// Reads what he has missed, since it is more than he is told by himself; whether the
    /// connection lasted.
    async fn read_up_to(&mut self, head: u64, client: &mut Native) -> bool {
        while let Some((_, since)) = self.position
            && since < head
        {
            let d = json!({"room": self.room, "since": since, "limit": head - since});
            let id = client.ask("records", d).await;
            let Some(records) = client.reply_or_end(id).await else {
                return false;
            };
            for record in records["events"].as_array().unwrap() {
                self.hear(record);
            }
        }
        true
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

    /// The id of the command that was sent and not answered.
    pub(super) fn unanswered(&self) -> Option<&str> {
        self.unknown.as_ref().map(|(_, _, cid)| cid.as_str())
    }

    fn mark(&self) -> u64 {
        let length = |path| fs::metadata(path).unwrap().len();
        self.disk.as_ref().map_or(0, length)
    }
}

/// All records of a room, in a log without a hole.
pub(super) async fn read_log(client: &mut Native, room: u64) -> Vec<Value> {
    let mut log = Vec::new();
    loop {
        let d = json!({"room": room, "since": log.len()});
        let records = client.ok("records", d).await;
        log.extend(records["events"].as_array().unwrap().iter().cloned());
        let last = log.last().map(|record| &record["seq"]);
        assert_eq!(last, Some(&json!(log.len())), "a hole");
        if records["upto"] == records["head"] {
            return log;
        }
    }
}

/// What a record says, if it is a line.
pub(super) fn body(record: &Value) -> &str {
    record["d"]["content"]["body"].as_str().unwrap_or_default()
}

/// Asks for the logs of all rooms, and finds in them what was acknowledged and what was heard, each
/// in its place, and no line twice.
pub(super) async fn compare(address: SocketAddr, talkers: &[Talker]) {
    let mut logs = BTreeMap::new();
    for talker in talkers {
        let room = talker.room;
        if let Entry::Vacant(place) = logs.entry(room) {
            let mut client = Native::connect(address).await;
            let hello = json!({"token": talker.account.token});
            client.ok("hello", hello).await;
            let log = read_log(&mut client, room).await;
            let mut said: Vec<_> = log.iter().map(body).filter(|it| !it.is_empty()).collect();
            let count = said.len();
            said.sort_unstable();
            said.dedup();
            assert_eq!(said.len(), count, "each line is there once");
            place.insert(log);
        }
        for line in talker.acknowledged.iter().chain(&talker.heard) {
            let place = usize::try_from(line.seq).unwrap() - 1;
            let there = logs[&room].get(place).map(body);
            assert_eq!(
                there,
                Some(line.words.as_str()),
                "{}: {line:?}",
                talker.name
            );
        }
    }
}

/// Lets all of them talk at once; gives them back, and whether each connection lasted.
pub(super) fn all_talk(
    talkers: Vec<Talker>,
    address: SocketAddr,
    lines: usize,
) -> impl Future<Output = Vec<(Talker, bool)>> {
    let talks = talkers.into_iter().map(|mut talker| {
        tokio::spawn(async move {
            let lasted = talker.talk(address, lines).await;
            (talker, lasted)
        })
    });
    let talks: Vec<_> = talks.collect();
    async move {
        let mut done = Vec::new();
        for talk in talks {
            done.push(talk.await.unwrap());
        }
        done
    }
}
