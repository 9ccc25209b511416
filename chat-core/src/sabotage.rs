//! Planted bugs, to show that the proofs catch them. Exists only under `--cfg sabotage`; which bug
//! is alive is chosen when the program runs, by the environment's `SABOTAGE`.

extern crate std;

use std::string::String;
use std::sync::LazyLock;

static CHOSEN: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("SABOTAGE").ok());

/// Whether this bug is to happen.
#[must_use]
pub fn planted(bug: &str) -> bool {
    CHOSEN.as_deref() == Some(bug)
}
