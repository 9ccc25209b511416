//! The server's parts and the program, tested from outside.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests measure real time, and run their clients side by side"
)]

mod actions;
mod auth;
mod bus;
mod cli;
mod clients;
mod cluster;
mod conversation;
mod crash;
mod engineio;
mod erasing;
mod events;
mod groups;
mod hostile;
mod http;
mod identity;
mod import;
mod languages;
mod lobby;
mod membership;
mod moderation;
mod mounted;
mod names;
mod pages;
mod people;
#[cfg(feature = "postgres")]
mod postgres;
mod rejections;
mod require;
mod rest;
mod resume;
mod retention;
mod rooms;
mod searching;
mod secrets;
mod security;
mod session;
mod simulation;
mod six;
mod slow;
mod socketio;
mod store;
mod tls;
mod turn;
mod upkeep;
mod websocket;
mod world;
