//! What was erased is in none of the files: not in rows that SQLite moved, not in its log, not in a
//! file that a process left behind which died at any step of it.
//!
//! Every text bears a mark with the number of its author and one of its own, so that the bytes of the
//! files can be searched for it, in any case and as UTF-8 or UTF-16.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chat_core::commands::{Delete, Edit, Join, Kick, Post, SetNickname};
use chat_core::{Actor, Engine, Facts, Limits, Record, Request, RoomId, Seq, Standing, UserId};
use chat_server::store::sqlite::Sqlite;
use chat_server::store::sqlite::upkeep;
use chat_server::store::{Append, Appended, Created, Link, NewAccount};
use tempfile::TempDir;

use super::Any;
use super::searching::{NOW, tend};
use super::stage::{name, room, text};

const BOB: UserId = UserId::new(2);
const ROOMS: u64 = 12;

/// A mark of the author's: what is searched for.
fn mark(by: UserId, number: usize) -> String {
    format!("qmark{}z{number:05}q", by.number())
}

/// The marks of an author in some bytes.
fn marks(bytes: &[u8], by: UserId) -> BTreeSet<String> {
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
fn bytes_of(folder: &Path) -> Vec<u8> {
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

struct Town {
    folder: TempDir,
    store: Any,
    engine: Engine,
    draw: u64,
    marks: usize,
}

impl Town {
    fn new(seed: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let store = Sqlite::open(folder.path().join("chat.db")).unwrap();
        let mut limits = Limits::default();
        limits.posts_limited = false;
        Self {
            folder,
            store: Arc::new(store),
            engine: Engine::new(limits),
            draw: seed,
            marks: 0,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("chat.db")
    }

    fn draw(&mut self, below: usize) -> usize {
        self.draw = self
            .draw
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        usize::try_from(self.draw >> 33).unwrap() % below
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

    async fn people(&mut self) {
        for number in 1..=4 {
            let by = UserId::new(number);
            let (called, handle) = (self.name_of(by), self.name_of(by));
            let (address, foreign) = (self.name_of(by), self.name_of(by));
            let account = NewAccount {
                name: called,
                email: Some(format!("{}@example.org", address.as_str())),
                handle: Some(handle),
                password_hash: Some(self.words(by)),
                link: Some(Link {
                    issuer: "rest".into(),
                    foreign: foreign.as_str().into(),
                }),
                at: NOW,
            };
            let made = self.store.create_account(account).await.unwrap();
            assert!(matches!(made, Created::Account(it) if it.user == by));
        }
    }

    /// Decides something; none if it is refused.
    fn decide(
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
        self.engine.evolve(&record);
        Some(record)
    }

    /// Keeps records of many rooms in one call, as a worker does, now and then with a snapshot.
    async fn keep(&mut self, records: Vec<Arc<Record>>) {
        let mut batch: Vec<Append> = Vec::new();
        for record in records {
            match batch.iter_mut().find(|it| it.room == record.room) {
                Some(append) => append.records.push(record),
                None => batch.push(Append {
                    room: record.room,
                    after: Seq::new(record.seq.number() - 1),
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

    async fn found(&mut self) {
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
    async fn talk(&mut self, batches: usize) {
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

fn seeds() -> u64 {
    let seeds = std::env::var("SEEDS").ok();
    seeds.and_then(|seeds| seeds.parse().ok()).unwrap_or(2)
}

#[tokio::test]
async fn no_byte_of_an_erased_person_stays_in_the_files() {
    for seed in 1..=seeds() {
        let mut town = Town::new(seed);
        town.people().await;
        town.found().await;
        town.talk(40).await;
        let before = bytes_of(town.folder.path());
        assert!(marks(&before, BOB).len() > 100, "{seed}");
        let logs = replays(&town.store).await;

        town.store.erase_user(BOB, NOW).await.unwrap();
        tend(&town.store).await;
        town.store.check().await.unwrap();

        let after = bytes_of(town.folder.path());
        assert_eq!(marks(&after, BOB), BTreeSet::new(), "{seed}");
        assert!(marks(&after, UserId::new(4)).len() > 100, "others' stay");
        assert_eq!(replays(&town.store).await, logs, "{seed}");
        sound(&town.path());
        // Life goes on, and a copy has none of it either.
        town.talk(5).await;
        tend(&town.store).await;
        sound(&town.path());
        let copies = TempDir::new().unwrap();
        upkeep::backup(&town.path(), &copies.path().join("copy.db")).unwrap();
        let copy = bytes_of(copies.path());
        let late = marks(&copy, BOB);
        assert_eq!(
            late,
            BTreeSet::new(),
            "what he still wrote came without words"
        );
    }
}

/// The rooms as their logs lead to them, without nicknames.
async fn replays(store: &Any) -> Vec<chat_core::Room> {
    let mut rooms = Vec::new();
    for number in 1..=ROOMS {
        let mut state = store.load(room(number)).await.unwrap().unwrap();
        let records = store.records(room(number), Seq::default(), 99_999).await;
        let records = records.unwrap();
        let replayed = chat_core::Room::replayed(records.iter().map(AsRef::as_ref));
        assert_eq!(replayed.as_ref(), Some(&state));
        for member in state.members.values_mut() {
            member.nickname = None;
        }
        rooms.push(state);
    }
    rooms
}

fn sound(path: &Path) {
    let mut findings = Vec::new();
    upkeep::verify(path, NOW, &mut |it| findings.push(it.words)).unwrap();
    assert_eq!(findings, Vec::<String>::new());
}

#[tokio::test]
async fn deleted_words_leave_no_trace_in_pages_that_were_split() {
    for seed in 1..=seeds() {
        let mut town = Town::new(seed + 100);
        town.people().await;
        town.found().await;
        town.talk(40).await;
        let mut doomed = BTreeSet::new();
        let mut records = Vec::new();
        for number in 1..=ROOMS {
            let log = town.store.records(room(number), Seq::default(), 99_999);
            for record in log.await.unwrap() {
                let message = record.seq;
                let owner = UserId::new(1);
                if town.draw(3) > 0
                    && let Some(deleted) = town.decide(room(number), owner, Delete { message })
                {
                    doomed.insert((number, message));
                    records.push(deleted);
                }
            }
        }
        let mut gone = BTreeSet::new();
        for number in 1..=ROOMS {
            for record in town
                .store
                .records(room(number), Seq::default(), 99_999)
                .await
                .unwrap()
            {
                let said = match &record.event {
                    chat_core::Event::Posted(it) => it.content.as_ref().map(|it| (record.seq, it)),
                    chat_core::Event::Edited(it) => {
                        it.content.as_ref().map(|said| (it.message, said))
                    }
                    _ => None,
                };
                if let Some((message, content)) = said
                    && doomed.contains(&(number, message))
                {
                    gone.insert(content.body.as_str()[..13].to_owned());
                }
            }
        }
        town.keep(records).await;
        tend(&town.store).await;
        let bytes = bytes_of(town.folder.path());
        let mut left = BTreeSet::new();
        for user in 1..=4 {
            left.extend(marks(&bytes, UserId::new(user)));
        }
        assert!(
            gone.len() > 100 && left.len() > 100,
            "{} {}",
            gone.len(),
            left.len()
        );
        let left: Vec<_> = left.intersection(&gone).collect();
        assert_eq!(left, Vec::<&String>::new(), "{seed}");
        sound(&town.path());
    }
}

/// What a killed process leaves: the files as they are at one moment, nothing closed.
fn killed(town: &Town) -> TempDir {
    let left = TempDir::new().unwrap();
    let copy = |end: &str, to: &str| {
        let from = format!("{}{end}", town.path().display());
        let to = left.path().join(to);
        let done = std::process::Command::new("cp").arg(from).arg(&to).status();
        assert!(done.unwrap().success());
        to
    };
    loop {
        let log = copy("-wal", "chat.db-wal");
        copy("", "chat.db");
        // The writer may just have moved it into the database.
        let again = copy("-wal", "again");
        if std::fs::read(&log).unwrap() == std::fs::read(&again).unwrap() {
            std::fs::remove_file(again).unwrap();
            return left;
        }
    }
}

#[tokio::test]
async fn a_process_that_dies_while_it_erases_has_erased_or_goes_on() {
    let mut town = Town::new(77);
    town.people().await;
    town.found().await;
    town.talk(60).await;
    town.store.erase_user(BOB, NOW).await.unwrap();
    let mut steps = 0;
    loop {
        let left = killed(&town);
        let store: Any = Arc::new(Sqlite::open(left.path().join("chat.db")).unwrap());
        assert_eq!(store.account(BOB).await.unwrap(), None, "step {steps}");
        sound(&left.path().join("chat.db"));
        tend(&store).await;
        let bytes = bytes_of(left.path());
        assert_eq!(marks(&bytes, BOB), BTreeSet::new(), "step {steps}");
        sound(&left.path().join("chat.db"));
        steps += 1;
        if !town.store.tend(NOW).await.unwrap() {
            break;
        }
    }
    assert!(steps > 3, "{steps}");
}

/// The texts of an erased person that a store tells.
async fn texts_of(store: &Any, by: UserId) -> Vec<String> {
    let mut texts = Vec::new();
    for number in 1..=ROOMS {
        let records = store.records(room(number), Seq::default(), 99_999).await;
        for record in records.unwrap().iter().filter(|it| it.by.id == by) {
            let content = match &record.event {
                chat_core::Event::Posted(it) => it.content.as_ref(),
                chat_core::Event::Edited(it) => it.content.as_ref(),
                _ => None,
            };
            texts.extend(content.map(|it| it.body.as_str().to_owned()));
        }
    }
    texts
}

#[tokio::test]
async fn a_copy_that_is_made_while_somebody_is_erased_has_all_of_him_or_goes_on_erasing() {
    let mut town = Town::new(78);
    town.people().await;
    town.found().await;
    town.talk(40).await;
    let before = texts_of(&town.store, BOB).await;
    assert!(before.len() > 100, "{}", before.len());
    let copies = TempDir::new().unwrap();
    let mut made = 0;
    let mut goes_on = true;
    while goes_on {
        let (from, to) = (town.path(), copies.path().join(format!("{made}.db")));
        let copying = tokio::task::spawn_blocking(move || upkeep::backup(&from, &to));
        goes_on = match made {
            // The first is of nobody who is erased, if it's quick.
            0 => town.store.erase_user(BOB, NOW).await.unwrap(),
            _ => town.store.tend(NOW).await.unwrap(),
        };
        copying.await.unwrap().unwrap();
        made += 1;
    }
    assert!(made > 3, "{made}");
    let mut erased = 0;
    for number in 0..made {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("chat.db");
        std::fs::rename(copies.path().join(format!("{number}.db")), &path).unwrap();
        sound(&path);
        let copy: Any = Arc::new(Sqlite::open(&path).unwrap());
        if copy.account(BOB).await.unwrap().is_some() {
            assert_eq!(texts_of(&copy, BOB).await, before, "copy {number}");
            continue;
        }
        assert_eq!(texts_of(&copy, BOB).await, Vec::<String>::new());
        tend(&copy).await;
        let bytes = bytes_of(folder.path());
        assert_eq!(marks(&bytes, BOB), BTreeSet::new(), "copy {number}");
        sound(&path);
        erased += 1;
    }
    assert!(erased > 2, "{erased} of {made}");
}

/// The first schema, as files of the former version have it.
const FIRST: &str = include_str!("../../../src/store/sqlite/schema/0001.sql");

#[tokio::test]
async fn a_file_of_the_former_schema_is_searched_and_cleaned_like_any_other() {
    let mut town = Town::new(5);
    town.people().await;
    town.found().await;
    town.talk(10).await;
    let older = TempDir::new().unwrap();
    let path = older.path().join("chat.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "secure_delete", true).unwrap();
    db.execute_batch(FIRST).unwrap();
    db.execute("ATTACH ?1 AS it", [town.path().to_str().unwrap()])
        .unwrap();
    let names: String = db
        .query_row(
            "SELECT group_concat(name) FROM main.sqlite_schema
             WHERE type = 'table' AND name <> 'sqlite_stat1'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    for table in names.split(',') {
        let columns: String = db
            .query_row(
                "SELECT group_concat(name) FROM pragma_table_info(?1)",
                [table],
                |row| row.get(0),
            )
            .unwrap();
        db.execute_batch(&format!(
            "DELETE FROM main.{table};
             INSERT INTO main.{table} ({columns}) SELECT {columns} FROM it.{table}"
        ))
        .unwrap();
    }
    db.pragma_update(None, "user_version", 1).unwrap();
    drop(db);

    let store: Any = Arc::new(Sqlite::open(&path).unwrap());
    let everywhere = |town: &Town| {
        let rooms = (1..=ROOMS).map(|number| chat_server::store::Scope {
            room: room(number),
            from: Seq::new(1),
            to: town.engine.room(room(number)).unwrap().head_seq,
        });
        chat_server::store::SearchQuery {
            sought: chat_server::store::Sought::new("ab").unwrap(),
            viewer: BOB,
            rooms: rooms.collect(),
            limit: 20,
        }
    };
    let early = store.search(&everywhere(&town)).await.unwrap();
    assert_eq!(early.items.len(), 20);
    tend(&store).await;
    assert_eq!(store.search(&everywhere(&town)).await.unwrap(), early);
    sound(&path);
    store.erase_user(BOB, NOW).await.unwrap();
    tend(&store).await;
    assert_eq!(marks(&bytes_of(older.path()), BOB), BTreeSet::new());
    sound(&path);
}
