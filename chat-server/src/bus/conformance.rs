//! The contract of a bus, as stories that each adapter has to pass.
//!
//! Whoever writes a [`Bus`] of his own has each of them told to three ends of it, by the feature
//! `conformance`. A bus may lose what it likes, so a story tells everything again until it is heard; what
//! may not be heard, it looks for in what came before that.
//!
//! # Examples
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use std::sync::Arc;
//!
//! use chat_server::bus::conformance;
//! use chat_server::bus::local::Local;
//!
//! for story in conformance::stories() {
//!     println!("{}", story.name());
//!     // Ends of a bus of your own take their place: three that nobody else has, for each story.
//!     let one = Local::new();
//!     let (two, three) = (one.join(), one.join());
//!     story.tell([Arc::new(one), Arc::new(two), Arc::new(three)]).await;
//! }
//! # }
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a story that panics has failed, and says where"
)]

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chat_core::event::{Joined, Posted, Way};
use chat_core::{
    Author, Cid, Content, Event, Idx, Name, Record, Role, RoomId, Seq, Text, Timestamp, UserId,
};
use chat_protocol::close::Close;
use chat_protocol::command::Status;
use chat_protocol::signal::{Signal, What};
use tokio::time::timeout;

use super::{Attendance, Attendant, Bus, Hint, NodeMark, Sum, Tidings};

/// Three ends of one bus.
pub type Ends = [Arc<dyn Bus>; 3];

/// One clause of the contract.
#[derive(Clone, Copy)]
pub struct Story {
    name: &'static str,
    tell: fn(Ends) -> Told,
}

type Told = Pin<Box<dyn Future<Output = ()>>>;

impl Story {
    /// What a bus does that passes.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Tells it to three ends of a bus that nobody else has, within a runtime of tokio whose time is
    /// enabled.
    ///
    /// # Panics
    ///
    /// If the bus breaks the contract: the message says how.
    pub async fn tell(&self, ends: Ends) {
        (self.tell)(ends).await;
    }
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Story").field(&self.name).finish()
    }
}

/// All stories. The order means nothing.
#[must_use]
pub const fn stories() -> &'static [Story] {
    STORIES
}

macro_rules! stories {
    ($($story:ident,)*) => {
        const STORIES: &[Story] = &[$(Story {
            name: stringify!($story),
            tell: |ends| Box::pin($story(ends)),
        },)*];
    };
}

/// Hands the names of all stories to a macro of yours, so that each may become a test of its own;
/// [`stories`](crate::bus::conformance::stories) has them under these names.
#[macro_export]
macro_rules! for_each_bus_story {
    ($told:ident) => {
        $told! {
            what_one_tells_the_others_hear_and_not_himself,
            every_hint_is_heard_as_it_was_told,
            a_room_is_heard_by_those_who_subscribed_to_it,
            what_concerns_everybody_needs_no_subscription,
            of_many_rooms_those_are_heard_that_one_subscribed_to,
            nobody_waits_for_a_node_that_does_not_listen,
            who_gives_up_waiting_misses_nothing,
            who_has_gone_keeps_nobody_from_talking,
        }
    };
}

for_each_bus_story!(stories);

async fn what_one_tells_the_others_hear_and_not_himself(ends: Ends) {
    let [one, two, three] = &ends;
    for (number, from, to) in [
        (0, one, two),
        (0, one, three),
        (1, two, three),
        (1, two, one),
        (2, three, one),
        (2, three, two),
    ] {
        heard(from, to, &news(number)).await;
    }
    // Each hears what another says, and nothing of his own before it.
    for (own, from, to) in [(0, two, one), (1, three, two), (2, one, three)] {
        let all = heard(from, to, &news(99)).await;
        assert!(!all.contains(&news(own)), "heard himself: {all:?}");
    }
}

async fn every_hint_is_heard_as_it_was_told([from, to, _]: Ends) {
    to.subscribe(DEN);
    for hint in samples() {
        heard(&from, &to, &hint).await;
    }
    let all = samples();
    let last = news(1);
    loop {
        // Several that are told at once, and by one who has much to tell.
        from.publish(all.iter().cloned().cycle().take(200).collect());
        let told = heard(&from, &to, &last).await;
        if all.iter().all(|hint| told.contains(hint)) {
            break;
        }
    }
}

async fn a_room_is_heard_by_those_who_subscribed_to_it([from, to, _]: Ends) {
    to.subscribe(DEN);
    heard(&from, &to, &head(DEN, 1)).await;
    heard(&from, &to, &passing(What::Typing { on: true })).await;
    from.publish(vec![head(HALL, 1)]);
    let all = heard(&from, &to, &news(1)).await;
    assert!(!all.contains(&head(HALL, 1)), "never subscribed: {all:?}");
    to.unsubscribe(DEN);
    from.publish(vec![head(DEN, 2)]);
    let all = heard(&from, &to, &news(2)).await;
    assert!(!all.contains(&head(DEN, 2)), "unsubscribed: {all:?}");
    to.subscribe(DEN);
    heard(&from, &to, &head(DEN, 3)).await;
}

async fn what_concerns_everybody_needs_no_subscription([from, to, other]: Ends) {
    heard(&from, &to, &news(1)).await;
    heard(&from, &other, &news(2)).await;
    // Whoever joins a room may do so where nobody hears it yet.
    heard(&from, &to, &appended(HALL, 2, joined())).await;
    heard(&from, &other, &Hint::Erased(UserId::new(4))).await;
}

async fn of_many_rooms_those_are_heard_that_one_subscribed_to([from, to, _]: Ends) {
    let rooms = || (1..=2_000).map(RoomId::new);
    let mine = |room: &RoomId| room.number().is_multiple_of(3);
    for room in rooms().filter(mine) {
        to.subscribe(room);
    }
    for room in rooms().filter(mine).step_by(50) {
        from.publish(rooms().map(|room| head(room, 1)).collect());
        let all = heard(&from, &to, &head(room, 2)).await;
        let of_mine = |hint: &Hint| hint.room().is_some_and(|room| mine(&room));
        assert!(all.iter().all(of_mine), "not subscribed to: {all:?}");
    }
}

async fn nobody_waits_for_a_node_that_does_not_listen([from, to, _]: Ends) {
    for number in 0..20_000 {
        from.publish(vec![news(number)]);
    }
    // He hears what he hears, of a bounded lot, and then what is told him.
    heard(&from, &to, &news(30_000)).await;
}

async fn who_gives_up_waiting_misses_nothing([from, to, _]: Ends) {
    heard(&from, &to, &news(1)).await;
    for number in 2..50 {
        assert!(timeout(Duration::ZERO, silence(&to)).await.is_err());
        heard(&from, &to, &news(number)).await;
    }
}

async fn who_has_gone_keeps_nobody_from_talking([one, two, gone]: Ends) {
    heard(&one, &gone, &news(1)).await;
    drop(gone);
    heard(&one, &two, &news(2)).await;
    heard(&two, &one, &news(3)).await;
}

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

/// One of each sort.
pub(super) fn samples() -> Vec<Hint> {
    let status = What::Status {
        status: Status::Away,
        text: Some(Text::new("at sea \u{2028}\n").unwrap()),
    };
    vec![
        appended(DEN, 1, posted("hello,\r\n\"världen\" \u{1f642}")),
        appended(DEN, 2, joined()),
        head(DEN, 3),
        passing(What::Typing { on: false }),
        passing(What::Arrived),
        passing(What::Departed),
        passing(What::Read { idx: Idx::new(9) }),
        passing(status),
        present(Tidings::Came(Attendant::new(ann()))),
        present(Tidings::Went(UserId::new(1))),
        present(Tidings::Part {
            after: None,
            upto: Some(UserId::new(9)),
            people: vec![away(), Attendant::new(ann())],
        }),
        present(Tidings::Sum(Sum::default())),
        present(Tidings::Asked(None)),
        present(Tidings::Asked(Some(NodeMark::new(4)))),
        Hint::Ended {
            user: UserId::new(5),
            grant: Some("a \"grant\"".into()),
            close: Close::Suspended,
        },
        news(6),
        Hint::Erased(UserId::new(7)),
    ]
}

fn appended(room: RoomId, seq: u64, event: Event) -> Hint {
    Hint::Appended(Arc::new(Record {
        room,
        seq: Seq::new(seq),
        at: Timestamp::new(1_730_000_000_000 + seq),
        by: ann(),
        via: None,
        cid: Some(Cid::new("a1").unwrap()),
        event,
    }))
}

fn passing(what: What) -> Hint {
    let (room, by) = (DEN, ann());
    Hint::Passing(Arc::new(Signal { room, by, what }))
}

fn present(news: Tidings) -> Hint {
    Hint::Present(Arc::new(Attendance::new(
        DEN,
        NodeMark::new(u64::MAX),
        7,
        news,
    )))
}

fn away() -> Attendant {
    let mut away = Attendant::new(ann());
    away.said = Some(Box::new((
        Status::Away,
        Some(Text::new("\"lunch\"").unwrap()),
    )));
    away
}

fn ann() -> Author {
    Author {
        id: UserId::new(1),
        name: Some(Name::new("ann").unwrap()),
    }
}

/// What an end hears until it has heard this, which is told until then.
async fn heard(from: &Arc<dyn Bus>, to: &Arc<dyn Bus>, last: &Hint) -> Vec<Hint> {
    let mut all = Vec::new();
    let hear = async {
        while !all.contains(last) {
            from.publish(vec![last.clone()]);
            if let Ok(told) = timeout(AGAIN, to.hear()).await {
                all.extend(told.expect("the bus is open"));
            }
        }
    };
    let patient = timeout(PATIENCE, hear).await;
    patient.unwrap_or_else(|_| panic!("{last:?} is never heard"));
    all
}

/// Hears what is left, for ever.
async fn silence(of: &Arc<dyn Bus>) {
    while of.hear().await.is_some() {}
}

/// What was lost is told again after this long.
const AGAIN: Duration = Duration::from_millis(50);

/// How long anything may take before a story fails: never waited for when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

fn posted(body: &str) -> Event {
    let text = Text::new(body).unwrap();
    Event::from(Posted {
        idx: Idx::new(1),
        reply_to: None,
        thread: None,
        mentions: [UserId::new(2)].into(),
        mention_all: false,
        content: Some(Content::plain(text)),
    })
}

fn joined() -> Event {
    Event::from(Joined {
        way: Way::Open,
        role: Role::Member,
    })
}
