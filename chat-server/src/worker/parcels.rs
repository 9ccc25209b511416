//! The way of parcels: from a worker's rooms to the sessions of all workers.

use std::rc::Rc;
use std::sync::Arc;

use chat_core::{Event, UserId};
use tokio::sync::mpsc;

use super::{Address, Chair, Worker};
use crate::mail::{Delivery, Parcel, Reply};
use crate::turn::Recipients;

/// Erased people whose last words are looked out for. Commands wait for seconds at most.
const GONE_MAX: usize = 256;

impl Worker {
    pub(super) fn sort(&self, to: Recipients, parcel: Parcel<Address>) {
        match to {
            Recipients::Addressee => {
                let worker = match &parcel {
                    Parcel::Reply {
                        to: Address::Ticket(key, _),
                        ..
                    } => key.worker,
                    Parcel::Reply {
                        to: Address::Seat(seat),
                        ..
                    } => seat.sitter.session.worker,
                    Parcel::Reply {
                        to: Address::Once(_),
                        ..
                    }
                    | Parcel::Deliver(_)
                    | Parcel::Signal { .. }
                    | Parcel::Expel { .. }
                    | Parcel::TakenBack(_) => self.index,
                };
                if worker == self.index {
                    self.open(parcel);
                } else {
                    self.ways.put(worker, parcel);
                }
            }
            Recipients::Listeners(workers) => self.spread(workers.iter().copied(), parcel),
            Recipients::All => self.spread(0..self.node.workers(), parcel),
        }
    }

    /// Sends a parcel to several workers, of which this one may be one.
    fn spread(&self, workers: impl Iterator<Item = usize>, parcel: Parcel<Address>) {
        let mut is_ours = false;
        for worker in workers {
            if worker == self.index {
                is_ours = true;
            } else if let Some(copy) = copy(&parcel) {
                self.ways.put(worker, copy);
            }
        }
        if is_ours {
            self.open(parcel);
        }
    }

    /// Hands one parcel to the sessions of this worker.
    fn open(&self, parcel: Parcel<Address>) {
        match parcel {
            Parcel::Reply {
                to: Address::Once(waiting),
                outcome,
            } => drop(waiting.send(outcome)),
            Parcel::Reply {
                to: Address::Ticket(key, ticket),
                outcome,
            } => {
                self.hub.borrow().reply(key, &ticket, outcome);
            }
            Parcel::Reply {
                to: Address::Seat(seat),
                outcome,
            } => {
                let Chair {
                    sitter,
                    room,
                    waiting,
                } = *seat;
                if let Ok(Reply::Attached { head, .. }) = &outcome {
                    self.hub.borrow_mut().sit(&sitter, room, *head);
                }
                drop(waiting.send(outcome));
            }
            Parcel::Deliver(delivery) => {
                let delivery = self.as_kept(delivery);
                if matches!(
                    delivery.record.event,
                    Event::Deleted(_) | Event::RoomTrimmed(_)
                ) {
                    // Another node may have taken the words away, here they are remembered.
                    self.node.reads().erase(delivery.record.room);
                }
                self.hub.borrow_mut().deliver(&delivery);
            }
            Parcel::Signal { signal, origin } => self.hub.borrow_mut().signal(&signal, origin),
            Parcel::Expel { room, user } => self.hub.borrow_mut().expel(room, user, None),
            Parcel::TakenBack(room) => {
                self.node.reads().erase(room);
                self.hub.borrow_mut().take_back(room);
            }
        }
    }

    /// Notes that somebody was erased.
    pub(super) fn note_gone(&self, user: UserId) {
        let mut gone = self.gone.borrow_mut();
        if gone.len() >= GONE_MAX {
            gone.pop_front();
        }
        gone.push_back(user);
    }

    /// A record as the store keeps it: of somebody who was erased meanwhile it has no words.
    fn as_kept(&self, mut delivery: Delivery) -> Delivery {
        let gone = self.gone.borrow();
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("erased_words_heard_later") {
            return delivery;
        }
        if gone.contains(&delivery.record.by.id) {
            drop(Arc::make_mut(&mut delivery.record).take_words());
        }
        delivery
    }

    /// Opens what other workers' rooms send. It waits for nothing else: those whose parcels it has
    /// to take may wait for it.
    pub(super) async fn pump(self: Rc<Self>, mut parcels: mpsc::Receiver<Vec<Parcel<Address>>>) {
        while let Some(bundle) = parcels.recv().await {
            for parcel in bundle {
                if let Parcel::Deliver(delivery) = &parcel {
                    let now = self.node.clock().now();
                    self.turn.borrow_mut().hear(&delivery.record, now);
                }
                self.open(parcel);
            }
            let outputs = self.turn.borrow_mut().outputs();
            self.dispatch(outputs);
        }
    }
}

/// A parcel for a further worker; answers go to one alone.
fn copy(parcel: &Parcel<Address>) -> Option<Parcel<Address>> {
    match parcel {
        Parcel::Reply { .. } => None,
        Parcel::Deliver(delivery) => Some(Parcel::Deliver(delivery.clone())),
        Parcel::Signal { signal, origin } => Some(Parcel::Signal {
            signal: signal.clone(),
            origin: *origin,
        }),
        Parcel::Expel { room, user } => Some(Parcel::Expel {
            room: *room,
            user: *user,
        }),
        Parcel::TakenBack(room) => Some(Parcel::TakenBack(*room)),
    }
}
