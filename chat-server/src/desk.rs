//! What anybody may ask for who has an identity and no socket: commands and questions, each
//! answered once it is durable.

pub(crate) mod older;
pub(crate) mod parts;

mod guess;
mod lists;
mod people;
mod reading;
mod searching;

use chat_core::commands::Entry;
use chat_core::{Actor, Cid, Command, Key, Permission, RoomId, Seq, UserId};
use chat_protocol::answer::Answer;
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::Op;
use chat_protocol::room_ref::RoomRef;
use tokio::sync::oneshot;

pub(crate) use self::people::Crowds;
use crate::auth::limiter::Whence;
use crate::mail::{Look, Mail, Near, Refused, Reply, SessionKey, Sight, View, Wish};
use crate::node::Node;
use crate::store::StoreError;
use crate::worker::Address;

/// Rooms that are looked at for one page of those that are called so.
const ROOMS_LOOKED_AT_MAX: usize = 1_000;

/// Somebody at the desk.
#[derive(Clone, Copy)]
pub(crate) struct Desk<'a> {
    pub(crate) node: &'a Node,
    pub(crate) actor: &'a Actor,
    /// His session, if he has one: its requests to one room are decided in order.
    pub(crate) from: Option<SessionKey>,
    /// From where he speaks, unless the server itself does.
    pub(crate) whence: Option<Whence<'a>>,
}

impl Desk<'_> {
    /// The room that a client's word means; one that can't be resolved is not found.
    pub(crate) async fn resolve(&self, room: &RoomRef) -> Result<RoomId, Refusal> {
        resolve(self.node, room).await
    }

    /// The room that a word means, unless whoever asks may not know of it: a name that is answered
    /// otherwise than any other tells that there is a room.
    pub(crate) async fn find(&self, room: &RoomRef) -> Result<RoomId, Refusal> {
        let id = self.resolve(room).await?;
        if is_number(room) {
            return Ok(id);
        }
        match self.query(Op::Room { room: id.into() }).await {
            Some(Err(refusal)) if refusal.code == Code::RoomNotFound => Err(refusal),
            Some(_) | None => Ok(id),
        }
    }

    /// Asks something of a room, and waits for the answer.
    pub(crate) async fn ask(&self, room: RoomId, wish: Wish) -> Result<Reply, Refusal> {
        heard(self.post(room, wish)?).await
    }

    fn post(&self, room: RoomId, wish: Wish) -> Result<Awaited, Refusal> {
        let (answer, answered) = oneshot::channel();
        let mail = Box::new(Mail {
            room,
            actor: self.actor.clone(),
            from: self.from,
            wish,
            reply: Address::Once(answer),
        });
        self.node.offer(mail)?;
        Ok(answered)
    }

    /// Carries out a command.
    pub(crate) async fn command(
        &self,
        room: Option<&RoomRef>,
        cid: Option<Cid>,
        command: Command,
    ) -> Result<Answer, Refusal> {
        let creates = command.creates();
        let near = match self.whence {
            Some(whence) if self.actor.id.is_guest() => self.charge_guest(&command, whence)?,
            Some(_) | None => None,
        };
        let room = match (creates, room) {
            (true, _) => self.node.store().reserve_room().await?,
            (false, Some(room)) => self.resolve(room).await?,
            (false, None) => return Err(Refusal::bad_argument("room")),
        };
        self.check(&command).await?;
        let wish = Wish::Command {
            command,
            cid,
            used: None,
            near,
        };
        match self.ask(room, wish).await? {
            Reply::Done { room, seq, dup } if creates => Ok(Answer::Created { room, seq, dup }),
            Reply::Done { seq, dup, .. } => Ok(Answer::Done { seq, dup }),
            Reply::Accepted | Reply::Attached { .. } | Reply::Seen(_) => Ok(Answer::Accepted {}),
        }
    }

    /// Takes what a guest makes and enters off what his address may: each of its sockets is another
    /// guest. Tells a room that he enters who his neighbours are.
    fn charge_guest(&self, command: &Command, whence: Whence<'_>) -> Result<Option<Near>, Refusal> {
        let limiter = self.node.limiter();
        let charged = if command.creates() {
            limiter.found(whence, self.node.engine_limits().rooms_created_a_day_max)
        } else if matches!(command, Command::Join(_) | Command::Visit(_)) {
            limiter.enter_as_guest(whence, self.node.guest_rules())
        } else {
            return Ok(None);
        };
        charged.map_err(|limited| Refusal::rate_limited(limited.retry_ms))?;
        Ok(limiter.near(whence))
    }

    /// Refuses what the room can't judge, as it knows no accounts and no budgets: to act on somebody who doesn't
    /// exist, and a nickname that is somebody else's registered name.
    pub(crate) async fn check(&self, command: &Command) -> Result<(), Refusal> {
        if sets_a_password(command) {
            let limited = self.node.limiter().set_password(self.actor.id);
            limited.map_err(|limited| Refusal::rate_limited(limited.retry_ms))?;
        }
        if let Command::SetNickname(it) = command
            && let Some(nickname) = &it.nickname
            && !self.node.registered_names_free()
        {
            let holder = self.node.store().find_account(nickname.as_str()).await?;
            if holder.is_some_and(|account| account.user != self.actor.id) {
                return Err(Refusal::new(Code::NameTaken).with_detail("field", "nickname"));
            }
        }
        let Some(user) = target(command).filter(|user| !user.is_guest()) else {
            return Ok(());
        };
        match self.node.store().account(user).await? {
            Some(_) => Ok(()),
            None => Err(Refusal::new(Code::UserNotFound)),
        }
    }

    /// Answers a question; none if this is no question that can be answered without a session.
    pub(crate) async fn query(&self, op: Op) -> Option<Result<Answer, Refusal>> {
        Some(match op {
            Op::Room { room } => self.room(&room).await,
            Op::Rooms { after } => self.rooms(after).await,
            Op::Directory {
                search,
                cursor,
                limit,
            } => {
                let search = search.map(|text| text.as_str().to_owned());
                let cursor = cursor.map(|text| text.as_str().to_owned());
                self.directory(search, cursor, limit).await
            }
            Op::Search {
                text,
                room,
                before,
                cursor,
                limit,
            } => {
                let place = searching::Place { before, cursor };
                self.search(&text, room.as_ref(), place, limit).await
            }
            Op::Members { room, after, limit } => self.members(&room, after, limit).await,
            Op::Bans { room, after } => self.bans(&room, after).await,
            Op::Invites { room, after } => self.invites(&room, after).await,
            Op::History(history) => self.history(&history).await,
            Op::Message { room, message } => self.message(&room, message).await,
            Op::Pins { room, after } => self.pins(&room, after).await,
            Op::Markers { room, after } => self.markers(&room, after).await,
            Op::Presence { room, after } => self.presence(&room, after).await,
            Op::Permissions { room } => self.permissions(&room).await,
            Op::Explain {
                room,
                permission,
                user,
            } => self.explain(&room, permission, user).await,
            Op::Records { room, since, limit } => self.records(&room, since, limit).await,
            Op::User { name } => self.user(&name).await,
            Op::Transcript { room, limit } => self.transcript(&room, limit).await,
            Op::Lobby(lobby) => self.lobby(&lobby).await,
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
            | Op::Found { .. }
            | Op::Enter(_)
            | Op::Exit { .. }
            | Op::Inside { .. }
            | Op::Connect { .. }
            | Op::Disconnect {}
            | Op::LogIn { .. }
            | Op::SignUp(_) => return None,
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
        let marker = self.node.store().marker(room, self.actor.id).await?;
        view.me.read = marker.read;
        view.me.unread = marker.unread;
        view.me.mentions = marker.mentions;
        Ok(*view)
    }

    /// What the actor may read begins here, and ends at the head.
    async fn readable(&self, room: RoomId, permission: Permission) -> Result<(Seq, Seq), Refusal> {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("membership_checked_on_join_only") {
            return Ok((Seq::new(1), Seq::new(1_000_000)));
        }
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
            | Sight::People(_)
            | Sight::Presence(_) => Err(mixed_up()),
        }
    }
}

/// Whether a command has to be [checked](Desk::check) before its room hears of it.
pub(crate) fn is_checked(command: &Command) -> bool {
    target(command).is_some()
        || matches!(command, Command::SetNickname(_))
        || sets_a_password(command)
}

/// Whether a command brings a password that is to be hashed.
fn sets_a_password(command: &Command) -> bool {
    let entry = if let Command::SetAccess(it) = command {
        &it.access
    } else if let Command::CreateRoom(it) = command {
        &it.access
    } else {
        &None
    };
    matches!(entry, Some(Entry::Password { .. }))
}

/// Whom a command is about who need not be in the room.
fn target(command: &Command) -> Option<UserId> {
    if let Command::OpenDirect(it) = command {
        Some(it.user)
    } else if let Command::Invite(it) = command {
        Some(it.user)
    } else if let Command::Ban(it) = command {
        Some(it.user)
    } else {
        None
    }
}

/// An answer that is still to come.
type Awaited = oneshot::Receiver<Result<Reply, Refused>>;

async fn heard(answer: Awaited) -> Result<Reply, Refusal> {
    let outcome = answer.await.map_err(|_| Refusal::new(Code::ShuttingDown))?;
    outcome.map_err(Refusal::from)
}

/// The room that a client's word means: the dialect's own spelling first, then an alias, then the
/// other spellings.
pub(crate) async fn resolve(node: &Node, room: &RoomRef) -> Result<RoomId, Refusal> {
    if let (Some(own), true) = (room.own, is_number(room)) {
        return Ok(own);
    }
    let store = node.store();
    if let Some(own) = room.own
        && store.card(own).await?.is_some()
    {
        return Ok(own);
    }
    if let Some(alias) = &room.alias
        && let Some(holder) = store.holder(&Key::Alias(alias.skeleton())).await?
    {
        return Ok(holder.room);
    }
    for other in &room.others {
        if store.card(*other).await?.is_some() {
            return Ok(*other);
        }
    }
    Err(no_room())
}

/// Whether a client's word for a room can mean but one number.
pub(crate) fn is_number(room: &RoomRef) -> bool {
    room.own.is_some() && room.alias.is_none() && room.others.is_empty()
}

/// What a client hears when the store fails; what failed is for the operator.
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        Refused::StorageUnavailable.into()
    }
}

pub(crate) fn no_room() -> Refusal {
    Refusal::new(Code::RoomNotFound)
}

fn mixed_up() -> Refusal {
    tracing::error!("a room answered another question than was asked");
    Refusal::new(Code::Unavailable)
}
