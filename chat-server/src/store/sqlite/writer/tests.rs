//! What callers hear when a transaction fails, and what becomes of what was erased.

use rusqlite::ffi;

use super::super::open;
use super::*;

fn database() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch("CREATE TABLE lines (line TEXT UNIQUE)")
        .unwrap();
    db
}

fn desk(reopen: impl Fn() -> Result<Connection, StoreError> + Send + 'static) -> Desk {
    let (scrub, checkpoint) = (Scrub::none(), Checkpoint::none());
    Desk::new(database(), 1, reopen, BTreeSet::new(), scrub, checkpoint)
}

/// A writer whose file can't be opened a second time.
fn writer() -> Writer {
    Writer::start(desk(|| Err(StoreError::Unavailable("gone".into())))).unwrap()
}

async fn note(writer: &Writer, line: &str) -> Result<(), StoreError> {
    let line = line.to_owned();
    writer
        .write(Alone::Yes, move |desk| {
            desk.db.execute("INSERT INTO lines VALUES (?1)", [line])?;
            Ok(())
        })
        .await
}

async fn lines(writer: &Writer) -> i64 {
    let count = |desk: &mut Desk| {
        Ok(desk
            .db
            .query_row("SELECT count(*) FROM lines", [], |row| row.get(0))?)
    };
    writer.write(Alone::Yes, count).await.unwrap()
}

async fn fail(writer: &Writer, code: i32) -> Result<(), StoreError> {
    writer
        .write(Alone::No, move |desk| {
            desk.db.execute("INSERT INTO lines VALUES ('half')", [])?;
            Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into())
        })
        .await
}

#[tokio::test]
async fn what_one_caller_may_not_do_is_undone_alone() {
    let writer = writer();
    let (one, again, other) =
        tokio::join!(note(&writer, "a"), note(&writer, "a"), note(&writer, "b"));
    assert!(one.is_ok() && other.is_ok());
    assert!(
        matches!(again, Err(StoreError::Unavailable(_))),
        "{again:?}"
    );
    assert_eq!(lines(&writer).await, 2);
}

#[tokio::test]
async fn a_full_disk_refuses_all_of_a_transaction_and_recovers() {
    let writer = writer();
    let (before, full) = tokio::join!(note(&writer, "a"), fail(&writer, ffi::SQLITE_FULL));
    assert!(matches!(full, Err(StoreError::Unavailable(_))), "{full:?}");
    // They shared a transaction or they didn't: what was refused is not there.
    assert_eq!(lines(&writer).await, i64::from(before.is_ok()));
    note(&writer, "b").await.unwrap();
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged() {
    let writer = writer();
    note(&writer, "a").await.unwrap();
    let failed = fail(&writer, ffi::SQLITE_IOERR_FSYNC).await;
    assert!(
        matches!(failed, Err(StoreError::Unavailable(_))),
        "{failed:?}"
    );
    for _ in 0..3 {
        let refused = note(&writer, "b").await;
        assert!(
            matches!(refused, Err(StoreError::Unavailable(_))),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn once_all_is_certain_it_is_written_again() {
    let writer = Writer::start(desk(|| Ok(database()))).unwrap();
    fail(&writer, ffi::SQLITE_IOERR_FSYNC).await.unwrap_err();
    note(&writer, "b").await.unwrap();
    assert_eq!(lines(&writer).await, 1);
}

#[test]
fn who_reads_for_long_is_waited_for_once_in_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let (db, _) = open::writer(&path).unwrap();
    let reopen = || Err(StoreError::Unavailable("gone".into()));
    let (scrub, checkpoint) = (Scrub::none(), Checkpoint::none());
    let mut desk = Desk::new(db, 1, reopen, BTreeSet::new(), scrub, checkpoint);
    let reader = Connection::open(&path).unwrap();
    let read = "BEGIN; SELECT count(*) FROM rooms";
    reader.execute_batch(read).unwrap();
    desk.execute("BEGIN").unwrap();
    desk.note_erased().unwrap();
    desk.execute("COMMIT").unwrap();
    assert!(!desk.forget().unwrap(), "a reader is in the way");
    reader.execute_batch("ROLLBACK").unwrap();
    assert!(desk.forget_from > Duration::ZERO);
    desk.forget_from += Duration::from_secs(3_600);
    assert!(!desk.forget().unwrap(), "it isn't tried");
    desk.forget_from = Duration::ZERO;
    assert!(desk.forget().unwrap());
    let log = std::fs::metadata(open::beside(&path, "-wal")).unwrap();
    assert_eq!((log.len(), desk.erased), (0, false));
}

#[tokio::test]
async fn nothing_is_ever_written_upon_damage() {
    let writer = Writer::start(desk(|| Ok(database()))).unwrap();
    fail(&writer, ffi::SQLITE_CORRUPT).await.unwrap_err();
    note(&writer, "b").await.unwrap_err();
}
