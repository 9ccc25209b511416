//! A transaction on one connection: statements that are prepared once, one at a time or in a row.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement, Transaction};

use super::fault::{Fault, Result};

/// How long an answer is waited for. PostgreSQL itself gives up sooner; this is for a network that
/// carries nothing any more.
pub(super) const ANSWER: Duration = Duration::from_secs(15);

/// What is told of that.
pub(super) const NO_ANSWER: &str = "the database doesn't answer";

/// What a statement is asked with.
pub(super) type Params = Vec<Box<dyn ToSql + Send + Sync>>;

/// The parameters of a statement, each as its column has it.
macro_rules! params {
    ($($param:expr),* $(,)?) => {
        vec![$(Box::new($param) as Box<dyn tokio_postgres::types::ToSql + Send + Sync>),*]
    };
}
pub(super) use params;

/// Statements that a connection has prepared.
#[derive(Default)]
pub(super) struct Statements(Mutex<HashMap<&'static str, Statement>>);

impl Statements {
    fn known(&self, sql: &'static str) -> Option<Statement> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(sql).cloned()
    }

    fn keep(&self, sql: &'static str, statement: Statement) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(sql, statement);
    }
}

/// A transaction. It is rolled back if it is dropped.
pub(super) struct Tx<'a> {
    pub(super) transaction: Transaction<'a>,
    pub(super) statements: &'a Statements,
    /// Set when the connection can't be used any more.
    pub(super) is_broken: &'a AtomicBool,
    /// The number of the run in which it writes.
    pub(super) run: i64,
    /// Its name.
    pub(super) epoch: &'a str,
}

/// Statements in the order in which they are to be carried out.
#[derive(Default)]
pub(super) struct Steps(Vec<(&'static str, Params)>);

impl Steps {
    /// Adds a statement.
    pub(super) fn push(&mut self, sql: &'static str, params: Params) {
        self.0.push((sql, params));
    }
}

impl Tx<'_> {
    /// The rows that a statement gives.
    pub(super) async fn rows(&self, sql: &'static str, params: Params) -> Result<Vec<Row>> {
        let statement = self.prepared(sql).await?;
        self.answered(self.ask(statement, params)).await
    }

    /// The first row that a statement gives.
    pub(super) async fn row(&self, sql: &'static str, params: Params) -> Result<Option<Row>> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    /// Carries a statement out; says how many rows it changed.
    pub(super) async fn execute(&self, sql: &'static str, params: Params) -> Result<u64> {
        let statement = self.prepared(sql).await?;
        let work = self.transaction.execute_raw(&statement, params);
        self.answered(work).await
    }

    /// Carries statements out in their order, all of them sent before the first is answered; the rows
    /// that each gives.
    pub(super) async fn all(&self, steps: &mut Steps) -> Result<Vec<Vec<Row>>> {
        let mut ready = Vec::with_capacity(steps.0.len());
        // One that has to be prepared first would be overtaken by those behind it.
        for (sql, params) in std::mem::take(&mut steps.0) {
            ready.push((self.prepared(sql).await?, params));
        }
        let asked = ready
            .into_iter()
            .map(|(statement, params)| Some(Box::pin(self.ask(statement, params))));
        self.answered(in_a_row(asked.collect())).await
    }

    /// Makes it durable.
    pub(super) async fn commit(self) -> Result<()> {
        let Self {
            transaction,
            is_broken,
            ..
        } = self;
        answered(is_broken, transaction.commit()).await
    }

    async fn ask(
        &self,
        statement: Statement,
        params: Params,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let params: Vec<&(dyn ToSql + Sync)> = params
            .iter()
            .map(|it| &**it as &(dyn ToSql + Sync))
            .collect();
        self.transaction.query(&statement, &params).await
    }

    async fn prepared(&self, sql: &'static str) -> Result<Statement> {
        if let Some(statement) = self.statements.known(sql) {
            return Ok(statement);
        }
        let statement = self.answered(self.transaction.prepare(sql)).await?;
        self.statements.keep(sql, statement.clone());
        Ok(statement)
    }

    async fn answered<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T> {
        answered(self.is_broken, work).await
    }
}

/// Waits for an answer, for so long.
pub(super) async fn answered<T>(
    is_broken: &AtomicBool,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T> {
    if let Ok(answer) = timeout(ANSWER, work).await {
        return Ok(answer?);
    }
    is_broken.store(true, Ordering::Relaxed);
    Err(Fault::unavailable(NO_ANSWER))
}

/// Begins everything in its order, and then waits for it in the same order; the first error ends it.
async fn in_a_row<T, F>(mut work: Vec<Option<Pin<Box<F>>>>) -> Result<Vec<T>, tokio_postgres::Error>
where
    F: Future<Output = Result<T, tokio_postgres::Error>>,
{
    let mut done: Vec<Option<F::Output>> = Vec::with_capacity(work.len());
    poll_fn(|cx| {
        for slot in &mut work {
            let first = slot.as_mut().map(|work| work.as_mut().poll(cx));
            done.push(match first {
                Some(Poll::Ready(it)) => {
                    *slot = None;
                    Some(it)
                }
                Some(Poll::Pending) | None => None,
            });
        }
        Poll::Ready(())
    })
    .await;
    let mut all = Vec::with_capacity(done.len());
    for (done, work) in done.into_iter().zip(work) {
        match (done, work) {
            (Some(it), _) => all.push(it?),
            (None, Some(work)) => all.push(work.await?),
            (None, None) => {}
        }
    }
    Ok(all)
}
