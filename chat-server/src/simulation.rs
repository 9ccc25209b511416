//! A whole server in a simulated world: for whoever writes a [`Store`] of his own.
//!
//! Workers, hubs, sessions and outboxes are the real ones. The network, the time, the machine and
//! the people are not: everything happens in one thread, in an order that follows from a seed.
//! Connections deliver late, in pieces, and break at any byte; the store is slow, fails before a
//! write or after it, and is down for a while; readers stall; the wall clock jumps; the server
//! stops, or crashes in mid-write, and another one starts on the same store. Meanwhile people join,
//! leave, post, edit, react, invite, kick, ban and mute, on native devices and on older clients of
//! every dialect, by polls and by sockets, some with passwords. Some worlds have two servers on one
//! store, with a bus between them that loses, doubles, delays and disorders, and is cut.
//! They resume where they were, and send again what had no answer.
//!
//! A naive model says what has to come of that, and every client checks what it hears against it:
//!
//! * the records of a room have no hole, and none was made by somebody who might not;
//! * nobody hears what isn't durable, what he may not hear, anything twice or out of order;
//! * whoever resumes hears everything that he missed, once and in order, or is told why not;
//! * what was acknowledged is there, and a command has one effect, however often it was sent;
//! * a room as it is shown is the room that follows from its records;
//! * once nothing goes wrong any more, everything is answered and everybody has heard everything.
//!
//! [`Simulation::run`] gives a [`Report`]. The same seed gives the same one, down to a hash over
//! every frame and its time, so a failure can be looked at as often as needed.
//!
//! The store under test has to be deterministic, too: it may wait for nothing but the runtime's
//! time. What is to outlive a crash lies outside of what [`Simulation::store`] opens.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//! use chat_server::simulation::Simulation;
//! use chat_server::store::memory::Memory;
//!
//! let disk = Memory::named("first");
//! let report = Simulation::new(7)
//!     .store(move |dice| Arc::new(disk.reopen(format!("{:x}", dice.draw()))))
//!     .seconds(10)
//!     .run();
//! assert!(report.failure.is_none(), "{report}");
//! ```
#![expect(
    clippy::disallowed_methods,
    reason = "its time is that of a paused clock"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "what isn't in a JSON value reads as null"
)]

mod bus;
mod caller;
mod clock;
mod connection;
mod dice;
mod exchange;
mod faulty;
mod host;
mod ledger;
mod native;
mod network;
mod older;
mod polling;
mod report;
mod trace;
mod weather;
mod world;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{LocalSet, spawn_local};

pub use self::dice::Dice;
pub use self::report::{Failure, Report};
pub use self::trace::Counts;

use self::caller::Caller;
use self::clock::VirtualClock;
use self::faulty::Health;
use self::host::{Host, Open};
use self::ledger::Ledger;
use self::native::Device;
use self::older::Guest;
use self::trace::Trace;
use self::world::World;
use crate::store::memory::Memory;
use crate::store::{Created, NewAccount, Store};

/// A world that is about to be.
pub struct Simulation {
    seed: u64,
    seconds: u64,
    lines_max: usize,
    open: Open,
}

impl Simulation {
    /// The world of this seed: half a minute, over a store in memory that outlives the server.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let disk = Memory::named("first");
        let open = move |dice: &mut Dice| -> Arc<dyn Store> {
            Arc::new(disk.reopen(format!("{:x}", dice.draw())))
        };
        Self {
            seed,
            seconds: 30,
            lines_max: 60,
            open: Box::new(open),
        }
    }

    /// Opens the store like this, at the start and whenever all servers have stopped or crashed. Whatever
    /// one handle was told to be durable has to be there with the next.
    #[must_use]
    pub fn store(mut self, open: impl FnMut(&mut Dice) -> Arc<dyn Store> + 'static) -> Self {
        self.open = Box::new(open);
        self
    }

    /// Lets things go wrong for so many seconds of the world's time; then it comes to rest.
    #[must_use]
    pub const fn seconds(mut self, seconds: u64) -> Self {
        self.seconds = seconds;
        self
    }

    /// Keeps so many lines of what happened before something was wrong.
    #[must_use]
    pub const fn lines(mut self, lines_max: usize) -> Self {
        self.lines_max = lines_max;
        self
    }

    /// Lets it happen. It takes a small part of the time that passes in the world.
    ///
    /// # Panics
    ///
    /// If the system refuses a runtime, or the server panics within the caller's own call.
    #[must_use]
    pub fn run(self) -> Report {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O needs nothing of the system");
        let (seed, seconds) = (self.seed, self.seconds);
        LocalSet::new().block_on(&runtime, async move {
            let world = self.begin().await;
            let weather = weather::change(world.clone(), Dice::new(seed ^ 1), seconds);
            weather.await;
            rest(&world).await;
            report::of(seed, &world)
        })
    }

    /// Makes the world, and people who live in it.
    async fn begin(self) -> std::rc::Rc<World> {
        let mut dice = Dice::new(self.seed);
        let clock = Arc::new(VirtualClock::new());
        let trace = Trace::new(clock.clone(), self.lines_max);
        let ledger = Ledger::new(trace.clone());
        let workers = usize::try_from(dice.between(1, 4)).unwrap_or(1);
        let known = (ledger.clone(), trace.clone());
        let machines = if dice.chance(30) { 2 } else { 1 };
        let host = Host::new(
            self.open,
            (machines, workers),
            clock.clone(),
            known,
            dice.fork(),
        );
        let world = World::new(clock, trace, ledger, host);
        for machine in 0..machines {
            world.host.start(machine).await;
        }
        for number in 1..=dice.between(2, 5) {
            register(&world, number).await;
        }
        let users = world.users.borrow().clone();
        let devices = dice.between(users.len() as u64, 8);
        let owners = users.iter().copied().cycle();
        for (number, user) in (1..)
            .zip(owners)
            .take(usize::try_from(devices).unwrap_or(1))
        {
            let device = Device::new(world.clone(), number, user, dice.fork());
            spawn_local(device.live());
        }
        for number in (100..).take(dice.below(6)) {
            spawn_local(Guest::new(world.clone(), number, dice.fork()).live());
        }
        for (number, user) in (200..).zip(&users).take(dice.below(3)) {
            spawn_local(Caller::new(world.clone(), number, *user, dice.fork()).live());
        }
        world
    }
}

/// Gives somebody an account, behind the server's back.
async fn register(world: &World, number: u64) {
    let Some(store) = world.host.sound() else {
        return;
    };
    let Ok(name) = chat_core::Name::new(&format!("u{number}")) else {
        return;
    };
    let account = NewAccount::new(name, world.now());
    match store.create_account(account).await {
        Ok(Created::Account(account)) => world.users.borrow_mut().push(account.user),
        refused => world
            .trace
            .wrong(format!("no account can be made: {:?}", refused.err())),
    }
}

/// Lets nothing go wrong any more, and waits until everybody has everything.
async fn rest(world: &World) {
    world.host.ward.set(Health::Well);
    world.host.calm();
    world.calm.set(true);
    world.trace.note("world", "comes to rest");
    let mut still = 0;
    for _ in 0..REST_STEPS {
        if world.trace.is_wrong() {
            return;
        }
        still = if world.lacking().is_none() {
            still + 1
        } else {
            0
        };
        if still == STILL_STEPS {
            return report::compare_store(world).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let lacking = world.lacking().unwrap_or_default();
    world.trace.wrong(format!("no rest: {lacking}"));
}

/// Half seconds until everybody has to be at rest.
const REST_STEPS: u32 = 400;

/// Half seconds for which everybody has to stay there.
const STILL_STEPS: u32 = 4;
