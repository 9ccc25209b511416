//! `typing`: show that one is typing.

use serde::{Deserialize, Serialize};

use super::{Outcome, Ruling};
use crate::event::Event;
use crate::judge::Case;
use crate::policy::Permission;
use crate::signal::Signal;

/// Shows that one is typing, or has stopped.
///
/// Allowed to whoever holds [`Permission::Type`]. Becomes [`Signal::Typing`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Typing {
    /// Whether one still is.
    pub on: bool,
}

impl Default for Typing {
    fn default() -> Self {
        Self { on: true }
    }
}

impl Typing {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        case.may(Permission::Type)?;
        Ok(Outcome::Signal(Signal::Typing { on: self.on }))
    }

    pub(crate) fn became(&self, _: &Event) -> bool {
        false
    }
}
