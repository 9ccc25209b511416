//! The contract of a bus, kept by every adapter.

use std::sync::Arc;

use chat_core::{Author, RoomId, Seq, UserId};
use chat_protocol::close::Close;
use chat_protocol::signal::{Signal, What};
use chat_server::bus::local::Local;
use chat_server::bus::{Bus, Hint};
use futures_util::FutureExt;
use tokio::time::timeout;

use crate::world::PATIENCE;

/// Runs each story against each adapter. What opens one gives so many ends of one bus.
macro_rules! contract {
    ($($story:ident,)*) => {
        mod on_local {
            $(#[tokio::test]
            async fn $story() {
                super::$story(super::local).await;
            })*
        }
    };
}

contract! {
    what_one_tells_the_others_hear_and_not_himself,
    a_room_is_heard_by_those_who_subscribed_to_it,
    what_concerns_everybody_needs_no_subscription,
    nobody_waits_for_a_node_that_does_not_listen,
    who_gives_up_waiting_misses_nothing,
    who_has_gone_keeps_nobody_from_talking,
}

fn local(ends: usize) -> Vec<Box<dyn Bus>> {
    let first = Local::new();
    let mut all: Vec<Box<dyn Bus>> = Vec::new();
    for _ in 1..ends {
        all.push(Box::new(first.join()));
    }
    all.push(Box::new(first));
    all
}

/// Ends of a bus.
type Open = fn(usize) -> Vec<Box<dyn Bus>>;

const DEN: RoomId = RoomId::new(7);
const HALL: RoomId = RoomId::new(8);

fn head(room: RoomId, seq: u64) -> Hint {
    Hint::Head(room, Seq::new(seq))
}

/// Something for everybody, told apart by its number.
fn news(number: u64) -> Hint {
    Hint::Ended {
        user: UserId::new(number),
        grant: None,
        close: Close::Unauthenticated,
    }
}

/// What an end hears until it has heard this. A bus may lose what it likes, so it is told again.
async fn heard(from: &dyn Bus, to: &dyn Bus, last: &Hint) -> Vec<Hint> {
    let mut all = Vec::new();
    while !all.contains(last) {
        from.publish(vec![last.clone()]);
        let told = timeout(PATIENCE, to.hear()).await.unwrap();
        all.extend(told.expect("the bus is open"));
    }
    all
}

async fn what_one_tells_the_others_hear_and_not_himself(open: Open) {
    let ends = open(3);
    for (at, from) in ends.iter().enumerate() {
        for to in ends.iter().enumerate().filter(|(other, _)| *other != at) {
            heard(&**from, &**to.1, &news(at as u64)).await;
        }
    }
    // The first hears what the second says, and nothing of its own before it.
    let own = news(0);
    let all = heard(&*ends[1], &*ends[0], &news(99)).await;
    assert!(!all.contains(&own), "{all:?}");
}

async fn a_room_is_heard_by_those_who_subscribed_to_it(open: Open) {
    let ends = open(2);
    let (from, to) = (&*ends[0], &*ends[1]);
    to.subscribe(DEN);
    heard(from, to, &head(DEN, 1)).await;
    let typing = Signal {
        room: DEN,
        by: Author {
            id: UserId::new(1),
            name: None,
        },
        what: What::Typing { on: true },
    };
    heard(from, to, &Hint::Passing(Arc::new(typing))).await;
    from.publish(vec![head(HALL, 1)]);
    let all = heard(from, to, &news(1)).await;
    assert!(!all.contains(&head(HALL, 1)), "{all:?}");
    to.unsubscribe(DEN);
    from.publish(vec![head(DEN, 2)]);
    let all = heard(from, to, &news(2)).await;
    assert!(!all.contains(&head(DEN, 2)), "{all:?}");
}

async fn what_concerns_everybody_needs_no_subscription(open: Open) {
    let ends = open(3);
    heard(&*ends[0], &*ends[1], &news(1)).await;
    heard(&*ends[0], &*ends[2], &news(2)).await;
}

async fn nobody_waits_for_a_node_that_does_not_listen(open: Open) {
    let ends = open(3);
    for number in 0..20_000 {
        ends[0].publish(vec![news(number)]);
    }
    // He hears what he hears, of a bounded lot, and then what is told him.
    heard(&*ends[0], &*ends[1], &news(30_000)).await;
}

async fn who_gives_up_waiting_misses_nothing(open: Open) {
    let ends = open(2);
    assert!(ends[1].hear().now_or_never().is_none());
    heard(&*ends[0], &*ends[1], &news(1)).await;
}

async fn who_has_gone_keeps_nobody_from_talking(open: Open) {
    let mut ends = open(3);
    drop(ends.pop());
    heard(&*ends[0], &*ends[1], &news(1)).await;
    heard(&*ends[1], &*ends[0], &news(2)).await;
}

#[tokio::test]
async fn the_bus_of_one_process_knows_when_a_node_is_alone() {
    let one = Local::new();
    assert!(one.is_alone());
    let two = one.join();
    assert!(!one.is_alone() && !two.is_alone());
    drop(one);
    assert!(two.is_alone());
}
