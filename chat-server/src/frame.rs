//! WebSocket frames as a server writes them: whole, unmasked (RFC 6455, section 5.2).

use std::ops::Range;

/// A text message.
pub(crate) const TEXT: u8 = 0x1;

/// A binary message.
pub(crate) const BINARY: u8 = 0x2;

/// Bytes before a payload, at most.
pub(crate) const HEADER_BYTES_MAX: usize = 10;

/// Appends one whole frame to a buffer.
pub(crate) fn write(buffer: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    let length = payload.len();
    buffer.reserve(HEADER_BYTES_MAX + length);
    buffer.push(0x80 | opcode);
    if let Ok(short) = u8::try_from(length)
        && short < 126
    {
        buffer.push(short);
    } else if let Ok(medium) = u16::try_from(length) {
        buffer.push(126);
        buffer.extend_from_slice(&medium.to_be_bytes());
    } else {
        buffer.push(127);
        buffer.extend_from_slice(&(length as u64).to_be_bytes());
    }
    buffer.extend_from_slice(payload);
}

/// The frame that begins at `start` of a buffer of whole frames; none at its end.
pub(crate) fn at(buffer: &[u8], start: usize) -> Option<Range<usize>> {
    let (_, payload) = parts(buffer, start)?;
    Some(start..payload.end)
}

/// The opcode of that frame, and where its payload lies.
pub(crate) fn parts(buffer: &[u8], start: usize) -> Option<(u8, Range<usize>)> {
    let header = buffer.get(start..)?;
    let (&first, rest) = header.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (before, length) = match short & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (
            10,
            usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?,
        ),
        length => (2, usize::from(length)),
    };
    let payload = start.checked_add(before)?;
    Some((first & 0xf, payload..payload.checked_add(length)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_are_found_again() {
        let mut buffer = Vec::new();
        let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 100_000];
        for length in lengths {
            write(&mut buffer, TEXT, &vec![b'x'; length]);
        }
        let mut start = 0;
        for length in lengths {
            let frame = at(&buffer, start).unwrap();
            assert_eq!(&buffer[frame.end - length..frame.end], &vec![b'x'; length]);
            assert_eq!(
                parts(&buffer, start),
                Some((TEXT, frame.end - length..frame.end))
            );
            start = frame.end;
        }
        assert_eq!(at(&buffer, start), None);
    }
}
