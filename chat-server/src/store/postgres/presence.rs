//! That a store has the database open, which others see, and in which run it writes.
//!
//! Nodes that have the database open at the same time write in the same run: what one of them wrote,
//! clients of the others heard. Who opens it while nobody else has it open begins a run. So a database
//! that was restored from an older copy, or replaced by a standby that had not heard everything, is
//! written in a later run than what it lost; for all connections end with that.
//!
//! Who has it open holds a lock, shared with the others, for as long as one connection lives. It is
//! used for nothing else. If it ends, so do the store's others, and all of it begins again.

use std::sync::{Mutex, PoisonError};

use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::fault::{Fault, Result};
use super::schema::{self, Lock};
use super::tx::{self, ANSWER};
use crate::store::draw_epoch;

/// A store that is here.
pub(super) struct Presence {
    /// The number of the run.
    pub(super) run: i64,
    /// Its name.
    pub(super) epoch: String,
    /// When the server was started, as it says itself.
    started: String,
    /// The connection that holds the lock.
    client: Mutex<Option<Client>>,
}

impl Presence {
    /// Makes it known that the store is here, and the schema what it has to be.
    pub(super) async fn begin(client: Client) -> Result<Self> {
        // One after the other, so that of many who come at once the first begins the run.
        Lock::Opening.take(&client).await?;
        schema::migrate(&client).await?;
        let run = run(&client).await?;
        let started = started(&client).await?;
        Lock::Opening.give(&client).await?;
        let (run, epoch) = run;
        Ok(Self {
            run,
            epoch,
            started,
            client: Mutex::new(Some(client)),
        })
    }

    /// Whether nothing is known to the contrary.
    pub(super) fn lives(&self) -> bool {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        client.as_ref().is_some_and(|client| !client.is_closed())
    }

    /// Ends it.
    pub(super) fn give_up(&self) {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        *client = None;
    }

    /// Whether another connection leads to the same run of the same server.
    pub(super) async fn is_of(&self, client: &Client) -> Result<bool> {
        Ok(started(client).await? == self.started)
    }
}

async fn started(client: &Client) -> Result<String> {
    let sql = "SELECT pg_postmaster_start_time()::text";
    one(client, sql, &[]).await
}

/// The run that is going on, or else another one.
async fn run(client: &Client) -> Result<(i64, String)> {
    let is_alone = Lock::Present.try_take(client).await?;
    if is_alone {
        Lock::Present.give(client).await?;
    }
    Lock::Present.share(client).await?;
    #[cfg(sabotage)]
    let is_alone = is_alone && !chat_core::sabotage::planted("restored_copy_not_told")
        || chat_core::sabotage::planted("each_node_a_run_of_its_own");
    let last: i64 = one(client, "SELECT coalesce(max(run), 0) FROM runs", &[]).await?;
    if is_alone || last == 0 {
        let epoch = draw_epoch().map_err(|error| Fault::Unavailable(error.to_string()))?;
        let sql = "INSERT INTO runs (epoch) VALUES ($1) RETURNING run";
        return Ok((one(client, sql, &[&epoch]).await?, epoch));
    }
    let sql = "SELECT epoch FROM runs WHERE run = $1";
    Ok((last, one(client, sql, &[&last]).await?))
}

/// The one value that a statement gives, outside of any transaction.
pub(super) async fn one<T: tokio_postgres::types::FromSqlOwned>(
    client: &Client,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<T> {
    let asked = tokio::time::timeout(ANSWER, client.query_one(sql, params)).await;
    let row = asked.map_err(|_| Fault::unavailable(tx::NO_ANSWER))??;
    super::column::get_owned(&row, 0)
}
