//! What adapters have in common: how records look in lists.

use chat_core::{Event, RoomId};
use chat_protocol::answer::Page;

use super::{Append, StoreError};

/// The spelling that searches compare in.
pub(super) fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// The room at which a list of rooms left off; none if no page ended so.
pub(super) fn room_of_cursor(cursor: &str) -> Option<RoomId> {
    RoomId::try_from(cursor.parse::<u64>().ok()?).ok()
}

/// Makes a page of a list that was read one item past the page's end.
pub(super) fn page<T>(mut items: Vec<T>, limit: usize, id: impl Fn(&T) -> RoomId) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| id(last).to_string());
    Page { items, next }
}

/// The address as two of them are compared.
pub(super) fn fold_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Refuses what no caller may ask for: it would leave a log that can't be read.
pub(super) fn check_dense(append: &Append) -> Result<(), StoreError> {
    let mut seq = append.after;
    for record in &append.records {
        let founds = matches!(record.event, Event::RoomCreated(_));
        if record.room != append.room || record.seq != seq.next() || founds != (seq.number() == 0) {
            return Err(StoreError::Unavailable(format!(
                "record {} doesn't follow record {seq} of room {}",
                record.seq, append.room
            )));
        }
        seq = record.seq;
    }
    Ok(())
}
