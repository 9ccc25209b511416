//! Wires the chat engine to WebSockets, HTTP and storage: a library to mount, and a thin binary.

pub mod auth;
pub mod clock;
pub mod config;
pub mod http;
pub mod limits;
pub mod logs;
pub mod metrics;
pub mod store;
