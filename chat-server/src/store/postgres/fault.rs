//! What goes wrong inside, and what the caller hears of it.

use std::error::Error as _;

use chat_protocol::log::LogError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::store::StoreError;

/// Why a piece of work failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// PostgreSQL says so, or can't be heard.
    Sql(Error),
    /// What was read contradicts itself.
    Damaged(String),
    /// Something else stands in the way.
    Unavailable(String),
    /// The schema is of a later version.
    Newer { found: u32, known: u32 },
}

pub(super) type Result<T, E = Fault> = std::result::Result<T, E>;

impl Fault {
    pub(super) fn damaged(words: impl Into<String>) -> Self {
        Self::Damaged(words.into())
    }

    pub(super) fn unavailable(words: impl Into<String>) -> Self {
        Self::Unavailable(words.into())
    }

    fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Sql(error) => error.code(),
            Self::Damaged(_) | Self::Unavailable(_) | Self::Newer { .. } => None,
        }
    }

    /// Whether it was another transaction's doing, so that the same work may succeed after that one. A
    /// unique key is such a thing: whoever was faster with it is seen by then.
    pub(super) fn is_passing(&self) -> bool {
        let passing = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::UNIQUE_VIOLATION,
        ];
        self.code().is_some_and(|code| passing.contains(code))
    }

    /// Whether the connection is gone.
    pub(super) fn is_lost(&self) -> bool {
        let gone = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
        ];
        match self {
            Self::Sql(error) => match error.code() {
                Some(code) => gone.contains(code),
                None => {
                    error.is_closed() || error.source().is_some_and(|it| it.is::<std::io::Error>())
                }
            },
            Self::Damaged(_) | Self::Unavailable(_) | Self::Newer { .. } => false,
        }
    }

    /// Whether the database finds itself contradicted.
    fn is_damage(&self) -> bool {
        let damage = [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED];
        self.code().is_some_and(|code| damage.contains(code))
    }
}

/// What an operator may read of an error: what PostgreSQL says and its code. The details are left out:
/// they show values.
pub(super) fn words(error: &Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => format!("{} ({})", said.message(), said.code().code()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl From<LogError> for Fault {
    fn from(error: LogError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        let is_damage = fault.is_damage();
        match fault {
            Fault::Damaged(words) => Self::Damaged(words),
            Fault::Unavailable(words) => Self::Unavailable(words),
            Fault::Newer { found, known } => Self::Newer { found, known },
            Fault::Sql(error) if is_damage => Self::Damaged(words(&error)),
            Fault::Sql(error) => Self::Unavailable(words(&error)),
        }
    }
}
