//! Between columns and the core's own values.

use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, FromSqlOwned};

use super::fault::{Fault, Result};

/// A number as PostgreSQL keeps it. The core's numbers are below 2^53, so all of them fit.
pub(super) fn int(number: impl Into<u64>) -> i64 {
    i64::try_from(number.into()).unwrap_or(i64::MAX)
}

/// How many rows to ask for at most.
pub(super) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A column as it is.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T> {
    row.try_get(column)
        .map_err(|_| Fault::damaged("a column isn't of its type"))
}

/// A column as it is, of a row that isn't kept.
pub(super) fn get_owned<T: FromSqlOwned>(row: &Row, column: usize) -> Result<T> {
    row.try_get(column)
        .map_err(|_| Fault::damaged("a column isn't of its type"))
}

/// A number of the core's from a column.
pub(super) fn number<T: TryFrom<u64>>(row: &Row, column: usize) -> Result<T> {
    narrow(get(row, column)?)
}

/// The same of a column that may be NULL.
pub(super) fn maybe<T: TryFrom<u64>>(row: &Row, column: usize) -> Result<Option<T>> {
    get::<Option<i64>>(row, column)?.map(narrow).transpose()
}

fn narrow<T: TryFrom<u64>>(number: i64) -> Result<T> {
    u64::try_from(number)
        .ok()
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| Fault::damaged(format!("{number} is out of range")))
}

/// A name or text that its type checks again.
pub(super) fn text<T: FromStr>(row: &Row, column: usize) -> Result<Option<T>> {
    let invalid = |_| Fault::damaged("a name or text is not valid");
    let text = get::<Option<&str>>(row, column)?;
    text.map(|text| text.parse().map_err(|_| ()).map_err(invalid))
        .transpose()
}

/// A word of one of the core's closed sets, as serde spells it.
pub(super) fn word(it: &impl Serialize) -> String {
    match serde_json::to_value(it) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}

/// Such a word from a column.
pub(super) fn spelled<T: DeserializeOwned>(row: &Row, column: usize) -> Result<T> {
    let word = get::<String>(row, column)?;
    serde_json::from_value(serde_json::Value::String(word))
        .map_err(|error| Fault::damaged(error.to_string()))
}

/// Sixteen bytes: a sum, a mac or a key; none if the column is NULL.
pub(super) fn maybe_bytes16(row: &Row, column: usize) -> Result<Option<[u8; 16]>> {
    let bytes = get::<Option<&[u8]>>(row, column)?;
    bytes
        .map(|bytes| bytes.try_into())
        .transpose()
        .map_err(|_| Fault::damaged("a sum or key isn't 16 bytes long"))
}

/// The same of a column that may not.
pub(super) fn bytes16(row: &Row, column: usize) -> Result<[u8; 16]> {
    maybe_bytes16(row, column)?.ok_or_else(|| Fault::damaged("a sum is missing"))
}

/// Whether PostgreSQL can hold a text at all; else nothing that it holds equals it.
pub(super) fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}
