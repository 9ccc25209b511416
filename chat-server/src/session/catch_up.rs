//! From a position to the present: what a session has missed, in order, before anything live.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use chat_core::{Record, RoomId, Seq};
use chat_protocol::close::Close;
use chat_protocol::system::System;
use chat_protocol::voice::{Hearer, Voice};
use tokio::time::timeout;

use super::Session;
use crate::events;
use crate::hub::{CatchUp, News};
use crate::outbox::State;

/// How long a session that knows more than its worker waits before it looks again.
const AHEAD: Duration = Duration::from_millis(2);

/// Bytes of records that are kept waiting for each other.
const TOGETHER_BYTES_MAX: usize = 16 * 1024;

/// Those of consecutive records that a session may hear, up to this one.
fn up_to(last: Seq, records: &[Arc<Record>]) -> &[Arc<Record>] {
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("caught_up_past_the_head") {
        return records;
    }
    let heard = records.partition_point(|record| record.seq <= last);
    records.get(..heard).unwrap_or(records)
}

impl Session {
    /// Sends what lies between a position and the present, as far as it is his to read, and hears
    /// the room from there on. Whoever loses his seat meanwhile is sent what lies before that, and that.
    pub(super) async fn catch_up(&mut self, room: RoomId, mut position: Seq) {
        let Some(voice) = self.seats.voice(room).cloned() else {
            return;
        };
        // Whoever left and came back may be asked to go on from before that.
        let earliest = self.seats.earliest(room);
        #[cfg(sabotage)]
        let earliest = match chat_core::sabotage::planted("caught_up_from_before_joining") {
            true => Seq::default(),
            false => earliest,
        };
        position = position.max(earliest);
        if self.listens {
            events::follow(&self.link.outbox, room, position);
        }
        let key = self.link.key;
        while self.link.outbox.state() == State::Open && !self.link.is_ending() {
            let seated = self.link.has_seat(room);
            let state = self.worker.hub.borrow_mut().catch_up(key, room, position);
            if state != CatchUp::Live {
                // Else it leaves with the word that this was all.
                self.link.outbox.uncork();
            }
            let last = match state {
                CatchUp::Live => return self.synced(room, position),
                CatchUp::Ahead => {
                    // The store has answered the reader, and not yet the writer: to look again and
                    // again would keep this thread from everybody else.
                    tokio::time::sleep(AHEAD).await;
                    continue;
                }
                CatchUp::Behind { heard, .. } if !heard.is_empty() => {
                    position = self.send_on(room, &heard, &voice).unwrap_or(position);
                    drop(heard);
                    self.drained().await;
                    continue;
                }
                CatchUp::Behind { head, .. } => head,
                #[cfg(sabotage)]
                CatchUp::Gone(Some(last))
                    if position < last
                        && chat_core::sabotage::planted("removed_while_catching_up") =>
                {
                    Seq::MAX
                }
                CatchUp::Gone(Some(last)) if position < last => last,
                CatchUp::Gone(_) => return self.part_with(room),
            };
            let read = match self.node().read_on(room, position).await {
                Ok(read) => read,
                #[cfg(sabotage)]
                Err(_) if chat_core::sabotage::planted("failed_read_passed_over") => return,
                // A seat that stays behind hears nothing: the client comes back instead.
                Err(_) => return self.link.tell(News::End(Close::Internal)),
            };
            if seated && !self.link.has_seat(room) {
                // It was lost meanwhile: how decides what may still be heard.
                continue;
            }
            let records = up_to(last, read.after(position));
            position = self.send_on(room, records, &voice).unwrap_or(position);
            #[cfg(sabotage)]
            let kept =
                chat_core::sabotage::planted("page_kept_while_nobody_reads").then(|| read.clone());
            // What is left of it is read again: it may be long until the client goes on.
            drop(read);
            self.drained().await;
            #[cfg(sabotage)]
            drop(kept);
        }
        self.link.outbox.uncork();
    }

    /// Tells a client that it hears a room live from this record on.
    fn synced(&mut self, room: RoomId, seq: Seq) {
        self.seats.tell(room, seq);
        self.system(&System::Synced { room, seq });
        self.link.outbox.uncork();
    }

    /// Puts records into the outbox until so much waits that the client has to take it first; gives
    /// the last one. They leave together, with what follows.
    fn send_on(&self, room: RoomId, records: &[Arc<Record>], voice: &Voice) -> Option<Seq> {
        let outbox = &self.link.outbox;
        let user = self.seats.actor(room).map(|actor| actor.id);
        let mut last = None;
        for record in records {
            if outbox.state() != State::Open || outbox.waiting() > self.waiting_most() {
                break;
            }
            if outbox.waiting() > TOGETHER_BYTES_MAX {
                outbox.uncork();
            }
            let hearer = user.map_or(Hearer::Other, |user| Hearer::of(record, user));
            // A guest is at one socket: where nobody hears himself, this is his own.
            let own = hearer == Hearer::Author;
            let silent = own && record.by.id.is_guest() && !voice.echoes();
            if !silent {
                voice.event(record, hearer, &mut |text| outbox.put_text(text));
            }
            last = Some(record.seq);
        }
        last
    }

    /// Waits until the client has taken most of what it was sent, or the session has to end.
    pub(super) async fn drained(&self) {
        let most = self.waiting_most();
        let outbox = &self.link.outbox;
        // This waits for the client, who has to give a sign of life.
        let works = self.link.works.replace(false);
        if outbox.waiting() > most {
            outbox.uncork();
        }
        let taken = poll_fn(|cx| {
            outbox.register(cx);
            let goes_on = outbox.state() == State::Open && !self.link.is_ending();
            if goes_on && outbox.waiting() > most {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        });
        let judges_itself = self.link.beats.get();
        #[cfg(sabotage)]
        let judges_itself =
            judges_itself && !chat_core::sabotage::planted("vanished_lines_waited_for");
        if !judges_itself {
            taken.await;
        } else if timeout(self.node().limits().silence(), taken)
            .await
            .is_err()
        {
            // A line judges its signs of life itself, and of those none is read meanwhile.
            self.link.tell(News::End(Close::NoPong));
        }
        self.link.works.set(works);
    }

    /// Bytes that may wait before more is sent of what isn't live.
    fn waiting_most(&self) -> usize {
        self.node().limits().outbox_bytes_max / 2
    }
}
