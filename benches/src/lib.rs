//! What the benchmarks share: rooms full of people, what they say, and where it is kept.
//!
//! * [`crowd`] fills an engine with rooms and has their members post.
//! * [`batches`] makes what a store is asked to append of it.
//! * [`plain`] is the yardstick of the store: SQLite alone, inserting the same rows.
//! * [`words`] are what is said, in every dialect.
//! * [`cost`] measures where no statistics of one contender alone will do.

pub mod batches;
pub mod cost;
pub mod crowd;
pub mod plain;
pub mod words;
