//! The schema, and the locks by which nodes take turns.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::Client;

use super::fault::{Fault, Result};
use super::presence::one;
use super::tx::{ANSWER, NO_ANSWER};

/// The migrations, oldest first; the schema's version is how many of them have run.
const MIGRATIONS: &[&str] = &[include_str!("schema/0001.sql")];

/// The latest schema that this program knows.
const KNOWN: u32 = 1;
const _: () = assert!(
    MIGRATIONS.len() == KNOWN as usize,
    "one migration for each version"
);

/// How long a migration may take. Nodes that come meanwhile are refused, and come again.
const MIGRATION: Duration = Duration::from_secs(60 * 60);

/// What nodes take turns at. The locks of two stores in different schemas of one database are
/// different ones.
#[derive(Clone, Copy)]
pub(super) enum Lock {
    /// Opening the store, and bringing the schema up to date.
    Opening = 1,
    /// Having the store open; all share it.
    Present = 2,
    /// Appending, which all share, or noting that somebody is erased, which nobody shares.
    Erasing = 3,
    /// Standing work, for which one node is enough.
    Tending = 4,
}

/// What a lock is called: a number made of the schema's name and the lock's.
macro_rules! name {
    () => {
        "hashtextextended('chat-server/' || coalesce(current_schema(), ''), $1)"
    };
}

/// Shared with other transactions until the end of this one.
pub(super) const SHARE: &str = concat!("SELECT pg_advisory_xact_lock_shared(", name!(), ")");
/// Taken until the end of the transaction.
pub(super) const TAKE: &str = concat!("SELECT pg_advisory_xact_lock(", name!(), ")");
/// The same if nobody else has it; whether it was taken.
pub(super) const TRY: &str = concat!("SELECT pg_try_advisory_xact_lock(", name!(), ")");

impl Lock {
    /// The number that tells it from the others.
    pub(super) const fn number(self) -> i64 {
        self as i64
    }

    /// Takes it for as long as the connection lives.
    pub(super) async fn take(self, client: &Client) -> Result<()> {
        let sql = concat!("SELECT pg_advisory_lock(", name!(), ")::text");
        self.ask::<String>(client, sql).await.map(drop)
    }

    /// Takes it if nobody else has it.
    pub(super) async fn try_take(self, client: &Client) -> Result<bool> {
        let sql = concat!("SELECT pg_try_advisory_lock(", name!(), ")");
        self.ask(client, sql).await
    }

    /// Gives it free that was taken.
    pub(super) async fn give(self, client: &Client) -> Result<()> {
        let sql = concat!("SELECT pg_advisory_unlock(", name!(), ")");
        self.ask::<bool>(client, sql).await.map(drop)
    }

    /// Takes it beside others who share it.
    pub(super) async fn share(self, client: &Client) -> Result<()> {
        let sql = concat!("SELECT pg_advisory_lock_shared(", name!(), ")::text");
        self.ask::<String>(client, sql).await.map(drop)
    }

    async fn ask<T: tokio_postgres::types::FromSqlOwned>(
        self,
        client: &Client,
        sql: &str,
    ) -> Result<T> {
        one(client, sql, &[&self.number()]).await
    }
}

/// Brings the schema up to date; an empty one gets all of it. Nobody else does so meanwhile.
pub(super) async fn migrate(client: &Client) -> Result<()> {
    let encoding: String = one(client, "SELECT current_setting('server_encoding')", &[]).await?;
    if encoding != "UTF8" {
        let why = format!("the database's encoding is {encoding}; it has to be UTF8");
        return Err(Fault::Unavailable(why));
    }
    let fsync: String = one(client, "SELECT current_setting('fsync')", &[]).await?;
    if fsync != "on" {
        tracing::warn!("the database runs with fsync off: a power cut may damage it");
    }
    let made = "CREATE TABLE IF NOT EXISTS chat_schema (version bigint NOT NULL)";
    execute(client, made, ANSWER).await?;
    let found: i64 = one(
        client,
        "SELECT coalesce(max(version), 0) FROM chat_schema",
        &[],
    )
    .await?;
    let found = u32::try_from(found).map_err(|_| Fault::damaged(format!("schema {found}")))?;
    if found > KNOWN {
        return Err(Fault::Newer {
            found,
            known: KNOWN,
        });
    }
    for (version, sql) in (1..=KNOWN).zip(MIGRATIONS).skip(found as usize) {
        let noted = format!("INSERT INTO chat_schema (version) VALUES ({version})");
        // A table of many lines takes longer than a statement may else.
        let step = format!("BEGIN; SET LOCAL statement_timeout = 0; {sql}; {noted}; COMMIT");
        // What there is of one that fails goes with its transaction, and that with the connection.
        execute(client, &step, MIGRATION).await?;
    }
    Ok(())
}

/// Carries something out that takes so long at most.
async fn execute(client: &Client, sql: &str, within: Duration) -> Result<()> {
    let done = timeout(within, client.batch_execute(sql)).await;
    Ok(done.map_err(|_| Fault::unavailable(NO_ANSWER))??)
}
