//! The server's parts, tested from outside.

mod auth;
