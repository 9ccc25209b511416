//! The protocol from outside: transcripts to the byte, the schema, the log on disk, and garbage.

#[cfg(test)]
mod actions_http;
#[cfg(test)]
mod client;
#[cfg(test)]
mod engineio;
#[cfg(test)]
mod garbage;
#[cfg(test)]
mod given;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod lobby;
#[cfg(test)]
mod log;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod sites;
#[cfg(test)]
mod socketio;
