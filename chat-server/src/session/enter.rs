//! How the older dialects come and go: a socket is in a room under a name of its own.

use chat_core::commands::{CreateRoom, Join, Leave, Visit};
use chat_core::{Actor, Author, Command, Name, Password, RoomId, UserId};
use chat_protocol::answer::{Answer, LobbyRoom};
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::Token;
use chat_protocol::room_ref::RoomRef;
use chat_protocol::spelling::Spelling;

use super::{After, Performed, Session};
use crate::auth::limiter::{Attempt, Origin};
use crate::desk::{self, no_room, unavailable};
use crate::store::{DirectoryQuery, Order};

/// Rooms of one list.
const LOBBY_ROOMS_MAX: usize = 1_000;

impl Session {
    /// Makes a room; its name becomes its alias if that is free and means no other room.
    pub(super) async fn create(&mut self, command: CreateRoom, alias_if_free: bool) -> Performed {
        let actor = self.somebody();
        let mut command = command;
        if alias_if_free && self.is_free(&command.name).await? {
            command.alias = Some(command.name.clone());
        }
        let desk = self.desk(&actor);
        let made = desk.command(None, None, command.clone().into()).await;
        let made = match made {
            Err(refusal) if refusal.code == Code::NameTaken && command.alias.is_some() => {
                let unnamed = CreateRoom {
                    alias: None,
                    ..command
                };
                desk.command(None, None, unnamed.into()).await
            }
            made => made,
        };
        made.map(|answer| (answer, After::Nothing))
    }

    /// Whether a name may become an alias: it is short enough, and spells no room's number.
    async fn is_free(&self, name: &Name) -> Result<bool, Refusal> {
        if name.chars() > self.node().engine_limits().alias_chars_max {
            return Ok(false);
        }
        for spelling in Spelling::ALL {
            if let Some(room) = spelling.read(name.as_str())
                && self
                    .node()
                    .store()
                    .card(room)
                    .await
                    .map_err(|error| unavailable(&error))?
                    .is_some()
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Is in a room: an account as a member, a guest as a visitor.
    pub(super) async fn enter(
        &mut self,
        room: &RoomRef,
        name: Name,
        password: Option<Password>,
        token: Option<Token>,
    ) -> Performed {
        let id = desk::resolve(self.node(), room).await?;
        let card = self
            .node()
            .store()
            .card(id)
            .await
            .map_err(|error| unavailable(&error))?;
        let card = Box::new(card.ok_or_else(no_room)?);
        if let Some(actor) = self.seats.actor(id) {
            let name = actor.name.clone();
            return Ok((
                Answer::Entered {
                    room: card,
                    name,
                    already: true,
                },
                After::Nothing,
            ));
        }
        let actor = self.whoever(name, token).await?;
        let name = actor.name.clone();
        let command: Command = if actor.id.is_guest() {
            Visit { password }.into()
        } else {
            Join { password }.into()
        };
        let attempt = self.attempt(Some(id), &actor, &command)?;
        let entered = self
            .desk(&actor)
            .command(Some(&RoomRef::id(id)), None, command)
            .await;
        judge(attempt, &entered);
        entered?;
        if actor.id.is_guest() {
            self.seats.visit(id, actor.id);
        }
        let (head, _) = self.take_seat(id, actor).await?;
        let after = After::CatchUp(vec![(id, head)]);
        Ok((
            Answer::Entered {
                room: card,
                name,
                already: false,
            },
            after,
        ))
    }

    /// Is in a room no more, or in none.
    pub(super) async fn exit(&mut self, room: Option<&RoomRef>) -> Performed {
        let Some(room) = room else {
            for room in self.seats.rooms() {
                self.exit_one(room).await?;
            }
            return Ok((Answer::ExitedAll {}, After::Nothing));
        };
        let id = desk::resolve(self.node(), room).await?;
        if !self.seats.contains(id) {
            let card = self
                .node()
                .store()
                .card(id)
                .await
                .map_err(|error| unavailable(&error))?;
            let refusal = card.map_or_else(no_room, |_| Refusal::new(Code::NotAMember));
            return Err(refusal);
        }
        let name = self.exit_one(id).await?;
        Ok((Answer::Exited { room: id, name }, After::Nothing))
    }

    /// Gives up a seat; an account that isn't the owner ends its membership by that.
    async fn exit_one(&mut self, room: RoomId) -> Result<Name, Refusal> {
        let actor = self
            .rise(room)
            .await
            .ok_or_else(|| Refusal::new(Code::NotAMember))?;
        if !actor.id.is_guest() {
            let target = RoomRef::id(room);
            let left = self
                .desk(&actor)
                .command(Some(&target), None, Leave {}.into())
                .await;
            match left {
                Ok(_) => {}
                // The owner is merely absent.
                Err(refusal) if refusal.code == Code::LastOwner => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(actor.name)
    }

    /// Whether this socket is in a room.
    pub(super) async fn inside(&mut self, room: &RoomRef) -> Performed {
        let id = desk::resolve(self.node(), room).await?;
        let inside = self.seats.contains(id);
        let card = self
            .node()
            .store()
            .card(id)
            .await
            .map_err(|error| unavailable(&error))?;
        if !inside && card.is_none_or(|card| !card.listed) {
            return Err(no_room());
        }
        Ok((Answer::Inside(inside), After::Nothing))
    }

    /// The listed rooms, oldest first, and who is present in each.
    pub(super) async fn lobby(&mut self) -> Performed {
        let query = DirectoryQuery {
            search: None,
            order: Order::Oldest,
            cursor: None,
            limit: LOBBY_ROOMS_MAX,
        };
        let page = self
            .node()
            .store()
            .directory(&query)
            .await
            .map_err(|error| unavailable(&error))?;
        let actor = self.somebody();
        let people = self.desk(&actor).people(&page.items).await?;
        let names = |people: Vec<Author>| people.into_iter().filter_map(|it| it.name).collect();
        let rooms = page
            .items
            .into_iter()
            .zip(people)
            .map(|(card, people)| LobbyRoom {
                card,
                people: names(people),
            });
        let rooms = rooms.collect();
        Ok((Answer::Lobby(rooms), After::Nothing))
    }

    /// Whoever is meant by a name, with a token that proves it or without.
    async fn whoever(&mut self, name: Name, token: Option<Token>) -> Result<Actor, Refusal> {
        if let Some(token) = token {
            return self.proven(&token).await;
        }
        if !self.node().guests_welcome() {
            return Err(Refusal::new(Code::Unauthenticated));
        }
        if name.chars() > self.node().engine_limits().name_chars_max {
            return Err(Refusal::bad_argument("name"));
        }
        let registered = !self.node().registered_names_free()
            && self.node().accounts().is_registered(name.as_str()).await?;
        if registered {
            return Err(Refusal::new(Code::NameTaken)
                .with_words("This name is registered, log in to use it"));
        }
        Ok(Actor::new(UserId::guest(self.node().draw()), name))
    }

    /// Whoever a token proves. The socket ends with his log-in, as any other of his does.
    async fn proven(&self, token: &Token) -> Result<Actor, Refusal> {
        let ended = self.worker.hub.borrow().ended();
        let identity = self.node().authenticate(token.expose()).await?;
        if identity.suspended {
            return Err(Refusal::new(Code::Suspended));
        }
        self.link.bind(&identity);
        self.worker
            .hub
            .borrow_mut()
            .identify(self.link.key, identity.user);
        self.confirm(ended, token.expose()).await?;
        Ok(identity.actor())
    }

    /// Whoever has said who he is, else a guest of this socket's own.
    fn somebody(&mut self) -> Actor {
        if let Ok(actor) = self.actor() {
            return actor;
        }
        let draw = self.node().draw();
        self.nobody
            .get_or_insert_with(|| {
                let name = Name::new("guest").expect("a plain word is a name");
                Actor::new(UserId::guest(draw), name)
            })
            .clone()
    }

    /// Begins to try a room's password, if the command brings one.
    pub(super) fn attempt(
        &self,
        room: Option<RoomId>,
        actor: &Actor,
        command: &Command,
    ) -> Result<Option<Attempt>, Refusal> {
        let password = if let Command::Join(it) = command {
            it.password.as_ref()
        } else if let Command::Visit(it) = command {
            it.password.as_ref()
        } else {
            None
        };
        let (Some(room), Some(_)) = (room, password) else {
            return Ok(None);
        };
        let attempt = self
            .node()
            .limiter()
            .enter(room, actor.id, Origin::of(self.address));
        attempt
            .map(Some)
            .map_err(|limited| Refusal::rate_limited(limited.retry_ms))
    }
}

/// Notes how trying a password came out.
pub(super) fn judge(attempt: Option<Attempt>, outcome: &Result<Answer, Refusal>) {
    let Some(attempt) = attempt else { return };
    match outcome {
        Ok(_) => attempt.succeed(),
        Err(refusal) if refusal.code == Code::WrongPassword => attempt.fail(),
        Err(_) => attempt.withdraw(),
    }
}
