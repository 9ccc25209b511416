//! What was said: history, messages, records.

use std::ops::Range;
use std::sync::Arc;

use chat_core::{Permission, Record, RoomId, Seq};
use chat_protocol::answer::{Answer, Message, Page, Records};
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::{History, Place};
use chat_protocol::room_ref::RoomRef;

use super::Desk;
use super::parts::{self, fitting};
use crate::store::MessageQuery;

impl Desk<'_> {
    pub(super) async fn history(&self, history: &History) -> Result<Answer, Refusal> {
        let room = self.resolve(&history.room).await?;
        let (from, to) = self.readable(room, Permission::Read).await?;
        let place = history.place;
        let limit = self.node.page(history.limit);
        let thread = history.thread;
        let viewer = self.actor.id;
        let query = MessageQuery {
            room,
            viewer,
            place,
            from,
            to,
            thread,
            limit,
        };
        let items = self.node.store().messages(&query).await?;
        let bytes_max = self.node.page_bytes_max();
        Ok(Answer::History(parts::messages(
            items, place, limit, bytes_max,
        )))
    }

    pub(super) async fn one_message(
        &self,
        room: RoomId,
        message: Seq,
        from: Seq,
    ) -> Result<Option<Message>, Refusal> {
        let before = message.prev();
        let query = MessageQuery {
            room,
            viewer: self.actor.id,
            place: Place::After(before),
            from: from.max(message),
            to: message,
            thread: None,
            limit: 1,
        };
        let mut found = self.node.store().messages(&query).await?;
        Ok(found.pop())
    }

    pub(super) async fn message(&self, room: &RoomRef, message: Seq) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        let (from, _) = self.readable(room, Permission::Read).await?;
        let found = self.one_message(room, message, from).await?;
        found
            .map(|message| Answer::Message(Box::new(message)))
            .ok_or_else(|| Refusal::new(Code::MessageNotFound))
    }

    pub(super) async fn pins(&self, room: &RoomRef, after: Option<Seq>) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        let view = self.view(room).await?;
        // Those of a place that is pinned no more are read from the first one on.
        let from = after.and_then(|after| view.pins.iter().position(|pin| *pin == after));
        let pins = view.pins.into_iter().skip(from.map_or(0, |at| at + 1));
        let mut items = Vec::new();
        for pin in pins {
            items.extend(self.one_message(room, pin, view.readable_from).await?);
        }
        let page = Page { items, next: None };
        let cursor = |it: &Message| it.seq.to_string();
        Ok(Answer::Pins(fitting(
            page,
            self.node.page_bytes_max(),
            cursor,
        )))
    }

    pub(super) async fn records(
        &self,
        room: &RoomRef,
        since: Seq,
        limit: Option<u64>,
    ) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        let (from, head) = self.readable(room, Permission::Read).await?;
        if since > head {
            return Err(Refusal::unrecoverable("ahead"));
        }
        if since.number() > 0 && since.next() < from && since != head {
            // What lies between is kept no longer, or was never his to read.
            return Err(Refusal::unrecoverable("trimmed"));
        }
        let after = since.max(from.prev());
        let most = self.node.limits().catch_up_records_max;
        let limit = usize::try_from(limit.unwrap_or(most).clamp(1, most)).unwrap_or(usize::MAX);
        let events = self.records_that_fit(room, after..head, limit).await?;
        let upto = events.last().map_or(head, |last| last.seq);
        let reader = self.actor.id;
        Ok(Answer::Records(Records {
            since,
            events,
            upto,
            head,
            reader,
        }))
    }

    /// Records after a position, up to another, as far as they fit into an answer: what doesn't is
    /// not read, but for the rest of the last piece.
    async fn records_that_fit(
        &self,
        room: RoomId,
        range: Range<Seq>,
        limit: usize,
    ) -> Result<Vec<Arc<Record>>, Refusal> {
        let mut events: Vec<Arc<Record>> = Vec::new();
        let mut bytes_left = self.node.page_bytes_max();
        let mut after = range.start;
        while events.len() < limit {
            let piece = limit.saturating_sub(events.len()).min(PIECE);
            let records = self.node.store().records(room, after, piece).await?;
            let ended = records.len() < piece;
            let records = records.into_iter().filter(|it| it.seq <= range.end);
            let (all, left) = parts::take_on(&mut events, records, bytes_left);
            after = events.last().map_or(after, |last| last.seq);
            bytes_left = left;
            if ended || !all || after >= range.end {
                break;
            }
        }
        Ok(events)
    }
}

/// Records that are read at once.
const PIECE: usize = 64;
