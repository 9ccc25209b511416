//! Who and what there is: rooms, members, permissions, users.

use std::fmt::Display;

use chat_core::{Name, Permission, RoomId, UserId};
use chat_protocol::answer::{
    Answer, BanCard, InviteCard, MarkerCard, MemberCard, MyRoom, Page, PresenceCard, RoomCard,
};
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::Status;
use chat_protocol::room_ref::RoomRef;
use serde::Serialize;

use super::parts::fitting;
use super::{Desk, ROOMS_LOOKED_AT_MAX, mixed_up, no_room};
use crate::bus::Attendant;
use crate::mail::{Look, Sight};
use crate::store::{DirectoryQuery, Order};

impl Desk<'_> {
    pub(super) async fn room(&self, room: &RoomRef) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        let refused = match self.look(room, Look::May(Permission::Read)).await {
            Ok(_) => None,
            Err(refusal) if refusal.code == Code::NotAMember => None,
            Err(refusal) => Some(refusal),
        };
        if let Some(refusal) = refused {
            return Err(refusal);
        }
        let card = self.node.store().card(room).await?;
        card.map(|card| Answer::Room(Box::new(card)))
            .ok_or_else(no_room)
    }

    pub(super) async fn rooms(&self, after: Option<RoomId>) -> Result<Answer, Refusal> {
        let items = self.node.store().rooms_of(self.actor.id).await?;
        let id = |mine: &MyRoom| mine.room.id;
        Ok(Answer::Rooms(self.part(items, after, id)))
    }

    pub(super) async fn directory(
        &self,
        search: Option<String>,
        cursor: Option<String>,
        limit: Option<u64>,
    ) -> Result<Answer, Refusal> {
        let limit = self.node.page(limit);
        let query = DirectoryQuery {
            search,
            order: Order::Newest,
            cursor,
            limit,
            looked_at_max: ROOMS_LOOKED_AT_MAX,
        };
        let page = self.node.store().directory(&query).await?;
        let cursor = |card: &RoomCard| card.id.to_string();
        let page = fitting(page, self.node.page_bytes_max(), cursor);
        Ok(Answer::Directory(page))
    }

    pub(super) async fn members(
        &self,
        room: &RoomRef,
        after: Option<UserId>,
        limit: Option<u64>,
    ) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        self.readable(room, Permission::ListMembers).await?;
        let limit = self.node.page(limit);
        self.member_page(room, after, limit)
            .await
            .map(Answer::Members)
    }

    /// A part of a room's members; the caller has made sure that the actor may see them.
    pub(crate) async fn member_page(
        &self,
        room: RoomId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Page<MemberCard>, Refusal> {
        let items = self.node.store().members(room, after, limit).await?;
        let full = items.len() >= limit;
        let next = items
            .last()
            .filter(|_| full)
            .map(|last| last.user.id.to_string());
        let cursor = |it: &MemberCard| it.user.id.to_string();
        let page = Page { items, next };
        Ok(fitting(page, self.node.page_bytes_max(), cursor))
    }

    /// As much of a whole list as fits, by its items' ids.
    fn part<T: Serialize, K: Ord + Display>(
        &self,
        mut items: Vec<T>,
        after: Option<K>,
        id: impl Fn(&T) -> K,
    ) -> Page<T> {
        if let Some(after) = after {
            items.retain(|it| id(it) > after);
        }
        items.sort_unstable_by_key(|it| id(it));
        let page = Page { items, next: None };
        fitting(page, self.node.page_bytes_max(), |it| id(it).to_string())
    }

    pub(super) async fn bans(
        &self,
        room: &RoomRef,
        after: Option<UserId>,
    ) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        let Sight::Bans(items) = self.look(room, Look::Bans).await? else {
            return Err(mixed_up());
        };
        let id = |it: &BanCard| it.user;
        Ok(Answer::Bans(self.part(items, after, id)))
    }

    pub(super) async fn invites(
        &self,
        room: &RoomRef,
        after: Option<UserId>,
    ) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        let Sight::Invites(items) = self.look(room, Look::Invites).await? else {
            return Err(mixed_up());
        };
        let items = items
            .into_iter()
            .map(|it| InviteCard {
                user: it.user,
                until: it.until,
            })
            .collect();
        let id = |it: &InviteCard| it.user;
        Ok(Answer::Invites(self.part(items, after, id)))
    }

    pub(super) async fn markers(
        &self,
        room: &RoomRef,
        after: Option<UserId>,
    ) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        self.readable(room, Permission::ListMembers).await?;
        let limit = self.node.limits().page_items_max;
        let markers = self.node.store().markers(room, after, limit).await?;
        let full = markers.len() >= limit;
        let items: Vec<MarkerCard> = markers
            .into_iter()
            .map(|(user, idx)| MarkerCard { user, idx })
            .collect();
        let cursor = |it: &MarkerCard| it.user.to_string();
        let next = items.last().filter(|_| full).map(cursor);
        let page = Page { items, next };
        let bytes_max = self.node.page_bytes_max();
        Ok(Answer::Markers(fitting(page, bytes_max, cursor)))
    }

    pub(super) async fn presence(
        &self,
        room: &RoomRef,
        after: Option<UserId>,
    ) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        let most = self.node.limits().page_items_max;
        let look = Look::Presence { after, most };
        let Sight::Presence(present) = self.look(room, look).await? else {
            return Err(mixed_up());
        };
        let full = present.len() >= most;
        let items: Vec<_> = present
            .into_iter()
            .map(|Attendant { by: user, said }| {
                let elsewhere = || said.map(|it| *it);
                let said = self.node.statuses().of(user.id).or_else(elsewhere);
                let (status, text) = said.unwrap_or((Status::Online, None));
                PresenceCard { user, status, text }
            })
            .collect();
        let cursor = |it: &PresenceCard| it.user.id.to_string();
        let next = items.last().filter(|_| full).map(cursor);
        let page = Page { items, next };
        let bytes_max = self.node.page_bytes_max();
        Ok(Answer::Presence(fitting(page, bytes_max, cursor)))
    }

    pub(super) async fn permissions(&self, room: &RoomRef) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        Ok(Answer::Permissions(self.view(room).await?.me))
    }

    pub(super) async fn explain(
        &self,
        room: &RoomRef,
        permission: Permission,
        user: Option<UserId>,
    ) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        match self.look(room, Look::Explain { permission, user }).await? {
            Sight::Explained(explanation) => Ok(Answer::Explain(explanation)),
            Sight::View(_)
            | Sight::May { .. }
            | Sight::Bans(_)
            | Sight::Invites(_)
            | Sight::People(_)
            | Sight::Presence(_) => Err(mixed_up()),
        }
    }

    pub(super) async fn user(&self, name: &Name) -> Result<Answer, Refusal> {
        // An address would find its account too, and addresses are nobody else's business.
        if name.as_str().contains('@') {
            return Err(Refusal::new(Code::UserNotFound));
        }
        let account = self.node.store().find_account(name.as_str()).await?;
        let account = account.ok_or_else(|| Refusal::new(Code::UserNotFound))?;
        let author = chat_core::Author {
            id: account.user,
            name: Some(account.name),
        };
        Ok(Answer::User(author))
    }

    pub(super) async fn block(&self, user: UserId, on: bool) -> Result<Answer, Refusal> {
        if user == self.actor.id {
            return Err(Refusal::bad_argument("user"));
        }
        self.node.store().set_block(self.actor.id, user, on).await?;
        Ok(Answer::Accepted {})
    }
}
