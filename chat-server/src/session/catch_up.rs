//! From a position to the present: what a session has missed, in order, before anything live.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use chat_core::{Record, RoomId, Seq, UserId};
use chat_protocol::close::Close;
use chat_protocol::system::System;
use chat_protocol::voice::Voice;

use super::Session;
use crate::hub::{CatchUp, News};
use crate::outbox::State;

impl Session {
    /// Sends what lies between a position and the present, and hears the room from there on.
    pub(super) async fn catch_up(&mut self, room: RoomId, mut position: Seq) {
        let Some(voice) = self.seats.voice(room).cloned() else {
            return;
        };
        let key = self.link.key;
        loop {
            let state = self.worker.hub.borrow_mut().catch_up(key, room, position);
            match state {
                CatchUp::Live => break,
                CatchUp::Gone => return,
                CatchUp::Ahead => tokio::task::yield_now().await,
                CatchUp::Behind(heard) => {
                    let user = self.seats.actor(room).map(|actor| actor.id);
                    let sent = if heard.is_empty() {
                        let Ok(read) = self.node().read_on(room, position).await else {
                            // A seat that stays behind hears nothing: the client comes back instead.
                            self.link.tell(News::End(Close::Internal));
                            return;
                        };
                        self.send_on(read.after(position), user, &voice)
                    } else {
                        self.send_on(&heard, user, &voice)
                    };
                    // What was read isn't kept by whoever waits for a slow reader.
                    drop(heard);
                    position = sent.unwrap_or(position);
                    self.drained().await;
                    if self.link.outbox.state() != State::Open || self.link.is_ending() {
                        return;
                    }
                }
            }
        }
        self.told.insert(room, position);
        self.system(&System::Synced {
            room,
            seq: position,
        });
    }

    /// Sends records until so much waits that the client has to take it first; gives the last one
    /// that was sent.
    fn send_on(&self, records: &[Arc<Record>], user: Option<UserId>, voice: &Voice) -> Option<Seq> {
        let outbox = &self.link.outbox;
        let mut last = None;
        for record in records {
            if outbox.state() != State::Open || outbox.waiting() > self.waiting_most() {
                break;
            }
            let own = Some(record.by.id) == user;
            voice.event(record, own, &mut |text| outbox.send_text(text));
            last = Some(record.seq);
        }
        last
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
