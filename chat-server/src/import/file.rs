//! The file's lines: in order, and again by their place.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// The longest line. No user, room or message of any server needs more.
const LINE_BYTES_MAX: usize = 1024 * 1024;

const BUFFER_BYTES: usize = 16 * 1024;

/// Where a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its first byte.
    pub(super) offset: u64,
    /// Its number, from 1.
    pub(super) number: u64,
}

/// The lines of a file.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    next: Place,
    bytes: Vec<u8>,
}

impl<R: Read + Seek> Lines<R> {
    pub(super) fn of(file: R) -> Self {
        Self {
            reader: BufReader::with_capacity(BUFFER_BYTES, file),
            next: Place {
                offset: 0,
                number: 1,
            },
            bytes: Vec::new(),
        }
    }

    /// The next line that isn't blank, or why it is none; nothing at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<(Place, Result<&str, &'static str>)>> {
        loop {
            let place = self.next;
            let read = self.fill()?;
            if read == 0 {
                return Ok(None);
            }
            self.next = Place {
                offset: place.offset + read,
                number: place.number + 1,
            };
            if !self.bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some((place, text(&self.bytes, place.offset))));
            }
        }
    }

    /// The line that begins at this byte.
    pub(super) fn at(&mut self, offset: u64) -> io::Result<Result<&str, &'static str>> {
        let here = self.next.offset;
        // Within the buffer, most often: rooms tend to lie together, and time goes on.
        match i64::try_from(offset).ok().zip(i64::try_from(here).ok()) {
            Some((offset, here)) => self.reader.seek_relative(offset - here)?,
            None => drop(self.reader.seek(SeekFrom::Start(offset))?),
        }
        self.next.offset = offset;
        self.next.offset += self.fill()?;
        Ok(text(&self.bytes, offset))
    }

    /// Reads up to the end of the line, and keeps no more of it than one over the bound; returns how
    /// many bytes were read.
    fn fill(&mut self) -> io::Result<u64> {
        self.bytes.clear();
        let mut read = 0;
        loop {
            let buffer = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or(buffer);
            let room = (LINE_BYTES_MAX + 1).saturating_sub(self.bytes.len());
            self.bytes.extend(part.iter().take(room));
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            read += used as u64;
            if end.is_some() || used == 0 {
                return Ok(read);
            }
        }
    }
}

fn text(bytes: &[u8], offset: u64) -> Result<&str, &'static str> {
    if bytes.len() > LINE_BYTES_MAX {
        return Err("the line is longer than 1 MiB");
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "the line is not UTF-8")?;
    // A mark of the byte order, as some editors put it in front.
    let text = if offset == 0 {
        text.strip_prefix('\u{feff}').unwrap_or(text)
    } else {
        text
    };
    Ok(text.trim())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn lines_are_read_in_order_and_again_in_any() {
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        let file = format!("\u{feff}one\r\n\n  two\n{long}\n\u{e9}\nlast");
        let mut lines = Lines::of(Cursor::new(file));
        let mut places = Vec::new();
        let mut read = Vec::new();
        while let Some((place, text)) = lines.next().unwrap() {
            places.push(place);
            read.push((place.number, text.map(str::to_owned)));
        }
        assert_eq!(
            read,
            [
                (1, Ok("one".into())),
                (3, Ok("two".into())),
                (4, Err("the line is longer than 1 MiB")),
                (5, Ok("\u{e9}".into())),
                (6, Ok("last".into())),
            ]
        );
        for (place, (_, text)) in places.iter().zip(&read).rev() {
            let again = lines.at(place.offset).unwrap().map(str::to_owned);
            assert_eq!(again, *text);
        }
        assert_eq!(lines.at(places[1].offset).unwrap(), Ok("two"));
    }

    #[test]
    fn what_is_no_text_is_no_line() {
        let mut lines = Lines::of(Cursor::new(b"\xff\nb".as_slice()));
        assert_eq!(
            lines.next().unwrap().unwrap().1,
            Err("the line is not UTF-8")
        );
        assert_eq!(lines.next().unwrap().unwrap().1, Ok("b"));
        assert_eq!(lines.next().unwrap(), None);
        // Shorter than it was.
        assert_eq!(lines.at(100).unwrap(), Ok(""));
    }
}
