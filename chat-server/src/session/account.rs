//! How somebody becomes known on a socket of an older dialect: by a token, by a password, or as a
//! guest.

use chat_core::{Kind, Name, RoomId, Seq, UserId};
use chat_protocol::answer::{Answer, SignedInCard};
use chat_protocol::close::Close;
use chat_protocol::code::{Class, Code, Refusal};
use chat_protocol::command::{Enter, SignUp, Token};
use chat_protocol::dialect::Dialect;
use chat_protocol::room_ref::RoomRef;
use chat_protocol::voice::Face;

use super::carrier::Carrier;
use super::{After, Performed, Session, unauthenticated};
use crate::auth::{Identity, SignedIn};
use crate::desk::older;

impl Session {
    /// Is whoever the request's token stands for, in the room that the request named, before
    /// anything is heard; gives the reason if the session has to end.
    pub(super) async fn arrive(
        &mut self,
        room: (RoomId, Seq),
        carrier: &mut Carrier,
    ) -> Option<Close> {
        match self.come_in(room).await {
            Ok(()) => {
                carrier.allow(self.node().limits().frame_bytes_max);
                None
            }
            Err(refusal) => Some(match (refusal.class, refusal.code) {
                (_, Code::Suspended) => Close::Suspended,
                (_, Code::TooMany) => Close::TooManySessions,
                (Class::Server, _) => Close::Internal,
                (_, _) => Close::Unauthenticated,
            }),
        }
    }

    async fn come_in(&mut self, (room, since): (RoomId, Seq)) -> Result<(), Refusal> {
        let token = self.token.take().ok_or_else(unauthenticated)?;
        self.connect(Some(*token)).await?;
        let wish = Enter::new(RoomRef::id(room), room.to_string());
        if let (_, After::CatchUp(rooms)) = self.enter(wish).await? {
            for (room, head) in rooms {
                // What was said since the handshake is his to hear.
                self.catch_up(room, since.min(head)).await;
            }
        }
        Ok(())
    }

    /// Is whoever a token proves, or a guest without a name.
    pub(super) async fn connect(&mut self, token: Option<Token>) -> Performed {
        let ended = self.worker.hub.borrow().ended();
        let identity = match &token {
            Some(token) => self.node().authenticate(token.expose()).await?,
            // Who has given a secret has users who come with tokens.
            None if self.node().config().jwt_secret.is_some() => return Err(unauthenticated()),
            None if self.node().guests_welcome() => self.stranger(),
            None => return Err(unauthenticated()),
        };
        self.become_known(identity).await?;
        if let Some(token) = &token {
            self.confirm(ended, token.expose()).await?;
        }
        let session = format!("{}-{}", self.link.key.worker, self.link.key.number);
        Ok((Answer::Connected { session }, After::Nothing))
    }

    /// Logs in, and attaches the rooms that one is a member of.
    pub(super) async fn log_in(
        &mut self,
        login: &str,
        password: &chat_core::Password,
        make: bool,
    ) -> Performed {
        let ended = self.worker.hub.borrow().ended();
        let whence = self.whence();
        #[cfg(sabotage)]
        let whence = match chat_core::sabotage::planted("limiter_per_transport") {
            true => crate::auth::limiter::Whence::of(std::net::Ipv4Addr::UNSPECIFIED.into()),
            false => whence,
        };
        let signed_in = older::log_in(self.node(), login, password, make, whence).await;
        let signed_in = match signed_in {
            Ok(signed_in) => signed_in,
            Err(refusal) => return Err(self.told_apart(refusal, login).await?),
        };
        let card = self.signed_in(signed_in, ended).await?;
        self.attach_own(card).await
    }

    /// Makes an account, is its owner from then on, and joins what is open of the rooms it wants.
    pub(super) async fn sign_up(&mut self, wish: &SignUp) -> Performed {
        let ended = self.worker.hub.borrow().ended();
        let whence = self.whence();
        let signed_in = older::sign_up(self.node(), wish, whence).await?;
        let mut card = self.signed_in(signed_in, ended).await?;
        if !wish.rooms.is_empty() {
            let actor = self.actor()?;
            for room in &wish.rooms {
                self.desk(&actor).join_open(room).await?;
            }
            card.rooms = older::rooms_of(self.node(), actor.id).await?;
        }
        self.attach_own(card).await
    }

    /// Whoever has proved a password. What was made of it to act with stays here: nobody could
    /// renew it, so the log-in lasts as long as the socket, unless it is ended.
    async fn signed_in(&mut self, it: SignedIn, ended: u64) -> Result<SignedInCard, Refusal> {
        let SignedIn {
            identity, access, ..
        } = it;
        let card = older::signed_in(self.node(), &identity, &access).await?;
        self.become_known(Identity {
            expires_at: None,
            ..identity
        })
        .await?;
        self.confirm(ended, access.expose()).await?;
        Ok(card)
    }

    /// Tells an unknown user from a wrong password, where the dialect does: after the same work,
    /// and after the attempt was counted.
    async fn told_apart(&self, refusal: Refusal, login: &str) -> Result<Refusal, Refusal> {
        let dialect = self.link.dialect.get();
        let tells = dialect.is_some_and(Dialect::tells_unknown_users);
        if !tells || refusal.code != Code::BadCredentials {
            return Ok(refusal);
        }
        let known = self.node().accounts().is_registered(login).await?;
        Ok(if known {
            refusal
        } else {
            Refusal::new(Code::UserNotFound)
        })
    }

    /// Attaches the rooms that somebody is a member of who has just logged in. Direct rooms are
    /// left out: where lines don't say which room they are said in, they would look public.
    async fn attach_own(&mut self, mut card: SignedInCard) -> Performed {
        card.rooms.retain(|room| room.kind != Kind::Direct);
        let dialect = self.link.dialect.get().ok_or_else(unauthenticated)?;
        let mut follow = Vec::with_capacity(card.rooms.len());
        for room in &card.rooms {
            let called = room.word();
            let voice = self.voice(dialect, Face::First, &called);
            match self.take_seat(room.id, self.actor()?, voice).await {
                Ok((head, _)) => {
                    self.seats.call(room.id, RoomRef::named(&called));
                    follow.push((room.id, head));
                }
                Err(refusal) if refusal.code == Code::TooMany => return Err(refusal),
                // He lost it between the list and the seat.
                Err(_) => {}
            }
        }
        Ok((Answer::SignedIn(Box::new(card)), After::CatchUp(follow)))
    }

    /// Is somebody from here on; whoever it was before is gone, with his seats.
    pub(super) async fn become_known(&mut self, identity: Identity) -> Result<(), Refusal> {
        if identity.suspended {
            return Err(Refusal::new(Code::Suspended));
        }
        if !self.node().admit(identity.user) {
            return Err(self.too_many_sessions());
        }
        self.rise_everywhere().await;
        if let Some(before) = self.identity.take() {
            self.node().release(before.user);
            let mut hub = self.worker.hub.borrow_mut();
            hub.disown(self.link.key, before.user);
        }
        let mut hub = self.worker.hub.borrow_mut();
        hub.identify(self.link.key, identity.user);
        drop(hub);
        self.hold(identity);
        Ok(())
    }

    /// A guest of this socket's own.
    fn stranger(&self) -> Identity {
        let name = Name::new("guest").expect("a plain word is a name");
        Identity::new(UserId::guest(self.node().draw()), name)
    }
}
