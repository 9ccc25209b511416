//! The one way out of a connection: everything that leaves a socket passes through here, in order.
//!
//! A write is tried at once. What the socket doesn't take waits here, and until it is gone
//! everything later waits behind it, up to a bound. Whoever passes the bound is too slow.

mod queue;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::unconstrained;

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
    /// Whether what waits does so for what is sent next, not for the stream.
    corked: Cell<bool>,
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
            corked: Cell::new(false),
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
        let mut bytes = Vec::with_capacity(frame::HEADER_BYTES_MAX + text.len());
        frame::write(&mut bytes, frame::TEXT, text);
        self.send(&bytes);
    }

    /// Lets one text message leave with what is sent next, or with [`Outbox::uncork`].
    pub(crate) fn put_text(&self, text: &[u8]) {
        if self.state.get() != State::Open {
            return;
        }
        let mut queue = self.queue.borrow_mut();
        let idle = queue.is_empty();
        if !idle && queue.waiting() + text.len() > self.bytes_max {
            return self.fail(State::Lagging);
        }
        queue.write(frame::TEXT, text, self.bytes_max);
        if idle {
            self.corked.set(true);
        }
    }

    /// Sends what waited for something to leave with.
    pub(crate) fn uncork(&self) {
        if self.corked.get() {
            self.send_slices(&[]);
        }
    }

    /// Sends one binary message.
    pub(crate) fn send_binary(&self, message: &[u8]) {
        let mut bytes = Vec::with_capacity(frame::HEADER_BYTES_MAX + message.len());
        frame::write(&mut bytes, frame::BINARY, message);
        self.send(&bytes);
    }

    /// Sends whole frames that may be lost: they are, if anything waits already.
    pub(crate) fn send_if_idle(&self, frames: &[u8]) -> bool {
        let idle = self.is_idle();
        if idle {
            self.send(frames);
        }
        idle
    }

    /// Whether nothing waits for the stream.
    pub(crate) fn is_idle(&self) -> bool {
        self.corked.get() || self.waiting() == 0
    }

    /// Sends whole frames that lie in several places, with one write.
    pub(crate) fn send_slices(&self, slices: &[IoSlice<'_>]) {
        if self.state.get() != State::Open {
            return;
        }
        let mut queue = self.queue.borrow_mut();
        let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
        let mut sent = 0;
        let idle = self.corked.take() || queue.is_empty();
        if idle {
            match self.try_write(queue.rest(), slices) {
                Ok(written) => sent = written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return self.fail(State::Broken),
            }
            if sent == queue.waiting() + bytes {
                return queue.clear();
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
                queue.clear();
                drop(queue);
                return self.poll_flush_wire(cx);
            };
            let written = match &mut *self.wire.borrow_mut() {
                Wire::Plain(stream) => match stream.try_write(rest) {
                    Ok(written) => written,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        ready!(stream.poll_write_ready(cx))?;
                        continue;
                    }
                    Err(error) => return Poll::Ready(Err(error)),
                },
                Wire::Boxed(stream) => ready!(stream.as_mut().poll_write(cx, rest))?,
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

    /// Notes that nobody takes anything any more.
    pub(crate) fn break_off(&self) {
        self.state.set(State::Broken);
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
            // The runtime's bound on what a task may do at once is passed over, too.
            if let Wire::Plain(stream) = &*self.wire.borrow() {
                return stream.try_read(buffer);
            }
        }
        let task = self.task.borrow();
        let mut cx = Context::from_waker(task.as_ref().unwrap_or(Waker::noop()));
        let mut buffer = ReadBuf::new(buffer);
        let polled = match &mut *self.wire.borrow_mut() {
            // After a short read it knows, unasked, that there is nothing more.
            Wire::Plain(stream) => Pin::new(stream).poll_read(&mut cx, &mut buffer),
            Wire::Boxed(stream) => stream.as_mut().poll_read(&mut cx, &mut buffer),
            Wire::Held => Poll::Pending,
        };
        match polled {
            Poll::Ready(Ok(())) => Ok(buffer.filled().len()),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
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

    fn try_write(&self, rest: Option<&[u8]>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut *self.wire.borrow_mut() {
            Wire::Plain(stream) => match (rest, slices) {
                (None, []) => Ok(0),
                (None, [one]) => stream.try_write(one),
                (None, many) => stream.try_write_vectored(many),
                (Some(rest), []) => stream.try_write(rest),
                (Some(rest), [one]) => stream.try_write_vectored(&[IoSlice::new(rest), *one]),
                (Some(rest), many) => {
                    let all = [&[IoSlice::new(rest)], many].concat();
                    stream.try_write_vectored(&all)
                }
            },
            Wire::Boxed(stream) => match rest {
                None => self.try_write_boxed(stream.as_mut(), slices),
                Some(rest) => {
                    let all = [&[IoSlice::new(rest)], slices].concat();
                    self.try_write_boxed(stream.as_mut(), &all)
                }
            },
            Wire::Held => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// What isn't taken, and what is and lies in the stream's own buffers yet, is the task's.
    fn try_write_boxed(
        &self,
        mut stream: Pin<&mut dyn Duplex>,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        if slices.iter().all(|slice| slice.is_empty()) {
            return Ok(0);
        }
        let task = self.task.borrow();
        let written = poll_fn(|cx| {
            let written = ready!(stream.as_mut().poll_write_vectored(cx, slices));
            if let Poll::Ready(Err(error)) = stream.as_mut().poll_flush(cx) {
                return Poll::Ready(Err(error));
            }
            Poll::Ready(written)
        });
        // Whoever writes to many is no task that has had its turn after some of them.
        let written = pin!(unconstrained(written));
        let mut cx = Context::from_waker(task.as_ref().unwrap_or(Waker::noop()));
        match written.poll(&mut cx) {
            Poll::Ready(Ok(0)) => Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

#[cfg(test)]
mod tests;
