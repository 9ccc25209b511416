//! Wires the chat engine to WebSockets, HTTP and storage: a library to mount, and a thin binary.
//!
//! * [`Server`] is the whole thing: built from a [`Config`](config::Config), mounted as an
//!   [`axum::Router`] or bound to addresses, and stopped. [`Server::act`] speaks for the application's
//!   users from its own code.
//! * [`serve`] is what the binary does with it.
//! * [`store::Store`], [`bus::Bus`], [`auth::Authenticator`], [`clock::Clock`] and
//!   [`entropy::Entropy`] are where an application puts in its own.
//! * [`engineio`] and [`socketio`] carry one dialect, and serve applications of their own;
//!   [`websocket`] serves theirs without either.
//!
//! # Features
//!
//! The first three are on unless `default-features = false` is said. Without them the server keeps
//! its rooms in memory or in a store of the application's own, and is the same otherwise.
//!
//! * `sqlite`: the store in one file, with SQLite compiled in.
//! * `import`: bringing in what older servers kept, and comparing with the bcrypt hashes that came
//!   with it. A store into which anything was imported needs it.
//! * `cli`: the program `chat-server`.
//! * `postgres`: the store in a PostgreSQL database, for several nodes.
//! * `nats`: the bus of several nodes over a [NATS](bus::nats) server.
//! * `simulation`: a whole server in a simulated world, for whoever writes a store of his own.
//! * `conformance`: the contracts of a [store](store::conformance) and of a [bus](bus::conformance) as
//!   stories, for whoever writes one of his own.
//!
//! # Examples
//!
//! ```
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! use chat_server::Server;
//! use chat_server::config::{Config, StoreUrl};
//! use futures_util::{SinkExt, StreamExt};
//! use tokio_tungstenite::connect_async;
//!
//! let mut config = Config::default();
//! config.store = StoreUrl::Memory;
//! let chat = Server::builder(config).start().await?;
//! let address = chat.listen("127.0.0.1:0".parse()?).await?;
//!
//! let (mut ann, _) = connect_async(format!("ws://{address}/v1/ws")).await?;
//! for (frame, reply) in [
//!     (r#"{"id":1,"op":"hello","d":{"guest":{"name":"ann"}}}"#, r#""re":1,"#),
//!     (r#"{"id":2,"op":"create_room","d":{"name":"Den","alias":"den"}}"#, r#""re":2,"#),
//!     (r#"{"id":3,"op":"post","d":{"room":"den","cid":"a1","body":"hello"}}"#, r#""re":3,"#),
//! ] {
//!     ann.send(frame.into()).await?;
//!     while let Some(heard) = ann.next().await {
//!         let heard = heard?;
//!         println!("{heard}");
//!         if heard.to_text()?.contains(reply) {
//!             break;
//!         }
//!     }
//! }
//! chat.stop().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod auth;
pub mod bus;
pub mod clock;
pub mod config;
pub mod engineio;
pub mod entropy;
#[cfg(feature = "import")]
pub mod import;
pub mod limits;
pub mod metrics;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod socketio;
pub mod store;
pub mod websocket;

// What the binary and the tests reach for. Nobody else is promised any of it.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod http;
#[doc(hidden)]
pub mod mail;
#[doc(hidden)]
pub mod turn;

mod budgets;
mod desk;
mod erasing;
mod events;
mod few;
mod founding;
mod frame;
mod hub;
mod janitor;
mod listener;
#[cfg(feature = "cli")]
mod logs;
mod message;
mod node;
mod outbox;
mod places;
mod reads;
mod server;
mod session;
mod status;
#[cfg(feature = "tls")]
mod tls;
mod worker;

// In the versions that the server speaks of.
pub use chat_core;
pub use chat_protocol;

pub use self::node::Node;
pub use self::server::{Addresses, Builder, RunError, Server, serve};
#[cfg(feature = "tls")]
pub use self::tls::TlsError;
