//! Stories about the chat over Socket.IO: both faces, who somebody is, and what goes wrong.

mod bounds;
mod faces;
mod identity;
mod libraries;
mod peer;
mod refusals;
