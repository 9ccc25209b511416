//! What things are called: rooms, users, positions, moments.
//!
//! Every number stays below 2^53, so that any JSON reader holds it exactly; the bound is checked at
//! birth, also when a value is deserialized.

use alloc::boxed::Box;
use core::fmt;

use serde::{Deserialize, Serialize};

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
            /// Wraps a number of at most [`NUMBER_MAX`]; a larger one becomes that.
            #[must_use]
            pub const fn new(number: u64) -> Self {
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
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::new(self.0 + 1)
    }
}

impl Idx {
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::new(self.0 + 1)
    }
}

impl Timestamp {
    /// This moment moved `ms` milliseconds on.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self::new(self.0.saturating_add(ms))
    }

    /// The milliseconds from `earlier` to this moment; 0 if it lies later.
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A client's own id of a command, 1 to 64 bytes, in the scope of its user and room.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "Box<str>", into = "Box<str>")]
#[cfg_attr(
    feature = "schema",
    schemars(with = "alloc::string::String", extend("minLength" = 1, "maxLength" = 64))
)]
pub struct Cid(Box<str>);

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
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, BadCid> {
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

impl TryFrom<Box<str>> for Cid {
    type Error = BadCid;

    fn try_from(text: Box<str>) -> Result<Self, BadCid> {
        Self::new(text)
    }
}

impl From<Cid> for Box<str> {
    fn from(cid: Cid) -> Self {
        cid.0
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
