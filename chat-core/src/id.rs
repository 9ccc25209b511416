//! What things are called: rooms, users, positions, moments.
//!
//! Every number stays below 2^53, so that any JSON reader holds it exactly; the bound is checked at
//! birth, also when a value is deserialized. An application whose own ids are wider keeps a table of
//! them: cutting them off would make one user of two.
//!
//! ```
//! use chat_core::UserId;
//!
//! assert_eq!(UserId::try_from(7), Ok(UserId::new(7)));
//! assert!(UserId::try_from(1_u64 << 60).is_err());
//! ```

use alloc::sync::Arc;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::spelled::spelled;

/// The largest number that any identifier, position or moment may have: 2^53 - 1.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Guests are numbered from here to [`NUMBER_MAX`]; accounts below.
const GUESTS_FROM: u64 = 1 << 52;

/// A number that may not leave the range which JSON readers hold exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is over 2^53 - 1")]
pub struct NumberTooLarge(pub u64);

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(try_from = "u64", into = "u64")]
        #[cfg_attr(feature = "schema", schemars(with = "u64"))]
        pub struct $name(u64);

        impl $name {
            /// Wraps a number that is known to be small enough: a literal, or one of the
            /// caller's own making. What a stranger or a disk says goes through `try_from`.
            ///
            /// # Panics
            ///
            /// If the number is over [`NUMBER_MAX`]. Two numbers never become one.
            #[must_use]
            #[track_caller]
            pub const fn new(number: u64) -> Self {
                assert!(number <= NUMBER_MAX, "a number is over 2^53 - 1");
                Self(number)
            }

            /// The number, or [`NUMBER_MAX`] if it is over that: for sums, whose exact value is of
            /// no account so far out. Never for what names somebody or something.
            #[must_use]
            pub const fn saturating(number: u64) -> Self {
                if number > NUMBER_MAX { Self(NUMBER_MAX) } else { Self(number) }
            }

            /// The plain number.
            #[must_use]
            pub const fn number(self) -> u64 {
                self.0
            }
        }

        impl TryFrom<u64> for $name {
            type Error = NumberTooLarge;

            fn try_from(number: u64) -> Result<Self, NumberTooLarge> {
                if number > NUMBER_MAX { Err(NumberTooLarge(number)) } else { Ok(Self(number)) }
            }
        }

        impl From<$name> for u64 {
            fn from(it: $name) -> u64 {
                it.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A room, numbered by the store.
    RoomId
}

number! {
    /// Somebody who acts: the house (0), an account (below 2^52), or a guest (from 2^52).
    ///
    /// That a user is a guest can be read off the number, so nobody has to look it up.
    UserId
}

number! {
    /// The position of a record in its room's log, dense from 1; 0 is "before the first".
    Seq
}

number! {
    /// The position of a message among its room's messages, dense from 1.
    Idx
}

number! {
    /// A moment in Unix milliseconds. It comes from outside: the core owns no clock.
    Timestamp
}

impl UserId {
    /// The reserved user that owns the rooms which guests made. It has no sessions.
    pub const HOUSE: Self = Self(0);

    /// The guest with this draw of 52 random bits; higher bits are dropped.
    #[must_use]
    pub const fn guest(draw: u64) -> Self {
        Self(GUESTS_FROM | (draw & (GUESTS_FROM - 1)))
    }

    /// Whether this is a guest: a name without an account.
    #[must_use]
    pub const fn is_guest(self) -> bool {
        self.0 >= GUESTS_FROM
    }

    /// Whether this user may own a room for good: an account or the house.
    #[must_use]
    pub const fn may_own(self) -> bool {
        !self.is_guest()
    }
}

impl Seq {
    /// The last position that there may be.
    pub const MAX: Self = Self(NUMBER_MAX);

    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::saturating(self.0 + 1)
    }

    /// The position before this one; before 0 there is none.
    #[must_use]
    pub const fn prev(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl Idx {
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::saturating(self.0 + 1)
    }

    /// The position before this one; before 0 there is none.
    #[must_use]
    pub const fn prev(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl Timestamp {
    /// This moment moved `ms` milliseconds on.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self::saturating(self.0.saturating_add(ms))
    }

    /// This moment moved `ms` milliseconds back, to the beginning of 1970 at most.
    #[must_use]
    pub const fn minus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_sub(ms))
    }

    /// The milliseconds from `earlier` to this moment; 0 if it lies later.
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A client's own id of a command, 1 to 64 bytes, in the scope of its user and room.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(
    feature = "schema",
    schemars(with = "alloc::string::String", extend("minLength" = 1, "maxLength" = 64))
)]
pub struct Cid(Arc<str>);

/// Why a text is no [`Cid`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cid has 1 to {} bytes", Cid::BYTES_MAX)]
pub struct BadCid;

impl Cid {
    /// The longest cid.
    pub const BYTES_MAX: usize = 64;

    /// Takes the client's text as it is.
    ///
    /// # Errors
    ///
    /// [`BadCid`] if it is empty or over 64 bytes.
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, BadCid> {
        let text = text.into();
        if text.is_empty() || text.len() > Self::BYTES_MAX {
            Err(BadCid)
        } else {
            Ok(Self(text))
        }
    }

    /// The client's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

spelled!(Cid, BadCid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_never_become_one() {
        assert_eq!(UserId::new(NUMBER_MAX).number(), NUMBER_MAX);
        for number in [NUMBER_MAX + 1, u64::MAX] {
            assert_eq!(UserId::try_from(number), Err(NumberTooLarge(number)));
            assert!(serde_json::from_value::<UserId>(number.into()).is_err());
        }
    }

    #[test]
    #[should_panic = "over 2^53 - 1"]
    fn a_number_that_is_said_to_be_small_enough_has_to_be() {
        assert_eq!(RoomId::new(NUMBER_MAX + 1).number(), 0);
    }

    #[test]
    fn arithmetic_ends_at_the_ends() {
        assert_eq!(Seq::MAX.next(), Seq::MAX);
        assert_eq!(
            (Seq::new(1).prev(), Seq::default().prev()),
            Default::default()
        );
        let late = Timestamp::new(5).plus_ms(u64::MAX);
        assert_eq!(late, Timestamp::saturating(u64::MAX));
        assert_eq!(Timestamp::new(5).minus_ms(9), Timestamp::default());
        assert_eq!(Timestamp::new(9).minus_ms(5), Timestamp::new(4));
        assert_eq!(
            (Seq::new(9).prev(), Idx::new(9).prev()),
            (Seq::new(8), Idx::new(8))
        );
    }

    #[test]
    fn a_cid_stays_as_its_client_chose_it() {
        assert_eq!(Cid::new("c-1").unwrap().as_str(), "c-1");
    }
}
