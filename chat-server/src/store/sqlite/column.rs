//! Between columns and the core's own values.

use std::str::FromStr;

use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fault::{Fault, Result};

/// A number as SQLite keeps it. The core's numbers are below 2^53, so all of them fit.
pub(super) fn int(number: impl Into<u64>) -> i64 {
    i64::try_from(number.into()).unwrap_or(i64::MAX)
}

/// How many rows to ask for at most.
pub(super) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A number of the core's from a column.
pub(super) fn number<T: TryFrom<u64>>(row: &Row<'_>, column: usize) -> Result<T> {
    narrow(row.get(column)?)
}

/// The same of a column that may be NULL.
pub(super) fn maybe<T: TryFrom<u64>>(row: &Row<'_>, column: usize) -> Result<Option<T>> {
    row.get::<_, Option<i64>>(column)?.map(narrow).transpose()
}

fn narrow<T: TryFrom<u64>>(number: i64) -> Result<T> {
    u64::try_from(number)
        .ok()
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| Fault::damaged(format!("{number} is out of range")))
}

/// A name or text that its type checks again.
pub(super) fn text<T: FromStr>(row: &Row<'_>, column: usize) -> Result<Option<T>> {
    let invalid = || Fault::damaged("a name or text is not valid");
    let text = row.get_ref(column)?.as_str_or_null();
    text.map_err(|_| invalid())?
        .map(|text| text.parse().map_err(|_| invalid()))
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
pub(super) fn spelled<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T> {
    let word = row.get::<_, String>(column)?;
    serde_json::from_value(serde_json::Value::String(word))
        .map_err(|error| Fault::damaged(error.to_string()))
}

/// Sixteen bytes: a sum, a mac or a key.
pub(super) fn bytes16(row: &Row<'_>, column: usize) -> Result<[u8; 16]> {
    Ok(row.get(column)?)
}
