//! What is said: bodies, attachments, and the secrets that open rooms.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::spelled::spelled;

/// A text of a person: any Unicode but NUL, kept byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "alloc::string::String"))]
pub struct Text(Arc<str>);

/// A text that contains NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a text may not contain NUL")]
pub struct NulInText;

impl Text {
    /// Takes a text as it is.
    ///
    /// # Errors
    ///
    /// [`NulInText`] if it contains NUL.
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, NulInText> {
        let text = text.into();
        if text.contains('\0') {
            Err(NulInText)
        } else {
            Ok(Self(text))
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nobody would see anything of it.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }
}

spelled!(Text, NulInText);

/// How a body is meant to be shown. The engine passes it on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// As it stands.
    #[default]
    Plain,
    /// CommonMark.
    Markdown,
    /// The body is a JSON text.
    Json,
}

impl Format {
    /// Whether this is the format that need not be mentioned.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::Plain
    }
}

/// A reference to something kept elsewhere. The engine never opens it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attachment {
    /// Where it is.
    pub url: Text,
    /// What to call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<Text>,
    /// Its size in bytes, as the sender says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// What a message says, apart from where it stands: the part that erasing takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Content {
    /// The text; may be empty beside attachments.
    #[serde(default)]
    pub body: Text,
    /// How to show it.
    #[serde(default, skip_serializing_if = "Format::is_plain")]
    pub format: Format,
    /// References to things kept elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The sender's own labels, passed on untouched.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ext: BTreeMap<Text, Text>,
}

impl Content {
    /// Plain text alone.
    #[must_use]
    pub fn plain(body: Text) -> Self {
        Self {
            body,
            ..Self::default()
        }
    }

    /// The bytes of the sender's own labels.
    #[must_use]
    pub fn ext_bytes(&self) -> usize {
        self.ext
            .iter()
            .map(|(key, value)| key.0.len() + value.0.len())
            .sum()
    }

    /// The bytes of the attachments' references.
    #[must_use]
    pub fn attachment_bytes(&self) -> usize {
        let bytes = |text: &Option<Text>| text.as_ref().map_or(0, |text| text.0.len());
        self.attachments
            .iter()
            .map(|a| a.url.0.len() + bytes(&a.name) + bytes(&a.media_type))
            .sum()
    }
}

/// An emoji or short name that somebody reacts with: 1 to 64 bytes without white space.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(
    feature = "schema",
    schemars(with = "alloc::string::String", extend("minLength" = 1, "maxLength" = 64))
)]
pub struct Reaction(Arc<str>);

/// Why a text is no [`Reaction`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a reaction has 1 to {} bytes without white space or control characters",
    Reaction::BYTES_MAX
)]
pub struct BadReaction;

impl Reaction {
    /// The longest reaction; a family of four with skin tones takes 41 bytes.
    pub const BYTES_MAX: usize = 64;

    /// Checks a text.
    ///
    /// # Errors
    ///
    /// [`BadReaction`] if it is empty, too long, or has white space or control characters.
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, BadReaction> {
        let text = text.into();
        let fits = !text.is_empty() && text.len() <= Self::BYTES_MAX;
        let clean = !text.chars().any(|c| c.is_whitespace() || c.is_control());
        if fits && clean {
            Ok(Self(text))
        } else {
            Err(BadReaction)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

spelled!(Reaction, BadReaction);

/// A room's password as its client wrote it. It is never stored, and `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Password(Box<str>);

impl Password {
    /// The longest password in bytes; a longer one is refused before it is hashed.
    pub const BYTES_MAX: usize = 1024;

    /// Takes a client's text as it is.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The client's text, for whoever hashes it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

/// The hash of a room's password: opaque to the core, `Debug` hides it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct SecretHash(Box<str>);

impl SecretHash {
    /// Takes a hash in whatever spelling the shell's hasher has.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The hash, for whoever compares.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it was taken out, as it is before anything leaves for a client.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;

    fn text(text: &str) -> Text {
        Text::new(text).unwrap()
    }

    #[test]
    fn a_text_is_read_and_shown_as_it_is() {
        let text: Text = " héllo ".parse().unwrap();
        assert_eq!(
            (text.as_ref(), format!("{text}")),
            (" héllo ", " héllo ".into())
        );
        assert_eq!(alloc::string::String::from(text), " héllo ");
        assert_eq!("a\0b".parse::<Text>(), Err(NulInText));
    }

    #[test]
    fn the_format_is_mentioned_unless_it_is_plain() {
        let spelled = |format| {
            let content = Content {
                format,
                ..Content::plain(text("hi"))
            };
            serde_json::to_string(&content).unwrap()
        };
        assert_eq!(spelled(Format::Plain), r#"{"body":"hi"}"#);
        assert_eq!(
            spelled(Format::Markdown),
            r#"{"body":"hi","format":"markdown"}"#
        );
    }

    #[test]
    fn every_byte_of_an_attachment_s_reference_counts() {
        let bare = Attachment {
            url: text("12345"),
            name: None,
            media_type: None,
            bytes: Some(1_000),
        };
        let named = Attachment {
            name: Some(text("678")),
            media_type: Some(text("90")),
            ..bare.clone()
        };
        let content = Content {
            attachments: vec![bare, named],
            ..Content::default()
        };
        assert_eq!(content.attachment_bytes(), 15);
    }

    #[test]
    fn secrets_hide_from_debug_output() {
        let hash = SecretHash::new("$argon2id$x");
        assert_eq!(format!("{hash:?}"), "SecretHash(hidden)");
        assert_eq!((hash.expose(), hash.is_empty()), ("$argon2id$x", false));
        assert!(SecretHash::default().is_empty());
        let password = Password::new("sesame");
        assert_eq!(format!("{password:?}"), "Password(hidden)");
        assert_eq!(password.expose(), "sesame");
    }
}
