//! What a stream hasn't taken yet.

use std::io::IoSlice;
use std::mem;

use crate::frame;

/// Whole frames, of which the first bytes may have left already.
#[derive(Default)]
pub(super) struct Queue {
    frames: Vec<u8>,
    sent: usize,
}

/// What has left may take up this much before room is made.
pub(super) const COMPACT_BYTES: usize = 64 * 1024;

impl Queue {
    pub(super) const fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes that haven't left.
    pub(super) const fn waiting(&self) -> usize {
        self.frames.len() - self.sent
    }

    /// What hasn't left, if there is any.
    pub(super) fn rest(&self) -> Option<&[u8]> {
        self.frames.get(self.sent..).filter(|it| !it.is_empty())
    }

    /// Lets whole frames wait that lie in several places, so many bytes together.
    pub(super) fn push(&mut self, slices: &[IoSlice<'_>], bytes: usize, bytes_max: usize) {
        self.make_room(bytes, bytes_max);
        for slice in slices {
            self.frames.extend_from_slice(slice);
        }
    }

    /// Lets one message wait.
    pub(super) fn write(&mut self, opcode: u8, message: &[u8], bytes_max: usize) {
        self.make_room(frame::HEADER_BYTES_MAX + message.len(), bytes_max);
        frame::write(&mut self.frames, opcode, message);
    }

    /// Everything has left.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Notes that so many bytes more have left.
    pub(super) const fn pass(&mut self, bytes: usize) {
        self.sent += bytes;
    }

    /// Makes room of what has left, up to the start of the frame that is on its way.
    pub(super) fn compact(&mut self) {
        if self.sent < COMPACT_BYTES {
            return;
        }
        let mut start = 0;
        while let Some(frame) = frame::at(&self.frames, start).filter(|it| it.end <= self.sent) {
            start = frame.end;
        }
        if start == 0 {
            return;
        }
        let rest = self.frames.split_off(start);
        drop(mem::replace(&mut self.frames, rest));
        self.sent -= start;
    }

    /// Forgets every frame that hasn't begun to leave.
    pub(super) fn cut(&mut self) {
        let mut end = 0;
        while end < self.sent {
            match frame::at(&self.frames, end) {
                Some(frame) => end = frame.end,
                None => break,
            }
        }
        self.frames.truncate(end);
    }

    /// Takes out messages from the first on, for as long as they are wanted: each with whether it is
    /// a text.
    pub(super) fn take(&mut self, mut wanted: impl FnMut(bool, &[u8]) -> bool) {
        let mut end = 0;
        while let Some((opcode, payload)) = frame::parts(&self.frames, end) {
            let next = payload.end;
            let Some(payload) = self.frames.get(payload) else {
                break;
            };
            // What else there may be concerns a socket.
            let is_message = opcode == frame::TEXT || opcode == frame::BINARY;
            if is_message && !wanted(opcode == frame::TEXT, payload) {
                break;
            }
            end = next;
        }
        self.frames.drain(..end);
        if self.frames.is_empty() {
            // What once waited for a poll isn't kept as room for the next.
            self.clear();
        }
    }

    /// Lets what waits elsewhere leave first.
    pub(super) fn follow(&mut self, first: Self) {
        let later = mem::replace(self, first);
        self.frames.extend_from_slice(&later.frames);
    }

    /// Makes room for so many bytes more: for twice as many as there are, so that it isn't made too
    /// often, but not for more than may ever wait.
    fn make_room(&mut self, bytes: usize, bytes_max: usize) {
        let length = self.frames.len();
        let needed = length + bytes;
        if needed > self.frames.capacity() {
            let generous = needed.max(2 * length).min(bytes_max + COMPACT_BYTES);
            self.frames.reserve_exact(generous.max(needed) - length);
        }
    }

    /// Bytes that are held, those that have left included.
    #[cfg(test)]
    pub(super) const fn kept(&self) -> usize {
        self.frames.len()
    }

    #[cfg(test)]
    pub(super) const fn capacity(&self) -> usize {
        self.frames.capacity()
    }
}
