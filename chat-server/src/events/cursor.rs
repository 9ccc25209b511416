//! Where a reader of events is: the epoch, and a position in each of his rooms, as one word that he
//! may bring to any node.
//!
//! Whoever makes one up himself gains nothing by it: in a hello he may name any positions, too, and
//! what he may read is judged afresh.

use std::collections::BTreeMap;

use chat_core::{RoomId, Seq};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Where a reader is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    epoch: String,
    positions: BTreeMap<RoomId, Seq>,
    /// Whether this was told.
    told: bool,
}

/// Rooms of one reader. All of them are named with every event, and browsers and proxies bring no
/// header of any length along: 250 rooms of the longest numbers take 6 KB.
pub(crate) const ROOMS_MAX: usize = 250;

/// Bytes of the longest word that is read.
const BYTES_MAX: usize = 8 * 1024;

/// Between rooms, between a room and its position, and before the epoch.
const SEPARATORS: (char, char, char) = ('.', '-', '~');

const RADIX: u32 = 36;

/// The part of a frame that tells whether it moves a position.
#[derive(Deserialize)]
struct Head<'a> {
    ev: Option<IgnoredAny>,
    sys: Option<&'a str>,
    room: Option<RoomId>,
    seq: Option<Seq>,
}

impl Cursor {
    pub(crate) const fn new(epoch: String) -> Self {
        Self {
            epoch,
            positions: BTreeMap::new(),
            told: false,
        }
    }

    /// The positions, as a hello names them.
    pub(crate) fn positions(&self) -> BTreeMap<RoomId, (String, Seq)> {
        let positions = self.positions.iter();
        positions
            .map(|(room, seq)| (*room, (self.epoch.clone(), *seq)))
            .collect()
    }

    /// Forgets all rooms but these.
    pub(crate) fn keep(&mut self, rooms: &[RoomId]) {
        self.positions.retain(|room, _| rooms.contains(room));
    }

    /// Reads what [`Cursor::id`] has written; none if it is nothing of that kind.
    pub(crate) fn read(word: &str) -> Option<Self> {
        let (between, within, before) = SEPARATORS;
        if word.len() > BYTES_MAX {
            return None;
        }
        let (rooms, epoch) = word.split_once(before)?;
        let mut cursor = Self::new(epoch.to_owned());
        let mut room = 0_u64;
        for part in rooms.split(between).filter(|_| !rooms.is_empty()) {
            let (step, seq) = part.split_once(within)?;
            let step = number(step).filter(|step| *step > 0)?;
            room = room.checked_add(step)?;
            let seq = Seq::try_from(number(seq)?).ok()?;
            let id = RoomId::try_from(room).ok()?;
            cursor.positions.insert(id, seq);
        }
        (cursor.positions.len() <= ROOMS_MAX).then_some(cursor)
    }

    /// The word for it, if it has changed since it was told last.
    pub(super) fn id(&mut self) -> Option<String> {
        if std::mem::replace(&mut self.told, true) {
            return None;
        }
        let (between, within, before) = SEPARATORS;
        let (mut word, mut last) = (String::new(), 0);
        for (room, seq) in &self.positions {
            if last > 0 {
                word.push(between);
            }
            // Rooms are named by their distances: numbers that are drawn one after the other are short
            // so.
            spell(&mut word, room.number() - last);
            word.push(within);
            spell(&mut word, seq.number());
            last = room.number();
        }
        word.push(before);
        word.push_str(&self.epoch);
        Some(word)
    }

    /// Notes that a frame was heard.
    pub(super) fn hear(&mut self, frame: &[u8]) {
        let Ok(Head {
            ev,
            sys,
            room: Some(room),
            seq: Some(seq),
        }) = serde_json::from_slice(frame)
        else {
            return;
        };
        #[cfg(sabotage)]
        if ev.is_some() && chat_core::sabotage::planted("cursor_forgets_quiet_rooms") {
            self.positions.entry(room).or_default();
        }
        // A room that isn't followed has news for him all the same, such as that he is invited.
        if (ev.is_some() || sys == Some("synced"))
            && let Some(position) = self.positions.get_mut(&room)
            && *position < seq
        {
            *position = seq;
            self.told = false;
        }
    }

    /// Notes what was left in its place among the frames.
    pub(super) fn mark(&mut self, mark: &[u8]) {
        let mut numbers = mark.chunks_exact(size_of::<u64>()).map(|number| {
            let number = number.try_into().unwrap_or_default();
            u64::from_be_bytes(number)
        });
        let room = numbers.next().and_then(|room| RoomId::try_from(room).ok());
        let seq = numbers.next().map(Seq::try_from);
        let before = match (room, seq) {
            #[cfg(sabotage)]
            (Some(_), Some(Ok(_)))
                if chat_core::sabotage::planted("cursor_forgets_quiet_rooms") =>
            {
                true
            }
            (Some(room), Some(Ok(seq))) => self.positions.insert(room, seq) == Some(seq),
            (Some(room), None) => self.positions.remove(&room).is_none(),
            (None, _) | (_, Some(Err(_))) => true,
        };
        self.told &= before;
    }
}

/// The mark that a room is followed from this record on.
pub(super) fn followed(room: RoomId, position: Seq) -> Vec<u8> {
    let numbers = [room.number(), position.number()];
    numbers.map(u64::to_be_bytes).concat()
}

/// The mark that a room is followed no more.
pub(super) fn forgotten(room: RoomId) -> Vec<u8> {
    room.number().to_be_bytes().to_vec()
}

/// Reads a number that has been [spelled](spell).
fn number(word: &str) -> Option<u64> {
    let plain = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    let number = u64::from_str_radix(word, RADIX).ok();
    number.filter(|_| word.bytes().all(plain))
}

fn spell(word: &mut String, mut number: u64) {
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(number % u64::from(RADIX)).unwrap_or_default();
        digits.extend(char::from_digit(digit, RADIX));
        number /= u64::from(RADIX);
        if number == 0 {
            break;
        }
    }
    word.extend(digits.into_iter().rev());
}

#[cfg(test)]
mod tests {
    use chat_core::NUMBER_MAX;

    use super::*;

    fn at(positions: &[(u64, u64)]) -> Cursor {
        let mut cursor = Cursor::new("k3".into());
        for (room, seq) in positions {
            cursor.mark(&followed(RoomId::new(*room), Seq::new(*seq)));
        }
        cursor
    }

    #[test]
    fn what_is_written_is_read_again() {
        let far: Vec<_> = (0..250).map(|it| (NUMBER_MAX - it, NUMBER_MAX)).collect();
        for positions in [&[][..], &[(12, 42)], &[(1, 0), (2, 36), (40, 1_000)], &far] {
            let mut cursor = at(positions);
            let word = cursor.id().unwrap();
            assert!(word.len() <= BYTES_MAX, "{}", word.len());
            let read = Cursor::read(&word).unwrap();
            assert_eq!(read.positions(), cursor.positions(), "{word}");
            assert_eq!(cursor.id(), None, "it was told");
        }
        assert_eq!(at(&[(12, 42), (15, 5)]).id().unwrap(), "c-16.3-5~k3");
        assert_eq!(at(&[]).id().unwrap(), "~k3");
    }

    #[test]
    fn what_is_none_is_not_read() {
        let many = format!("{}~k3", vec!["1-1"; ROOMS_MAX + 1].join("."));
        let long = format!("1-1~{}", "k".repeat(BYTES_MAX));
        for word in [
            "",
            "k3",
            "12",
            "c-16",
            "c~k3",
            "c-~k3",
            "-16~k3",
            "c-16.~k3",
            ".~k3",
            "0-1~k3",
            "c-16.0-5~k3",
            "C-16~k3",
            "+c-16~k3",
            "c-+1~k3",
            "c--1~k3",
            " c-16~k3",
            "zzzzzzzzzzzzzzzz-1~k3",
            "3w5e11264sf-1~k3",
            "c-3w5e11264sf~k3",
            &many,
            &long,
        ] {
            assert_eq!(Cursor::read(word), None, "{word}");
        }
    }

    #[test]
    fn a_position_moves_with_what_is_heard_of_a_room_that_is_followed() {
        let mut cursor = at(&[(12, 42)]);
        assert!(cursor.id().is_some());
        for (frame, word) in [
            (
                r#"{"ev":"posted","room":12,"seq":43,"d":{}}"#,
                Some("c-17~k3"),
            ),
            (r#"{"ev":"posted","room":12,"seq":43,"d":{}}"#, None),
            (
                r#"{"sig":"typing","room":12,"by":{"id":1},"d":{"seq":50}}"#,
                None,
            ),
            (r#"{"sys":"ping","heads":{"12":50}}"#, None),
            (r#"{"ev":"invited","room":15,"seq":9}"#, None),
            (r#"{"re":0,"ok":{"room":12,"seq":50}}"#, None),
            (r#"{"sys":"synced","room":12,"seq":44}"#, Some("c-18~k3")),
            ("no frame", None),
        ] {
            cursor.hear(frame.as_bytes());
            assert_eq!(cursor.id().as_deref(), word, "{frame}");
        }
        cursor.mark(&forgotten(RoomId::new(12)));
        assert_eq!(cursor.id().as_deref(), Some("~k3"));
        cursor.mark(&forgotten(RoomId::new(12)));
        assert_eq!(cursor.id(), None);
    }
}
