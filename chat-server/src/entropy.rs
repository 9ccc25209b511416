//! Randomness, as something that is passed in.

use std::fmt;

/// Where random bits come from.
pub trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// Random bits; none if the source has run dry.
    fn draw(&self) -> Option<u64>;
}

/// The system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn draw(&self) -> Option<u64> {
        getrandom::u64().ok()
    }
}
