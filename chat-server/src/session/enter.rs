//! How the older dialects come and go: a socket is in a room under a name of its own.

use chat_core::commands::{CreateRoom, Join, Leave, Visit};
use chat_core::{Actor, Command, Name, Password, RoomId, UserId};
use chat_protocol::answer::{Answer, RoomCard};
use chat_protocol::close::Close;
use chat_protocol::code::{Class, Code, Refusal};
use chat_protocol::command::{Enter, NameRule, Token};
use chat_protocol::dialect::Dialect;
use chat_protocol::room_ref::RoomRef;
use chat_protocol::voice::{Face, Voice};

use super::{After, Performed, Session, unauthenticated};
use crate::auth::Identity;
use crate::config::ActionsNames;
use crate::desk::{self, no_room};
use crate::hub::News;

impl Session {
    /// Makes a room; its name becomes its alias if that is free and means no other room.
    pub(super) async fn create(
        &mut self,
        mut command: CreateRoom,
        alias_if_free: bool,
    ) -> Performed {
        let actor = self.somebody();
        if actor.id.is_guest() && !self.node().guests_welcome() {
            return Err(unauthenticated());
        }
        // A guest who is in it from the start is there as long as his socket.
        let visits = command.join && actor.id.is_guest();
        command.join &= !visits;
        let made = self.desk(&actor).found(command, alias_if_free).await?;
        if let (Answer::Created { room, .. }, true) = (&made, visits) {
            self.admit(*room, &actor, None).await?;
        }
        Ok((made, After::Nothing))
    }

    /// Is in a room: an account as a member, a guest as a visitor.
    pub(super) async fn enter(&mut self, mut wish: Enter) -> Performed {
        let dialect = self.link.dialect.get().ok_or_else(unauthenticated)?;
        let found = desk::resolve(self.node(), &wish.room).await;
        let (id, actor) = match (found, wish.make.take()) {
            (Ok(id), _) => (id, None),
            (Err(refusal), Some(make)) if refusal.code == Code::RoomNotFound => {
                let actor = self.whoever(&wish).await?;
                let made = self.desk(&actor).make(make, &wish.room).await?;
                (made, Some(actor))
            }
            (Err(refusal), _) => return Err(refusal),
        };
        let card = desk::older::card(self.node(), id).await?;
        let room = Box::new(card.ok_or_else(no_room)?);
        if let Some(actor) = self.seats.actor(id) {
            let (name, already) = (actor.name.clone(), true);
            let entered = Answer::Entered {
                room,
                name,
                already,
            };
            return Ok((entered, After::Nothing));
        }
        let actor = match actor {
            Some(actor) => actor,
            None => self.whoever(&wish).await.map_err(hidden(&room))?,
        };
        // An account's name is its own, whoever else may use it.
        if wish.unique && actor.id.is_guest() {
            self.check_unique(&room, &actor).await?;
        }
        let name = actor.name.clone();
        let voice = self.voice(dialect, wish.face, &wish.called);
        self.admit(id, &actor, wish.password).await?;
        let (head, _) = self.take_seat(id, actor.clone(), voice).await?;
        // Two who ask in the same moment were both told that it is free: the first to sit has it.
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("unique_name_checked_once") {
            wish.unique = false;
        }
        if wish.unique
            && actor.id.is_guest()
            && let Err(refusal) = self.check_unique(&room, &actor).await
        {
            self.rise(id).await;
            return Err(refusal);
        }
        self.seats.call(id, wish.room);
        let entered = Answer::Entered {
            room,
            name,
            already: false,
        };
        Ok((entered, After::CatchUp(vec![(id, head)])))
    }

    /// How a seat hears its room.
    pub(super) fn voice(&self, dialect: Dialect, face: Face, called: &str) -> Voice {
        let echo = self.node().config().echoes(dialect);
        Voice::for_seat(dialect, face, called).with_echo(echo)
    }

    /// Joins, or visits.
    async fn admit(
        &mut self,
        room: RoomId,
        actor: &Actor,
        password: Option<Password>,
    ) -> Result<(), Refusal> {
        let command: Command = if actor.id.is_guest() {
            Visit { password }.into()
        } else {
            Join { password }.into()
        };
        let whence = self.whence();
        self.desk(actor)
            .command_from(whence, Some(&RoomRef::id(room)), None, command)
            .await?;
        if actor.id.is_guest() {
            self.seats.visit(room, actor.id);
        }
        Ok(())
    }

    /// Refuses a name that somebody else bears who is present, and came before.
    async fn check_unique(&self, room: &RoomCard, actor: &Actor) -> Result<(), Refusal> {
        let namesakes = self.desk(actor).namesakes(room.id, &actor.name).await?;
        let skeleton = actor.name.skeleton();
        let first = namesakes
            .into_iter()
            .find(|it| matches!(&it.name, Some(name) if name.skeleton() == skeleton));
        if first.is_some_and(|first| first.id != actor.id) {
            return Err(Refusal::new(Code::NameTaken).with_detail("field", "name"));
        }
        Ok(())
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
            return Err(desk::older::outside(self.node(), id).await);
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
        let card = desk::older::card(self.node(), id).await?;
        if !inside && card.is_none_or(|card| !card.listed) {
            return Err(no_room());
        }
        Ok((Answer::Inside(inside), After::Nothing))
    }

    /// Whoever is meant by a wish to enter.
    async fn whoever(&mut self, wish: &Enter) -> Result<Actor, Refusal> {
        let token = match wish.rule {
            NameRule::Guest => wish.token.clone(),
            // A request's own token counts for every room.
            NameRule::Address => {
                let own = || self.token.as_deref().cloned();
                wish.token.clone().or_else(own)
            }
        };
        if let Some(token) = token {
            let actor = self.proven(&token).await?;
            return self.under(actor, wish);
        }
        let known = self.identity.as_ref().map(Identity::actor);
        if let Some(actor) = known.clone().filter(|actor| !actor.id.is_guest()) {
            return self.under(actor, wish);
        }
        let Some(name) = wish.name.clone() else {
            let known = known.or_else(|| self.seats.guest().cloned());
            return known.ok_or_else(unauthenticated);
        };
        if !self.node().guests_welcome() {
            return Err(Refusal::new(Code::Unauthenticated));
        }
        let chars_max = self.node().engine_limits().name_chars_max;
        if name.chars() > chars_max {
            let words = format!("a name has at most {chars_max} characters");
            return Err(Refusal::bad_argument("name").with_words(words));
        }
        if let Some(actor) = self.vouched(&name, wish.rule).await? {
            return Ok(actor);
        }
        // One guest, under as many names as he likes: what keeps him out of a room goes on to.
        Ok(Actor::new(self.somebody().id, name))
    }

    /// An account under the name that it wants to go by, which has to be its own where that is the
    /// rule.
    fn under(&self, actor: Actor, wish: &Enter) -> Result<Actor, Refusal> {
        let other = wish
            .name
            .as_ref()
            .is_some_and(|name| name.skeleton() != actor.name.skeleton());
        if other && wish.rule == NameRule::Address {
            return Err(Refusal::new(Code::NameTaken).with_words("The token is another user's"));
        }
        Ok(actor)
    }

    /// The account behind a registered name, where its address vouches for whoever uses it; none
    /// if the name is free for a guest.
    async fn vouched(&self, name: &Name, rule: NameRule) -> Result<Option<Actor>, Refusal> {
        let node = self.node();
        if node.registered_names_free() {
            return Ok(None);
        }
        let open = rule == NameRule::Address && node.config().actions_names == ActionsNames::Open;
        let accounts = node.accounts();
        if open || !accounts.is_registered(name.as_str()).await? {
            return Ok(None);
        }
        let by_address =
            rule == NameRule::Address && node.config().actions_names == ActionsNames::Session;
        let here = async || accounts.here_from(name.as_str(), self.whence()).await;
        let ended = self.worker.hub.borrow().ended();
        if by_address && let Some(identity) = here().await? {
            self.come_by(&identity);
            // The news of its end may have come before the socket could be found by it.
            if self.worker.hub.borrow().ended() == ended || here().await?.is_some() {
                return Ok(Some(identity.actor()));
            }
            self.link.tell(News::End(Close::Unauthenticated));
        }
        Err(Refusal::new(Code::NameTaken).with_words("This name is registered, log in to use it"))
    }

    /// Whoever a token proves. The socket ends with his log-in, as any other of his does.
    async fn proven(&self, token: &Token) -> Result<Actor, Refusal> {
        let ended = self.worker.hub.borrow().ended();
        let identity = self.node().authenticate(token.expose()).await?;
        if identity.suspended {
            return Err(Refusal::new(Code::Suspended));
        }
        self.come_by(&identity);
        self.confirm(ended, token.expose()).await?;
        Ok(identity.actor())
    }

    /// Notes that the socket is here by a further log-in, and ends with it.
    fn come_by(&self, identity: &Identity) {
        #[cfg(sabotage)]
        let binds = !chat_core::sabotage::planted("vouched_for_after_log_out");
        #[cfg(not(sabotage))]
        let binds = true;
        if binds {
            self.link.bind_also(identity, self.node().clock());
        }
        let mut hub = self.worker.hub.borrow_mut();
        hub.identify(self.link.key, identity.user);
    }

    /// Whoever has said who he is, else a guest of this socket's own.
    pub(super) fn somebody(&mut self) -> Actor {
        if let Ok(actor) = self.actor() {
            return actor;
        }
        let draw = self.node().draw();
        self.nobody
            .get_or_insert_with(|| {
                let name = Name::new("guest").expect("a plain word is a name");
                Box::new(Actor::new(UserId::guest(draw), name))
            })
            .as_ref()
            .clone()
    }
}

/// What somebody hears who can't show who he is: that there is no such room, where only some may
/// know that there is one.
fn hidden(room: &RoomCard) -> impl FnOnce(Refusal) -> Refusal {
    let listed = room.listed;
    move |refusal| {
        let is_ours = refusal.class == Class::Server;
        if listed || is_ours {
            refusal
        } else {
            no_room()
        }
    }
}
