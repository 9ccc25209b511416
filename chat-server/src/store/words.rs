//! What is looked for in messages, and what is found: the same in every adapter.

use chat_core::{RoomId, Seq, UserId};
use chat_protocol::answer::Message;
use unicode_normalization::UnicodeNormalization;

/// Different words of one message that can be found; those after them can't.
pub const WORDS_OF_MESSAGE_MAX: usize = 128;

/// Different words that can be looked for at once.
pub const WORDS_OF_SEARCH_MAX: usize = 8;

/// Letters of a word that tell it from others in an index.
const TERM_CHARS_MAX: usize = 32;

/// What somebody looks for: pieces, apart by white space, each of which is words in a row.
///
/// There is no syntax: signs part words and mean nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sought {
    pieces: Vec<Vec<String>>,
}

impl Sought {
    /// Reads what somebody typed; none if there is no word in it, or too many.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let pieces: Vec<Vec<String>> = text
            .split_whitespace()
            .map(|piece| words(piece).collect())
            .filter(|piece: &Vec<String>| !piece.is_empty())
            .collect();
        let sought = Self { pieces };
        let count = sought.terms().len();
        (1..=WORDS_OF_SEARCH_MAX).contains(&count).then_some(sought)
    }

    /// The different words, the longest first: they are the rarest, as a rule.
    pub(super) fn terms(&self) -> Vec<String> {
        let mut terms: Vec<String> = self.pieces.iter().flatten().map(|it| term(it)).collect();
        terms.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        terms.dedup();
        terms
    }

    /// Whether every piece stands in a text.
    fn is_in(&self, text: &str) -> bool {
        let known = terms(text);
        if !self.terms().iter().all(|term| known.contains(term)) {
            return false;
        }
        let said: Vec<String> = words(text).collect();
        let stands = |piece: &Vec<String>| said.windows(piece.len()).any(|row| row == piece);
        self.pieces.iter().all(stands)
    }

    /// Whether a message is found.
    pub(super) fn finds(&self, message: &Message) -> bool {
        let said = message.content.as_ref();
        message.deleted_at.is_none() && said.is_some_and(|it| self.is_in(it.body.as_str()))
    }
}

/// What to look for, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    /// The words.
    pub sought: Sought,
    /// Who asks, for whether a reaction is his.
    pub viewer: UserId,
    /// The rooms, in the order in which they are searched.
    pub rooms: Vec<Scope>,
    /// How many messages at most.
    pub limit: usize,
}

/// The part of a room that is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The room.
    pub room: RoomId,
    /// Nothing from before this record.
    pub from: Seq,
    /// Nothing from after this record.
    pub to: Seq,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The messages.
    pub items: Vec<(RoomId, Message)>,
    /// In which room, before which message, to go on; none if all was looked at.
    pub next: Option<(RoomId, Seq)>,
}

/// What a search may cost at most, in steps through an index.
pub(super) const SEARCH_STEPS_MAX: usize = 2_000;

/// The different words by which a text can be found, in the order of the alphabet.
pub(super) fn terms(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    for word in words(text) {
        let term = term(&word);
        if terms.len() >= WORDS_OF_MESSAGE_MAX {
            break;
        }
        if let Err(place) = terms.binary_search(&term) {
            terms.insert(place, term);
        }
    }
    terms
}

fn term(word: &str) -> String {
    word.chars().take(TERM_CHARS_MAX).collect()
}

/// The words of a text in the spelling that they compare in. Letters of scripts that don't part
/// words are words themselves; a piece of such letters is found as a row of them.
fn words(text: &str) -> impl Iterator<Item = String> {
    let mut letters = text.nfkc().flat_map(char::to_lowercase).peekable();
    std::iter::from_fn(move || {
        while letters.next_if(|c| !c.is_alphanumeric()).is_some() {}
        let first = letters.next()?;
        let mut word = String::from(first);
        if !stands_alone(first) {
            while let Some(c) = letters.next_if(|c| c.is_alphanumeric() && !stands_alone(*c)) {
                word.push(c);
            }
        }
        Some(word)
    })
}

/// Scripts that are written without spaces: Thai, Lao, Burmese, Khmer, kana, Han.
fn stands_alone(c: char) -> bool {
    matches!(u32::from(c),
        0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x3040..=0x30ff | 0x31f0..=0x31ff
        | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<String> {
        words(text).collect()
    }

    #[test]
    fn signs_part_words_and_case_is_no_matter() {
        assert_eq!(
            said("Don't -- PANIC, \"Äpfel\"!"),
            ["don", "t", "panic", "äpfel"]
        );
        assert_eq!(said("e\u{301}te\u{301} ﬁn"), ["été", "fin"]);
        assert!(said("?! \u{200b}").is_empty());
    }

    #[test]
    fn scripts_without_spaces_are_found_by_their_letters_in_a_row() {
        assert_eq!(
            said("東京タワー2号"),
            ["東", "京", "タ", "ワ", "ー", "2", "号"]
        );
        let tokyo = Sought::new("東京").unwrap();
        assert!(tokyo.is_in("私は東京に住む"));
        assert!(!tokyo.is_in("京都の東"));
    }

    #[test]
    fn a_piece_is_words_in_a_row_and_pieces_come_in_any_order() {
        let sought = Sought::new("world foo-bar").unwrap();
        assert!(sought.is_in("a Foo, bar and the World"));
        assert!(!sought.is_in("a bar, foo and the world"));
        assert!(!sought.is_in("foo bar worlds"));
    }

    #[test]
    fn syntax_of_no_kind_means_anything() {
        for text in ["NEAR(\"cat\" OR *)", "cat* AND NOT near", "near:cat^2 or"] {
            assert!(Sought::new(text).is_some(), "{text}");
        }
        assert!(Sought::new("\"*\" ^").is_none());
        assert!(Sought::new("1 2 3 4 5 6 7 8").is_some());
        assert!(Sought::new("1 2 3 4 5 6 7 8 9").is_none());
    }

    #[test]
    fn a_long_text_costs_no_more_than_a_bounded_one() {
        let long: String = (0..5_000).map(|n| format!("w{n} ")).collect();
        assert_eq!(terms(&long).len(), WORDS_OF_MESSAGE_MAX);
        assert!(Sought::new("w5").unwrap().is_in(&long));
        assert!(!Sought::new("w4999").unwrap().is_in(&long));
        assert_eq!(terms(&"x".repeat(9_000)), ["x".repeat(TERM_CHARS_MAX)]);
    }
}
