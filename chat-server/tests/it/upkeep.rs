//! The program's upkeep of its file: copied and proved while people talk, put back, mended, read.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Instant;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::crash::Program;
use crate::world::{Account, Native, sign_up};

/// The exit code of a store that somebody else holds.
const LOCKED: i32 = 73;

/// What a command printed, and how it ended.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(folder: &Path, words: &str) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    let output = command
        .current_dir(folder)
        .env_clear()
        .args(words.split_whitespace())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

impl Said {
    #[track_caller]
    fn succeeds(&self) -> &str {
        assert_eq!(
            (self.code, self.err.as_str()),
            (Some(0), ""),
            "{}",
            self.out
        );
        &self.out
    }

    /// Ends with this code, and with these words on standard error.
    #[track_caller]
    fn fails(&self, code: i32, words: &str) {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        assert!(self.err.contains(words), "{words:?} in {}", self.err);
    }
}

/// The lines that were said in a room, as an export tells of them.
fn lines(folder: &Path, store: &str, room: &str) -> Vec<String> {
    let said = run(folder, &format!("export {room} --store sqlite:{store}"));
    let records = said.succeeds().lines();
    let records = records.map(|line| serde_json::from_str::<Value>(line).unwrap());
    records
        .filter(|record| record["ev"] == "posted")
        .map(|record| body(&record["d"]))
        .collect()
}

fn body(message: &Value) -> String {
    message["content"]["body"].as_str().unwrap().to_owned()
}

/// Posts line after line, and tells of each that was acknowledged, until the connection ends.
async fn talk(program: &Program, ann: &Account, room: u64, told: mpsc::UnboundedSender<String>) {
    let stream = TcpStream::connect(program.address).await.unwrap();
    let mut client = Native::over(stream, program.address).await;
    client.ok("hello", json!({"token": ann.token})).await;
    for line in 0.. {
        let line = format!("line {line}");
        let id = client
            .ask("post", json!({"room": room, "body": line}))
            .await;
        let posted = client.reply_or_end(id).await;
        if posted.is_none() || told.send(line).is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_copy_that_is_made_while_people_talk_has_all_that_was_acknowledged_before() {
    let folder = TempDir::new().unwrap();
    let program = Program::start(folder.path());
    let ann = sign_up(program.address, "ann").await;
    let mut client = Native::connect(program.address).await;
    client.hello(&ann).await;
    let room = client.create(json!({"name": "Den"})).await;
    let (told, mut acknowledged) = mpsc::unbounded_channel();
    let talking = talk(&program, &ann, room, told);
    let copying = async {
        let mut before = Vec::new();
        while before.len() < 60 {
            before.push(acknowledged.recv().await.unwrap());
        }
        for number in 0..3 {
            let words = format!("backup copy-{number}.db");
            let path = folder.path().to_owned();
            let copied = tokio::task::spawn_blocking(move || run(&path, &words));
            copied.await.unwrap().succeeds();
            let path = folder.path().to_owned();
            let proved = tokio::task::spawn_blocking(move || run(&path, "verify"));
            let proved = proved.await.unwrap();
            assert!(
                proved
                    .succeeds()
                    .ends_with("all of it is as it has to be\n"),
                "{}",
                proved.out
            );
            let copy = format!("copy-{number}.db");
            let proved = run(folder.path(), &format!("verify {copy}"));
            proved.succeeds();
            let there = lines(folder.path(), &copy, &room.to_string());
            assert!(
                there.starts_with(&before),
                "{} of {}",
                there.len(),
                before.len()
            );
            // People went on talking meanwhile, and go on.
            while before.len() < 60 * (number + 2) {
                before.push(acknowledged.recv().await.unwrap());
            }
        }
        acknowledged.close();
    };
    tokio::join!(talking, copying);
    program.kill();
}

#[tokio::test]
async fn a_copy_in_the_place_of_the_file_is_the_server_of_that_moment() {
    let folder = TempDir::new().unwrap();
    let mut program = Program::start(folder.path());
    let ann = sign_up(program.address, "ann").await;
    let mut client = Native::connect(program.address).await;
    let epoch = client.hello(&ann).await["epoch"].clone();
    let room = client.create(json!({"name": "Den"})).await;
    let kept = client.post(room, "kept").await;
    run(folder.path(), "backup copy.db").succeeds();
    let lost = client.post(room, "lost").await;
    client.cut();
    assert_eq!(program.terminate().0, Some(0));

    let again = run(folder.path(), "backup copy.db");
    again.fails(1, "copy.db: is there already");
    // A copy can be made without a server, too.
    run(folder.path(), "backup later.db").succeeds();
    let later = lines(folder.path(), "later.db", &room.to_string());
    assert_eq!(later, ["kept", "lost"]);

    fs::rename(folder.path().join("copy.db"), folder.path().join("chat.db")).unwrap();
    let program = Program::start(folder.path());
    let mut client = Native::connect(program.address).await;
    client.hello(&ann).await;
    let page = client.ok("history", json!({"room": room})).await;
    let said: Vec<_> = page["items"].as_array().unwrap().iter().map(body).collect();
    assert_eq!(said, ["kept"]);
    assert_eq!(client.post(room, "another").await, lost);
    // Who had heard what is lost begins anew; who had not goes on.
    for (heard, state) in [(kept, "ok"), (lost, "reset")] {
        let mut client = Native::connect(program.address).await;
        let positions = json!({ room.to_string(): [epoch, heard] });
        let welcome = client.resume(&ann, positions).await;
        let rooms = welcome["rooms"].to_string();
        assert!(
            rooms.contains(&format!("\"st\":\"{state}\"")),
            "{heard}: {rooms}"
        );
    }
    program.kill();
}

/// A folder with a store in which a little was said, and the room's number.
async fn furnished() -> (TempDir, u64) {
    let folder = TempDir::new().unwrap();
    let mut program = Program::start(folder.path());
    let ann = sign_up(program.address, "ann").await;
    let mut client = Native::connect(program.address).await;
    client.hello(&ann).await;
    let wish = json!({"name": "Den", "alias": "den", "access": {"mode": "password", "password": "open sesame"}});
    let room = client.create(wish).await;
    client.post(room, "hello").await;
    let gone = client.post(room, "regretted").await;
    client
        .ok("delete", json!({"room": room, "message": gone}))
        .await;
    client.cut();
    assert_eq!(program.terminate().0, Some(0));
    (folder, room)
}

#[tokio::test]
async fn an_export_tells_what_was_said_and_nothing_that_is_secret() {
    let (folder, room) = furnished().await;
    let said = run(folder.path(), &format!("export {room}"));
    let text = said.succeeds();
    let records: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let seqs: Vec<_> = records
        .iter()
        .map(|it| it["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, [1, 2, 3, 4]);
    assert!(text.contains("hello"), "{text}");
    for secret in ["argon2", "hash", "sesame", "regretted"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    for spelling in ["den".to_owned(), "DEN".to_owned(), format!("room_{room}")] {
        let again = run(folder.path(), &format!("export {spelling}"));
        assert_eq!(again.succeeds(), text, "{spelling}");
    }
    let unknown = run(folder.path(), "export lounge");
    unknown.fails(1, "there is no room \"lounge\"");
    assert_eq!(unknown.out, "");
}

#[tokio::test]
async fn damage_is_told_in_words_and_ends_with_its_code() {
    let (folder, room) = furnished().await;
    let change = |sql: &str| {
        let db = Connection::open(folder.path().join("chat.db")).unwrap();
        assert_eq!(db.execute(sql, []).unwrap(), 1);
    };
    let proved = run(folder.path(), "verify");
    assert_eq!(
        proved.succeeds(),
        "1 room, 4 records, 2 messages, 1 account\nall of it is as it has to be\n"
    );
    change("UPDATE members SET role = 'guest'");
    let wrong = format!("room {room}, user 1: members: role is not what the log says");
    run(folder.path(), "verify").fails(65, &wrong);
    let mended = run(folder.path(), "verify --rebuild");
    assert!(mended.succeeds().ends_with("as it has to be\n"));

    change("UPDATE records SET fact = zeroblob(9) WHERE seq = 2");
    let broken = format!("room {room}, record 2: the chain of the log is broken");
    run(folder.path(), "verify").fails(65, &broken);
    run(folder.path(), "verify --rebuild").fails(65, &broken);
    let read = run(folder.path(), &format!("export {room}"));
    read.fails(65, &broken);
    assert_eq!(read.out.lines().count(), 1);
}

#[tokio::test]
async fn who_is_erased_by_the_operator_has_said_nothing_and_left() {
    let folder = TempDir::new().unwrap();
    let mut program = Program::start(folder.path());
    let (ann, bob) = (
        sign_up(program.address, "ann").await,
        sign_up(program.address, "bob").await,
    );
    let (mut a, mut b) = (
        Native::connect(program.address).await,
        Native::connect(program.address).await,
    );
    let epoch = a.hello(&ann).await["epoch"].clone();
    b.hello(&bob).await;
    let room = a.create(json!({"name": "Den", "alias": "den"})).await;
    b.join(room).await;
    a.post(room, "from ann").await;
    let said = b.post(room, "xyzzy from bob").await;
    run(folder.path(), "user erase bob").fails(LOCKED, "held by another process");
    a.cut();
    b.cut();
    assert_eq!(program.terminate().0, Some(0));

    run(folder.path(), "user erase nobody").fails(1, "no such user");
    assert_eq!(lines(folder.path(), "chat.db", "den").len(), 2);
    run(folder.path(), "user erase BOB").succeeds();
    run(folder.path(), "user erase bob").fails(1, "no such user");
    let export = run(folder.path(), "export den");
    let records = export.succeeds().lines().map(str::parse::<Value>);
    let records: Vec<Value> = records.map(Result::unwrap).collect();
    let of_bob = records.iter().filter(|it| it["by"]["id"] == json!(bob.id));
    let of_bob: Vec<_> = of_bob.collect();
    assert_eq!(of_bob.len(), 2, "he joined and said something");
    assert!(of_bob.iter().all(|it| it["by"].get("name").is_none()));
    assert!(of_bob.iter().all(|it| it["d"].get("content").is_none()));
    assert!(export.out.contains("from ann"), "{}", export.out);
    for file in fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(5).any(|it| it == b"xyzzy"), "{path:?}");
    }
    run(folder.path(), "verify").succeeds();

    // The next server ends what he was in rooms.
    let program = Program::start(folder.path());
    let mut a = Native::connect(program.address).await;
    let positions = json!({ room.to_string(): [epoch, said] });
    a.resume(&ann, positions).await;
    let left = a.event_of(room).await;
    assert_eq!(
        (&left["ev"], &left["by"]["id"]),
        (&json!("left"), &json!(bob.id))
    );
    program.kill();
}

/// What starts with these words, and the first line that it says on standard error. It takes the lock:
/// see `run_alone`.
fn begin_alone(folder: &Path, words: &str) -> (Child, BufReader<ChildStderr>, String) {
    let began = Instant::now();
    loop {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        let command = command.current_dir(folder).env_clear();
        let command = command
            .args(words.split_whitespace())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        if !line.contains("held by another process") || began.elapsed() > PATIENCE {
            return (child, said, line);
        }
        assert_eq!(child.wait().unwrap().code(), Some(LOCKED));
    }
}

#[tokio::test]
async fn erasing_waits_for_whoever_reads_the_words_that_are_to_go() {
    let folder = TempDir::new().unwrap();
    let mut program = Program::start(folder.path());
    let bob = sign_up(program.address, "bob").await;
    let mut b = Native::connect(program.address).await;
    b.hello(&bob).await;
    let room = b.create(json!({"name": "Den", "alias": "den"})).await;
    b.post(room, "xyzzy from bob").await;
    b.cut();
    assert_eq!(program.terminate().0, Some(0));

    let reader = Connection::open(folder.path().join("chat.db")).unwrap();
    let read = "BEGIN; SELECT count(*) FROM records";
    reader.execute_batch(read).unwrap();
    let (mut erasing, mut said, line) = begin_alone(folder.path(), "user erase bob");
    let words_of = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        bytes.windows(5).filter(|it| it == b"xyzzy").count()
    };
    assert!(line.contains("something reads the store"), "{line:?}");
    reader.execute_batch("ROLLBACK").unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(
        (erasing.wait().unwrap().code(), rest.as_str()),
        (Some(0), "")
    );
    for file in fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(words_of(&path), 0, "{path:?}");
    }
}

#[tokio::test]
async fn nothing_is_rebuilt_under_a_running_server() {
    let folder = TempDir::new().unwrap();
    let program = Program::start(folder.path());
    run(folder.path(), "verify --rebuild").fails(LOCKED, "held by another process");
    program.kill();
    // What a killed server leaves is whole.
    run(folder.path(), "verify").succeeds();
}

#[test]
fn where_there_is_no_store_none_is_made() {
    let folder = TempDir::new().unwrap();
    for words in ["verify", "verify --rebuild", "backup copy.db", "export 1"] {
        run(folder.path(), words).fails(69, "chat.db");
        let memory = run(folder.path(), &format!("{words} --store memory:"));
        memory.fails(2, "memory:");
    }
    fs::write(
        folder.path().join("notes.txt"),
        "certainly no database".repeat(99),
    )
    .unwrap();
    run(folder.path(), "verify notes.txt").fails(65, "notes.txt");
    let mut names = fs::read_dir(folder.path()).unwrap();
    assert_eq!(names.next().unwrap().unwrap().file_name(), "notes.txt");
    assert!(names.next().is_none());
}
