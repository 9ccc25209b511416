//! What a worker hears of other nodes: hints by the bus, and by looking into the store what the bus
//! has lost.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{RoomId, UserId};
use chat_protocol::close::Close;
use chat_protocol::signal::Signal;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};

use super::Worker;
use crate::auth::Revocation;
use crate::bus::Hint;
use crate::hub::{Link, LogIn, News};
use crate::mail::SessionKey;
use crate::node::Node;
use crate::store::StoreError;

/// What a worker's rooms are told, apart from mail.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// What other nodes tell.
    Elsewhere(Vec<Hint>),
    /// What a session of this node says that passes, in some of its rooms.
    Here(SessionKey, Vec<Arc<Signal>>),
}

/// Polls between two looks for rooms that one session's user has joined elsewhere.
const LOOK_EVERY: u64 = 10;

/// Log-ins that are looked after in one go.
const LOG_INS_AT_ONCE: usize = 1_000;

/// Users whose rooms are looked for in one go.
const USERS_AT_ONCE: usize = 100;

/// Rounds of hints that are followed at once, before mail has its turn.
const ROUNDS_AT_ONCE: usize = 64;

impl Node {
    /// Whether nobody else writes to the store: neither a node that this one hears of, nor another
    /// process.
    pub(crate) fn is_alone(&self) -> bool {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("alone_on_the_bus_is_alone") {
            return self.bus().is_alone();
        }
        self.bus().is_alone() && !self.store().is_shared()
    }
}

impl Worker {
    /// When to look into the store.
    pub(super) fn poll_interval(&self) -> Interval {
        let every = Duration::from_millis(self.node.limits().poll_ms.max(1));
        let mut interval = tokio::time::interval(every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval
    }

    /// Compares the rooms of this worker with the store, if anybody else writes to it.
    pub(super) fn poll(&self) {
        let mut turn = self.turn.borrow_mut();
        turn.share(!self.node.is_alone());
        turn.call_roll();
        if !self.node.is_alone() {
            turn.poll();
        }
    }

    /// Adds to what the others are told how those say they are who are present here.
    pub(super) fn complete(&self, mut hint: Hint) -> Hint {
        if let Hint::Present(told) = &mut hint {
            for attendant in Arc::make_mut(told).people_mut() {
                let said = self.node.statuses().of(attendant.by.id);
                attendant.said = said.map(Box::new);
            }
        }
        hint
    }

    /// Follows what was told, the first of it and what has come since.
    pub(super) fn follow(&self, first: Option<Told>, hints: &mut mpsc::Receiver<Told>) {
        let now = self.node.clock().now();
        let mut turn = self.turn.borrow_mut();
        turn.share(!self.node.is_alone());
        if !self.node.is_alone() {
            turn.note_epoch(&self.node.store().epoch());
        }
        let more = std::iter::from_fn(|| hints.try_recv().ok()).take(ROUNDS_AT_ONCE);
        for told in first.into_iter().chain(more) {
            match told {
                Told::Elsewhere(hints) => hints.iter().for_each(|hint| turn.hint(hint, now)),
                Told::Here(origin, signals) => {
                    for signal in signals {
                        turn.pass(signal, Some(origin));
                    }
                }
            }
        }
    }

    /// Hands on what other nodes tell, each hint to the worker whose room it is about.
    pub(super) async fn hear_nodes(self: Rc<Self>) {
        while let Some(told) = self.node.bus().hear().await {
            let mut rounds: BTreeMap<RoomId, Vec<Hint>> = BTreeMap::new();
            for hint in told {
                let about = match &hint {
                    Hint::Appended(record) => record.room,
                    Hint::Head(room, _) => *room,
                    Hint::Passing(signal) => signal.room,
                    Hint::Present(told) => told.room,
                    Hint::Ended { user, grant, close } => {
                        let (user, grant) = (*user, grant.clone());
                        let revocation = Revocation { user, grant };
                        self.node.revoke_here(&revocation, *close).await;
                        continue;
                    }
                    Hint::Erased(user) => {
                        self.node.forget_words_here(*user).await;
                        continue;
                    }
                };
                rounds.entry(about).or_default().push(hint);
            }
            for (room, round) in rounds {
                // One that has too much to do hears late: the next hint or poll shows the gap.
                let told = Told::Elsewhere(round);
                if self.node.worker_of(room).hints.try_send(told).is_err() {
                    tracing::debug!("a worker hears late of what other nodes did");
                }
            }
        }
    }

    /// Ends the sessions whose log-ins have ended on another node, if the news of that was lost. A
    /// node that is alone loses none: whatever ends a log-in there is [carried out](crate::node::carry_out)
    /// until its sessions are told, and to look at each of them again and again would find nothing.
    pub(super) async fn watch_log_ins(self: Rc<Self>) {
        let mut poll = self.poll_interval();
        loop {
            poll.tick().await;
            if self.node.is_alone() {
                continue;
            }
            #[cfg(sabotage)]
            if chat_core::sabotage::planted("log_ins_never_watched") {
                continue;
            }
            let here: Vec<LogIn> = self.hub.borrow().log_ins().into_iter().collect();
            for part in here.chunks(LOG_INS_AT_ONCE) {
                if let Err(error) = self.end_log_ins(part).await {
                    tracing::warn!(%error, "nobody can say whether log-ins have ended");
                }
            }
        }
    }

    /// Looks for rooms that users have joined on another node, if the news of that was lost. Where
    /// nobody else hears such a room here, nothing else would ever show it.
    pub(super) async fn watch_rooms(self: Rc<Self>) {
        let mut poll = self.poll_interval();
        for round in 0_u64.. {
            poll.tick().await;
            if self.node.is_alone() {
                continue;
            }
            #[cfg(sabotage)]
            if chat_core::sabotage::planted("joins_elsewhere_never_looked_for") {
                continue;
            }
            let here = self.hub.borrow().followers(round, LOOK_EVERY);
            for part in here.chunks(USERS_AT_ONCE) {
                if let Err(error) = self.look_for_rooms(part).await {
                    tracing::warn!(%error, "nobody can say which rooms somebody has joined");
                }
            }
        }
    }

    async fn look_for_rooms(&self, here: &[(UserId, Rc<Link>)]) -> Result<(), StoreError> {
        let users: Vec<UserId> = here.iter().map(|(user, _)| *user).collect();
        let mut rooms: BTreeMap<UserId, BTreeSet<RoomId>> = BTreeMap::new();
        for (user, room) in self.node.store().memberships(&users).await? {
            rooms.entry(user).or_default().insert(room);
        }
        for (user, link) in here {
            let mine = rooms.get(user).cloned().unwrap_or_default();
            if let Err(error) = self.tell_of_rooms(*user, link, mine).await {
                tracing::warn!(%error, "nobody can say since when somebody is in a room");
            }
        }
        Ok(())
    }

    async fn tell_of_rooms(
        &self,
        user: UserId,
        link: &Link,
        mine: BTreeSet<RoomId>,
    ) -> Result<(), StoreError> {
        for room in link.joined(&mine) {
            let before = UserId::new(user.number().saturating_sub(1));
            let card = self.node.store().members(room, Some(before), 1).await?;
            if let Some(card) = card.into_iter().find(|card| card.user.id == user) {
                link.tell(News::Joined(room, card.since.prev()));
            }
        }
        link.know(mine);
        Ok(())
    }

    /// Ends the sessions of those log-ins that have ended.
    async fn end_log_ins(&self, here: &[LogIn]) -> Result<(), StoreError> {
        let asked = here.iter();
        let asked = asked.map(|it| (it.user, Arc::clone(&it.grant), it.epoch));
        let asked: Vec<_> = asked.collect();
        let ended = self.node.store().log_ins_ended(&asked).await?;
        for (log_in, _) in here.iter().zip(ended).filter(|(_, ended)| *ended) {
            let close = self.close_of(log_in.user).await;
            let hub = self.hub.borrow();
            hub.revoke(log_in.user, Some(&*log_in.grant), close);
        }
        Ok(())
    }

    /// What somebody is told whose log-in has ended. If nobody can say why it has, he asks when he
    /// comes again.
    async fn close_of(&self, user: UserId) -> Close {
        if user.is_guest() {
            return Close::Unauthenticated;
        }
        match self.node.store().account(user).await {
            Ok(Some(account)) if account.suspended => Close::Suspended,
            Ok(_) | Err(_) => Close::Unauthenticated,
        }
    }
}
