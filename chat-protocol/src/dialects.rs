//! The dialects, one file or folder each.

pub(crate) mod actions;
pub(crate) mod groups;
mod lenient;
mod lists;
pub(crate) mod native;
pub(crate) mod rest;
pub(crate) mod rooms;
pub(crate) mod socketio;
mod unambiguous;
