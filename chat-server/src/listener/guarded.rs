//! A connection whose peer has to go on reading.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// A socket that breaks when what is written to it isn't taken in time: an answer as a whole, or, of
/// one that streams, anything at all. HTTP alone has no bound for that: an answer that nobody reads
/// would stay for ever, and so would one that is read a byte at a time.
pub(super) struct Guarded<S> {
    stream: TokioIo<S>,
    patience: Duration,
    /// Since when it isn't taken, as the time at which that ends.
    stalled: Option<Pin<Box<Sleep>>>,
    streams: Streams,
    /// The worker on whose thread it came in, if it was one's.
    worker: Option<usize>,
}

/// Whether what a connection carries is an answer that streams.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(Arc<AtomicBool>);

impl Streams {
    pub(super) fn set(&self, streams: bool) {
        self.0.store(streams, Ordering::Relaxed);
    }
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, patience: Duration, streams: Streams) -> Self {
        Self {
            stream: TokioIo::new(stream),
            patience,
            stalled: None,
            streams,
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

    /// Passes on what became of a write, unless the answer has been waited for too long. It is over
    /// when it was flushed, with all that was written before.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
        is_over: bool,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if is_over || self.streams.0.load(Ordering::Relaxed) {
                self.stalled = None;
            }
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
        self.watch(cx, written, false)
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
        self.watch(cx, written, false)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, flushed, true)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, shut, true)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncReadExt;

    use super::*;

    const ANSWER: usize = 64 * 1024;

    /// Writes an answer to somebody who reads this many bytes twice a second; tells how that ends.
    async fn answered(streams: bool, bytes: usize) -> io::Result<()> {
        let (stream, mut reader) = tokio::io::duplex(16);
        let marks = Streams::default();
        marks.set(streams);
        let mut guarded = Guarded::new(stream, Duration::from_secs(30), marks);
        let reads = async {
            let mut buffer = vec![0; bytes];
            while reader.read(&mut buffer).await.is_ok() {
                sleep(Duration::from_millis(500)).await;
            }
        };
        let writes = async {
            let mut left = ANSWER;
            while left > 0 {
                let bytes = [0; ANSWER];
                let bytes = bytes.get(..left).unwrap();
                left -= poll_fn(|cx| Pin::new(&mut guarded).poll_write(cx, bytes)).await?;
            }
            poll_fn(|cx| Pin::new(&mut guarded).poll_flush(cx)).await
        };
        tokio::select! {
            () = reads => unreachable!("it never ends"),
            written = writes => written,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_read_a_little_at_a_time_ends_and_one_that_streams_goes_on() {
        let error = answered(false, 16).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        answered(true, 16).await.unwrap();
    }
}
