//! What all texts that were checked at birth have in common.

/// The ways into a checked text and out of it, for a type that wraps a `Box<str>` and has a `new`.
macro_rules! spelled {
    ($name:ident, $error:ident) => {
        impl core::str::FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$name> for alloc::boxed::Box<str> {
            fn from(it: $name) -> Self {
                it.0
            }
        }

        impl From<$name> for alloc::string::String {
            fn from(it: $name) -> Self {
                it.0.into()
            }
        }
    };
}

pub(crate) use spelled;
