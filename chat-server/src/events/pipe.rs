//! The way from a session to the response that carries what it hears. They may be on different
//! threads: an application that mounts the server writes its responses itself.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use axum::body::Bytes;
use hyper::body::Frame;

/// The session's end.
#[derive(Debug)]
pub(crate) struct Pipe(Arc<Mutex<Between>>);

/// The response's end: its body.
#[derive(Debug)]
pub(crate) struct Body(Arc<Mutex<Between>>);

/// What lies between them.
#[derive(Debug, Default)]
struct Between {
    chunk: Vec<u8>,
    /// Whether one was taken since the session looked last.
    taken: bool,
    ended: bool,
    gone: bool,
    session: Option<Waker>,
    response: Option<Waker>,
}

/// How it stands with the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// What was laid down wasn't taken yet.
    Full,
    /// It was, since this was asked last.
    Taken,
    /// Nothing lies there.
    Empty,
    /// Nobody will take anything.
    Gone,
}

/// A way, and its two ends.
pub(crate) fn pipe() -> (Pipe, Body) {
    let between = Arc::<Mutex<Between>>::default();
    (Pipe(between.clone()), Body(between))
}

impl Pipe {
    /// How it stands; wakes the task when that changes.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Flow {
        let mut between = held(&self.0);
        match &mut between.session {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        if between.gone {
            Flow::Gone
        } else if !between.chunk.is_empty() {
            Flow::Full
        } else if std::mem::take(&mut between.taken) {
            Flow::Taken
        } else {
            Flow::Empty
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        held(&self.0).gone
    }

    /// Lays something down, behind what lies there.
    pub(super) fn lay(&self, bytes: &[u8]) {
        self.tell(|between| between.chunk.extend_from_slice(bytes));
    }

    /// Ends the response, once everything was taken.
    pub(super) fn end(&self) {
        self.tell(|between| between.ended = true);
    }

    fn tell(&self, change: impl FnOnce(&mut Between)) {
        let mut between = held(&self.0);
        change(&mut between);
        let response = between.response.take();
        // Whoever is woken on another thread finds the door open.
        drop(between);
        if let Some(response) = response {
            response.wake();
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.end();
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut between = held(&self.0);
        if between.chunk.is_empty() {
            if between.ended {
                return Poll::Ready(None);
            }
            between.response = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let chunk = std::mem::take(&mut between.chunk);
        between.taken = true;
        let session = between.session.take();
        drop(between);
        if let Some(session) = session {
            session.wake();
        }
        Poll::Ready(Some(Ok(Frame::data(chunk.into()))))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let mut between = held(&self.0);
        between.gone = true;
        between.chunk = Vec::new();
        let session = between.session.take();
        drop(between);
        if let Some(session) = session {
            session.wake();
        }
    }
}

fn held(between: &Mutex<Between>) -> MutexGuard<'_, Between> {
    between.lock().unwrap_or_else(PoisonError::into_inner)
}
