//! The turn against a world that it can't see: several of them over one store, with faults, delays
//! and clients that try again.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it means, and passes the rest over"
)]

mod answers;
mod archive;
mod bus;
mod erased;
mod errand;
mod faults;
mod kicks;
mod laws;
mod model;
mod nodes;
mod random;
mod repeats;
mod stories;
mod world;
