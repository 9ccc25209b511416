//! Names that people give to themselves and to rooms, and how two of them compare.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_security::skeleton;

use crate::spelled::spelled;

/// A name of a user, a room, or a member within a room; also a room's alias.
///
/// It is in Unicode normalization form C, trimmed, not empty, one line, and free of control,
/// zero-width, bidirectional and unassigned characters; so an emoji that is joined from several by a
/// zero-width joiner is none of a name's. No more than four marks stand on one character. How long
/// it may be is a matter of [`Limits`](crate::Limits), up to [`Name::BYTES_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "String", extend("minLength" = 1)))]
pub struct Name(Arc<str>);

/// Why a text is no [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing is left after trimming.
    #[error("a name may not be empty")]
    Empty,
    /// It is longer than any limit may allow.
    #[error("a name has at most {} bytes", Name::BYTES_MAX)]
    TooLong,
    /// It has a character that can't be seen, or that turns the text around it.
    #[error("a name may not contain control, zero-width, bidirectional or unassigned characters")]
    HiddenCharacter,
    /// More marks stand on one character than any script needs, so that they cover its neighbours.
    #[error("a name may not have more than {MARKS_MAX} marks on one character")]
    TooManyMarks,
}

/// Marks on one character (Unicode Technical Standard 39, section 5.4).
const MARKS_MAX: usize = 4;

impl Name {
    /// The longest name in UTF-8, whatever the limits say.
    pub const BYTES_MAX: usize = 1024;

    /// Normalizes and checks a text.
    ///
    /// # Errors
    ///
    /// [`BadName`] says what is wrong with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use chat_core::Name;
    ///
    /// assert_eq!(Name::new("  Zoe\u{308} ")?.as_str(), "Zoë");
    /// assert!(Name::new("admin\u{202e}").is_err());
    /// # Ok::<(), chat_core::BadName>(())
    /// ```
    pub fn new(text: &str) -> Result<Self, BadName> {
        if text.len() > Self::BYTES_MAX {
            return Err(BadName::TooLong);
        }
        let text = text.trim();
        let name: Cow<'_, str> = if text.is_ascii() {
            text.into()
        } else {
            text.nfc().collect()
        };
        if name.is_empty() {
            return Err(BadName::Empty);
        }
        if name.chars().any(is_hidden) || name.starts_with(is_selector) {
            return Err(BadName::HiddenCharacter);
        }
        if !name.is_ascii() && is_covered(&name) {
            return Err(BadName::TooManyMarks);
        }
        if name.len() > Self::BYTES_MAX {
            return Err(BadName::TooLong);
        }
        Ok(Self(name.into()))
    }

    /// The normalized text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The length that limits speak of: Unicode scalar values.
    #[must_use]
    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }

    /// What two names share if a person may take one for the other: case-folded, with characters
    /// that look alike made equal (Unicode Technical Standard 39, section 4).
    ///
    /// # Examples
    ///
    /// ```
    /// use chat_core::Name;
    ///
    /// let latin = Name::new("Paypal")?;
    /// let cyrillic = Name::new("p\u{430}yp\u{430}l")?;
    /// assert_eq!(latin.skeleton(), cyrillic.skeleton());
    /// # Ok::<(), chat_core::BadName>(())
    /// ```
    #[must_use]
    pub fn skeleton(&self) -> String {
        // Folding comes first and last: a capital may look like another script's small letter,
        // and the prototype of a small letter may be a capital.
        let seen = self.0.chars().filter(|c| !is_selector(*c));
        let folded: String = seen.flat_map(char::to_lowercase).collect();
        let alike: String = skeleton(&folded).collect();
        alike.chars().flat_map(char::to_lowercase).nfc().collect()
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the categories are Unicode's, and a later one is to be seen"
)]
fn is_hidden(c: char) -> bool {
    #[cfg(sabotage)]
    if crate::sabotage::planted("hidden_characters_in_names") {
        return c.is_control();
    }
    if c.is_ascii() {
        // Nothing else of it is hidden, and most names are ASCII.
        return c.is_ascii_control();
    }
    match c.general_category() {
        GeneralCategory::Control
        | GeneralCategory::Format
        | GeneralCategory::Unassigned
        | GeneralCategory::PrivateUse
        | GeneralCategory::Surrogate
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator => true,
        // What can't be seen either, and is a letter, a mark or a symbol by category. Hardly anything
        // else is `Default_Ignorable_Code_Point` but the selectors below.
        GeneralCategory::OtherLetter => {
            matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}')
        }
        GeneralCategory::NonspacingMark => {
            let selectors = matches!(c, '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0d}' | '\u{e0100}'..='\u{e01ef}');
            selectors || matches!(c, '\u{34f}' | '\u{17b4}' | '\u{17b5}')
        }
        GeneralCategory::OtherSymbol => matches!(c, '\u{2800}' | '\u{1d159}'),
        _ => false,
    }
}

/// Whether this says whether the character before it is shown as text or as emoji.
const fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}')
}

/// Whether there are more marks on one character than any script needs.
fn is_covered(name: &str) -> bool {
    let mut marks = 0;
    name.nfd().any(|c| {
        let is_mark = matches!(
            c.general_category(),
            GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark
        );
        marks = if is_mark { marks + 1 } else { 0 };
        marks > MARKS_MAX
    })
}

spelled!(Name, BadName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalized_and_trimmed() {
        assert_eq!(
            Name::new("\t cafe\u{301} \n").unwrap().as_str(),
            "caf\u{e9}"
        );
    }

    #[test]
    fn names_that_cannot_be_seen_are_refused() {
        for text in [
            "",
            "   ",
            "a\u{0}b",
            "a\u{200b}b",
            "a\u{202e}b",
            "a\nb",
            "\u{feff}a\u{378}",
            "\u{3164}",
            "a\u{34f}b",
            "a\u{17b4}b",
            "a\u{180b}b",
            "a\u{fe00}b",
            "a\u{e0100}b",
            "a\u{2800}b",
            "\u{1d159}",
            "\u{fe0f}a",
        ] {
            assert!(Name::new(text).is_err(), "{text:?}");
        }
        assert_eq!(Name::new(&"x".repeat(1025)), Err(BadName::TooLong));
    }

    #[test]
    fn names_of_many_scripts_are_welcome() {
        for text in [
            "Müller",
            "李雷",
            "محمد",
            "Ольга",
            "नेहा",
            "💬 den",
            "O'Neil-Smith",
        ] {
            assert_eq!(Name::new(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_character_has_four_marks_at_most_and_the_next_as_many() {
        let marked = |marks: usize| alloc::format!("x{}", "\u{323}".repeat(marks));
        assert!(Name::new(&marked(MARKS_MAX).repeat(3)).is_ok());
        let covered = Name::new(&marked(MARKS_MAX + 1));
        assert_eq!(covered, Err(BadName::TooManyMarks));
    }

    #[test]
    fn look_alikes_share_a_skeleton() {
        let skeleton = |text: &str| Name::new(text).unwrap().skeleton();
        assert_eq!(skeleton("ALICE"), skeleton("alice"));
        assert_eq!(skeleton("\u{410}lice"), skeleton("Alice"));
        assert_ne!(skeleton("alice"), skeleton("alicia"));
        assert_eq!(skeleton("\u{2764}\u{fe0f}"), skeleton("\u{2764}"));
    }
}
