//! What was erased is in none of the files: not in rows that SQLite moved, not in its log, not in a
//! file that a process left behind which died at any step of it.
//!
//! Every text bears a mark with the number of its author and one of its own, so that the bytes of the
//! files can be searched for it, in any case and as UTF-8 or UTF-16.

mod town;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use chat_core::commands::{Delete, Trim};
use chat_core::{Record, Seq, UserId};
use chat_server::store::sqlite::Sqlite;
use chat_server::store::sqlite::upkeep;
use tempfile::TempDir;

use self::town::{BOB, ROOMS, Town, bytes_of, marks};
use super::Any;
use super::stage::{NOW, room, tend};

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

        let left = left_of_bob(&town.store, town.folder.path()).await;
        assert_eq!(left, BTreeSet::new(), "{seed}");
        let after = bytes_of(town.folder.path());
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

/// The marks in a store's files once none of these is left, or it was asked often enough. The writer
/// moves its log away after it has answered, unless more is asked already, so that may take a moment.
async fn marks_left(
    store: &Any,
    folder: &Path,
    find: impl Fn(&[u8]) -> BTreeSet<String>,
    is_clean: impl Fn(&BTreeSet<String>) -> bool,
) -> BTreeSet<String> {
    let mut found = find(&bytes_of(folder));
    for _ in 0..10 {
        if is_clean(&found) {
            break;
        }
        store.check().await.unwrap();
        found = find(&bytes_of(folder));
    }
    found
}

async fn left_of_bob(store: &Any, folder: &Path) -> BTreeSet<String> {
    marks_left(store, folder, |bytes| marks(bytes, BOB), BTreeSet::is_empty).await
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
        let changed = town.change_minds().await;
        let mut doomed = BTreeSet::new();
        let mut records = Vec::new();
        for number in 1..=ROOMS {
            let log = town.store.records(room(number), Seq::default(), 99_999);
            for record in log.await.unwrap() {
                let message = record.seq;
                let owner = UserId::new(1);
                if (changed.contains(&(number, message)) || town.draw(3) > 0)
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
        let is_clean = |left: &BTreeSet<String>| left.is_disjoint(&gone);
        let left = marks_left(&town.store, town.folder.path(), marks_of_all, is_clean).await;
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
        let stays = left_of_bob(&store, left.path()).await;
        assert_eq!(stays, BTreeSet::new(), "step {steps}");
        sound(&left.path().join("chat.db"));
        steps += 1;
        if !town.store.tend(NOW).await.unwrap() {
            break;
        }
    }
    assert!(steps > 3, "{steps}");
}

/// Trims every room: owners wish to keep nothing that was said before some moment. What is to be gone
/// is told, word by word, and what isn't.
async fn trim(town: &mut Town) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut gone, mut kept) = (BTreeSet::new(), BTreeSet::new());
    let mut records = Vec::new();
    for number in 1..=ROOMS {
        let head = town.engine.room(room(number)).unwrap().head_seq.number();
        let from = Seq::new(2 + town.draw(usize::try_from(head).unwrap()) as u64);
        let log = town.store.records(room(number), Seq::default(), 99_999);
        for record in log.await.unwrap() {
            let words = Record::clone(&record).take_words();
            let words = serde_json::to_vec(&words).unwrap();
            let all = (1..=4).flat_map(|user| marks(&words, UserId::new(user)));
            match record.is_trimmed(from) {
                true => gone.extend(all),
                false => kept.extend(all),
            }
        }
        let trimmed = town.decide(room(number), UserId::new(1), Trim { from });
        records.extend(trimmed);
    }
    town.keep(records).await;
    gone.retain(|mark| !kept.contains(mark) && !mark.ends_with("z00000q"));
    (gone, kept)
}

fn marks_of_all(bytes: &[u8]) -> BTreeSet<String> {
    let users = (1..=4).map(UserId::new);
    users.flat_map(|user| marks(bytes, user)).collect()
}

#[tokio::test]
async fn no_byte_of_what_rooms_keep_no_longer_stays_in_the_files() {
    for seed in 1..=seeds() {
        let mut town = Town::new(seed + 200);
        town.people().await;
        town.found().await;
        town.talk(40).await;
        // The words of some were taken in, so that they can be found, and those of others weren't.
        let (gone, kept) = trim(&mut town).await;
        assert!(gone.len() > 100 && kept.len() > 100, "{seed}");
        let logs = replays(&town.store).await;
        tend(&town.store).await;
        let is_clean = |left: &BTreeSet<String>| left.is_disjoint(&gone);
        let after = marks_left(&town.store, town.folder.path(), marks_of_all, is_clean).await;
        let left: Vec<_> = after.intersection(&gone).collect();
        assert_eq!(left, Vec::<&String>::new(), "{seed}");
        let lost: Vec<_> = kept.difference(&after).collect();
        assert_eq!(lost, Vec::<&String>::new(), "{seed}: what is kept stays");
        assert_eq!(replays(&town.store).await, logs, "{seed}");
        sound(&town.path());
        // Life goes on.
        town.talk(5).await;
        tend(&town.store).await;
        sound(&town.path());
    }
}

#[tokio::test]
async fn a_process_that_dies_while_it_trims_goes_on() {
    let mut town = Town::new(79);
    town.people().await;
    town.found().await;
    town.talk(60).await;
    let (gone, _) = trim(&mut town).await;
    let mut steps = 0;
    loop {
        let left = killed(&town);
        let path = left.path().join("chat.db");
        let store: Any = Arc::new(Sqlite::open(&path).unwrap());
        sound(&path);
        tend(&store).await;
        let is_clean = |left: &BTreeSet<String>| left.is_disjoint(&gone);
        let after = marks_left(&store, left.path(), marks_of_all, is_clean).await;
        let stays: Vec<_> = after.intersection(&gone).collect();
        assert_eq!(stays, Vec::<&String>::new(), "step {steps}");
        sound(&path);
        steps += 1;
        if !town.store.tend(NOW).await.unwrap() {
            break;
        }
    }
    assert!(steps > 8, "{steps}");
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
        let left = left_of_bob(&copy, folder.path()).await;
        assert_eq!(left, BTreeSet::new(), "copy {number}");
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
    assert_eq!(left_of_bob(&store, older.path()).await, BTreeSet::new());
    sound(&path);
}
