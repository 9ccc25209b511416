//! Who somebody is, and where he was: `hello`, and attaching many rooms at once.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::{Author, RoomId, Seq};
use chat_protocol::answer::{Answer, ResetReason, ResumeState, Welcome};
use chat_protocol::close::Close;
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::{Hello, Subscribe, Token};

use super::{After, Performed, Session, unauthenticated};
use crate::auth::Identity;
use crate::hub::News;
use crate::mail::Refused;

/// A position that a client remembers: the epoch it was heard in, and the record.
type Remembered = Option<(String, Seq)>;

/// What became of each room, and from where it is to follow.
pub(super) type Attached = (BTreeMap<RoomId, ResumeState>, Vec<(RoomId, Seq)>);

impl Session {
    pub(super) async fn hello(&mut self, hello: Hello) -> Performed {
        if self.identity.is_some() {
            return Err(Refusal::bad_frame("hello was said already"));
        }
        let ended = self.worker.hub.borrow().ended();
        let (identity, guest_token) = self.identify(&hello).await?;
        if identity.suspended {
            self.link.tell(News::End(Close::Suspended));
            return Err(Refusal::new(Code::Suspended));
        }
        if !self.node().admit(identity.user) {
            // Once it has been answered.
            self.link.tell(News::End(Close::TooManySessions));
            return Err(self.too_many_sessions());
        }
        let user = Author {
            id: identity.user,
            name: Some(identity.name.clone()),
        };
        self.link.hello_by.set(None);
        self.link.follows.set(true);
        self.worker
            .hub
            .borrow_mut()
            .identify(self.link.key, identity.user);
        self.hold(identity);
        let epoch = self.node().store().epoch();
        let (rooms, follow) = match self.settle_in(&hello, ended).await {
            Ok(settled) => settled,
            Err(refusal) => {
                self.retire().await;
                return Err(refusal);
            }
        };
        let node = self.node();
        let welcome = Welcome {
            session: format!("{}-{}", self.link.key.worker, self.link.key.number),
            user,
            time: node.clock().now(),
            ping_ms: node.limits().ping_ms,
            limits: node.published_limits(),
            rooms,
            epoch,
            guest_token,
        };
        Ok((Answer::Welcome(Box::new(welcome)), After::CatchUp(follow)))
    }

    /// What somebody hears who has as many sessions as he may have.
    pub(super) fn too_many_sessions(&self) -> Refusal {
        Refusal::new(Code::TooMany)
            .with_words(Close::TooManySessions.why())
            .with_detail("what", "sessions")
            .with_detail("max", self.node().limits().sessions_per_user_max as u64)
    }

    /// Attaches what the client wants to hear, once it is sure that its log-in still counts.
    async fn settle_in(&mut self, hello: &Hello, ended: u64) -> Result<Attached, Refusal> {
        if let Some(token) = self.token_of(hello) {
            self.confirm(ended, token).await?;
        }
        let wanted = self.wanted(hello).await?;
        self.attach_all(wanted).await
    }

    /// Is nobody again, and hears nothing: who one is may be said once more.
    pub(super) async fn retire(&mut self) {
        self.rise_everywhere().await;
        let Some(identity) = self.identity.take() else {
            return;
        };
        self.node().release(identity.user);
        self.worker
            .hub
            .borrow_mut()
            .disown(self.link.key, identity.user);
        self.link.unbind(self.hello_by());
    }

    /// The token of the frame, else that of the request.
    fn token_of<'a>(&'a self, hello: &'a Hello) -> Option<&'a str> {
        let token = hello.token.as_ref().map(Token::expose);
        token.or(self.token.as_deref().map(Token::expose))
    }

    /// Who it is: by the token of the frame or of the request, or as a guest.
    async fn identify(&self, hello: &Hello) -> Result<(Identity, Option<String>), Refusal> {
        match (self.token_of(hello), &hello.guest) {
            (Some(token), _) => Ok((self.node().authenticate(token).await?, None)),
            (None, Some(guest)) => {
                let (accounts, rules) = (self.node().accounts(), self.node().guest_rules());
                let guest = accounts.guest_from(guest.name.as_str(), self.whence(), rules);
                let (identity, token) = guest.await?;
                Ok((identity, Some(token.expose().to_owned())))
            }
            (None, None) => Err(unauthenticated()),
        }
    }

    /// The rooms to attach, each with the position to go on from.
    async fn wanted(&self, hello: &Hello) -> Result<Vec<(RoomId, Remembered)>, Refusal> {
        let mut wanted: BTreeMap<RoomId, Remembered> = hello
            .resume
            .iter()
            .map(|(room, at)| (*room, Some(at.clone())))
            .collect();
        match &hello.subscribe {
            Subscribe::Mine => {
                let mine = self.own_rooms().await?;
                if self.listens {
                    // He can't take back a room that he has left meanwhile.
                    wanted.retain(|room, _| mine.contains(room));
                }
                for room in mine {
                    wanted.entry(room).or_default();
                }
            }
            Subscribe::Rooms(rooms) => {
                if !self.node().is_alone() {
                    self.own_rooms().await?;
                }
                for room in rooms {
                    wanted.entry(*room).or_default();
                }
            }
            Subscribe::None if self.node().is_alone() => {}
            Subscribe::None => drop(self.own_rooms().await?),
        }
        Ok(wanted.into_iter().collect())
    }

    /// The rooms that he is a member of. Those that he joins later he hears of, by whatever node.
    async fn own_rooms(&self) -> Result<BTreeSet<RoomId>, Refusal> {
        let user = self.actor()?.id;
        let mine = self.node().store().rooms_of(user).await?;
        let mine: BTreeSet<RoomId> = mine.into_iter().map(|mine| mine.room.id).collect();
        if !self.node().is_alone() {
            self.link.know(mine.clone());
        }
        Ok(mine)
    }

    /// Takes seats; tells what became of each position, and from where each room is to follow.
    pub(super) async fn attach_all(
        &mut self,
        wanted: Vec<(RoomId, Remembered)>,
    ) -> Result<Attached, Refusal> {
        let actor = self.actor()?;
        // Its name is of before what is told of the rooms: one of after that might be of a log that
        // hasn't all of it.
        let epoch = self.node().store().epoch();
        let mut states = BTreeMap::new();
        let mut follow = Vec::new();
        for (room, remembered) in wanted {
            if self.seats.contains(room) {
                self.rise(room).await;
            }
            if let Some((_, at)) = &remembered {
                self.reach(room, &actor, *at).await?;
            }
            let voice = self.own_voice()?;
            let seat = match self.take_seat(room, actor.clone(), voice).await {
                Ok(seat) => seat,
                Err(refusal) if refusal.code == Code::TooMany => return Err(refusal),
                Err(refusal) if refusal.class == chat_protocol::code::Class::Server => {
                    return Err(refusal);
                }
                Err(_) => {
                    states.insert(room, ResumeState::Gone);
                    continue;
                }
            };
            let (state, position) = self.resume(room, remembered, seat, &epoch).await?;
            states.insert(room, state);
            follow.push((room, position));
        }
        Ok((states, follow))
    }

    /// Whether what a client remembers is of use; where the room goes on for it.
    async fn resume(
        &self,
        room: RoomId,
        remembered: Remembered,
        (head, readable_from): (Seq, Seq),
        epoch: &str,
    ) -> Result<(ResumeState, Seq), Refusal> {
        let store = self.node().store();
        let epoch = epoch.to_owned();
        let Some((known, at)) = remembered else {
            return Ok((ResumeState::New { epoch, head }, head));
        };
        let most = self.node().limits().catch_up_records_max;
        if at > head && known == epoch && self.is_behind(room, at).await? {
            return Err(Refused::StorageUnavailable.into());
        }
        let why = if at > head {
            Some(ResetReason::Ahead)
        } else if known != store.epoch() && !store.continues(room, &known, at).await? {
            Some(ResetReason::EpochChanged)
        } else if head.number() - at.number() > most {
            Some(ResetReason::TooFar)
        } else if at.next() < readable_from && at != head {
            // What lies between was never his to read.
            Some(ResetReason::Trimmed)
        } else {
            None
        };
        Ok(match why {
            Some(why) => (ResumeState::Reset { why, epoch, head }, head),
            #[cfg(sabotage)]
            None if chat_core::sabotage::planted("resume_off_by_one") => {
                (ResumeState::Ok { from: at, to: head }, at.next().min(head))
            }
            None => (ResumeState::Ok { from: at, to: head }, at),
        })
    }

    /// Whether the room's log goes this far, though it wasn't followed to there: it couldn't be read.
    async fn is_behind(&self, room: RoomId, at: Seq) -> Result<bool, Refusal> {
        let node = self.node();
        if node.is_alone() {
            return Ok(false);
        }
        let heads = node.store().heads(&[room]).await?;
        Ok(heads.iter().any(|(_, head)| *head >= at))
    }
}
