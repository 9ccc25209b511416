//! What the benchmarks share: rooms full of people, what they say, and where it is kept; and the
//! load generator `chat-load`.
//!
//! * [`crowd`] fills an engine with rooms and has their members post.
//! * [`batches`] makes what a store is asked to append of it.
//! * [`plain`] is the yardstick of the store: SQLite alone, inserting the same rows.
//! * [`words`] are what is said, in every dialect.
//! * [`versus`] puts our server and those of others to the same work.
//! * [`scale`] has our server alone do more and more.
//! * [`many`] holds much in a store beside little.
//! * [`cost`] measures where no statistics of one contender alone will do.
//! * [`load`] drives whole servers over sockets, and counts what every member hears.

pub mod batches;
pub mod cost;
pub mod crowd;
pub mod load;
pub mod many;
pub mod plain;
pub mod scale;
pub mod versus;
pub mod words;
