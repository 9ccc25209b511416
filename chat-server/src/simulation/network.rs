//! Connections that deliver late, in pieces, and end at any byte.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::dice::Dice;

/// How a network behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    /// Most milliseconds that a piece takes.
    pub(super) late_ms_max: u64,
    /// Bytes on their way in one direction, before whoever writes has to wait.
    pub(super) bytes_max: usize,
    /// Most bytes of a piece.
    pub(super) piece_bytes_max: u64,
}

/// One half of a connection.
#[derive(Debug)]
pub(super) struct End {
    reads: Arc<Mutex<Way>>,
    writes: Arc<Mutex<Way>>,
    due: Option<Pin<Box<Sleep>>>,
}

/// Both ways of a connection, to be cut.
#[derive(Clone, Debug)]
pub(super) struct Cable([Arc<Mutex<Way>>; 2]);

/// Bytes on their way in one direction.
#[derive(Debug)]
struct Way {
    pieces: VecDeque<(Instant, VecDeque<u8>)>,
    waiting: usize,
    ended: Ended,
    weather: Weather,
    dice: Dice,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    No,
    /// What is on its way arrives, then the end.
    Closed,
    /// The same, and nothing more can be written.
    Cut,
}

/// Two ends of one connection.
pub(super) fn connection(weather: Weather, dice: &mut Dice) -> (End, End, Cable) {
    let way = |dice: &mut Dice| {
        Arc::new(Mutex::new(Way {
            pieces: VecDeque::new(),
            waiting: 0,
            ended: Ended::No,
            weather,
            dice: dice.fork(),
            reader: None,
            writer: None,
        }))
    };
    let (up, down) = (way(dice), way(dice));
    let end = |reads: &Arc<Mutex<Way>>, writes: &Arc<Mutex<Way>>| End {
        reads: reads.clone(),
        writes: writes.clone(),
        due: None,
    };
    (end(&down, &up), end(&up, &down), Cable([up, down]))
}

fn lock(way: &Mutex<Way>) -> MutexGuard<'_, Way> {
    way.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cable {
    /// Cuts the connection: of what is on its way some bytes arrive, the others never.
    pub(super) fn cut(&self) {
        for way in &self.0 {
            let mut way = lock(way);
            let arrive = way.dice.draw();
            way.cut(usize::try_from(arrive).unwrap_or(usize::MAX));
        }
    }

    /// Lets everything pass at once from here on.
    pub(super) fn clear(&self) {
        for way in &self.0 {
            lock(way).weather.late_ms_max = 1;
        }
    }
}

impl Way {
    fn cut(&mut self, arrive: usize) {
        if self.ended == Ended::Cut {
            return;
        }
        let mut left = arrive % (self.waiting + 1);
        for (_, piece) in &mut self.pieces {
            piece.truncate(left);
            left -= piece.len();
        }
        self.pieces.retain(|(_, piece)| !piece.is_empty());
        self.waiting = self.pieces.iter().map(|(_, piece)| piece.len()).sum();
        self.ended = Ended::Cut;
        self.wake();
    }

    fn wake(&mut self) {
        let wakers = [self.reader.take(), self.writer.take()];
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn take_in(&mut self, bytes: &[u8]) -> usize {
        let free = self.weather.bytes_max.saturating_sub(self.waiting);
        let most = self.dice.between(1, self.weather.piece_bytes_max + 1);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let piece: VecDeque<u8> = bytes.iter().copied().take(free.min(most)).collect();
        let length = piece.len();
        let late = self.dice.between(0, self.weather.late_ms_max + 1);
        let mut due = Instant::now() + Duration::from_millis(late);
        if let Some((last, _)) = self.pieces.back() {
            due = due.max(*last);
        }
        self.waiting += length;
        self.pieces.push_back((due, piece));
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        length
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let mut way = lock(&this.reads);
            let Some((due, piece)) = way.pieces.front_mut() else {
                if way.ended != Ended::No {
                    return Poll::Ready(Ok(()));
                }
                way.reader = Some(cx.waker().clone());
                return Poll::Pending;
            };
            let due = *due;
            if due <= Instant::now() {
                let length = piece.len().min(buffer.remaining());
                let bytes: Vec<u8> = piece.drain(..length).collect();
                if piece.is_empty() {
                    way.pieces.pop_front();
                }
                way.waiting -= length;
                buffer.put_slice(&bytes);
                if let Some(writer) = way.writer.take() {
                    writer.wake();
                }
                return Poll::Ready(Ok(()));
            }
            way.reader = Some(cx.waker().clone());
            drop(way);
            let timer = this.due.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut way = lock(&self.writes);
        if way.ended != Ended::No {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if way.waiting >= way.weather.bytes_max {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(way.take_in(bytes)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut way = lock(&self.writes);
        if way.ended == Ended::No {
            way.ended = Ended::Closed;
            way.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut writes = lock(&self.writes);
        if writes.ended == Ended::No {
            writes.ended = Ended::Closed;
        }
        writes.wake();
        drop(writes);
        // Nobody reads what is still on its way.
        lock(&self.reads).cut(0);
    }
}
