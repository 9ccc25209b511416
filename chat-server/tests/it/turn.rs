//! The turn against a world that it can't see: several of them over one store, with faults, delays
//! and clients that try again.

pub(crate) mod dice;
mod laws;
mod model;
mod random;
mod stories;
mod world;
