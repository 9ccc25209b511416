use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use super::*;
use crate::outbox::Wire;

/// A session that does nothing by itself, and how often it was woken.
struct Session {
    lines: Arc<Lines>,
    membership: Membership,
    outbox: Rc<Outbox>,
    hatch: Rc<Hatch>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

const DOOR: usize = 0;

impl Session {
    fn new() -> Self {
        let lines = Arc::<Lines>::default();
        let (membership, _) = lines.enter(DOOR, true, 100).unwrap();
        let outbox = Rc::new(Outbox::new(Wire::Held, 1024));
        let hatch = Hatch::new(&membership, outbox.clone(), Rc::default(), 100);
        hatch.enter();
        let woken = Arc::new(Woken::default());
        outbox.register(&Context::from_waker(&Waker::from(woken.clone())));
        Self {
            lines,
            membership,
            outbox,
            hatch,
            woken,
        }
    }

    fn poll(&self) -> Option<Here> {
        ask(&self.lines, &self.membership.sid, DOOR)
    }

    fn times_woken(&self) -> usize {
        self.woken.0.load(Ordering::Relaxed)
    }
}

/// What a poll is answered, if it is.
fn hears(poll: &mut Here) -> Option<Said> {
    match Pin::new(poll).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(said) => Some(said),
        Poll::Pending => None,
    }
}

fn payload(text: &str) -> Option<Said> {
    Some(Said::Payload(text.as_bytes().to_vec()))
}

#[test]
fn a_poll_takes_all_that_has_come_when_its_turn_comes() {
    let session = Session::new();
    let mut poll = session.poll().unwrap();
    assert_eq!(hears(&mut poll), None);
    session.outbox.send_text(b"4a");
    session.outbox.send_text(b"4b");
    assert!(!session.hatch.turns.is_idle());
    assert!(!session.lines.is_quiet());
    assert_eq!(hears(&mut poll), payload("4a\u{1e}4b"));
    assert!(session.lines.is_quiet());
    session.hatch.turns.clear();
    session.outbox.send_text(b"4c");
    assert_eq!(
        session.times_woken(),
        0,
        "none of this concerns the session"
    );
    assert_eq!(hears(&mut session.poll().unwrap()), payload("4c"));
}

#[test]
fn a_poll_that_comes_while_others_wait_for_their_turn_waits_for_its_own() {
    let session = Session::new();
    session.outbox.send_text(b"4a");
    session.hatch.turns.push(Waker::noop().clone());
    let mut poll = session.poll().unwrap();
    assert_eq!(hears(&mut poll), None);
    session.outbox.send_text(b"4b");
    assert_eq!(hears(&mut poll), payload("4a\u{1e}4b"));
}

#[test]
fn a_session_that_waits_for_what_waits_is_told_when_it_is_taken() {
    let session = Session::new();
    session.outbox.send_text(b"4a");
    let before = session.times_woken();
    assert_eq!(hears(&mut session.poll().unwrap()), payload("4a"));
    assert_eq!(session.times_woken(), before);
    session.hatch.set_watched(true);
    let mut poll = session.poll().unwrap();
    assert_eq!(hears(&mut poll), None);
    session.outbox.send_text(b"4b");
    assert_eq!(hears(&mut poll), payload("4b"));
    assert_eq!(session.times_woken(), before + 1);
}

#[test]
fn what_is_not_as_usual_is_the_sessions_business() {
    let session = Session::new();
    assert!(ask(&session.lines, &session.membership.sid, DOOR + 1).is_none());
    assert!(ask(&Arc::default(), &session.membership.sid, DOOR).is_none());
    session.hatch.set_open(false);
    assert!(session.poll().is_none());
    session.hatch.set_open(true);
    let first = session.poll();
    assert!(first.is_some());
    assert!(session.poll().is_none(), "a second one");
    let (second, _) = oneshot::channel();
    assert!(session.hatch.wait(second).is_err());
}

#[test]
fn a_session_has_the_last_word() {
    let session = Session::new();
    let mut poll = session.poll().unwrap();
    assert_eq!(hears(&mut poll), None);
    assert!(session.hatch.end_poll(Said::Payload(b"1".to_vec())));
    assert_eq!(hears(&mut poll), payload("1"));
    let mut poll = session.poll().unwrap();
    session.outbox.send_text(b"4a");
    session.hatch.release(b"6");
    assert_eq!(hears(&mut poll), payload("4a"));
    let mut poll = session.poll().unwrap();
    assert_eq!(hears(&mut poll), None);
    let Session {
        membership, hatch, ..
    } = session;
    drop((membership, hatch));
    assert_eq!(
        hears(&mut poll),
        Some(Said::Refused(Refused::SidUnknown)),
        "it has ended"
    );
}

#[test]
fn a_session_is_told_of_a_poll_that_is_given_up() {
    let session = Session::new();
    let mut poll = session.poll().unwrap();
    assert_eq!(hears(&mut poll), None);
    drop(poll);
    assert_eq!(session.times_woken(), 1);
    let served = session.hatch.serve(&mut Context::from_waker(Waker::noop()));
    assert_eq!(served, Served::Gone);
    assert!(session.poll().is_none());
    assert!(session.lines.is_quiet());
}
