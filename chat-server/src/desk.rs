//! What anybody may ask for who has an identity and no socket: commands and questions, each
//! answered once it is durable.

use chat_core::{Actor, Cid, Command, Key, Name, Permission, RoomId, Seq, UserId};
use chat_protocol::answer::{Answer, InviteCard, MarkerCard, Page, PresenceCard, Records};
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::{self, History, Op};
use chat_protocol::room_ref::RoomRef;
use tokio::sync::oneshot;

use crate::mail::{Look, Mail, Refused, Reply, SessionKey, Sight, View, Wish};
use crate::node::Node;
use crate::store::{DirectoryQuery, MessageQuery, Order, Place, StoreError};
use crate::worker::Address;

/// Somebody at the desk.
#[derive(Clone, Copy)]
pub(crate) struct Desk<'a> {
    pub(crate) node: &'a Node,
    pub(crate) actor: &'a Actor,
    /// His session, if he has one: its requests to one room are decided in order.
    pub(crate) from: Option<SessionKey>,
}

impl Desk<'_> {
    /// The room that a client's word means; one that can't be resolved is not found.
    pub(crate) async fn resolve(&self, room: &RoomRef) -> Result<RoomId, Refusal> {
        resolve(self.node, room).await
    }

    /// Asks something of a room, and waits for the answer.
    pub(crate) async fn ask(&self, room: RoomId, wish: Wish) -> Result<Reply, Refusal> {
        let (answer, answered) = oneshot::channel();
        let mail = Mail {
            room,
            actor: self.actor.clone(),
            from: self.from,
            wish,
            reply: Address::Once(answer),
        };
        self.node.send(mail).await?;
        let outcome = answered
            .await
            .map_err(|_| Refusal::new(Code::ShuttingDown))?;
        outcome.map_err(refusal)
    }

    /// Carries out a command.
    pub(crate) async fn command(
        &self,
        room: Option<&RoomRef>,
        cid: Option<Cid>,
        command: Command,
    ) -> Result<Answer, Refusal> {
        let creates = command.creates();
        let room = match (creates, room) {
            (true, _) => self
                .node
                .store()
                .reserve_room()
                .await
                .map_err(unavailable)?,
            (false, Some(room)) => self.resolve(room).await?,
            (false, None) => return Err(Refusal::bad_argument("room")),
        };
        self.check_target(&command).await?;
        let wish = Wish::Command {
            command,
            cid,
            used: None,
        };
        match self.ask(room, wish).await? {
            Reply::Done { room, seq, dup } if creates => Ok(Answer::Created { room, seq, dup }),
            Reply::Done { seq, dup, .. } => Ok(Answer::Done { seq, dup }),
            Reply::Accepted | Reply::Attached { .. } | Reply::Seen(_) => Ok(Answer::Accepted {}),
        }
    }

    /// Refuses to act on somebody who doesn't exist.
    pub(crate) async fn check_target(&self, command: &Command) -> Result<(), Refusal> {
        let user = match command {
            Command::OpenDirect(it) => it.user,
            Command::Invite(it) => it.user,
            Command::Ban(it) => it.user,
            _ => return Ok(()),
        };
        if user.is_guest()
            || self
                .node
                .store()
                .account(user)
                .await
                .map_err(unavailable)?
                .is_some()
        {
            return Ok(());
        }
        Err(Refusal::new(Code::UserNotFound))
    }

    /// Answers a question; none if this is no question that can be answered without a session.
    pub(crate) async fn query(&self, op: Op) -> Option<Result<Answer, Refusal>> {
        Some(match op {
            Op::Room { room } => self.room(&room).await,
            Op::Rooms {} => self.rooms().await,
            Op::Directory {
                search,
                cursor,
                limit,
            } => {
                let search = search.map(|text| text.as_str().to_owned());
                let cursor = cursor.map(|text| text.as_str().to_owned());
                self.directory(search, cursor, limit).await
            }
            Op::Members { room, after, limit } => self.members(&room, after, limit).await,
            Op::Bans { room } => self.bans(&room).await,
            Op::Invites { room } => self.invites(&room).await,
            Op::History(history) => self.history(&history).await,
            Op::Message { room, message } => self.message(&room, message).await,
            Op::Pins { room } => self.pins(&room).await,
            Op::Markers { room } => self.markers(&room).await,
            Op::Presence { room } => self.presence(&room).await,
            Op::Permissions { room } => self.permissions(&room).await,
            Op::Explain {
                room,
                permission,
                user,
            } => self.explain(&room, permission, user).await,
            Op::Records { room, since, limit } => self.records(&room, since, limit).await,
            Op::User { name } => self.user(&name).await,
            Op::Limits {} => Ok(Answer::Limits(Box::new(self.node.published_limits()))),
            Op::Block { user } => self.block(user, true).await,
            Op::Unblock { user } => self.block(user, false).await,
            Op::Hello(_)
            | Op::InRoom { .. }
            | Op::Subscribe { .. }
            | Op::Unsubscribe { .. }
            | Op::Snapshot { .. }
            | Op::Logout { .. }
            | Op::Refresh { .. }
            | Op::SetStatus { .. }
            | Op::Create { .. }
            | Op::Enter { .. }
            | Op::Exit { .. }
            | Op::Inside { .. }
            | Op::Lobby {} => return None,
        })
    }

    async fn look(&self, room: RoomId, look: Look) -> Result<Sight, Refusal> {
        match self.ask(room, Wish::Look(look)).await? {
            Reply::Seen(sight) => Ok(*sight),
            Reply::Done { .. } | Reply::Accepted | Reply::Attached { .. } => Err(mixed_up()),
        }
    }

    /// The room as the actor may see it.
    pub(crate) async fn view(&self, room: RoomId) -> Result<View, Refusal> {
        let Sight::View(mut view) = self.look(room, Look::View).await? else {
            return Err(mixed_up());
        };
        let marker = self
            .node
            .store()
            .marker(room, self.actor.id)
            .await
            .map_err(unavailable)?;
        view.me.read = marker.read;
        view.me.unread = marker.unread;
        view.me.mentions = marker.mentions;
        Ok(view)
    }

    /// What the actor may read begins here, and ends at the head.
    async fn readable(&self, room: RoomId, permission: Permission) -> Result<(Seq, Seq), Refusal> {
        match self.look(room, Look::May(permission)).await? {
            Sight::May {
                readable_from,
                head,
                ..
            } => Ok((readable_from, head)),
            Sight::View(_)
            | Sight::Explained(_)
            | Sight::Bans(_)
            | Sight::Invites(_)
            | Sight::Presence(_) => Err(mixed_up()),
        }
    }

    async fn room(&self, room: &RoomRef) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        let refused = match self.look(room, Look::May(Permission::Read)).await {
            Ok(_) => None,
            Err(refusal) if refusal.code == Code::NotAMember => None,
            Err(refusal) => Some(refusal),
        };
        if let Some(refusal) = refused {
            return Err(refusal);
        }
        let card = self.node.store().card(room).await.map_err(unavailable)?;
        card.map(|card| Answer::Room(Box::new(card)))
            .ok_or_else(no_room)
    }

    async fn rooms(&self) -> Result<Answer, Refusal> {
        let items = self
            .node
            .store()
            .rooms_of(self.actor.id)
            .await
            .map_err(unavailable)?;
        Ok(Answer::Rooms(Page { items, next: None }))
    }

    async fn directory(
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
        };
        self.node
            .store()
            .directory(&query)
            .await
            .map(Answer::Directory)
            .map_err(unavailable)
    }

    async fn members(
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
    ) -> Result<Page<chat_protocol::answer::MemberCard>, Refusal> {
        let items = self
            .node
            .store()
            .members(room, after, limit)
            .await
            .map_err(unavailable)?;
        let full = items.len() >= limit;
        let next = items
            .last()
            .filter(|_| full)
            .map(|last| last.user.id.to_string());
        Ok(Page { items, next })
    }

    async fn bans(&self, room: &RoomRef) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        let Sight::Bans(items) = self.look(room, Look::Bans).await? else {
            return Err(mixed_up());
        };
        Ok(Answer::Bans(Page { items, next: None }))
    }

    async fn invites(&self, room: &RoomRef) -> Result<Answer, Refusal> {
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
        Ok(Answer::Invites(Page { items, next: None }))
    }

    async fn history(&self, history: &History) -> Result<Answer, Refusal> {
        let room = self.resolve(&history.room).await?;
        let (from, to) = self.readable(room, Permission::Read).await?;
        let place = match history.place {
            command::Place::Newest => Place::Newest,
            command::Place::Before(seq) => Place::Before(seq),
            command::Place::After(seq) => Place::After(seq),
            command::Place::Around(seq) => Place::Around(seq),
        };
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
        let items = self
            .node
            .store()
            .messages(&query)
            .await
            .map_err(unavailable)?;
        Ok(Answer::History(Page { items, next: None }))
    }

    async fn one_message(
        &self,
        room: RoomId,
        message: Seq,
        from: Seq,
    ) -> Result<Option<chat_protocol::answer::Message>, Refusal> {
        let before = Seq::new(message.number().saturating_sub(1));
        let query = MessageQuery {
            room,
            viewer: self.actor.id,
            place: Place::After(before),
            from: from.max(message),
            to: message,
            thread: None,
            limit: 1,
        };
        let mut found = self
            .node
            .store()
            .messages(&query)
            .await
            .map_err(unavailable)?;
        Ok(found.pop())
    }

    async fn message(&self, room: &RoomRef, message: Seq) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        let (from, _) = self.readable(room, Permission::Read).await?;
        let found = self.one_message(room, message, from).await?;
        found
            .map(|message| Answer::Message(Box::new(message)))
            .ok_or_else(|| Refusal::new(Code::MessageNotFound))
    }

    async fn pins(&self, room: &RoomRef) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        let view = self.view(room).await?;
        let mut items = Vec::with_capacity(view.pins.len());
        for pin in view.pins {
            items.extend(self.one_message(room, pin, view.readable_from).await?);
        }
        Ok(Answer::Pins(Page { items, next: None }))
    }

    async fn markers(&self, room: &RoomRef) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        self.readable(room, Permission::ListMembers).await?;
        let limit = self.node.limits().page_items_max;
        let markers = self
            .node
            .store()
            .markers(room, limit)
            .await
            .map_err(unavailable)?;
        let items = markers
            .into_iter()
            .map(|(user, idx)| MarkerCard { user, idx })
            .collect();
        Ok(Answer::Markers(Page { items, next: None }))
    }

    async fn presence(&self, room: &RoomRef) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        let Sight::Presence(present) = self.look(room, Look::Presence).await? else {
            return Err(mixed_up());
        };
        let items = present
            .into_iter()
            .map(|user| {
                let (status, text) = self.node.statuses().of(user.id);
                PresenceCard { user, status, text }
            })
            .collect();
        Ok(Answer::Presence(Page { items, next: None }))
    }

    async fn permissions(&self, room: &RoomRef) -> Result<Answer, Refusal> {
        let room = self.resolve(room).await?;
        Ok(Answer::Permissions(self.view(room).await?.me))
    }

    async fn explain(
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
            | Sight::Presence(_) => Err(mixed_up()),
        }
    }

    async fn records(
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
        let after = since.max(Seq::new(from.number().saturating_sub(1)));
        let most = self.node.limits().catch_up_records_max;
        let limit = usize::try_from(limit.unwrap_or(most).clamp(1, most)).unwrap_or(usize::MAX);
        let events = self
            .node
            .store()
            .records(room, after, limit)
            .await
            .map_err(unavailable)?;
        let events: Vec<_> = events
            .into_iter()
            .filter(|record| record.seq <= head)
            .collect();
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

    async fn user(&self, name: &Name) -> Result<Answer, Refusal> {
        // An address would find its account too, and addresses are nobody else's business.
        if name.as_str().contains('@') {
            return Err(Refusal::new(Code::UserNotFound));
        }
        let account = self
            .node
            .store()
            .find_account(name.as_str())
            .await
            .map_err(unavailable)?;
        let account = account.ok_or_else(|| Refusal::new(Code::UserNotFound))?;
        let author = chat_core::Author {
            id: account.user,
            name: Some(account.name),
        };
        Ok(Answer::User(author))
    }

    async fn block(&self, user: UserId, on: bool) -> Result<Answer, Refusal> {
        if user == self.actor.id {
            return Err(Refusal::bad_argument("user"));
        }
        self.node
            .store()
            .set_block(self.actor.id, user, on)
            .await
            .map_err(unavailable)?;
        Ok(Answer::Accepted {})
    }
}

/// The room that a client's word means: the dialect's own spelling first, then an alias, then the
/// other spellings.
pub(crate) async fn resolve(node: &Node, room: &RoomRef) -> Result<RoomId, Refusal> {
    if let (Some(own), None, true) = (room.own, &room.alias, room.others.is_empty()) {
        return Ok(own);
    }
    let store = node.store();
    if let Some(own) = room.own
        && store.card(own).await.map_err(unavailable)?.is_some()
    {
        return Ok(own);
    }
    if let Some(alias) = &room.alias
        && let Some(holder) = store
            .holder(&Key::Alias(alias.skeleton()))
            .await
            .map_err(unavailable)?
    {
        return Ok(holder.room);
    }
    for other in &room.others {
        if store.card(*other).await.map_err(unavailable)?.is_some() {
            return Ok(*other);
        }
    }
    Err(no_room())
}

/// What a room's answer to a command is to a client.
pub(crate) fn spoken(outcome: Result<Reply, Refused>) -> Result<Answer, Refusal> {
    match outcome {
        Ok(Reply::Done { seq, dup, .. }) => Ok(Answer::Done { seq, dup }),
        Ok(Reply::Accepted | Reply::Attached { .. } | Reply::Seen(_)) => Ok(Answer::Accepted {}),
        Err(refused) => Err(refusal(refused)),
    }
}

/// The refusal that a client hears.
pub(crate) fn refusal(refused: Refused) -> Refusal {
    match refused {
        Refused::Rejected(rejection) => rejection.into(),
        Refused::NameTaken => Refusal::new(Code::NameTaken),
        Refused::StorageUnavailable => Refusal::new(Code::StorageUnavailable).with_retry(RETRY_MS),
        Refused::Overloaded => Refusal::new(Code::Unavailable).with_retry(RETRY_MS),
    }
}

/// What a client hears when the store fails; what failed is for the operator.
pub(crate) fn unavailable(error: StoreError) -> Refusal {
    tracing::error!(%error, "the store failed");
    refusal(Refused::StorageUnavailable)
}

pub(crate) fn no_room() -> Refusal {
    Refusal::new(Code::RoomNotFound)
}

fn mixed_up() -> Refusal {
    tracing::error!("a room answered another question than was asked");
    Refusal::new(Code::Unavailable)
}

/// After which a client may try again what failed by no fault of its own.
const RETRY_MS: u64 = 1_000;
