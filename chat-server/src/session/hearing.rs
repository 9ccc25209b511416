//! What one message asks for: its calls, in order, as far as the session may ask for so much.

use chat_protocol::close::Close;
use chat_protocol::code::{Code, Refusal};
use chat_protocol::dialect::{Call, Dialect, Form, UNREADABLE_MAX};

use super::straight::Sent;
use super::{After, Session};
use crate::budgets;

/// The calls of a message from the first one on that takes longer; that one has been charged.
pub(super) struct Slow {
    first: Call,
    others: std::vec::IntoIter<Call>,
}

/// Commands that a session takes off what the guests of its address may give, so that it doesn't ask
/// for each.
const CREDIT: u64 = 16;

/// Commands refused in a row for coming too fast, before the socket closes.
const REFUSED_MAX: u32 = 200;

impl Session {
    /// Reads one message: all its calls, in order, up to the first one that takes longer.
    pub(super) fn hear(&mut self, text: &str, form: Form) -> Result<Option<Slow>, Close> {
        self.node().metrics().frames_in.inc();
        if self.link.dialect.get().is_none() {
            self.speak(Dialect::recognise(text));
        }
        let Some(dialect) = self.link.dialect.get() else {
            self.unreadable += 1;
            return Ok(None);
        };
        // Most messages are one call.
        let mut calls = Vec::with_capacity(1);
        dialect.decode(text, form, &mut calls);
        let unreadable = |call: &Call| matches!(&call.op, Err(it) if it.code == Code::BadFrame);
        let unread = calls.iter().any(unreadable);
        self.unreadable = if unread { self.unreadable + 1 } else { 0 };
        // What asks for nothing is read all the same.
        if calls.is_empty() && self.afford().is_err() && self.refused >= REFUSED_MAX {
            return Err(Close::RateLimited);
        }
        let mut calls = calls.into_iter();
        while let Some(mut call) = calls.next() {
            self.charge(&mut call);
            if let Some(first) = self.send_at_once(call) {
                let others = calls;
                return Ok(Some(Slow { first, others }));
            }
        }
        Ok(None)
    }

    /// Whether so little of what came last could be read that the socket has to close.
    pub(super) fn is_unreadable(&self) -> bool {
        let dialect = self.link.dialect.get();
        let most = dialect.map_or(Some(UNREADABLE_MAX), Dialect::unreadable_max);
        most.is_some_and(|most| self.unreadable >= most)
    }

    /// Does what takes longer, one call after the other.
    pub(super) async fn take_time(&mut self, slow: Slow) -> Option<Close> {
        let dialect = self.link.dialect.get()?;
        let Slow { first, mut others } = slow;
        let mut call = first;
        loop {
            if let Some(close) = self.call(dialect, call).await {
                return Some(close);
            }
            call = others.next()?;
            self.charge(&mut call);
        }
    }

    async fn call(&mut self, dialect: Dialect, call: Call) -> Option<Close> {
        let Call { ticket, op } = call;
        let op = match op {
            Ok(op) => op,
            Err(refusal) => {
                self.settled(dialect).await;
                self.answer(&ticket, &Err(refusal));
                return (self.refused >= REFUSED_MAX).then_some(Close::RateLimited);
            }
        };
        let (op, ticket) = match self.straight(op, ticket).await {
            Sent::Away => return None,
            Sent::Refused(refusal, ticket) => {
                self.settled(dialect).await;
                self.answer(&ticket, &Err(refusal));
                return None;
            }
            Sent::Back(op, ticket) => (*op, ticket),
        };
        self.settled(dialect).await;
        let (answer, after) = match Box::pin(self.perform(op)).await {
            Ok((answer, after)) => (Ok(answer), after),
            Err(refusal) => (Err(refusal), After::Nothing),
        };
        // It may be large: whoever asks for much takes it before more is sent.
        self.drained().await;
        self.answer(&ticket, &answer);
        match after {
            After::Nothing => None,
            After::CatchUp(rooms) => {
                for (room, position) in rooms {
                    Box::pin(self.catch_up(room, position)).await;
                }
                None
            }
            After::End(close) => Some(close),
        }
    }

    /// Takes a call off the budget. If that has run out, that is what it is refused for.
    fn charge(&mut self, call: &mut Call) {
        if let Err(refusal) = self.afford() {
            call.op = Err(refusal);
        }
    }

    /// Takes one command off the budget.
    fn afford(&mut self) -> Result<(), Refusal> {
        let node = self.node();
        match budgets::spend(self.bucket, node.steady_now(), node.limits()) {
            Ok(bucket) => {
                self.bucket = bucket;
                self.refused = 0;
                self.afford_as_guest()
            }
            Err(wait_ms) => {
                self.refused += 1;
                Err(Refusal::rate_limited(wait_ms))
            }
        }
    }

    /// Takes one command off what all guests of this address may give, unless an account speaks.
    fn afford_as_guest(&mut self) -> Result<(), Refusal> {
        if self.credit == 0 {
            let most = match &self.identity {
                Some(identity) if identity.user.is_guest() => CREDIT,
                Some(_) => return Ok(()),
                None if self.seats.is_empty() && self.is_older() => 1,
                None if self.seats.guest().is_some() => CREDIT,
                // He is about to say who he is, or has a seat under his own name.
                None => return Ok(()),
            };
            self.credit = self.node().spend_as_guest(self.whence(), most)?;
        }
        self.credit -= 1;
        Ok(())
    }
}
