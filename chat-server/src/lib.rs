//! Wires the chat engine to WebSockets, HTTP and storage: a library to mount, and a thin binary.
//!
//! * [`Server`] is the whole thing: built from a [`Config`](config::Config), mounted as an
//!   [`axum::Router`] or bound to addresses, and stopped.
//! * [`serve`] is what the binary does with it.
//! * [`store::Store`], [`auth::Authenticator`] and [`clock::Clock`] are where an application puts
//!   in its own.
//! * [`engineio`] and [`socketio`] carry one dialect, and serve applications of their own;
//!   [`websocket`] serves theirs without either.
//! * [`turn::Turn`] is the server's duty for a room, without a socket, a disk or a clock.

pub mod auth;
pub mod bus;
pub mod clock;
pub mod config;
pub mod engineio;
pub mod entropy;
pub mod http;
pub mod import;
pub mod limits;
pub mod logs;
pub mod mail;
pub mod metrics;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod socketio;
pub mod store;
pub mod turn;
pub mod websocket;

mod budgets;
mod desk;
mod erasing;
mod founding;
mod frame;
mod hub;
mod janitor;
mod listener;
mod node;
mod outbox;
mod places;
mod reads;
mod server;
mod session;
mod status;
mod worker;

pub use self::node::Node;
pub use self::server::{Builder, RunError, Server, serve};
