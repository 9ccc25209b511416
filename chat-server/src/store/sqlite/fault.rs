//! What goes wrong inside, and what the caller hears of it.

use chat_protocol::log::LogError;
use rusqlite::ErrorCode;

use crate::store::StoreError;

/// Why a piece of work failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite says so.
    Sql(rusqlite::Error),
    /// What was read contradicts itself.
    Damaged(String),
    /// Something else stands in the way.
    Unavailable(String),
    /// What was written past SQLite may not be on disk.
    Unsynchronised(String),
}

pub(super) type Result<T, E = Fault> = std::result::Result<T, E>;

impl Fault {
    pub(super) fn damaged(words: impl Into<String>) -> Self {
        Self::Damaged(words.into())
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sql(error) => error.sqlite_error_code(),
            Self::Damaged(_) | Self::Unavailable(_) | Self::Unsynchronised(_) => None,
        }
    }

    /// Whether the transaction as a whole can't go on, beyond the statement that failed.
    pub(super) fn is_fatal(&self) -> bool {
        match self {
            Self::Sql(_) => self.code() != Some(ErrorCode::ConstraintViolation),
            Self::Damaged(_) | Self::Unavailable(_) | Self::Unsynchronised(_) => false,
        }
    }

    /// Whether what was written earlier can't be trusted to be on disk any more. After a failed
    /// fsync the system may have dropped the pages that it could not write, and the next fsync
    /// succeeds without them.
    pub(super) fn breaks_trust(&self) -> bool {
        let is_sqlites = matches!(
            self.code(),
            Some(ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed)
        );
        is_sqlites || matches!(self, Self::Unsynchronised(_))
    }

    /// Whether the file contradicts itself, as SQLite sees it.
    pub(super) fn is_damage(&self) -> bool {
        matches!(
            self.code(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        )
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let is_of_the_data = matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..)
                | rusqlite::Error::QueryReturnedNoRows
        );
        if is_of_the_data {
            Self::Damaged(error.to_string())
        } else {
            Self::Sql(error)
        }
    }
}

impl From<LogError> for Fault {
    fn from(error: LogError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<&Fault> for StoreError {
    fn from(fault: &Fault) -> Self {
        match fault {
            Fault::Damaged(words) => Self::Damaged(words.clone()),
            Fault::Unavailable(words) | Fault::Unsynchronised(words) => {
                Self::Unavailable(words.clone())
            }
            Fault::Sql(error) => match fault.code() {
                Some(_) if fault.is_damage() => Self::Damaged(error.to_string()),
                Some(_) | None => Self::Unavailable(error.to_string()),
            },
        }
    }
}
