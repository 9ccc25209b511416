//! Numbers that look drawn, and are the same in every run of a seed.

use std::sync::{Mutex, PoisonError};

use crate::entropy::Entropy;

/// A seeded source of numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The numbers of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of their own: how often these are thrown changes nothing there.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.draw())
    }

    /// The next number.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` on and below `high`; `low` if there is none.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        let draw = self.draw();
        match high.saturating_sub(low) {
            0 => low,
            span => low + draw % span,
        }
    }

    /// A number below this; 0 if there is none.
    #[must_use]
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.between(0, bound as u64)).unwrap_or(0)
    }

    /// True so many times in a hundred.
    pub const fn chance(&mut self, percent: u64) -> bool {
        self.draw() % 100 < percent
    }

    /// One of these; none of nothing.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        (!from.is_empty())
            .then(|| self.below(from.len()))
            .and_then(|at| from.get(at))
    }
}

/// Dice for a server that wants to draw.
#[derive(Debug)]
pub(super) struct Drawn(Mutex<Dice>);

impl Drawn {
    pub(super) const fn from(dice: Dice) -> Self {
        Self(Mutex::new(dice))
    }
}

impl Entropy for Drawn {
    fn draw(&self) -> Option<u64> {
        let mut dice = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(dice.draw())
    }
}
