//! How hints are spelled in a message of NATS.
//!
//! ```text
//! version   1 byte, 1
//! seal      16 bytes, BLAKE2b keyed with the cluster's key (version, all that follows)
//! sender    8 bytes, what its node has drawn when it started
//! count     8 bytes, how many messages that node had sent before
//! time      8 bytes, Unix milliseconds
//! lines     one hint each, in UTF-8, ended by a newline
//!
//! a ROOM RECORD      a record is durable, for whoever listens to its room
//! A RECORD           a record that concerns people who may not hear its room
//! h ROOM SEQ         a room's log goes at least this far
//! s ROOM SIGNAL      something passes
//! p ROOM ATTENDANCE  who is present
//! e USER CODE GRANT  a log-in has ended, or all of the user's without GRANT, a JSON string
//! x USER             somebody was erased
//! ```
//!
//! Numbers have their highest byte first. RECORD is JSON as in a log, SIGNAL a native frame, ATTENDANCE JSON of its
//! fields. A line of another sort is skipped, and a message
//! of another version: nodes of two versions hear of each other late, and miss nothing.

use std::io::Write;
use std::sync::Arc;

use chat_core::{RoomId, Seq, UserId};
use chat_protocol::close::Close;
use chat_protocol::log;
use chat_protocol::server_frame::ServerFrame;

use super::key::{ClusterKey, Seal};
use super::once::{MARK_BYTES, Mark};
use crate::bus::Hint;

const VERSION: u8 = 1;

/// Bytes of a message at most, whatever the NATS server takes. Its own default is the same.
pub(super) const BYTES_MAX: usize = 1024 * 1024;

/// A message that is so long is sent, whatever else waits.
pub(super) const FULL_BYTES: usize = 64 * 1024;

/// Bytes before the seal's text.
const SEAL_BYTES: usize = 1 + size_of::<Seal>();

/// Bytes before the lines.
const HEAD_BYTES: usize = SEAL_BYTES + MARK_BYTES;

/// Takes as many of the hints as one message holds, and spells it, in at most so many bytes; tells how
/// many of those fit into none. Of a record that doesn't, it is told that it is there.
pub(super) fn write(
    key: &ClusterKey,
    mark: Mark,
    hints: &mut std::vec::IntoIter<Hint>,
    bytes_max: usize,
) -> (Option<Vec<u8>>, usize) {
    let mut message = vec![0; SEAL_BYTES];
    message.extend(mark.to_bytes());
    let mut lost = 0;
    while let Some(hint) = hints.as_slice().first()
        && message.len() < FULL_BYTES
    {
        let mut line = line(hint);
        if HEAD_BYTES + line.len() > bytes_max
            && let Hint::Appended(record) = hint
        {
            line = self::line(&Hint::Head(record.room, record.seq));
        }
        if HEAD_BYTES + line.len() > bytes_max {
            lost += 1;
        } else if message.len() + line.len() > bytes_max {
            break;
        } else {
            message.append(&mut line);
        }
        hints.next();
    }
    let says_anything = message.len() > HEAD_BYTES;
    (says_anything.then(|| sealed(key, message)), lost)
}

fn sealed(key: &ClusterKey, mut message: Vec<u8>) -> Vec<u8> {
    if let Some((head, text)) = message.split_at_mut_checked(SEAL_BYTES) {
        let seal = key.seal(VERSION, text);
        let spelled = std::iter::once(VERSION).chain(seal);
        for (byte, spelled) in head.iter_mut().zip(spelled) {
            *byte = spelled;
        }
    }
    message
}

fn line(hint: &Hint) -> Vec<u8> {
    let mut line = Vec::new();
    // Writing into memory can't fail.
    spell(hint, &mut line).unwrap_or_default();
    line.push(b'\n');
    line
}

fn spell(hint: &Hint, line: &mut Vec<u8>) -> std::io::Result<()> {
    match hint {
        Hint::Appended(record) => {
            match hint.room() {
                Some(room) => write!(line, "a {room} ")?,
                None => write!(line, "A ")?,
            }
            serde_json::to_writer(line, &**record)?;
        }
        Hint::Head(room, seq) => write!(line, "h {room} {seq}")?,
        Hint::Passing(signal) => {
            write!(line, "s {} ", signal.room)?;
            serde_json::to_writer(line, &**signal)?;
        }
        Hint::Present(attendance) => {
            write!(line, "p {} ", attendance.room)?;
            serde_json::to_writer(line, &**attendance)?;
        }
        Hint::Ended { user, grant, close } => {
            write!(line, "e {user} {} ", close.code())?;
            if let Some(grant) = grant {
                serde_json::to_writer(line, &**grant)?;
            }
        }
        Hint::Erased(user) => write!(line, "x {user}")?,
    }
    Ok(())
}

/// The mark and the lines of a message that somebody wrote who has the key.
pub(super) fn open<'a>(key: &ClusterKey, message: &'a [u8]) -> Option<(Mark, &'a str)> {
    if message.len() > BYTES_MAX {
        return None;
    }
    let (version, rest) = message.split_first()?;
    let (seal, text) = rest.split_first_chunk()?;
    if *version != VERSION || !key.is_sealed(VERSION, text, seal) {
        return None;
    }
    let (mark, lines) = text.split_first_chunk()?;
    Some((Mark::read(mark)?, std::str::from_utf8(lines).ok()?))
}

/// The room whose subscribers a line is for; all are if there is none.
pub(super) fn room(line: &str) -> Option<RoomId> {
    let rest = line.strip_prefix(['a', 'h', 's', 'p'])?;
    let (room, _) = rest.strip_prefix(' ')?.split_once(' ')?;
    number(room)
}

/// Reads a line.
pub(super) fn hint(line: &str) -> Option<Hint> {
    let (sort, rest) = line.split_once(' ')?;
    Some(match sort {
        "a" | "A" => {
            let text = if sort == "a" {
                rest.split_once(' ')?.1
            } else {
                rest
            };
            Hint::Appended(Arc::new(log::read(text.as_bytes()).ok()?))
        }
        "h" => {
            let (room, seq) = rest.split_once(' ')?;
            Hint::Head(number(room)?, number::<Seq>(seq)?)
        }
        "s" => match ServerFrame::decode(rest.split_once(' ')?.1).ok()? {
            ServerFrame::Signal(signal) => Hint::Passing(Arc::new(signal)),
            ServerFrame::Reply { .. }
            | ServerFrame::Event(_)
            | ServerFrame::System(_)
            | ServerFrame::Unknown => return None,
        },
        "p" => Hint::Present(Arc::new(
            serde_json::from_str(rest.split_once(' ')?.1).ok()?,
        )),
        "e" => {
            let (user, rest) = rest.split_once(' ')?;
            let (code, grant) = rest.split_once(' ')?;
            let grant = match grant {
                "" => None,
                grant => Some(serde_json::from_str::<String>(grant).ok()?.into()),
            };
            Hint::Ended {
                user: number(user)?,
                grant,
                close: Close::from_code(code.parse().ok()?)?,
            }
        }
        "x" => Hint::Erased(number::<UserId>(rest)?),
        _ => return None,
    })
}

fn number<T: TryFrom<u64>>(text: &str) -> Option<T> {
    T::try_from(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use chat_core::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::bus::conformance::samples;

    fn key() -> ClusterKey {
        ClusterKey::new("a secret")
    }

    const MARK: Mark = Mark {
        sender: u64::MAX,
        count: 3,
        at: Timestamp::new(1_000_000_000_000),
    };

    /// All messages that hints take, and how many of these fit into none.
    fn written(hints: &[Hint], bytes_max: usize) -> (Vec<Vec<u8>>, usize) {
        let mut hints = Vec::from(hints).into_iter();
        let (mut messages, mut lost) = (Vec::new(), 0);
        while !hints.as_slice().is_empty() {
            let (message, without) = write(&key(), MARK, &mut hints, bytes_max);
            messages.extend(message);
            lost += without;
        }
        (messages, lost)
    }

    /// What is read of messages, by whoever listens to every room.
    fn read(messages: &[Vec<u8>]) -> Vec<Hint> {
        let text = |message| {
            let (mark, text) = open(&key(), message).unwrap();
            assert_eq!(mark, MARK);
            text.lines()
        };
        let lines = messages.iter().flat_map(|it| text(it));
        lines.map(|line| hint(line).unwrap()).collect()
    }

    #[test]
    fn what_was_told_is_read_in_one_message_or_in_many() {
        let told = samples();
        for (bytes_max, at_least) in [(BYTES_MAX, 1), (400, 2), (275, 3)] {
            let (messages, lost) = written(&told, bytes_max);
            assert!(messages.iter().all(|message| message.len() <= bytes_max));
            assert!(messages.len() >= at_least);
            assert_eq!((read(&messages), lost), (told.clone(), 0));
        }
        assert_eq!(written(&told, BYTES_MAX).0.len(), 1);
        assert!(written(&[], BYTES_MAX).0.is_empty());
    }

    #[test]
    fn however_much_waits_a_message_is_sent_when_it_is_full() {
        let told: Vec<Hint> = samples().into_iter().cycle().take(10_000).collect();
        let longest = told.iter().map(|hint| line(hint).len()).max().unwrap();
        let (messages, _) = written(&told, BYTES_MAX);
        let (last, full) = messages.split_last().unwrap();
        let sizes = FULL_BYTES..FULL_BYTES + longest;
        assert!(full.iter().all(|message| sizes.contains(&message.len())));
        assert!(last.len() < sizes.end && full.len() > 1);
        assert_eq!(read(&messages), told);
    }

    #[test]
    fn of_a_record_for_which_there_is_no_space_it_is_told_that_it_is_there() {
        let told = samples();
        let (messages, lost) = written(&told, 84);
        let read = read(&messages);
        let Hint::Appended(record) = &told[0] else {
            panic!("the first is a record");
        };
        assert_eq!(read[0], Hint::Head(record.room, record.seq));
        assert!(messages.iter().all(|message| message.len() <= 84));
        assert_eq!(read.len() + lost, told.len());
        assert!(lost > 0);
    }

    #[test]
    fn a_line_tells_its_room_before_it_is_read() {
        for told in samples() {
            let (messages, _) = written(std::slice::from_ref(&told), BYTES_MAX);
            let (_, text) = open(&key(), &messages[0]).unwrap();
            assert_eq!(text.lines().map(room).collect::<Vec<_>>(), [told.room()]);
        }
    }

    #[test]
    fn what_is_not_sealed_by_somebody_with_the_key_is_not_opened() {
        let (messages, _) = written(&samples(), BYTES_MAX);
        let message = &messages[0];
        assert!(open(&key(), message).is_some());
        assert_eq!(open(&ClusterKey::new("another"), message), None);
        for at in 0..message.len() {
            let mut forged = message.clone();
            forged[at] ^= 1;
            assert_eq!(open(&key(), &forged), None, "byte {at}");
            assert_eq!(open(&key(), &message[..at]), None, "byte {at}");
        }
    }

    #[test]
    fn lines_of_a_later_version_are_told_from_those_of_this_one() {
        for line in [
            "",
            "a",
            "a 7",
            "z 7 8",
            "h 7 x",
            "h 99999999999999999999 1",
            "e 7 4 ",
            "s 7 {}",
            "p 7 {}",
        ] {
            assert_eq!(hint(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_is_beyond_reading(sort in "[aAhspex]", rest in "[ 0-9a-z\"{}:,]{0,40}") {
            let line = format!("{sort} {rest}");
            room(&line);
            hint(&line);
        }

        #[test]
        fn no_message_is_beyond_opening(message: Vec<u8>) {
            prop_assert_eq!(open(&key(), &message), None);
        }
    }
}
