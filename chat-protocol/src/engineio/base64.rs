//! Base64 with the standard alphabet (RFC 4648, section 4).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends the bytes in base64, padded.
pub(super) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for at in 0..4 {
            out.push(if at <= group.len() {
                letter(bits >> (18 - 6 * at))
            } else {
                b'='
            });
        }
    }
}

/// Reads base64, padded or not; none if it is something else.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let coded = text.trim_end_matches('=');
    let padded = text.len() - coded.len();
    if padded > 2 || (padded > 0 && text.len() % 4 != 0) {
        return None;
    }
    let mut out = Vec::with_capacity(coded.len() / 4 * 3 + 3);
    for group in coded.as_bytes().chunks(4) {
        let mut bits = 0;
        for at in 0..4 {
            bits = (bits << 6) | group.get(at).map_or(Some(0), |letter| value(*letter))?;
        }
        let [_, bytes @ ..] = u32::to_be_bytes(bits);
        // A lone letter holds no whole byte.
        let whole = group.len().checked_sub(1).filter(|whole| *whole > 0)?;
        let (whole, rest) = bytes.split_at_checked(whole)?;
        if rest.iter().any(|byte| *byte != 0) {
            return None;
        }
        out.extend_from_slice(whole);
    }
    Some(out)
}

fn letter(bits: u32) -> u8 {
    let index = usize::try_from(bits & 0x3f).unwrap_or(0);
    ALPHABET.get(index).copied().unwrap_or(b'A')
}

fn value(letter: u8) -> Option<u32> {
    let (first, offset) = match letter {
        b'A'..=b'Z' => (b'A', 0),
        b'a'..=b'z' => (b'a', 26),
        b'0'..=b'9' => (b'0', 52),
        b'+' => return Some(62),
        b'/' => return Some(63),
        _ => return None,
    };
    Some(u32::from(letter - first) + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 4648, section 10.
    const PAIRS: [(&str, &str); 7] = [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ];

    #[test]
    fn base64_is_written_and_read_as_the_rfc_has_it() {
        for (plain, coded) in PAIRS {
            let mut out = Vec::new();
            encode(plain.as_bytes(), &mut out);
            assert_eq!(out, coded.as_bytes());
            assert_eq!(decode(coded).unwrap(), plain.as_bytes());
            assert_eq!(
                decode(coded.trim_end_matches('=')).unwrap(),
                plain.as_bytes()
            );
        }
        assert_eq!(decode("+/+/").unwrap(), [0xfb, 0xff, 0xbf]);
    }

    #[test]
    fn what_is_no_base64_is_not_guessed_at() {
        for wrong in [
            "A", "A===", "Zg=", "Zg===", "Z=g=", "Zm9vY", "Zh==", "-_-_", "Zm 9", "\u{e9}",
        ] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
