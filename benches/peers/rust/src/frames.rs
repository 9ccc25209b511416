//! The least of WebSocket that a server can do with: an upgrade, and the frames of one text each.

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// What a client sent, as far as it is there.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text: where it lies in the bytes, unmasked.
    Text(std::ops::Range<usize>),
    /// A ping with this much to send back, unmasked.
    Ping(std::ops::Range<usize>),
    /// Nothing to act upon.
    Pong,
    /// The client goes, or speaks something else.
    Close,
}

/// The next frame of a client and where the one after it begins; `None` if it isn't all there.
pub fn next(bytes: &mut [u8], start: usize) -> Option<(Frame, usize)> {
    let head = bytes.get(start..)?;
    let [first, second, ..] = *head else {
        return None;
    };
    let (long, mask_at) = match second & 0x7f {
        126 => (
            u16::from_be_bytes([*head.get(2)?, *head.get(3)?]).into(),
            start + 4,
        ),
        127 => return Some((Frame::Close, bytes.len())),
        short => (usize::from(short), start + 2),
    };
    let mask: [u8; 4] = bytes.get(mask_at..mask_at + 4)?.try_into().ok()?;
    let payload = mask_at + 4..mask_at + 4 + long;
    for (byte, mask) in bytes
        .get_mut(payload.clone())?
        .iter_mut()
        .zip(mask.iter().cycle())
    {
        *byte ^= mask;
    }
    let end = payload.end;
    let frame = match first {
        0x81 => Frame::Text(payload),
        0x89 => Frame::Ping(payload),
        0x8a => Frame::Pong,
        _ => Frame::Close,
    };
    Some((frame, end))
}

/// Appends a whole frame of the server with this opcode.
pub fn append(frames: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    frames.push(0x80 | opcode);
    match u16::try_from(payload.len()) {
        Ok(short @ 0..126) => frames.push(short.to_le_bytes()[0]),
        Ok(long) => {
            frames.push(126);
            frames.extend(long.to_be_bytes());
        }
        Err(_) => unreachable!("no longer frame is read"),
    }
    frames.extend(payload);
}

/// The room that an upgrade asks for, and the answer; `None` if it isn't all there or no upgrade.
pub fn upgrade(request: &[u8]) -> Option<(String, String)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Request::new(&mut headers);
    if !parsed.parse(request).ok()?.is_complete() {
        return None;
    }
    let mut headers = parsed.headers.iter();
    let key = headers.find(|header| header.name.eq_ignore_ascii_case("sec-websocket-key"))?;
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.value)
    );
    Some((crate::room(parsed.path?), answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_text_is_read_once_it_is_whole() {
        let mut bytes = vec![0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1];
        assert_eq!(next(&mut bytes.clone(), 0), None);
        bytes.push(b'i' ^ 2);
        assert_eq!(next(&mut bytes, 0), Some((Frame::Text(6..8), 8)));
        assert_eq!(bytes[6..8], *b"hi");
        assert_eq!(next(&mut bytes, 8), None);
    }

    #[test]
    fn lengths_are_written_as_they_are_read() {
        for long in [0, 125, 126, 65_535] {
            let mut frames = Vec::new();
            append(&mut frames, 1, &vec![b'x'; long]);
            let mut masked = frames.clone();
            let head = frames.len() - long;
            masked[1] |= 0x80;
            masked.splice(head..head, [0; 4]);
            let end = masked.len();
            assert_eq!(
                next(&mut masked, 0),
                Some((Frame::Text(end - long..end), end))
            );
        }
    }
}
