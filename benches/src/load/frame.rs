//! WebSocket frames as a client reads and writes them (RFC 6455, section 5).
//!
//! No more than the load generator needs: what comes in is whole, unmasked and uncompressed, and is
//! read where it lies.

/// A frame of the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text or binary message, whole.
    Message(&'a [u8]),
    /// It asks for a pong with the same bytes.
    Ping(&'a [u8]),
    /// An answer to a ping.
    Pong,
    /// The end, with code and words.
    Close(&'a [u8]),
}

/// A frame that this client doesn't read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A message that comes in parts.
    #[error("the server sends messages in parts")]
    InParts,
    /// A frame that is compressed or masked, or of an unknown kind.
    #[error("the server sends a frame that begins with {0:#04x} {1:#04x}")]
    Unknown(u8, u8),
}

/// Takes the first frame off the bytes, if it is there as a whole, and gives the rest.
///
/// # Errors
///
/// If the frame is of a kind that isn't read.
pub fn take(bytes: &[u8]) -> Result<Option<(Frame<'_>, &[u8])>, FrameError> {
    let [first, second, after @ ..] = bytes else {
        return Ok(None);
    };
    let (length, after) = match (second, after) {
        (0..=125, _) => (usize::from(*second), after),
        (126, [high, low, after @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), after),
        (127, after) => match after.split_first_chunk::<8>() {
            Some((length, after)) => (number(*length), after),
            None => return Ok(None),
        },
        (126, _) => return Ok(None),
        (128.., _) => return Err(FrameError::Unknown(*first, *second)),
    };
    let Some((payload, rest)) = after.split_at_checked(length) else {
        return Ok(None);
    };
    let frame = match first {
        0x81 | 0x82 => Frame::Message(payload),
        0x88 => Frame::Close(payload),
        0x89 => Frame::Ping(payload),
        0x8a => Frame::Pong,
        0x00..=0x02 | 0x80 => return Err(FrameError::InParts),
        _ => return Err(FrameError::Unknown(*first, *second)),
    };
    Ok(Some((frame, rest)))
}

/// Adds a text message to what is to be sent.
pub fn text(payload: &[u8], out: &mut Vec<u8>) {
    masked(0x81, payload, out);
}

/// Adds the answer to a ping to what is to be sent.
pub fn pong(payload: &[u8], out: &mut Vec<u8>) {
    masked(0x8a, payload, out);
}

/// The words for the end of a connection: code and reason.
#[must_use]
pub fn reason(payload: &[u8]) -> String {
    match payload {
        [high, low, words @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            format!("close {code} {}", String::from_utf8_lossy(words))
        }
        _ => "close without a code".to_owned(),
    }
}

/// A length that no machine's memory holds is as good as any other: its frame never ends.
fn number(bytes: [u8; 8]) -> usize {
    usize::try_from(u64::from_be_bytes(bytes)).unwrap_or(usize::MAX)
}

/// Every frame bears the same mask. It protects proxies from pages; there is neither here.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn masked(first: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => out.push(0x80 | length),
        (_, Ok(length)) => {
            out.push(0x80 | 126);
            out.extend(length.to_be_bytes());
        }
        (_, Err(_)) => {
            out.push(0x80 | 127);
            out.extend((payload.len() as u64).to_be_bytes());
        }
    }
    out.extend(MASK);
    let begin = out.len();
    out.extend_from_slice(payload);
    for quad in out.iter_mut().skip(begin).zip(MASK.iter().cycle()) {
        *quad.0 ^= quad.1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of a client become frames of a server: the mask is taken off.
    fn unmasked(frame: &[u8]) -> Vec<u8> {
        let header = match frame[1] & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let mut out = frame[..header].to_vec();
        out[1] &= 0x7f;
        let masked = frame[header + 4..].iter().enumerate();
        out.extend(masked.map(|(at, byte)| byte ^ frame[header + at % 4]));
        out
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut out = Vec::new();
            text(&payload, &mut out);
            let mut frame = unmasked(&out);
            let whole = frame.len();
            frame.extend(b"next");
            let taken = take(&frame).unwrap();
            assert_eq!(taken, Some((Frame::Message(&payload), &b"next"[..])));
            for cut in 0..whole {
                assert_eq!(take(&frame[..cut]).unwrap(), None, "{cut} of {whole}");
                if cut == 20 {
                    break;
                }
            }
        }
    }

    #[test]
    fn what_can_not_be_read_is_said() {
        assert_eq!(take(&[0x01, 0]), Err(FrameError::InParts));
        assert_eq!(take(&[0xc1, 0]), Err(FrameError::Unknown(0xc1, 0)));
        assert_eq!(take(&[0x81, 0x80]), Err(FrameError::Unknown(0x81, 0x80)));
        assert_eq!(take(&[0x88, 0]), Ok(Some((Frame::Close(b""), &b""[..]))));
        assert_eq!(reason(&[0x03, 0xf1, b'n', b'o']), "close 1009 no");
    }
}
