//! Looking for messages, in what one may read.

use chat_core::{Permission, RoomId, Seq, Text};
use chat_protocol::answer::{Answer, FoundCard, Page};
use chat_protocol::code::{Code, Refusal};
use chat_protocol::room_ref::RoomRef;

use super::Desk;
use super::parts::fitting;
use crate::store::{Scope, SearchQuery, Sought};

/// Rooms that are looked into at once; the answer says where to go on.
const ROOMS_MAX: usize = 50;

/// The longest text that can be looked for, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// Where a search begins.
pub(super) struct Place {
    pub(super) before: Option<Seq>,
    pub(super) cursor: Option<Text>,
}

impl Desk<'_> {
    pub(super) async fn search(
        &self,
        text: &Text,
        room: Option<&RoomRef>,
        place: Place,
        limit: Option<u64>,
    ) -> Result<Answer, Refusal> {
        let fits = text.as_str().len() <= TEXT_BYTES_MAX;
        let sought = fits.then(|| Sought::new(text.as_str())).flatten();
        let sought = sought.ok_or_else(|| {
            Refusal::bad_argument("text").with_words("look for 1 to 8 words in up to 256 bytes")
        })?;
        let begin = match (&place.cursor, place.before, room) {
            (None, None, _) => None,
            (Some(cursor), None, _) => Some(read(cursor.as_str())?),
            (None, Some(before), Some(room)) => Some((self.resolve(room).await?, before)),
            (None, Some(_), None) | (Some(_), Some(_), _) => {
                return Err(Refusal::bad_argument("before"));
            }
        };
        let (rooms, more) = match room {
            Some(room) => (vec![self.scope(self.resolve(room).await?).await?], None),
            None => self.scopes(begin.map(|(room, _)| room)).await?,
        };
        let query = SearchQuery {
            sought,
            viewer: self.actor.id,
            rooms: from_there(rooms, begin),
            limit: self.node.page(limit),
        };
        let found = self.node.store().search(&query).await?;
        let next = found.next.or(more);
        let page = Page {
            items: found
                .items
                .into_iter()
                .map(|(room, message)| FoundCard { room, message })
                .collect(),
            next: next.map(|(room, before)| format!("{room}:{before}")),
        };
        let cursor = |it: &FoundCard| format!("{}:{}", it.room, it.message.seq);
        Ok(Answer::Search(fitting(
            page,
            self.node.page_bytes_max(),
            cursor,
        )))
    }

    /// What one may read of a room.
    async fn scope(&self, room: RoomId) -> Result<Scope, Refusal> {
        let (from, to) = self.readable(room, Permission::Read).await?;
        #[cfg(sabotage)]
        let from = match chat_core::sabotage::planted("search_reads_what_was_before") {
            true => Seq::new(1),
            false => from,
        };
        Ok(Scope { room, from, to })
    }

    /// What one may read of one's rooms from one on, and where to go on after those.
    async fn scopes(
        &self,
        from: Option<RoomId>,
    ) -> Result<(Vec<Scope>, Option<(RoomId, Seq)>), Refusal> {
        let mine = self.node.store().rooms_of(self.actor.id).await?;
        let mut rooms = mine
            .into_iter()
            .map(|it| it.room)
            .skip_while(|room| from.is_some_and(|from| room.id < from));
        let mut scopes = Vec::new();
        for room in rooms.by_ref().take(ROOMS_MAX) {
            // Whoever was put out of it meanwhile reads nothing there.
            match self.scope(room.id).await {
                Ok(scope) => scopes.push(scope),
                Err(refusal) if refusal.code == Code::StorageUnavailable => return Err(refusal),
                Err(_) => {}
            }
        }
        let more = rooms.next().map(|room| (room.id, room.head_seq.next()));
        Ok((scopes, more))
    }
}

/// Leaves out what was looked at before.
fn from_there(rooms: Vec<Scope>, begin: Option<(RoomId, Seq)>) -> Vec<Scope> {
    let Some((first, before)) = begin else {
        return rooms;
    };
    let last = before.prev();
    let rest = rooms.into_iter().filter(|scope| scope.room >= first);
    rest.map(|scope| match scope.room == first {
        true => Scope {
            to: scope.to.min(last),
            ..scope
        },
        false => scope,
    })
    .collect()
}

/// Reads where a part ended.
fn read(cursor: &str) -> Result<(RoomId, Seq), Refusal> {
    let place = || {
        let (room, before) = cursor.split_once(':')?;
        let room = RoomId::try_from(room.parse::<u64>().ok()?).ok()?;
        let before = Seq::try_from(before.parse::<u64>().ok()?).ok()?;
        Some((room, before))
    };
    place().ok_or_else(|| Refusal::bad_argument("cursor"))
}
