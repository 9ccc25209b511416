//! What adapters have in common: how records look in lists.

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) use self::on_disk::{
    Kept, Range, TRIMS_PASSED_OVER, kept, ranges, touches_retention, without_names,
};
use chat_core::{Event, RoomId, Seq};
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

/// Makes a page of the rooms that follow a place, each with what is found of it if it is. It goes on
/// behind the last one that was looked at.
pub(super) fn page<T, E>(
    rooms: impl IntoIterator<Item = Result<(RoomId, Option<T>), E>>,
    limit: usize,
    looked_at_max: usize,
) -> Result<Page<T>, E> {
    let (mut items, mut last) = (Vec::new(), None::<RoomId>);
    for (looked_at, room) in rooms.into_iter().enumerate() {
        let (room, found) = room?;
        if looked_at >= looked_at_max || (found.is_some() && items.len() >= limit) {
            let next = last.map(|last| last.to_string());
            return Ok(Page { items, next });
        }
        items.extend(found);
        last = Some(room);
    }
    Ok(Page { items, next: None })
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

/// What adapters need that keep things on disk.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod on_disk {
    use std::borrow::Cow;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use chat_core::{Event, Record, Retention, Room, Seq, UserId};

    use crate::store::{MessageQuery, Place};

    /// A run of messages: those between two positions that lie nearest to one of them.
    pub(in crate::store) struct Range {
        pub(in crate::store) low: Seq,
        pub(in crate::store) high: Seq,
        pub(in crate::store) from_high: bool,
        pub(in crate::store) limit: usize,
    }

    /// What is known of how long a room keeps messages.
    pub(in crate::store) struct Kept {
        pub(in crate::store) retention: Retention,
        pub(in crate::store) from: Seq,
        pub(in crate::store) head: Seq,
    }

    /// Records that say that a room was trimmed, among which the first other one is looked for.
    pub(in crate::store) const TRIMS_PASSED_OVER: usize = 16;

    impl Kept {
        pub(in crate::store) fn first(&self) -> Seq {
            self.from.max(Seq::new(1))
        }

        pub(in crate::store) fn is_for_ever(&self) -> bool {
            self.retention == Retention::default()
        }

        /// The first record that may be kept because there may be so many.
        pub(in crate::store) fn by_count(&self) -> Seq {
            let records = self.retention.records;
            let counted = records.map(|records| super::kept_by_count(self.head, records));
            let has_more = |from: &Seq| from.number() > self.first().number() + 1;
            counted.filter(has_more).unwrap_or_default()
        }
    }

    /// Where the messages are that are asked for, if nothing from before a record is shown.
    pub(in crate::store) fn ranges(query: &MessageQuery, from: Seq) -> [Option<Range>; 2] {
        let to = query.to;
        let up_to = |seq: Seq, limit| {
            let high = seq.prev().min(to);
            Range {
                low: from,
                high,
                from_high: true,
                limit,
            }
        };
        let on_from = |low: Seq, limit| Range {
            low: low.max(from),
            high: to,
            from_high: false,
            limit,
        };
        match query.place {
            Place::Newest => [Some(up_to(Seq::MAX, query.limit)), None],
            Place::Before(seq) => [Some(up_to(seq, query.limit)), None],
            Place::After(seq) => [Some(on_from(seq.next(), query.limit)), None],
            Place::Around(seq) => {
                let half = query.limit / 2;
                [
                    Some(up_to(seq, half)),
                    Some(on_from(seq, query.limit - half)),
                ]
            }
        }
    }

    /// A record as it is kept: one of somebody who was erased without words.
    pub(in crate::store) fn kept<'a>(
        record: &'a Arc<Record>,
        erased: &BTreeSet<UserId>,
    ) -> Cow<'a, Arc<Record>> {
        if erased.contains(&record.by.id) {
            let mut bare = Record::clone(record);
            drop(bare.take_words());
            Cow::Owned(Arc::new(bare))
        } else {
            Cow::Borrowed(record)
        }
    }

    /// A room without the names that erased people have in it.
    pub(in crate::store) fn without_names(mut room: Room, erased: &BTreeSet<UserId>) -> Room {
        for user in erased {
            if let Some(member) = room.members.get_mut(user) {
                member.nickname = None;
            }
        }
        room
    }

    /// Whether an event changes what is to be trimmed, or when.
    pub(in crate::store) fn touches_retention(event: &Event) -> bool {
        matches!(
            event,
            Event::RoomCreated(_)
                | Event::RoomUpdated(_)
                | Event::RoomTrimmed(_)
                | Event::RoomDeleted(_)
        )
    }
}

/// The milliseconds of a number of days.
pub(super) fn days_ms(days: u32) -> u64 {
    u64::from(days) * 24 * 60 * 60 * 1_000
}

/// The first record that may be kept of a log that ends at `head`, if so many may be: the one that says
/// so is among them.
pub(super) fn kept_by_count(head: Seq, records: u64) -> Seq {
    Seq::saturating((head.number() + 2).saturating_sub(records))
}
