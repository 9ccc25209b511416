//! What the older dialects ask for that the native one says in several ops.

use std::sync::Arc;

use chat_core::commands::{CreateRoom, Join};
use chat_core::{Author, Key, Name, RoomId, UserId};
use chat_protocol::answer::{Answer, LobbyRoom, Mode, RoomCard, SignedInCard, Transcript};
use chat_protocol::code::{Class, Code, Refusal};
use chat_protocol::command::{Lobby, SignUp, Token};
use chat_protocol::room_ref::RoomRef;
use chat_protocol::spelling::Spelling;

use super::{Desk, ROOMS_LOOKED_AT_MAX, no_room};
use crate::auth::limiter::Whence;
use crate::auth::{self, Identity, SignedIn};
use crate::node::Node;
use crate::store::{DirectoryQuery, MessageQuery, Order, Place};

/// Rooms of one list.
const LOBBY_ROOMS_MAX: usize = 1_000;

/// Pages of rooms that are looked at for one that is called so.
const TITLE_PAGES_MAX: usize = 10;

impl Desk<'_> {
    /// Makes a room; its name becomes its alias if that is free and means no other room.
    pub(crate) async fn found(
        &self,
        mut command: CreateRoom,
        alias_if_free: bool,
    ) -> Result<Answer, Refusal> {
        if alias_if_free && self.is_free(&command.name).await? {
            command.alias = Some(command.name.clone());
        }
        let made = self.command(None, None, command.clone().into()).await;
        match made {
            Err(refusal) if refusal.code == Code::NameTaken && command.alias.is_some() => {
                let unnamed = CreateRoom {
                    alias: None,
                    ..command
                };
                self.command(None, None, unnamed.into()).await
            }
            made => made,
        }
    }

    /// Makes a room, unless there is one of that name: names that one may take for each other are
    /// the same.
    pub(crate) async fn found_once(&self, command: CreateRoom) -> Result<Answer, Refusal> {
        let name = command.name.clone();
        let before = match self.named(&name).await? {
            Some(room) => Some(room),
            None => self.titled(&name).await?,
        };
        if let Some(room) = before {
            return self.founded_before(room).await;
        }
        let alias = self.is_free(&name).await?.then(|| name.clone());
        let command = CreateRoom { alias, ..command };
        match self.command(None, None, command.into()).await {
            Ok(Answer::Created { room, .. }) => {
                let room = Box::new(card(self.node, room).await?.ok_or_else(no_room)?);
                let already = false;
                Ok(Answer::Founded { room, already })
            }
            // Somebody else was quicker.
            Err(refusal) if refusal.code == Code::NameTaken => match self.named(&name).await? {
                Some(room) => self.founded_before(room).await,
                None => Err(refusal),
            },
            outcome => outcome,
        }
    }

    async fn named(&self, name: &Name) -> Result<Option<RoomId>, Refusal> {
        let holder = self
            .node
            .store()
            .holder(&Key::Alias(name.skeleton()))
            .await?;
        Ok(holder.map(|holder| holder.room))
    }

    /// The listed room that is called so without having the name for itself, if it is among the
    /// oldest.
    async fn titled(&self, name: &Name) -> Result<Option<RoomId>, Refusal> {
        let skeleton = name.skeleton();
        let is_called = |card: &&RoomCard| {
            let title = card.name.as_ref();
            title.is_some_and(|title| title.skeleton() == skeleton)
        };
        let mut cursor = None;
        for _ in 0..TITLE_PAGES_MAX {
            let query = DirectoryQuery {
                search: Some(name.as_str().to_owned()),
                order: Order::Oldest,
                cursor,
                limit: LOBBY_ROOMS_MAX,
                looked_at_max: ROOMS_LOOKED_AT_MAX,
            };
            let page = self.node.store().directory(&query).await?;
            let found = page.items.iter().find(is_called).map(|card| card.id);
            cursor = page.next;
            if found.is_some() || cursor.is_none() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// A room that there was before; one that is hidden from whoever asks is merely in his way.
    async fn founded_before(&self, room: RoomId) -> Result<Answer, Refusal> {
        match self.room(&RoomRef::id(room)).await {
            Ok(Answer::Room(room)) => {
                let already = true;
                Ok(Answer::Founded { room, already })
            }
            Err(refusal) if refusal.code == Code::RoomNotFound => {
                Err(Refusal::new(Code::NameTaken).with_detail("field", "name"))
            }
            outcome => outcome,
        }
    }

    /// Whether a name may become an alias: it is short enough, and spells no room's number.
    async fn is_free(&self, name: &Name) -> Result<bool, Refusal> {
        if name.chars() > self.node.engine_limits().alias_chars_max {
            return Ok(false);
        }
        for spelling in Spelling::ALL {
            if let Some(room) = spelling.read(name.as_str())
                && card(self.node, room).await?.is_some()
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes a room for those who call it by its name, unless somebody else is quicker: all of them
    /// are to meet in one room.
    pub(crate) async fn make(
        &self,
        command: CreateRoom,
        called: &RoomRef,
    ) -> Result<RoomId, Refusal> {
        if !self.is_free(&command.name).await? {
            return Err(Refusal::bad_argument("room"));
        }
        let command = CreateRoom {
            alias: Some(command.name.clone()),
            ..command
        };
        match self.command(None, None, command.into()).await {
            Ok(Answer::Created { room, .. }) => Ok(room),
            Ok(_) => Err(Refusal::new(Code::Unavailable)),
            Err(refusal) if refusal.code == Code::NameTaken => self.resolve(called).await,
            Err(refusal) => Err(refusal),
        }
    }

    /// Joins a room that anybody may join; passes over one that isn't.
    pub(crate) async fn join_open(&self, room: &RoomRef) -> Result<(), Refusal> {
        let room = match self.resolve(room).await {
            Ok(room) => RoomRef::id(room),
            Err(refusal) if refusal.code == Code::RoomNotFound => return Ok(()),
            Err(refusal) => return Err(refusal),
        };
        match self
            .command(Some(&room), None, Join::default().into())
            .await
        {
            Err(refusal) if refusal.class == Class::Server => Err(refusal),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The listed rooms, and who is present in each if that is asked for.
    pub(crate) async fn lobby(&self, lobby: &Lobby) -> Result<Answer, Refusal> {
        let query = DirectoryQuery {
            search: None,
            order: if lobby.newest {
                Order::Newest
            } else {
                Order::Oldest
            },
            cursor: None,
            limit: lobby.limit.min(LOBBY_ROOMS_MAX),
            looked_at_max: ROOMS_LOOKED_AT_MAX,
        };
        let cards = self.node.store().directory(&query).await?.items;
        let people = if lobby.people {
            let rooms: Vec<RoomId> = cards.iter().map(|card| card.id).collect();
            self.people(&rooms).await?
        } else {
            vec![Arc::default(); cards.len()]
        };
        let shows_locked = self.node.config().locked_people;
        let rooms = cards.into_iter().zip(people).map(|(card, people)| {
            let shown = shows_locked || card.access != Mode::Password;
            let people = people.iter().filter(|_| shown);
            LobbyRoom {
                card,
                people: people.filter_map(|it| it.name.clone()).collect(),
            }
        });
        Ok(Answer::Lobby(rooms.collect()))
    }

    /// A room and its last messages, for somebody who may read it.
    pub(crate) async fn transcript(&self, room: &RoomRef, limit: u64) -> Result<Answer, Refusal> {
        let id = self.resolve(room).await?;
        let (readable_from, head) = self.readable(id, chat_core::Permission::Read).await?;
        let room = card(self.node, id).await?.ok_or_else(no_room)?;
        let query = MessageQuery {
            room: id,
            viewer: self.actor.id,
            place: Place::Newest,
            from: readable_from,
            to: head,
            thread: None,
            limit: self.node.page(Some(limit)),
        };
        let messages = self.node.store().messages(&query).await?;
        Ok(Answer::Transcript(Box::new(Transcript { room, messages })))
    }
}

/// What anybody may know of a room; none if there is no such room.
pub(crate) async fn card(node: &Node, room: RoomId) -> Result<Option<RoomCard>, Refusal> {
    Ok(node.store().card(room).await?)
}

/// What somebody hears who isn't in a room: no word of one that only its members may know of.
pub(crate) async fn outside(node: &Node, room: RoomId) -> Refusal {
    match card(node, room).await {
        Ok(Some(card)) if card.listed => Refusal::new(Code::NotAMember),
        Ok(_) => no_room(),
        Err(refusal) => refusal,
    }
}

/// Logs in with a password; makes the account first if that is wanted and there is none. The older
/// dialects know no refreshing.
pub(crate) async fn log_in(
    node: &Node,
    login: &str,
    password: &chat_core::Password,
    make: bool,
    whence: Whence<'_>,
) -> Result<SignedIn, Refusal> {
    let accounts = node.accounts();
    let signed_in = if make {
        accounts.log_in_or_sign_up(login, password, whence).await
    } else {
        accounts.log_in(login, password, whence).await
    };
    Ok(accounts.lasting(signed_in?).await?)
}

/// Makes an account. The older dialects know no shortest password.
pub(crate) async fn sign_up(
    node: &Node,
    wish: &SignUp,
    whence: Whence<'_>,
) -> Result<SignedIn, Refusal> {
    let wish = auth::SignUp {
        name: wish.name.clone(),
        email: wish.email.clone(),
        handle: wish.handle.clone(),
        password: wish.password.clone(),
    };
    let accounts = node.accounts();
    let signed_in = accounts.sign_up_from(&wish, 1, whence).await?;
    Ok(accounts.lasting(signed_in).await?)
}

/// What somebody who has just logged in is told about himself.
pub(crate) async fn signed_in(
    node: &Node,
    identity: &Identity,
    token: &auth::Token,
) -> Result<SignedInCard, Refusal> {
    let account = node.accounts().account(identity).await?;
    Ok(SignedInCard {
        user: Author {
            id: account.user,
            name: Some(account.name),
        },
        email: account.email,
        handle: account.handle,
        created_at: account.created_at,
        updated_at: account.updated_at,
        token: Token::new(token.expose()),
        rooms: rooms_of(node, identity.user).await?,
    })
}

/// The rooms that somebody is a member of.
pub(crate) async fn rooms_of(node: &Node, user: UserId) -> Result<Vec<RoomCard>, Refusal> {
    let rooms = node.store().rooms_of(user).await?;
    Ok(rooms.into_iter().map(|mine| mine.room).collect())
}
