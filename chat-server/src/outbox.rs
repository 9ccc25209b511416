//! The one way out of a connection: everything that leaves a socket passes through here, in order.
//!
//! A write is tried at once. What the socket doesn't take waits here, and until it is gone
//! everything later waits behind it, up to a bound. Whoever passes the bound is too slow.

mod queue;

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use self::queue::Queue;
use crate::frame;

/// A byte stream: the fast path, or whatever else a host has.
pub(crate) enum Wire {
    /// A socket of ours.
    Plain(TcpStream),
    /// TLS, a pipe, or a stream of an unknown host.
    Boxed(Pin<Box<dyn Duplex>>),
    /// No stream: whatever is sent waits, until it is taken or a stream is there.
    Held,
}

/// Both halves of a byte stream.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

/// A connection's stream and what waits to leave by it. It belongs to one worker.
pub(crate) struct Outbox {
    wire: RefCell<Wire>,
    queue: RefCell<Queue>,
    state: Cell<State>,
    /// Whoever reads the connection, and is told when something has to be done for it.
    task: RefCell<Option<Waker>>,
    bytes_max: usize,
    /// Reads that are left until others have their turn.
    reads: Cell<u32>,
}

/// Reads of one connection before others have their turn, however much comes.
const READS_MAX: u32 = 16;

/// Whether more may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Yes.
    Open,
    /// No: the reader is too slow, and has to be told so.
    Lagging,
    /// No: the stream is broken.
    Broken,
}

impl Outbox {
    pub(crate) fn new(wire: Wire, bytes_max: usize) -> Self {
        Self {
            wire: RefCell::new(wire),
            queue: RefCell::default(),
            state: Cell::new(State::Open),
            task: RefCell::new(None),
            bytes_max,
            reads: Cell::new(READS_MAX),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state.get()
    }

    /// Bytes that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.borrow().waiting()
    }

    /// Sends whole frames.
    pub(crate) fn send(&self, frames: &[u8]) {
        self.send_slices(&[IoSlice::new(frames)]);
    }

    /// Sends one text message.
    pub(crate) fn send_text(&self, text: &[u8]) {
        let mut bytes = Vec::with_capacity(text.len() + 10);
        frame::write(&mut bytes, frame::TEXT, text);
        self.send(&bytes);
    }

    /// Sends one binary message.
    pub(crate) fn send_binary(&self, message: &[u8]) {
        let mut bytes = Vec::with_capacity(message.len() + 10);
        frame::write(&mut bytes, frame::BINARY, message);
        self.send(&bytes);
    }

    /// Sends whole frames that may be lost: they are, if anything waits already.
    pub(crate) fn send_if_idle(&self, frames: &[u8]) -> bool {
        let idle = self.waiting() == 0;
        if idle {
            self.send(frames);
        }
        idle
    }

    /// Sends whole frames that lie in several places, with one write.
    pub(crate) fn send_slices(&self, slices: &[IoSlice<'_>]) {
        if self.state.get() != State::Open {
            return;
        }
        let mut queue = self.queue.borrow_mut();
        let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
        let mut sent = 0;
        let idle = queue.is_empty();
        if idle {
            match self.try_write(slices) {
                Ok(written) => sent = written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return self.fail(State::Broken),
            }
            if sent == bytes {
                return;
            }
        }
        // One thing may be longer than the bound if nothing else waits: an answer may be a whole
        // page, and who reads it is not too slow.
        let full = !idle && queue.waiting() + bytes > self.bytes_max;
        #[cfg(sabotage)]
        let full = full && !chat_core::sabotage::planted("unbounded_outbox");
        if full {
            self.state.set(State::Lagging);
        } else {
            queue.push(slices, bytes, self.bytes_max);
            queue.pass(sent);
        }
        drop(queue);
        self.wake();
    }

    /// Sends what waits, as far as the stream takes it.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut queue = self.queue.borrow_mut();
            let Some(rest) = queue.rest() else {
                *queue = Queue::default();
                drop(queue);
                return self.poll_flush_wire(cx);
            };
            let written = match &mut *self.wire.borrow_mut() {
                Wire::Plain(stream) => match stream.try_write(rest) {
                    Ok(written) => written,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        std::task::ready!(stream.poll_write_ready(cx))?;
                        continue;
                    }
                    Err(error) => return Poll::Ready(Err(error)),
                },
                Wire::Boxed(stream) => std::task::ready!(stream.as_mut().poll_write(cx, rest))?,
                Wire::Held => return Poll::Pending,
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            queue.pass(written);
            queue.compact();
        }
    }

    /// Sends what waits as far as the stream takes it; a broken stream shows in the state.
    pub(crate) fn flush(&self, cx: &mut Context<'_>) {
        if let Poll::Ready(Err(_)) = self.poll_flush(cx) {
            self.state.set(State::Broken);
        }
    }

    fn poll_flush_wire(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self.wire.borrow_mut() {
            Wire::Plain(_) | Wire::Held => Poll::Ready(Ok(())),
            Wire::Boxed(stream) => stream.as_mut().poll_flush(cx),
        }
    }

    /// Ends the half that writes: the peer reads what has left, and then the end.
    pub(crate) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self.wire.borrow_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Boxed(stream) => stream.as_mut().poll_shutdown(cx),
            Wire::Held => Poll::Ready(Ok(())),
        }
    }

    /// Ends the lag: forgets every frame that hasn't begun to leave, and lets one last thing
    /// follow.
    pub(crate) fn cut(&self) {
        self.queue.borrow_mut().cut();
        if self.state.get() == State::Lagging {
            self.state.set(State::Open);
        }
    }

    /// Takes out messages that wait without a stream, from the first on, for as long as they are
    /// wanted: each with whether it is a text.
    pub(crate) fn take(&self, wanted: impl FnMut(bool, &[u8]) -> bool) {
        self.queue.borrow_mut().take(wanted);
    }

    /// Takes over another outbox's stream: what waits there leaves first.
    pub(crate) fn adopt(&self, other: &Self) {
        self.wire.replace(other.wire.replace(Wire::Held));
        self.queue.borrow_mut().follow(other.queue.take());
        self.wake();
    }

    /// Whether the stream may have something to read; wakes the task when it has.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &*self.wire.borrow() {
            Wire::Plain(stream) => stream.poll_read_ready(cx),
            // The read itself registers the task.
            Wire::Boxed(_) => Poll::Ready(Ok(())),
            Wire::Held => Poll::Pending,
        }
    }

    /// Whether a read that found nothing has seen to it that the task is woken.
    pub(crate) fn reads_by_itself(&self) -> bool {
        matches!(&*self.wire.borrow(), Wire::Boxed(_))
    }

    /// Allows some more reads.
    pub(crate) fn begin_reading(&self) {
        self.reads.set(READS_MAX);
    }

    /// Whether a read found nothing only because others are to have their turn.
    pub(crate) fn has_read_enough(&self) -> bool {
        self.reads.get() == 0
    }

    /// Reads what there is; `WouldBlock` if there is nothing, or enough was read.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(left) = self.reads.get().checked_sub(1) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        self.reads.set(left);
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("flood_reads_on") {
            self.reads.set(READS_MAX);
        }
        match &mut *self.wire.borrow_mut() {
            Wire::Plain(stream) => stream.try_read(buffer),
            Wire::Held => Err(io::ErrorKind::WouldBlock.into()),
            Wire::Boxed(stream) => {
                let task = self.task.borrow();
                let waker = task.as_ref().unwrap_or(Waker::noop());
                let mut buffer = ReadBuf::new(buffer);
                match stream
                    .as_mut()
                    .poll_read(&mut Context::from_waker(waker), &mut buffer)
                {
                    Poll::Ready(Ok(())) => Ok(buffer.filled().len()),
                    Poll::Ready(Err(error)) => Err(error),
                    Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
                }
            }
        }
    }

    /// Remembers whom to wake.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        let mut task = self.task.borrow_mut();
        if !task.as_ref().is_some_and(|it| it.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
    }

    /// Wakes whoever reads the connection.
    pub(crate) fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    fn fail(&self, state: State) {
        self.state.set(state);
        self.wake();
    }

    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut *self.wire.borrow_mut() {
            Wire::Plain(stream) => match slices {
                [one] => stream.try_write(one),
                many => stream.try_write_vectored(many),
            },
            // What a boxed stream takes may still lie in its own buffers: its task flushes them.
            Wire::Boxed(_) | Wire::Held => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;

    /// An outbox whose stream takes this much before somebody reads.
    fn outbox(takes: usize, bytes_max: usize) -> (Outbox, DuplexStream) {
        let (ours, theirs) = duplex(takes);
        (Outbox::new(Wire::Boxed(Box::pin(ours)), bytes_max), theirs)
    }

    fn framed(texts: &[&str]) -> Vec<u8> {
        let mut frames = Vec::new();
        for text in texts {
            frame::write(&mut frames, frame::TEXT, text.as_bytes());
        }
        frames
    }

    /// Flushes once, as far as the stream takes it.
    async fn flush(outbox: &Outbox) {
        poll_fn(|cx| {
            outbox.flush(cx);
            Poll::Ready(())
        })
        .await;
    }

    async fn read(stream: &mut DuplexStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    #[tokio::test]
    async fn what_a_stream_does_not_take_follows_in_order() {
        let (outbox, mut peer) = outbox(4, 1024);
        let all = framed(&["one", "two", "three"]);
        outbox.send_text(b"one");
        outbox.send_slices(&[
            IoSlice::new(&framed(&["two"])),
            IoSlice::new(&framed(&["three"])),
        ]);
        let mut heard = Vec::new();
        while heard.len() < all.len() {
            flush(&outbox).await;
            heard.extend(read(&mut peer, 1).await);
        }
        flush(&outbox).await;
        assert_eq!((heard, outbox.waiting()), (all, 0));
    }

    #[tokio::test]
    async fn who_lags_hears_the_frame_that_has_begun_and_the_last_words() {
        let (outbox, mut peer) = outbox(4, 20);
        outbox.send_text(b"begun");
        flush(&outbox).await;
        outbox.send_text(b"waits");
        assert_eq!(outbox.state(), State::Open);
        outbox.send_text(b"too much of it");
        assert_eq!(outbox.state(), State::Lagging);
        outbox.send_text(b"not even kept");
        outbox.cut();
        outbox.send_text(b"lagged");
        let all = framed(&["begun", "lagged"]);
        let mut heard = Vec::new();
        while heard.len() < all.len() {
            flush(&outbox).await;
            heard.extend(read(&mut peer, 1).await);
        }
        assert_eq!(
            (heard, outbox.state(), outbox.waiting()),
            (all, State::Open, 0)
        );
    }

    #[test]
    fn what_waits_is_bounded_to_the_byte() {
        const BOUND: usize = 1_000;
        for (bytes, state) in [
            (BOUND - 1, State::Open),
            (BOUND, State::Open),
            (BOUND + 1, State::Lagging),
        ] {
            let held = Outbox::new(Wire::Held, BOUND);
            let first = framed(&["first"]);
            held.send(&first);
            held.send(&vec![0; bytes - first.len()]);
            assert_eq!(held.state(), state, "{bytes}");
            let kept = if bytes > BOUND { first.len() } else { bytes };
            assert_eq!(held.waiting(), kept);
            // Nor does the memory for it grow beyond.
            assert!(held.queue.borrow().capacity() <= BOUND + queue::COMPACT_BYTES);
        }
    }

    #[tokio::test]
    async fn signals_give_way_to_whatever_waits() {
        let (outbox, _peer) = outbox(4, 1024);
        assert!(outbox.send_if_idle(&framed(&["typing"])));
        assert!(!outbox.send_if_idle(&framed(&["typing"])));
        assert_eq!(outbox.waiting(), framed(&["typing"]).len());
    }

    #[tokio::test]
    async fn without_a_stream_everything_waits_until_it_is_taken_or_a_stream_comes() {
        let held = Outbox::new(Wire::Held, 1024);
        for text in ["one", "two", "three"] {
            held.send_text(text.as_bytes());
        }
        held.send_binary(&[1, 2]);
        let mut taken = Vec::new();
        held.take(|is_text, message| {
            let wanted = message == b"one";
            if wanted {
                taken.push(is_text);
            }
            wanted
        });
        assert_eq!(taken, [true]);
        let (outbox, mut peer) = outbox(1024, 1024);
        outbox.send_text(b"before");
        held.adopt(&outbox);
        flush(&held).await;
        let mut all = framed(&["before", "two", "three"]);
        frame::write(&mut all, frame::BINARY, &[1, 2]);
        assert_eq!(read(&mut peer, all.len()).await, all);
        assert_eq!(held.waiting(), 0);
    }

    #[tokio::test]
    async fn a_long_queue_makes_room_and_loses_nothing() {
        let (outbox, mut peer) = outbox(50_000, 1 << 20);
        let long = "x".repeat(30_000);
        let all = framed(&[long.as_str(); 10]);
        for _ in 0..10 {
            outbox.send_text(long.as_bytes());
        }
        let mut heard = Vec::new();
        while heard.len() < all.len() {
            flush(&outbox).await;
            let most = (all.len() - heard.len()).min(10_000);
            heard.extend(read(&mut peer, most).await);
            let kept = outbox.queue.borrow().kept();
            assert!(kept <= all.len() - heard.len() + 2 * queue::COMPACT_BYTES + 50_000);
        }
        assert!(heard == all);
    }

    #[tokio::test]
    async fn a_broken_stream_shows_in_the_state() {
        let (outbox, peer) = outbox(4, 1024);
        drop(peer);
        outbox.send_text(b"nobody hears");
        flush(&outbox).await;
        assert_eq!(outbox.state(), State::Broken);
    }
}
