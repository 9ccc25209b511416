//! Parts of lists, bounded in bytes: an answer has to fit into what may wait for a socket.

use std::io;
use std::ops::Range;

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
    let kept = around(&sizes(&items), 0, bytes_max).end;
    if kept == items.len() {
        return Page { items, next };
    }
    items.truncate(kept);
    let next = items.last().map(cursor);
    Page { items, next }
}

/// How many items from the first one on fit.
pub(super) fn first_that_fit<T: Serialize>(items: &[T], bytes_max: usize) -> usize {
    around(&sizes(items), 0, bytes_max).end
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
    let kept = around(&sizes(&items), nearest, bytes_max);
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

/// Which items fit, from the nearest one on to both sides.
fn around(sizes: &[usize], nearest: usize, bytes_max: usize) -> Range<usize> {
    let nearest = nearest.min(sizes.len().saturating_sub(1));
    let Some(first) = sizes.get(nearest) else {
        return 0..0;
    };
    let (mut start, mut end, mut bytes) = (nearest, nearest + 1, *first);
    loop {
        let before = start.checked_sub(1).and_then(|it| sizes.get(it));
        let earlier = before.filter(|more| bytes + **more <= bytes_max);
        if let Some(more) = earlier {
            bytes += more;
            start -= 1;
        }
        let later = sizes.get(end).filter(|more| bytes + **more <= bytes_max);
        if let Some(more) = later {
            bytes += more;
            end += 1;
        }
        if earlier.is_none() && later.is_none() {
            return start..end;
        }
    }
}

fn sizes<T: Serialize>(items: &[T]) -> Vec<usize> {
    items.iter().map(size).collect()
}

/// Bytes that something takes up in JSON, with a comma after it.
fn size<T: Serialize>(item: &T) -> usize {
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
    use super::*;

    #[test]
    fn what_is_nearest_stays_and_the_first_in_any_case() {
        let sizes = [10, 10, 10, 10, 10];
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
                around(&sizes, nearest, bytes_max),
                kept,
                "{nearest} {bytes_max}"
            );
        }
        assert_eq!(around(&[], 0, 10), 0..0);
        // What is too large ends a side, and the other goes on.
        assert_eq!(around(&[1, 1, 1, 50, 1], 2, 10), 0..3);
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
