//! From a position to the present: what a session has missed, in order, before anything live.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use chat_core::{Effect, Record, RoomId, Seq, UserId};
use chat_protocol::close::Close;
use chat_protocol::system::System;
use chat_protocol::voice::Voice;

use super::Session;
use crate::hub::{CatchUp, News};
use crate::outbox::State;

/// How long a session that knows more than its worker waits before it looks again.
const AHEAD: Duration = Duration::from_millis(2);

/// How far records were sent.
enum Sent {
    /// Up to this one, if any.
    UpTo(Option<Seq>),
    /// As far as the session may hear the room.
    Removed,
}

/// Whether a record ends what a user hears of its room.
fn removes(record: &Record, user: Option<UserId>) -> bool {
    record.effects().iter().any(|effect| match effect {
        Effect::Detach(gone) => Some(gone) == user,
        Effect::Close => true,
        Effect::Broadcast
        | Effect::Attach(_)
        | Effect::Notify(_)
        | Effect::Regrant(_)
        | Effect::Rejudge => false,
    })
}

/// Those of consecutive records that the worker has heard of.
fn up_to(head: Seq, records: &[Arc<Record>]) -> &[Arc<Record>] {
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("caught_up_past_the_head") {
        return records;
    }
    let heard = records.partition_point(|record| record.seq <= head);
    records.get(..heard).unwrap_or(records)
}

impl Session {
    /// Sends what lies between a position and the present, and hears the room from there on.
    pub(super) async fn catch_up(&mut self, room: RoomId, mut position: Seq) {
        let Some(voice) = self.seats.voice(room).cloned() else {
            return;
        };
        let key = self.link.key;
        loop {
            let state = self.worker.hub.borrow_mut().catch_up(key, room, position);
            let sent = match state {
                CatchUp::Live => break,
                CatchUp::Ahead => {
                    // The store has answered the reader, and not yet the writer: to look again and
                    // again would keep this thread from everybody else.
                    tokio::time::sleep(AHEAD).await;
                    continue;
                }
                CatchUp::Behind { heard, .. } if !heard.is_empty() => {
                    self.send_on(room, &heard, &voice)
                }
                CatchUp::Behind { head, .. } => match self.node().read_on(room, position).await {
                    Ok(read) => self.send_on(room, up_to(head, read.after(position)), &voice),
                    #[cfg(sabotage)]
                    Err(_) if chat_core::sabotage::planted("failed_read_passed_over") => return,
                    // A seat that stays behind hears nothing: the client comes back instead.
                    Err(_) => return self.link.tell(News::End(Close::Internal)),
                },
                // Removed while it was behind: it hears up to that.
                CatchUp::Gone => {
                    let limit = self.node().limits().page_items_max;
                    match self.node().store().records(room, position, limit).await {
                        // It went by no record of this room: a group that it was here by let it go.
                        Ok(read) if read.is_empty() => Sent::Removed,
                        Ok(read) => self.send_on(room, &read, &voice),
                        Err(_) => return self.link.tell(News::End(Close::Internal)),
                    }
                }
            };
            let Sent::UpTo(sent) = sent else {
                self.seats.remove(room);
                self.told.remove(&room);
                return;
            };
            position = sent.unwrap_or(position);
            self.drained().await;
            if self.link.outbox.state() != State::Open || self.link.is_ending() {
                return;
            }
        }
        self.told.insert(room, position);
        self.system(&System::Synced {
            room,
            seq: position,
        });
    }

    /// Sends records until so much waits that the client has to take it first, and none after the
    /// one by which whoever sits there was removed, since he was let in.
    fn send_on(&self, room: RoomId, records: &[Arc<Record>], voice: &Voice) -> Sent {
        let outbox = &self.link.outbox;
        let user = self.seats.actor(room).map(|actor| actor.id);
        let since = self.seats.judged(room);
        let ends = |record: &Record| record.seq > since && removes(record, user);
        let mut hub = self.worker.hub.borrow_mut();
        let removed = records.iter().any(|record| ends(record));
        if !removed && !hub.has_seat(self.link.key, room) {
            // Removed by no record of the room, or by one that it has heard.
            return Sent::Removed;
        }
        let mut last = None;
        for record in records {
            if outbox.state() != State::Open || outbox.waiting() > self.waiting_most() {
                break;
            }
            let own = Some(record.by.id) == user;
            // A guest is at one socket: where nobody hears himself, this is his own.
            let silent = own && record.by.id.is_guest() && !voice.echoes();
            if !silent {
                voice.event(record, own, &mut |text| outbox.send_text(text));
            }
            last = Some(record.seq);
            if ends(record) {
                hub.rise(self.link.key, room);
                return Sent::Removed;
            }
        }
        Sent::UpTo(last)
    }

    /// Waits until the client has taken most of what it was sent, or the session has to end.
    async fn drained(&self) {
        let most = self.waiting_most();
        let outbox = &self.link.outbox;
        poll_fn(|cx| {
            outbox.register(cx);
            let goes_on = outbox.state() == State::Open && !self.link.is_ending();
            if goes_on && outbox.waiting() > most {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }

    /// Bytes that may wait before more is sent of what isn't live.
    fn waiting_most(&self) -> usize {
        self.node().limits().outbox_bytes_max / 2
    }
}
