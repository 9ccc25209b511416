//! A town in one file: whoever says something leaves a mark that can be searched for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chat_core::commands::{Delete, Edit, Join, Kick, Post, SetNickname};
use chat_core::{Actor, Engine, Facts, Limits, Record, Request, RoomId, Seq, Standing, UserId};
use chat_server::simulation::Dice;
use chat_server::store::sqlite::Sqlite;
use chat_server::store::{Append, Appended, Created, Link, NewAccount};
use tempfile::TempDir;

use crate::store::Any;
use crate::store::stage::{NOW, name, room, text};

pub(super) const BOB: UserId = UserId::new(2);
pub(super) const ROOMS: u64 = 12;

/// A mark of the author's: what is searched for.
pub(super) fn mark(by: UserId, number: usize) -> String {
    format!("qmark{}z{number:05}q", by.number())
}

/// The marks of an author in some bytes.
pub(super) fn marks(bytes: &[u8], by: UserId) -> BTreeSet<String> {
    let plain: Vec<u8> = bytes.iter().filter(|byte| **byte != 0).copied().collect();
    let sought = format!("qmark{}z", by.number()).into_bytes();
    let mut found = BTreeSet::new();
    // As it stands, and with the zeros taken out that stand between letters in UTF-16.
    for bytes in [bytes, &plain] {
        for at in bytes.windows(sought.len() + 6) {
            if at.to_ascii_lowercase().starts_with(&sought) {
                found.insert(String::from_utf8_lossy(at).into_owned());
            }
        }
    }
    found
}

/// All bytes of a store's files. Another process reads them: to close a file in this one would let
/// go of its locks.
pub(super) fn bytes_of(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let read = std::process::Command::new("cat")
            .arg(path)
            .output()
            .unwrap();
        all.extend(read.stdout);
    }
    all
}

/// People who talk in several rooms of one file, and whose every text bears a mark.
pub(super) struct Town {
    pub(super) folder: TempDir,
    pub(super) store: Any,
    pub(super) engine: Engine,
    dice: Dice,
    marks: usize,
}

impl Town {
    pub(super) fn new(seed: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let store = Sqlite::open(folder.path().join("chat.db")).unwrap();
        let mut limits = Limits::default();
        limits.posts_limited = false;
        Self {
            folder,
            store: Arc::new(store),
            engine: Engine::new(limits),
            dice: Dice::new(seed),
            marks: 0,
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("chat.db")
    }

    pub(super) fn draw(&mut self, below: usize) -> usize {
        self.dice.below(below)
    }

    /// A marked text of some length.
    fn words(&mut self, by: UserId) -> String {
        self.marks += 1;
        let length = self.draw(8) * self.draw(60);
        format!("{} {}", mark(by, self.marks), "ab ".repeat(length))
    }

    fn name_of(&mut self, by: UserId) -> chat_core::Name {
        self.marks += 1;
        name(&mark(by, self.marks))
    }

    pub(super) async fn people(&mut self) {
        for number in 1..=4 {
            let by = UserId::new(number);
            let (called, handle) = (self.name_of(by), self.name_of(by));
            let (address, foreign) = (self.name_of(by), self.name_of(by));
            let account = NewAccount::new(called, NOW)
                .with_email(format!("{}@example.org", address.as_str()))
                .with_handle(handle)
                .with_password_hash(self.words(by))
                .with_link(Link::new("rest", foreign.as_str()));
            let made = self.store.create_account(account).await.unwrap();
            assert!(matches!(made, Created::Account(it) if it.user == by));
        }
    }

    /// Decides something; none if it is refused.
    pub(super) fn decide(
        &mut self,
        room: RoomId,
        by: UserId,
        command: impl Into<chat_core::Command>,
    ) -> Option<Arc<Record>> {
        let facts = Facts {
            standing: Some(Standing::default()),
            ..Facts::default()
        };
        let request = Request {
            room,
            actor: Actor::new(by, name(&mark(by, 0))),
            at: NOW,
            cid: None,
            command: command.into(),
            facts,
        };
        let chat_core::Decision::New(record) = self.engine.decide(&request).ok()? else {
            return None;
        };
        let record = Arc::new(record);
        assert!(self.engine.evolve(&record));
        Some(record)
    }

    /// Keeps records of many rooms in one call, as a worker does, now and then with a snapshot.
    pub(super) async fn keep(&mut self, records: Vec<Arc<Record>>) {
        let mut batch: Vec<Append> = Vec::new();
        for record in records {
            match batch.iter_mut().find(|it| it.room == record.room) {
                Some(append) => append.records.push(record),
                None => batch.push(Append {
                    room: record.room,
                    after: Seq::new(record.seq.number() - 1),
                    epoch: None,
                    records: vec![record],
                    snapshot: None,
                }),
            }
        }
        for append in &mut batch {
            if self.draw(20) == 0 {
                append.snapshot = self.engine.room(append.room).cloned().map(Box::new);
            }
        }
        let kept = self.store.append(batch).await.unwrap();
        assert!(kept.iter().all(|it| *it == Appended::Done), "{kept:?}");
    }

    pub(super) async fn found(&mut self) {
        let mut records = Vec::new();
        for number in 1..=ROOMS {
            let wish = chat_core::commands::CreateRoom::named(name("den"));
            records.extend(self.decide(room(number), UserId::new(1), wish));
            for user in 2..=4 {
                let by = UserId::new(user);
                records.extend(self.decide(room(number), by, Join::default()));
            }
        }
        self.keep(records).await;
    }

    /// Lets people talk in all rooms at once.
    pub(super) async fn talk(&mut self, batches: usize) {
        for _ in 0..batches {
            let mut records = Vec::new();
            for _ in 0..25 {
                let den = room(1 + self.draw(usize::try_from(ROOMS).unwrap()) as u64);
                let by = UserId::new(1 + self.draw(4) as u64);
                records.extend(self.wish(den, by));
            }
            self.keep(records).await;
            if self.draw(4) == 0 {
                self.store.tend(NOW).await.unwrap();
            }
        }
    }

    /// Has a message said in each room that its author edits twice; which they are.
    pub(super) async fn change_minds(&mut self) -> BTreeSet<(u64, Seq)> {
        let (mut changed, mut records) = (BTreeSet::new(), Vec::new());
        let by = UserId::new(1);
        for number in 1..=ROOMS {
            let body = text(&self.words(by));
            let said = self.decide(room(number), by, Post::plain(body)).unwrap();
            changed.insert((number, said.seq));
            let message = said.seq;
            records.push(said);
            for _ in 0..2 {
                let body = text(&self.words(by));
                records.extend(self.decide(room(number), by, Edit::plain(message, body)));
            }
        }
        self.keep(records).await;
        changed
    }

    fn wish(&mut self, den: RoomId, by: UserId) -> Option<Arc<Record>> {
        let back = self.draw(12) as u64;
        let head = self.engine.room(den)?.head_seq.number();
        let message = Seq::new(head.saturating_sub(back).max(1));
        match self.draw(40) {
            0 => {
                let nickname = Some(self.name_of(by));
                self.decide(den, by, SetNickname { nickname })
            }
            1 => {
                let reason = Some(text(&self.words(by)));
                let user = UserId::new(3);
                let kicked = self.decide(den, by, Kick { user, reason });
                kicked.or_else(|| self.decide(den, user, Join::default()))
            }
            2..8 => {
                let body = text(&self.words(by));
                self.decide(den, by, Edit::plain(message, body))
            }
            8 | 9 => self.decide(den, by, Delete { message }),
            _ => {
                let body = text(&self.words(by));
                self.decide(den, by, Post::plain(body))
            }
        }
    }
}
