//! The dialects, one file or folder each.

pub mod actions;
pub mod groups;
mod lenient;
mod lists;
pub mod native;
pub mod rest;
pub mod rooms;
pub mod socketio;
mod unambiguous;
