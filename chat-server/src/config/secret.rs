//! A text that no log and no error may show.

use std::fmt;

/// A secret text. Its debug form hides it, and it has no other form.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a secret; none if it is empty.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// The secret itself, for the code that signs with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_in_its_debug_form() {
        let secret = Secret::new("open sesame").unwrap();
        assert_eq!(format!("{secret:?}"), "(hidden)");
        assert_eq!(secret.expose(), "open sesame");
    }
}
