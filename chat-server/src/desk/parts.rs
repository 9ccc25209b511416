//! Parts of lists, bounded in bytes: an answer has to fit into what may wait for a socket.

use std::io;
use std::ops::{Deref, Range};

use chat_protocol::answer::{Message, Page};
use serde::Serialize;

use crate::store::Place;

/// As much of a list as fits, from its first item on; where the next part begins if some doesn't.
/// The first item is part of it in any case.
pub(crate) fn fitting<T: Serialize>(
    page: Page<T>,
    bytes_max: usize,
    cursor: impl Fn(&T) -> String,
) -> Page<T> {
    let Page { mut items, next } = page;
    let kept = around(items.len(), 0, bytes_max, sizes(&items)).end;
    if kept == items.len() {
        return Page { items, next };
    }
    items.truncate(kept);
    let next = items.last().map(cursor);
    Page { items, next }
}

/// Puts as many items as fit behind those that are there; tells whether all did, and the bytes that
/// are left. The first of all is taken in any case.
pub(super) fn take_on<T: Deref<Target: Serialize>>(
    taken: &mut Vec<T>,
    more: impl IntoIterator<Item = T>,
    mut bytes_left: usize,
) -> (bool, usize) {
    for item in more {
        match bytes_left.checked_sub(size(&*item)) {
            Some(left) => bytes_left = left,
            None if taken.is_empty() => bytes_left = 0,
            None => return (false, 0),
        }
        taken.push(item);
    }
    (true, bytes_left)
}

/// As many of these messages, oldest first, as fit: those that are nearest to the place that was
/// asked for. Where to go on from there if there may be more; around a place that is on both sides.
pub(crate) fn messages(
    mut items: Vec<Message>,
    place: Place,
    limit: usize,
    bytes_max: usize,
) -> Page<Message> {
    let found = items.len();
    let nearest = match place {
        Place::Newest | Place::Before(_) => found.saturating_sub(1),
        Place::After(_) => 0,
        Place::Around(seq) => items.partition_point(|it| it.seq < seq),
    };
    let kept = around(found, nearest, bytes_max, sizes(&items));
    #[cfg(sabotage)]
    let kept = if chat_core::sabotage::planted("pages_unbounded_in_bytes") {
        0..found
    } else {
        kept
    };
    let more = found >= limit || kept.len() < found;
    items.truncate(kept.end);
    items.drain(..kept.start);
    let end = match place {
        Place::Newest | Place::Before(_) => items.first(),
        Place::After(_) => items.last(),
        Place::Around(_) => None,
    };
    let next = end.filter(|_| more).map(|it| it.seq.to_string());
    Page { items, next }
}

/// Which of so many items fit, from the nearest one on to both sides. Only what may fit is measured.
fn around(
    count: usize,
    nearest: usize,
    bytes_max: usize,
    size: impl Fn(usize) -> usize,
) -> Range<usize> {
    if count == 0 {
        return 0..0;
    }
    let nearest = nearest.min(count - 1);
    let (mut start, mut end, mut bytes) = (nearest, nearest + 1, size(nearest));
    let (mut is_begun, mut is_ended) = (false, false);
    while !is_begun || !is_ended {
        is_begun |= start == 0;
        if !is_begun {
            let more = bytes.saturating_add(size(start - 1));
            is_begun = more > bytes_max;
            (start, bytes) = if is_begun {
                (start, bytes)
            } else {
                (start - 1, more)
            };
        }
        is_ended |= end == count;
        if !is_ended {
            let more = bytes.saturating_add(size(end));
            is_ended = more > bytes_max;
            (end, bytes) = if is_ended {
                (end, bytes)
            } else {
                (end + 1, more)
            };
        }
    }
    start..end
}

/// The size of each of these.
fn sizes<T: Serialize>(items: &[T]) -> impl Fn(usize) -> usize {
    |at| items.get(at).map_or(0, size)
}

/// Bytes that something takes up in JSON, with a comma after it.
fn size<T: Serialize + ?Sized>(item: &T) -> usize {
    let mut counted = Counted(1);
    match serde_json::to_writer(&mut counted, item) {
        Ok(()) => counted.0,
        // What can't be written isn't sent either.
        Err(_) => usize::MAX / 2,
    }
}

/// Counts what is written.
struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_is_nearest_stays_and_the_first_in_any_case() {
        let alike = |_| 10;
        for (nearest, bytes_max, kept) in [
            (0, 30, 0..3),
            (0, 29, 0..2),
            (4, 30, 2..5),
            (2, 30, 1..4),
            (2, 20, 1..3),
            (1, 50, 0..5),
            (9, 20, 3..5),
            (3, 0, 3..4),
        ] {
            assert_eq!(
                around(5, nearest, bytes_max, alike),
                kept,
                "{nearest} {bytes_max}"
            );
        }
        assert_eq!(around(0, 0, 10, alike), 0..0);
        // What is too large ends a side, and the other goes on.
        let one_large = |at| if at == 3 { 50 } else { 1 };
        assert_eq!(around(5, 2, 10, one_large), 0..3);
    }

    #[test]
    fn what_does_not_fit_is_not_measured() {
        let measured = Cell::new(0);
        let size = |_| {
            measured.set(measured.get() + 1);
            10
        };
        assert_eq!(around(1_000, 0, 35, size), 0..3);
        assert_eq!(measured.take(), 4);
        assert_eq!(around(1_000, 500, 35, size), 499..502);
        assert!(measured.take() <= 5);

        let mut taken = Vec::new();
        let mut more = ["aaaa", "bbbb", "cccc", "dddd"].into_iter();
        assert_eq!(take_on(&mut taken, &mut more, 20), (false, 0));
        assert_eq!((taken, more.next()), (vec!["aaaa", "bbbb"], Some("dddd")));
        let mut taken = Vec::new();
        assert_eq!(take_on(&mut taken, ["large"], 1), (true, 0));
        assert_eq!(take_on(&mut taken, ["more"], 0), (false, 0));
        assert_eq!(taken, ["large"]);
    }

    #[test]
    fn bytes_are_those_of_the_wire() {
        assert_eq!(size(&"a"), 4);
        assert_eq!(size(&"\u{1}"), 9);
        let page = Page {
            items: vec!["aaaa", "bbbb", "cccc"],
            next: Some("c".into()),
        };
        let whole = fitting(page.clone(), 21, |it| (*it).into());
        assert_eq!(whole, page);
        let part = fitting(page, 20, |it| (*it).into());
        assert_eq!(
            (part.items, part.next),
            (vec!["aaaa", "bbbb"], Some("bbbb".into()))
        );
    }
}
