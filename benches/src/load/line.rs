//! A chat line, and how it is found again in whatever a server makes of it.
//!
//! The body of a line begins with a marker of fixed length: which run it belongs to, its room, its
//! sender's place there, its number and the moment when it was due. Nothing in it is escaped by
//! JSON, so it is found by its first two bytes, however a dialect wraps it.

use memchr::{memchr_iter, memmem};

/// What a marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The run; rooms may hold lines of an earlier one.
    pub run: u16,
    /// The room that it was said in.
    pub room: u16,
    /// Its sender's place among the members of the room.
    pub place: u32,
    /// Its number among the lines of its sender, from 1.
    pub number: u32,
    /// When it was due, in nanoseconds of the run.
    pub due_ns: u64,
}

/// Bytes of a marker; no line is shorter.
pub const MARKER_BYTES: usize = 2 + RUN + ROOM + PLACE + NUMBER + DUE + 1;

impl Line {
    /// The body of this line, as long as it is to be.
    #[must_use]
    pub fn body(&self, bytes: usize) -> String {
        let mut body = format!(
            "~~{:04x}{:04x}{:05x}{:08x}{:012x}~",
            self.run, self.room, self.place, self.number, self.due_ns
        );
        let talk = " see you at the old harbour at nine, and bring the map.";
        body.extend(talk.chars().cycle().take(bytes.saturating_sub(body.len())));
        body
    }
}

/// The lines that are in what a server sent, in order.
pub fn scan(bytes: &[u8]) -> impl Iterator<Item = Line> {
    let begins = memchr_iter(b'~', bytes).filter(|at| bytes.get(at + 1) == Some(&b'~'));
    begins.filter_map(|at| read(bytes.get(at + 2..at + MARKER_BYTES)?))
}

/// A post as its dialect spells it, of which only number and moment change.
#[derive(Clone, Debug)]
pub struct Template {
    bytes: Vec<u8>,
    number_at: usize,
    id_at: Option<usize>,
}

/// Where a post has an identifier of the client's own before the line, it is written so.
pub const ID: &str = "1000000000";

impl Template {
    /// A template from a post that has a line in it.
    #[must_use]
    pub fn new(post: String) -> Option<Self> {
        let bytes = post.into_bytes();
        let marker = memmem::find(&bytes, b"~~")?;
        let before = bytes.get(..marker).unwrap_or_default();
        Some(Self {
            number_at: marker + 2 + RUN + ROOM + PLACE,
            id_at: memmem::find(before, ID.as_bytes()),
            bytes,
        })
    }

    /// The post with this number, due at this moment.
    pub fn fill(&mut self, number: u32, due_ns: u64) -> &[u8] {
        write(
            &mut self.bytes,
            self.number_at,
            NUMBER,
            16,
            u64::from(number),
        );
        write(&mut self.bytes, self.number_at + NUMBER, DUE, 16, due_ns);
        if let Some(at) = self.id_at {
            // The first digit stays: a number doesn't begin with zeros.
            write(&mut self.bytes, at + 1, ID.len() - 1, 10, u64::from(number));
        }
        &self.bytes
    }
}

// Digits of each part.
const RUN: usize = 4;
const ROOM: usize = 4;
const PLACE: usize = 5;
const NUMBER: usize = 8;
const DUE: usize = 12;

fn read(digits: &[u8]) -> Option<Line> {
    let (run, rest) = digits.split_at_checked(RUN)?;
    let (room, rest) = rest.split_at_checked(ROOM)?;
    let (place, rest) = rest.split_at_checked(PLACE)?;
    let (number, rest) = rest.split_at_checked(NUMBER)?;
    let (due, rest) = rest.split_at_checked(DUE)?;
    if rest != b"~" {
        return None;
    }
    Some(Line {
        run: u16::try_from(hex(run)?).ok()?,
        room: u16::try_from(hex(room)?).ok()?,
        place: u32::try_from(hex(place)?).ok()?,
        number: u32::try_from(hex(number)?).ok()?,
        due_ns: hex(due)?,
    })
}

fn hex(digits: &[u8]) -> Option<u64> {
    let (mut value, mut all) = (0, 0);
    for digit in digits {
        let digit = VALUES.get(usize::from(*digit)).copied().unwrap_or(NO_DIGIT);
        value = value << 4 | u64::from(digit & 15);
        all |= digit;
    }
    (all < NO_DIGIT).then_some(value)
}

/// The value of each byte as a digit: a table, since every delivery asks for 33 of them.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let (_, digits) = values.split_at_mut(b'0' as usize);
    let (digits, rest) = digits.split_at_mut(10);
    digits.copy_from_slice(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let (_, letters) = rest.split_at_mut((b'a' - b'0') as usize - 10);
    let (letters, _) = letters.split_at_mut(6);
    letters.copy_from_slice(&[10, 11, 12, 13, 14, 15]);
    values
};

const NO_DIGIT: u8 = 16;

/// Writes a number with leading zeros over what is there.
fn write(bytes: &mut [u8], at: usize, width: usize, base: u64, mut value: u64) {
    for digit in bytes.iter_mut().skip(at).take(width).rev() {
        let least = usize::try_from(value % base).unwrap_or(usize::MAX);
        *digit = DIGITS.get(least).copied().unwrap_or(b'0');
        value /= base;
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Line = Line {
        run: 0xbeef,
        room: 7,
        place: 99,
        number: 1,
        due_ns: 0,
    };

    #[test]
    fn a_template_is_found_again_as_what_was_filled_in() {
        let post = format!("{{\"id\":{ID},\"body\":\"{}\"}}", LINE.body(64));
        let mut template = Template::new(post).unwrap();
        let filled = template.fill(0x1234, 5_000_000_000).to_vec();
        let expected = Line {
            number: 0x1234,
            due_ns: 5_000_000_000,
            ..LINE
        };
        assert_eq!(scan(&filled).collect::<Vec<_>>(), [expected]);
        let text = String::from_utf8(filled).unwrap();
        assert!(text.starts_with("{\"id\":1000004660,"), "{text}");
        assert_eq!(LINE.body(64).len(), 64);
        assert_eq!(LINE.body(0).len(), MARKER_BYTES);
    }

    #[test]
    fn digits_of_a_line_are_no_identifier() {
        let line = Line { place: 1, ..LINE };
        let text = Line { number: 0, ..line }.body(64);
        assert!(text.contains(ID), "{text}");
        let mut template = Template::new(text).unwrap();
        assert_eq!(template.fill(1, 0), line.body(64).as_bytes());
    }

    #[test]
    fn of_many_lines_each_is_found_and_of_noise_nothing() {
        let (one, two) = (LINE.body(40), Line { number: 2, ..LINE }.body(50));
        let text = format!("~~{one}\n{two} ~~ ~~beef~ ~~{}", "g".repeat(34));
        let found: Vec<_> = scan(text.as_bytes()).map(|line| line.number).collect();
        assert_eq!(found, [1, 2]);
        assert_eq!(scan(&one.as_bytes()[..MARKER_BYTES - 1]).count(), 0);
    }
}
