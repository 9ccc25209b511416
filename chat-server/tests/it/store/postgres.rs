//! What a database does that a file doesn't: others write to it, and it comes and goes.

use std::sync::Arc;

use super::Any;
use crate::postgres::{open, shared};

/// A store in a schema of its own.
pub(super) async fn empty(what: &str) -> Option<Any> {
    let url = shared(what)?.schema().await;
    Some(Arc::new(open(&url)))
}
