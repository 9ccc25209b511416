//! The protocol from outside: transcripts to the byte, the schema, and garbage.

#[cfg(test)]
mod client;
#[cfg(test)]
mod garbage;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod lobby;
#[cfg(test)]
mod schema;
