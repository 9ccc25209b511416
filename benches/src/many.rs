//! What much in the store costs: nothing, if all is well.
//!
//! * [`stock`] fills a store with rooms, and one of them with messages.
//! * [`questions`] asks a small store and a large one the same.
//! * [`start`] starts the server on either.
//! * [`memory`] counts what a room takes that is loaded.
//! * [`joins`] lets a hundred thousand people come into one room.

pub mod joins;
pub mod memory;
pub mod questions;
pub mod start;
pub mod stock;

/// A number of the environment, or what counts without it.
///
/// # Panics
///
/// If it is something else than a number.
#[must_use]
pub fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |text| match text.parse() {
        Ok(number) => number,
        Err(_) => panic!("{name}={text} is no number"),
    })
}
