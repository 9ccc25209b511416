//! The way of parcels: from a worker's rooms to the sessions of all workers.

use std::collections::BTreeMap;
use std::rc::Rc;

use chat_core::Event;
use tokio::sync::mpsc;

use super::{Address, Chair, Worker};
use crate::mail::{Parcel, Reply};
use crate::turn::Recipients;

impl Worker {
    pub(super) fn sort(
        &self,
        to: Recipients,
        parcel: Parcel<Address>,
        bundles: &mut BTreeMap<usize, Vec<Parcel<Address>>>,
    ) {
        let workers = match to {
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
                    | Parcel::Expel { .. } => self.index,
                };
                if worker == self.index {
                    self.open(parcel);
                } else {
                    bundles.entry(worker).or_default().push(parcel);
                }
                return;
            }
            Recipients::Listeners(workers) => workers,
            Recipients::All => (0..self.node.workers()).collect(),
        };
        for worker in workers {
            let Some(copy) = copy(&parcel) else { return };
            if worker == self.index {
                self.open(copy);
            } else {
                bundles.entry(worker).or_default().push(copy);
            }
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
        }
    }

    /// Opens what other workers' rooms send.
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
            self.dispatch(outputs).await;
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
    }
}
