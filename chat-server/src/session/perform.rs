//! What takes longer than a plain command: it is awaited before the next frame is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use chat_core::{Actor, Author, Cid, Command, RoomId, Seq, Text};
use chat_protocol::answer::{Answer, Position, Snapshot};
use chat_protocol::close::Close;
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::{Op, Status};
use chat_protocol::room_ref::RoomRef;
use chat_protocol::signal::{Signal, What};
use chat_protocol::voice::Voice;
use tokio::sync::oneshot;

use super::{After, Performed, Session, unauthenticated};
use crate::auth::Identity;
use crate::bus::Hint;
use crate::desk::{self, parts};
use crate::hub::{News, Sitter};
use crate::mail::{Mail, Reply, Wish};
use crate::store::{MessageQuery, Place};
use crate::worker::{Address, Chair, Told};

impl Session {
    /// Does what an op asks for.
    pub(super) async fn perform(&mut self, op: Op) -> Performed {
        match op {
            Op::Hello(hello) => self.hello(hello).await,
            Op::InRoom { room, cid, command } => self.command(room, cid, command).await,
            Op::Subscribe { rooms } => self.subscribe(&rooms).await,
            Op::Unsubscribe { rooms } => self.unsubscribe(&rooms).await,
            Op::Snapshot { room } => self.snapshot(&room).await,
            Op::Logout { all } => self.logout(all).await,
            Op::Refresh { token } => self.refresh(token.expose()).await,
            Op::SetStatus { status, text } => self.set_status(status, text.as_ref()),
            Op::Create {
                command,
                alias_if_free,
            } => self.create(command, alias_if_free).await,
            Op::Found { command } => {
                let actor = self.somebody();
                let founded = self.desk(&actor).found_once(command).await;
                founded.map(|answer| (answer, After::Nothing))
            }
            Op::Enter(wish) => self.enter(*wish).await,
            Op::Exit { room } => self.exit(room.as_ref()).await,
            Op::Inside { room } => self.inside(&room).await,
            Op::Lobby(lobby) => {
                let actor = self.somebody();
                let rooms = self.desk(&actor).lobby(&lobby).await;
                rooms.map(|answer| (answer, After::Nothing))
            }
            Op::Connect { token } => self.connect(token).await,
            Op::Disconnect {} => {
                self.retire().await;
                Ok((Answer::ExitedAll {}, After::Nothing))
            }
            Op::LogIn {
                login,
                password,
                make,
            } => self.log_in(&login, &password, make).await,
            Op::SignUp(wish) => self.sign_up(&wish).await,
            op @ (Op::History(_)
            | Op::Records { .. }
            | Op::Block { .. }
            | Op::Unblock { .. }
            | Op::Room { .. }
            | Op::Rooms { .. }
            | Op::Directory { .. }
            | Op::Search { .. }
            | Op::Members { .. }
            | Op::Bans { .. }
            | Op::Invites { .. }
            | Op::Message { .. }
            | Op::Pins { .. }
            | Op::Markers { .. }
            | Op::Presence { .. }
            | Op::Permissions { .. }
            | Op::Explain { .. }
            | Op::User { .. }
            | Op::Transcript { .. }
            | Op::Limits {}) => {
                let actor = self.actor()?;
                let answer = self.desk(&actor).query(op).await;
                answer
                    .unwrap_or_else(|| Err(unauthenticated()))
                    .map(|it| (it, After::Nothing))
            }
        }
    }

    /// Whoever said hello.
    pub(super) fn actor(&self) -> Result<Actor, Refusal> {
        self.identity
            .as_ref()
            .map(Identity::actor)
            .ok_or_else(unauthenticated)
    }

    async fn command(
        &mut self,
        room: Option<RoomRef>,
        cid: Option<Cid>,
        command: Command,
    ) -> Performed {
        let target = match &room {
            Some(room) => Some(desk::resolve(self.node(), room).await?),
            None => None,
        };
        let actor = match target {
            Some(room) => self.actor_in(room)?,
            None => self.actor()?,
        };
        let visits = matches!(command, Command::Visit(_));
        let room = target.map(RoomRef::id);
        let answer = self
            .desk(&actor)
            .command_from(self.whence(), room.as_ref(), cid, command)
            .await;
        if let (Ok(_), Some(room), true) = (&answer, target, visits) {
            self.seats.visit(room, actor.id);
        }
        answer.map(|answer| (answer, After::Nothing))
    }

    pub(super) fn is_older(&self) -> bool {
        self.link
            .dialect
            .get()
            .is_some_and(|dialect| !dialect.resumes())
    }

    async fn subscribe(&mut self, rooms: &[RoomRef]) -> Performed {
        let mut wanted = Vec::with_capacity(rooms.len());
        for room in rooms {
            let actor = self.actor()?;
            wanted.push((self.desk(&actor).find(room).await?, None));
        }
        let (rooms, follow) = self.attach_all(wanted).await?;
        Ok((Answer::Subscribed { rooms }, After::CatchUp(follow)))
    }

    async fn unsubscribe(&mut self, rooms: &[RoomRef]) -> Performed {
        self.actor()?;
        for room in rooms {
            match desk::resolve(self.node(), room).await {
                Ok(room) => drop(self.rise(room).await),
                // Nobody hears anything of it, as was wished; a hidden room is answered alike.
                Err(refusal) if refusal.code == Code::RoomNotFound => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok((Answer::Accepted {}, After::Nothing))
    }

    /// Gives up a seat; gives whoever had it.
    pub(super) async fn rise(&mut self, room: RoomId) -> Option<Actor> {
        self.worker.hub.borrow_mut().rise(self.link.key, room);
        let actor = self.seats.remove(room)?;
        self.detach(room, actor.clone()).await;
        Some(actor)
    }

    /// Lets go of every room, also of those that a guest was let into without a seat.
    pub(super) async fn rise_everywhere(&mut self) {
        for room in self.seats.rooms() {
            self.rise(room).await;
        }
        let Some(actor) = self.identity.as_ref().map(Identity::actor) else {
            return;
        };
        for room in self.seats.end_visits(actor.id) {
            self.detach(room, actor.clone()).await;
        }
    }

    /// Tells a room that the session hears it no more.
    pub(super) async fn detach(&self, room: RoomId, actor: Actor) {
        let (nobody, _) = oneshot::channel();
        let mail = Box::new(Mail {
            room,
            actor,
            from: Some(self.link.key),
            wish: Wish::Detach,
            reply: Address::Once(nobody),
        });
        // Refused only if the room's worker ends.
        drop(self.node().send(mail).await);
    }

    /// How the session hears a room that it attached by its number.
    pub(super) fn own_voice(&self) -> Result<Voice, Refusal> {
        let dialect = self.link.dialect.get();
        dialect.map(Voice::of).ok_or_else(unauthenticated)
    }

    /// Lets a room come as far as the client has heard it on another node.
    pub(super) async fn reach(&self, room: RoomId, actor: &Actor, seq: Seq) -> Result<(), Refusal> {
        if self.node().is_alone() {
            return Ok(());
        }
        // Nobody waits for the answer: what the session sends next is judged after it.
        let (reply, _) = oneshot::channel();
        let mail = Box::new(Mail {
            room,
            actor: actor.clone(),
            from: Some(self.link.key),
            wish: Wish::Reach(seq),
            reply: Address::Once(reply),
        });
        self.node().send(mail).await
    }

    /// Takes a seat in a room; the session is behind until it has caught up from the head that is
    /// given, or from an earlier position.
    pub(super) async fn take_seat(
        &mut self,
        room: RoomId,
        actor: Actor,
        voice: Voice,
    ) -> Result<(Seq, Seq), Refusal> {
        let max = match self.listens {
            true => self.node().rooms_heard_max(),
            false => self.node().limits().rooms_per_session_max,
        };
        if self.seats.len() >= max {
            return Err(Refusal::new(Code::TooMany).with_detail("max", max as u64));
        }
        let (answer, answered) = oneshot::channel();
        let sitter = Sitter {
            session: self.link.key,
            user: actor.id,
            voice: voice.clone(),
        };
        let mail = Box::new(Mail {
            room,
            from: Some(self.link.key),
            wish: Wish::Attach,
            reply: Address::Seat(Box::new(Chair {
                sitter,
                room,
                waiting: answer,
            })),
            actor: actor.clone(),
        });
        self.node().send(mail).await?;
        let outcome = answered
            .await
            .map_err(|_| Refusal::new(Code::ShuttingDown))?;
        match outcome.map_err(Refusal::from)? {
            Reply::Attached {
                head,
                readable_from,
            } => {
                self.seats.take(room, actor, voice, readable_from);
                self.silent = None;
                Ok((head, readable_from))
            }
            Reply::Done { .. } | Reply::Accepted | Reply::Seen(_) => {
                Err(Refusal::new(Code::Unavailable))
            }
        }
    }

    async fn snapshot(&mut self, room: &RoomRef) -> Performed {
        let actor = self.actor()?;
        let room = desk::resolve(self.node(), room).await?;
        let attach = !self.seats.contains(room);
        if attach {
            let voice = self.own_voice()?;
            self.take_seat(room, actor.clone(), voice).await?;
        }
        let snapshot = self.snapshot_at(room, &actor).await;
        if attach && snapshot.is_err() {
            self.rise(room).await;
        }
        let snapshot = snapshot?;
        let position = snapshot.position.seq;
        let after = if attach {
            After::CatchUp(vec![(room, position)])
        } else {
            After::Nothing
        };
        Ok((Answer::Snapshot(Box::new(snapshot)), after))
    }

    async fn snapshot_at(&self, room: RoomId, actor: &Actor) -> Result<Snapshot, Refusal> {
        let desk = self.desk(actor);
        // Of before what is told of the room.
        let epoch = self.node().store().epoch();
        let view = desk.view(room).await?;
        let limit = self.node().limits().page_items;
        let head = view.card.head_seq;
        let query = MessageQuery {
            room,
            viewer: actor.id,
            place: Place::Newest,
            from: view.readable_from,
            to: head,
            thread: None,
            limit,
        };
        let messages = self.node().store().messages(&query).await?;
        let bytes_max = self.node().page_bytes_max();
        let messages = parts::messages(messages, Place::Newest, limit, bytes_max).items;
        Ok(Snapshot {
            members: desk.member_page(room, None, limit).await?,
            room: view.card,
            settings: view.settings,
            me: view.me,
            messages,
            pins: view.pins,
            position: Position { epoch, seq: head },
        })
    }

    async fn logout(&mut self, all: bool) -> Performed {
        let identity = self.identity.clone().ok_or_else(unauthenticated)?;
        let revocation = self.node().accounts().log_out(&identity, all).await?;
        self.node()
            .revoke(&revocation, Close::Unauthenticated)
            .await;
        Ok((Answer::Accepted {}, After::End(Close::Unauthenticated)))
    }

    async fn refresh(&mut self, token: &str) -> Performed {
        let before = self.actor()?;
        let ended = self.worker.hub.borrow().ended();
        let identity = self.node().authenticate(token).await?;
        if identity.user != before.id {
            return Err(Refusal::new(Code::TokenInvalid));
        }
        self.hold(identity);
        self.confirm(ended, token).await?;
        Ok((Answer::Accepted {}, After::Nothing))
    }

    /// Makes sure of a token once more if log-ins ended while it was checked: the news of that may
    /// have come before the session could be found by it.
    pub(super) async fn confirm(&self, ended: u64, token: &str) -> Result<(), Refusal> {
        if self.worker.hub.borrow().ended() == ended {
            return Ok(());
        }
        let (close, refusal) = match self.node().authenticate(token).await {
            Ok(identity) if !identity.suspended => return Ok(()),
            Ok(_) => (Close::Suspended, Refusal::new(Code::Suspended)),
            Err(error) => (Close::Unauthenticated, error.into()),
        };
        self.link.tell(News::End(close));
        Err(refusal)
    }

    /// Notes by which log-in the session is here, and for how long.
    pub(super) fn hold(&mut self, identity: Identity) {
        self.link.bind(&identity, self.node().clock());
        self.silent = None;
        self.identity = Some(identity);
    }

    fn set_status(&self, status: Status, text: Option<&Text>) -> Performed {
        let actor = self.actor()?;
        let chars = text.map_or(0, |text| text.as_str().chars().count());
        if chars > self.node().engine_limits().topic_chars_max {
            return Err(Refusal::bad_argument("text"));
        }
        let said = (status, text.cloned());
        self.node().statuses().set(actor.id, said.clone());
        let mut rounds: BTreeMap<usize, Vec<Arc<Signal>>> = BTreeMap::new();
        for room in self.seats.rooms() {
            let by = Author {
                id: actor.id,
                name: Some(actor.name.clone()),
            };
            let (status, text) = said.clone();
            let what = What::Status { status, text };
            let round = rounds.entry(self.node().worker_of(room).index);
            let signal = Arc::new(Signal { room, by, what });
            round.or_default().push(signal);
        }
        if !self.node().is_alone() {
            let signals = rounds.values().flatten().cloned();
            self.node()
                .bus()
                .publish(signals.map(Hint::Passing).collect());
        }
        for (worker, round) in rounds {
            if let Some(boxes) = self.node().worker(worker) {
                // Dropped if that worker is busy: a status is only a signal.
                drop(boxes.hints.try_send(Told::Here(self.link.key, round)));
            }
        }
        Ok((Answer::Accepted {}, After::Nothing))
    }
}
