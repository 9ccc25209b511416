//! A connection whose peer has to go on reading.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep};

use crate::worker::here;

/// Bytes of an answer that are copied to where they lie together: the system takes many pieces less
/// readily than one.
const TOGETHER_BYTES_MAX: usize = 16 * 1024;

thread_local! {
    static TOGETHER: RefCell<Vec<u8>> = RefCell::default();
}

/// A socket that breaks when it has taken nothing for too long of what is written to it. HTTP
/// alone has no bound for that: an answer that nobody reads would stay for ever.
pub(super) struct Guarded<S> {
    stream: TokioIo<S>,
    patience: Duration,
    /// Since when nothing is taken, as the time at which that ends.
    stalled: Option<Pin<Box<Sleep>>>,
    /// The worker on whose thread it came in, if it was one's.
    worker: Option<usize>,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream: TokioIo::new(stream),
            patience,
            stalled: None,
            worker: here(),
        }
    }

    /// Whether this is the thread of the worker on which it came in.
    pub(super) fn is_of_this_worker(&self) -> bool {
        self.worker.is_some() && self.worker == here()
    }

    /// The socket, which whoever takes it watches himself.
    pub(super) fn into_inner(self) -> S {
        self.stream.into_inner()
    }

    /// Passes on what became of a write, unless it has been waited for too long.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("unread_answers_stay") {
            return written;
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        stalled
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> Read for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> Write for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
        let written = if bytes > TOGETHER_BYTES_MAX {
            stream.poll_write_vectored(cx, slices)
        } else {
            TOGETHER.with_borrow_mut(|together| {
                together.clear();
                for slice in slices {
                    together.extend_from_slice(slice);
                }
                stream.poll_write(cx, together)
            })
        };
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, shut)
    }
}
