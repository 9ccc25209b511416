//! Two stores in a simulated world: one that keeps what it promised, and one that doesn't.
//!
//! ```text
//! cargo run -p chat-examples --bin simulate_store
//! ```
//!
//! A store of your own takes the place of [`Memory`] here. What it writes to has to outlive the
//! handle: the simulation opens another one whenever the server has stopped or crashed.

use std::process::ExitCode;
use std::sync::Arc;

use chat_server::simulation::{Dice, Report, Simulation};
use chat_server::store::Store;
use chat_server::store::memory::Memory;

/// Worlds in which each store is tried.
const WORLDS: u64 = 8;

/// Seconds that each lasts.
const SECONDS: u64 = 15;

fn main() -> ExitCode {
    let sound = first_failure(|| {
        let disk = Memory::named("disk");
        Box::new(move |dice| Arc::new(disk.reopen(epoch(dice))))
    });
    if let Some(report) = sound {
        println!("{report}");
        return ExitCode::FAILURE;
    }
    println!("a store that keeps everything: {WORLDS} worlds, and nothing was wrong");

    // It keeps everything in the handle, and so in the process.
    let forgetful = first_failure(|| Box::new(|dice| Arc::new(Memory::named(epoch(dice)))));
    let Some(report) = forgetful else {
        println!("nobody has noticed that a store forgets everything");
        return ExitCode::FAILURE;
    };
    println!("a store that forgets, and how that was noticed:\n{report}");
    ExitCode::SUCCESS
}

/// How a store is opened.
type Open = Box<dyn FnMut(&mut Dice) -> Arc<dyn Store>>;

/// The first world in which a store was found to be wrong.
fn first_failure(mut disk: impl FnMut() -> Open) -> Option<Report> {
    let mut worlds = (0..WORLDS).map(|seed| {
        let simulation = Simulation::new(seed).store(disk()).seconds(SECONDS);
        simulation.run()
    });
    worlds.find(|report| report.failure.is_some())
}

/// A name for one opening, drawn so that the same seed gives the same one.
fn epoch(dice: &mut Dice) -> String {
    format!("{:016x}", dice.draw())
}
