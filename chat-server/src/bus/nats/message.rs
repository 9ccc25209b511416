//! How hints are spelled in a message of NATS.
//!
//! ```text
//! version   1 byte, 1
//! seal      16 bytes, BLAKE2b keyed with the cluster's key (version, lines)
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
//! RECORD is JSON as in a log, SIGNAL a native frame, ATTENDANCE JSON of its fields. A line of another sort is skipped, and a message
//! of another version: nodes of two versions hear of each other late, and miss nothing.

use std::io::Write;
use std::sync::Arc;

use chat_core::{RoomId, Seq, UserId};
use chat_protocol::close::Close;
use chat_protocol::log;
use chat_protocol::server_frame::ServerFrame;

use super::key::{ClusterKey, Seal};
use crate::bus::Hint;

const VERSION: u8 = 1;

/// Bytes of a message at most, whatever the NATS server takes. Its own default is the same.
pub(super) const BYTES_MAX: usize = 1024 * 1024;

/// Bytes before the lines.
const HEAD_BYTES: usize = 1 + size_of::<Seal>();

/// Spells hints as few messages of at most so many bytes; tells how many fit into none. Of a record
/// that doesn't, it is told that it is there.
pub(super) fn write(key: &ClusterKey, hints: &[Hint], bytes_max: usize) -> (Vec<Vec<u8>>, usize) {
    let (mut messages, mut lost) = (Vec::new(), 0);
    let mut message = vec![0; HEAD_BYTES];
    for hint in hints {
        let mut line = line(hint);
        if HEAD_BYTES + line.len() > bytes_max
            && let Hint::Appended(record) = hint
        {
            line = self::line(&Hint::Head(record.room, record.seq));
        }
        if HEAD_BYTES + line.len() > bytes_max {
            lost += 1;
            continue;
        }
        if message.len() + line.len() > bytes_max {
            let full = std::mem::replace(&mut message, vec![0; HEAD_BYTES]);
            messages.push(sealed(key, full));
        }
        message.append(&mut line);
    }
    if message.len() > HEAD_BYTES {
        messages.push(sealed(key, message));
    }
    (messages, lost)
}

fn sealed(key: &ClusterKey, mut message: Vec<u8>) -> Vec<u8> {
    if let Some((head, text)) = message.split_at_mut_checked(HEAD_BYTES) {
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

/// The lines of a message that somebody wrote who has the key.
pub(super) fn open<'a>(key: &ClusterKey, message: &'a [u8]) -> Option<&'a str> {
    if message.len() > BYTES_MAX {
        return None;
    }
    let (version, rest) = message.split_first()?;
    let (seal, text) = rest.split_first_chunk()?;
    if *version != VERSION || !key.is_sealed(VERSION, text, seal) {
        return None;
    }
    std::str::from_utf8(text).ok()
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
    use proptest::prelude::*;

    use super::*;
    use crate::bus::conformance::samples;

    fn key() -> ClusterKey {
        ClusterKey::new("a secret")
    }

    /// What is read of messages, by whoever listens to every room.
    fn read(messages: &[Vec<u8>]) -> Vec<Hint> {
        let text = |message| open(&key(), message).unwrap().lines();
        let lines = messages.iter().flat_map(|it| text(it));
        lines.map(|line| hint(line).unwrap()).collect()
    }

    #[test]
    fn what_was_told_is_read_in_one_message_or_in_many() {
        let told = samples();
        for (bytes_max, at_least) in [(BYTES_MAX, 1), (400, 2), (250, 3)] {
            let (messages, lost) = write(&key(), &told, bytes_max);
            assert!(messages.iter().all(|message| message.len() <= bytes_max));
            assert!(messages.len() >= at_least);
            assert_eq!((read(&messages), lost), (told.clone(), 0));
        }
        assert_eq!(write(&key(), &told, BYTES_MAX).0.len(), 1);
        assert!(write(&key(), &[], BYTES_MAX).0.is_empty());
    }

    #[test]
    fn of_a_record_for_which_there_is_no_space_it_is_told_that_it_is_there() {
        let told = samples();
        let (messages, lost) = write(&key(), &told, 60);
        let read = read(&messages);
        let Hint::Appended(record) = &told[0] else {
            panic!("the first is a record");
        };
        assert_eq!(read[0], Hint::Head(record.room, record.seq));
        assert!(messages.iter().all(|message| message.len() <= 60));
        assert_eq!(read.len() + lost, told.len());
        assert!(lost > 0);
    }

    #[test]
    fn a_line_tells_its_room_before_it_is_read() {
        for told in samples() {
            let (messages, _) = write(&key(), std::slice::from_ref(&told), BYTES_MAX);
            let text = open(&key(), &messages[0]).unwrap();
            assert_eq!(text.lines().map(room).collect::<Vec<_>>(), [told.room()]);
        }
    }

    #[test]
    fn what_is_not_sealed_by_somebody_with_the_key_is_not_opened() {
        let (messages, _) = write(&key(), &samples(), BYTES_MAX);
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
