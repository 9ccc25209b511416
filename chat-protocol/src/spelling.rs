//! How rooms are spelled: each dialect has its own way, all of them reversible.
//!
//! A room is a number. Some front ends expect a short code of capitals, some expect small letters,
//! and both should look drawn by lot: a room's neighbours are no guess away. The scramble is a
//! permutation of all codes of one length, so that it needs no table and never collides.

use chat_core::{NUMBER_MAX, RoomId};

/// A way to write a room's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// `12`.
    Number,
    /// `room_12`.
    Prefixed,
    /// Five characters or more of `A-Z0-9`.
    Code,
    /// Eight characters or more of `0-9a-z`.
    Key,
}

impl Spelling {
    /// All ways, the plainest first.
    pub const ALL: [Self; 4] = [Self::Number, Self::Prefixed, Self::Code, Self::Key];

    /// Writes a room.
    ///
    /// # Examples
    ///
    /// ```
    /// use chat_core::RoomId;
    /// use chat_protocol::spelling::Spelling;
    ///
    /// let room = RoomId::new(7);
    /// assert_eq!(Spelling::Prefixed.write(room), "room_7");
    /// assert_eq!(Spelling::Code.read(&Spelling::Code.write(room)), Some(room));
    /// ```
    #[must_use]
    pub fn write(self, room: RoomId) -> String {
        match self {
            Self::Number => room.to_string(),
            Self::Prefixed => format!("room_{room}"),
            Self::Code => CODE.write(room.number()),
            Self::Key => KEY.write(room.number()),
        }
    }

    /// Reads what this way would have written, and nothing else.
    #[must_use]
    pub fn read(self, text: &str) -> Option<RoomId> {
        let number = match self {
            Self::Number => decimal(text),
            Self::Prefixed => decimal(text.strip_prefix("room_")?),
            Self::Code => CODE.read(text),
            Self::Key => KEY.read(text),
        }?;
        RoomId::try_from(number).ok()
    }
}

/// Reads a number in its one spelling: no sign, no leading zero.
fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = plain && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

const CODE: Scramble = Scramble {
    alphabet: b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    length_min: 5,
    factor: 0x9e37_79b9_7f4a_7c15,
    offset: 0x5851_f42d,
};

const KEY: Scramble = Scramble {
    alphabet: b"0123456789abcdefghijklmnopqrstuvwxyz",
    length_min: 8,
    factor: 0xd134_2543_de82_ef95,
    offset: 0x1405_7b7e,
};

/// The longest code: 36^11 is beyond every room's number.
const LENGTH_MAX: u32 = 11;

/// A permutation of the codes of each length: a multiplication, the digits reversed, another
/// multiplication. Short codes are used up before longer ones begin.
struct Scramble {
    alphabet: &'static [u8; 36],
    length_min: u32,
    /// Neither even nor divisible by three, so it can be undone in any length.
    factor: u64,
    offset: u64,
}

impl Scramble {
    fn write(&self, number: u64) -> String {
        let (mut rest, mut length) = (number.min(NUMBER_MAX), self.length_min);
        while rest >= size(length) {
            rest -= size(length);
            length += 1;
        }
        let code = self.forth(reversed(self.forth(rest, length), length), length);
        digits(code, length)
            .map(|digit| char::from(self.alphabet.get(digit).copied().unwrap_or(b'?')))
            .collect()
    }

    fn read(&self, text: &str) -> Option<u64> {
        let length = u32::try_from(text.len()).ok()?;
        if !(self.length_min..=LENGTH_MAX).contains(&length) {
            return None;
        }
        let mut code = 0;
        for byte in text.bytes() {
            let digit = self.alphabet.iter().position(|it| *it == byte)?;
            code = code * 36 + digit as u64;
        }
        let rest = self.back(reversed(self.back(code, length), length), length);
        let shorter: u64 = (self.length_min..length).map(size).sum();
        rest.checked_add(shorter)
            .filter(|number| *number <= NUMBER_MAX)
    }

    fn forth(&self, number: u64, length: u32) -> u64 {
        let size = size(length);
        (multiply(number, self.factor, size) + self.offset % size) % size
    }

    fn back(&self, number: u64, length: u32) -> u64 {
        let size = size(length);
        let inverse = power(self.factor, size / 3 - 1, size);
        multiply((number + size - self.offset % size) % size, inverse, size)
    }
}

const fn size(length: u32) -> u64 {
    36_u64.pow(length)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "what is left of a u64 modulus fits a u64"
)]
const fn multiply(one: u64, other: u64, modulus: u64) -> u64 {
    (one as u128 * other as u128 % modulus as u128) as u64
}

/// By Euler, a power of `size / 3 - 1` undoes a factor, for a size that is a power of 36.
const fn power(base: u64, mut exponent: u64, modulus: u64) -> u64 {
    let (mut result, mut square) = (1, base % modulus);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = multiply(result, square, modulus);
        }
        square = multiply(square, square, modulus);
        exponent >>= 1;
    }
    result
}

/// The digits of a number, the highest first.
fn digits(number: u64, length: u32) -> impl Iterator<Item = usize> {
    (0..length)
        .rev()
        .map(move |place| (number / size(place) % 36) as usize)
}

fn reversed(number: u64, length: u32) -> u64 {
    let (mut rest, mut result) = (number, 0);
    for _ in 0..length {
        result = result * 36 + rest % 36;
        rest /= 36;
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![0..100_u64, 60_000_000..61_000_000_u64, 0..=NUMBER_MAX]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(number in number()) {
            let room = RoomId::new(number);
            for spelling in Spelling::ALL {
                prop_assert_eq!(spelling.read(&spelling.write(room)), Some(room));
            }
        }

        #[test]
        fn what_is_read_is_written_the_same(text in "[A-Z0-9]{5,12}|[a-z0-9]{8,12}|room_[0-9]{1,20}|[0-9]{1,20}") {
            for spelling in Spelling::ALL {
                if let Some(room) = spelling.read(&text) {
                    prop_assert_eq!(spelling.write(room), text.as_str());
                }
            }
        }

        #[test]
        fn codes_keep_to_their_alphabet(number in number()) {
            let code = Spelling::Code.write(RoomId::new(number));
            prop_assert!(code.len() >= 5 && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
            let key = Spelling::Key.write(RoomId::new(number));
            prop_assert!(key.len() >= 8 && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        }

        #[test]
        fn any_text_can_be_read(text in any::<String>()) {
            for spelling in Spelling::ALL {
                if let Some(room) = spelling.read(&text) {
                    prop_assert_eq!(spelling.write(room), text.as_str());
                }
            }
        }
    }

    #[test]
    fn neighbours_look_unlike() {
        let codes: Vec<String> = (1..200)
            .map(|n| Spelling::Code.write(RoomId::new(n)))
            .collect();
        for pair in codes.windows(2) {
            let alike = pair[0]
                .bytes()
                .zip(pair[1].bytes())
                .filter(|(a, b)| a == b)
                .count();
            assert!(alike <= 2, "{pair:?}");
        }
    }

    #[test]
    fn sixty_million_rooms_have_five_characters() {
        assert_eq!(Spelling::Code.write(RoomId::new(size(5) - 1)).len(), 5);
        assert_eq!(Spelling::Code.write(RoomId::new(size(5))).len(), 6);
        assert_eq!(Spelling::Code.write(RoomId::new(NUMBER_MAX)).len(), 11);
    }
}
