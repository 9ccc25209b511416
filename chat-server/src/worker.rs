//! One thread: the rooms that hash to it, and the connections that it accepted.

mod appending;
mod heartbeat;
mod nodes;
mod parcels;
mod questions;
mod ways;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{LocalSet, spawn_local, yield_now};

use chat_core::{RoomId, Seq, UserId};
use chat_protocol::close::Close;
use chat_protocol::dialect::Ticket;

use crate::engineio::Opening;
use crate::hub::{Hub, News, Sitter};
use crate::listener::Reception;
use crate::mail::{Mail, Parcel, Refused, Reply, SessionKey};
use crate::node::Node;
use crate::outbox::Turns;
use crate::session::{self, Arrival, Listener};
use crate::turn::{Output, Supply, Turn};
use crate::websocket;

pub(crate) use self::nodes::Told;
use self::ways::Ways;

/// Where the answer to a mail goes.
#[derive(Debug)]
pub(crate) enum Address {
    /// To whoever waits for it.
    Once(oneshot::Sender<Result<Reply, Refused>>),
    /// To a session's socket, in its dialect's words.
    Ticket(SessionKey, Ticket),
    /// To a session that attaches to a room, which gets a seat by that.
    Seat(Box<Chair>),
}

/// A seat that is asked for.
#[derive(Debug)]
pub(crate) struct Chair {
    pub(crate) sitter: Sitter,
    pub(crate) room: RoomId,
    /// Who waits for it.
    pub(crate) waiting: oneshot::Sender<Result<Reply, Refused>>,
}

/// What can be sent to a worker from any thread.
#[derive(Clone, Debug)]
pub(crate) struct Mailboxes {
    /// Its number.
    pub(crate) index: usize,
    /// For its rooms.
    pub(crate) mail: mpsc::Sender<Box<Mail<Address>>>,
    /// For its sessions, from other workers' rooms: one push for each turn.
    pub(crate) parcels: mpsc::Sender<Vec<Parcel<Address>>>,
    /// Connections to be taken over.
    pub(crate) arrivals: mpsc::Sender<Arrival>,
    /// Engine.IO sessions to be held.
    pub(crate) openings: mpsc::Sender<Opening>,
    /// Sockets of an application's own service.
    pub(crate) sockets: mpsc::Sender<websocket::Opening>,
    /// Responses whose readers listen.
    pub(crate) listeners: mpsc::Sender<Listener>,
    /// What concerns many sessions at once.
    pub(crate) orders: mpsc::Sender<Order>,
    /// What other nodes tell of its rooms, and what passes in them.
    pub(crate) hints: mpsc::Sender<Told>,
}

/// What the node tells a worker.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// End the sessions of a user, or of one of his log-ins.
    Revoke(UserId, Option<Arc<str>>, Close),
    /// Forget the records that were heard a moment ago, since this user was erased; whoever waits for
    /// that waits until nobody has the other end.
    ForgetWords(UserId, mpsc::Sender<()>),
    /// Listen here too.
    Listen(Arc<std::net::TcpListener>, Reception),
    /// End all sessions, and then the worker.
    Stop,
}

/// The other ends.
pub(crate) struct Inboxes {
    mail: mpsc::Receiver<Box<Mail<Address>>>,
    parcels: mpsc::Receiver<Vec<Parcel<Address>>>,
    arrivals: mpsc::Receiver<Arrival>,
    openings: mpsc::Receiver<Opening>,
    sockets: mpsc::Receiver<websocket::Opening>,
    listeners: mpsc::Receiver<Listener>,
    orders: mpsc::Receiver<Order>,
    hints: mpsc::Receiver<Told>,
}

/// What the tasks of one worker share.
pub(crate) struct Worker {
    pub(crate) node: Node,
    pub(crate) index: usize,
    pub(crate) hub: RefCell<Hub>,
    /// Polls that have something to hear.
    pub(crate) turns_to_take: Rc<Turns>,
    turn: RefCell<Turn<Address>>,
    /// Who was erased last: what is still on its way of them is heard without words.
    gone: RefCell<VecDeque<UserId>>,
    /// Where parcels for other workers' sessions go.
    ways: Rc<Ways<Parcel<Address>>>,
    /// Where answers to the turn's questions go.
    supplies: mpsc::Sender<(u64, Supply)>,
    /// Rooms of an append that the store has not answered in time, and may carry out yet.
    in_doubt: RefCell<BTreeSet<RoomId>>,
    /// Says that it has answered.
    doubt_over: Notify,
    next_session: Cell<u64>,
    /// Sessions that have ended and say goodbye, Engine.IO lines, and an application's sockets.
    pub(crate) parting: Cell<usize>,
    /// Tells an application's sockets that the server stops.
    pub(crate) stopping: watch::Sender<bool>,
}

thread_local! {
    static HERE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The worker whose thread this is, if it is one's.
pub(crate) fn here() -> Option<usize> {
    HERE.get()
}

/// The two ends of a worker's boxes.
pub(crate) fn boxes(index: usize, mail_max: usize) -> (Mailboxes, Inboxes) {
    let (mail, mail_in) = mpsc::channel(mail_max);
    let (parcels, parcels_in) = mpsc::channel(BOX_ITEMS_MAX);
    let (arrivals, arrivals_in) = mpsc::channel(BOX_ITEMS_MAX);
    let (openings, openings_in) = mpsc::channel(BOX_ITEMS_MAX);
    let (sockets, sockets_in) = mpsc::channel(BOX_ITEMS_MAX);
    let (listeners, listeners_in) = mpsc::channel(BOX_ITEMS_MAX);
    let (orders, orders_in) = mpsc::channel(BOX_ITEMS_MAX);
    let (hints, hints_in) = mpsc::channel(BOX_ITEMS_MAX);
    (
        Mailboxes {
            index,
            mail,
            parcels,
            arrivals,
            openings,
            sockets,
            listeners,
            orders,
            hints,
        },
        Inboxes {
            mail: mail_in,
            parcels: parcels_in,
            arrivals: arrivals_in,
            openings: openings_in,
            sockets: sockets_in,
            listeners: listeners_in,
            orders: orders_in,
            hints: hints_in,
        },
    )
}

/// Runs a worker on the current thread, which is its own, until it is told to stop.
///
/// # Errors
///
/// What the system says if it refuses a runtime.
pub(crate) fn run(node: Node, index: usize, inboxes: Inboxes) -> std::io::Result<()> {
    HERE.set(Some(index));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, live(node, index, inboxes));
    Ok(())
}

/// A worker's life, as a task that starts its others beside itself.
pub(crate) async fn live(node: Node, index: usize, inboxes: Inboxes) {
    let waiting_max = node.limits().mailbox_requests_max;
    let turn = RefCell::new(Turn::new(
        node.engine_limits().clone(),
        waiting_max,
        node.mark(),
    ));
    let hub = RefCell::new(Hub::new(node.metrics().clone()));
    let (supplies, supplied) = mpsc::channel(BOX_ITEMS_MAX);
    let next_session = Cell::new(1);
    let all = (0..node.workers()).filter_map(|worker| node.worker(worker));
    let ways = Ways::to(all.map(|boxes| boxes.parcels.clone()));
    let worker = Rc::new(Worker {
        node,
        index,
        hub,
        turns_to_take: Rc::default(),
        turn,
        gone: RefCell::default(),
        ways,
        supplies,
        in_doubt: RefCell::default(),
        doubt_over: Notify::new(),
        next_session,
        parting: Cell::new(0),
        stopping: watch::Sender::new(false),
    });
    worker.serve(inboxes, supplied).await;
}

impl Worker {
    async fn serve(self: Rc<Self>, inboxes: Inboxes, supplied: mpsc::Receiver<(u64, Supply)>) {
        let Inboxes {
            mail,
            parcels,
            arrivals,
            openings,
            sockets,
            listeners,
            mut orders,
            hints,
        } = inboxes;
        let turns = spawn_local(self.clone().turns(mail, supplied, hints));
        spawn_local(self.clone().pump(parcels));
        spawn_local(self.turns_to_take.clone().run());
        spawn_local(self.clone().adopt(arrivals));
        spawn_local(self.clone().hold(openings));
        spawn_local(self.clone().receive(sockets));
        spawn_local(self.clone().feed(listeners));
        spawn_local(self.clone().heartbeat());
        spawn_local(self.clone().watch_log_ins());
        spawn_local(self.clone().watch_rooms());
        if self.index == 0 {
            spawn_local(self.clone().hear_nodes());
            spawn_local(crate::janitor::run(self.node.clone()));
        }
        while let Some(order) = orders.recv().await {
            match order {
                Order::Revoke(user, grant, close) => {
                    self.hub.borrow().revoke(user, grant.as_deref(), close);
                }
                Order::ForgetWords(user, done) => {
                    self.note_gone(user);
                    self.turn.borrow_mut().forget_names(user);
                    self.hub.borrow_mut().forget_words();
                    drop(done);
                }
                Order::Listen(listener, reception) => {
                    spawn_local(crate::listener::accept(self.clone(), listener, reception));
                }
                Order::Stop => break,
            }
        }
        self.stop().await;
        turns.abort();
    }

    /// Ends all sessions, and waits until they have said goodbye, and those of the other workers,
    /// whose rooms may be here.
    async fn stop(&self) {
        self.stopping.send_replace(true);
        for link in self.hub.borrow().links() {
            link.tell(News::End(Close::ShuttingDown));
        }
        let mut counted = false;
        for _ in 0..STOP_STEPS {
            let gone = self.parting.get() == 0 && self.hub.borrow().links().next().is_none();
            if gone && !counted {
                counted = true;
                self.node.part();
            }
            if self.node.all_parted() && self.node.lines().is_quiet() {
                return;
            }
            tokio::time::sleep(STOP_STEP).await;
        }
    }

    /// A name for a session that was never used before.
    pub(crate) fn session_key(&self) -> SessionKey {
        let number = self.next_session.get();
        self.next_session.set(number + 1);
        SessionKey {
            worker: self.index,
            number,
        }
    }

    /// Decides what comes, appends it, and lets it be heard: one turn after the other.
    async fn turns(
        self: Rc<Self>,
        mut mail: mpsc::Receiver<Box<Mail<Address>>>,
        mut supplied: mpsc::Receiver<(u64, Supply)>,
        mut hints: mpsc::Receiver<Told>,
    ) {
        let most = self.node.limits().batch_requests_max;
        let mut sweep = tokio::time::interval(SWEEP);
        let mut poll = self.poll_interval();
        let (mut batch, mut is_crowded) = (Vec::new(), false);
        loop {
            let first = tokio::select! {
                biased;
                supply = supplied.recv() => supply,
                count = mail.recv_many(&mut batch, most) => {
                    if count == 0 {
                        return;
                    }
                    None
                }
                Some(told) = hints.recv() => {
                    self.follow(Some(told), &mut hints);
                    None
                }
                _ = poll.tick() => {
                    self.poll();
                    None
                }
                () = async { tokio::select! {
                    biased;
                    _ = sweep.tick() => {}
                    () = self.doubt_over.notified() => {}
                } } => {
                    let (now, idle) = (self.node.clock().now(), self.node.limits().room_idle_ms);
                    self.turn.borrow_mut().sweep(now, idle);
                    None
                }
            };
            // Who has been alone until here has nobody to wait for.
            if is_crowded || batch.len() > 1 {
                self.gather(&mut mail, &mut batch).await;
            }
            is_crowded = batch.len() > 1;
            self.follow(None, &mut hints);
            let now = self.node.clock().now();
            {
                let mut turn = self.turn.borrow_mut();
                let more = std::iter::from_fn(|| supplied.try_recv().ok());
                for (number, supply) in first.into_iter().chain(more) {
                    turn.supply(number, supply, now);
                }
                self.node.metrics().requests_decided(batch.len());
                for mail in batch.drain(..) {
                    turn.take(mail, now);
                }
            }
            self.settle().await;
        }
    }

    /// Lets those go along who come at the same moment: whoever misses a turn waits for all of it, and
    /// its commit and its deliveries cost much the same for one line as for twenty.
    ///
    /// It ends with the first round in which nobody comes. A round is what is ready in the sockets.
    #[expect(
        clippy::vec_box,
        reason = "mail comes in boxes, and is taken out of them one by one"
    )]
    async fn gather(
        &self,
        mail: &mut mpsc::Receiver<Box<Mail<Address>>>,
        batch: &mut Vec<Box<Mail<Address>>>,
    ) {
        let most = self.node.limits().batch_requests_max;
        let mut before = 0;
        while batch.len() > before && batch.len() < most {
            before = batch.len();
            yield_now().await;
            while batch.len() < most
                && let Ok(more) = mail.try_recv()
            {
                batch.push(more);
            }
        }
    }

    /// Appends and settles until nothing is left to be answered.
    async fn settle(self: &Rc<Self>) {
        loop {
            let (appends, markers) = {
                let mut turn = self.turn.borrow_mut();
                (turn.batch(), turn.markers())
            };
            let (appended, marked) = tokio::join!(self.append(appends), self.mark(&markers));
            if let Err(error) = &appended {
                self.node.metrics().append_failures.inc();
                tracing::error!(%error, "records could not be appended");
            }
            if let Err(error) = marked {
                tracing::warn!(%error, "read markers could not be stored");
            }
            let outputs = {
                let mut turn = self.turn.borrow_mut();
                turn.settle(appended, self.node.clock().now());
                turn.outputs()
            };
            self.dispatch(outputs);
            // What is decided next has to wait for workers that can't take more.
            self.ways.clear().await;
            if self.turn.borrow().is_settled() {
                return;
            }
        }
    }

    /// Does what a turn asks for: parcels to this worker's sessions go by a call, those to others
    /// in one push for each worker. It waits for nobody.
    fn dispatch(self: &Rc<Self>, outputs: impl IntoIterator<Item = Output<Address>>) {
        let mut hints = Vec::new();
        for output in outputs {
            match output {
                Output::Parcel { to, parcel } => self.sort(to, parcel),
                Output::Ask { number, question } => {
                    let (worker, supplies) = (self.clone(), self.supplies.clone());
                    spawn_local(async move {
                        let supply = worker.answer(question).await;
                        // Nobody listens only if the worker ends.
                        drop(supplies.send((number, supply)).await);
                    });
                }
                Output::Publish(hint) => hints.push(self.complete(hint)),
                Output::Subscribe(room) => self.node.bus().subscribe(room),
                Output::Unsubscribe(room) => self.node.bus().unsubscribe(room),
                Output::Forward(mail) => {
                    let to = self.node.worker_of(mail.room).mail.clone();
                    spawn_local(async move { drop(to.send(mail).await) });
                }
            }
        }
        self.flush();
        if !hints.is_empty() {
            self.node.bus().publish(hints);
        }
        self.ways.send();
    }

    /// Ends the hub's round.
    fn flush(self: &Rc<Self>) {
        if !self.hub.borrow().awaits_somebody() {
            return self.hub.borrow_mut().flush();
        }
        let worker = self.clone();
        spawn_local(async move {
            // Whoever is awaited runs before this, and what he does ends the round.
            yield_now().await;
            worker.hub.borrow_mut().flush();
        });
    }

    async fn adopt(self: Rc<Self>, mut arrivals: mpsc::Receiver<Arrival>) {
        while let Some(arrival) = arrivals.recv().await {
            spawn_local(session::run(self.clone(), arrival));
        }
    }

    async fn hold(self: Rc<Self>, mut openings: mpsc::Receiver<Opening>) {
        while let Some(opening) = openings.recv().await {
            spawn_local(opening.run(self.clone()));
        }
    }

    async fn receive(self: Rc<Self>, mut sockets: mpsc::Receiver<websocket::Opening>) {
        while let Some(opening) = sockets.recv().await {
            spawn_local(opening.run(self.clone()));
        }
    }

    async fn feed(self: Rc<Self>, mut listeners: mpsc::Receiver<Listener>) {
        while let Some(listener) = listeners.recv().await {
            spawn_local(session::listen(self.clone(), listener));
        }
    }

    /// How far a room is heard on this worker.
    pub(crate) fn position(&self, room: RoomId) -> Option<Seq> {
        self.hub.borrow().head(room)
    }
}

/// What waits in each of a worker's boxes, beside requests: whoever sends more waits.
const BOX_ITEMS_MAX: usize = 1_024;

const SWEEP: Duration = Duration::from_secs(10);
const STOP_STEP: Duration = Duration::from_millis(20);
const STOP_STEPS: u32 = 200;
