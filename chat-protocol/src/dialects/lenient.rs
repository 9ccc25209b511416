//! JSON as clients of the older dialects write it: a number where a text is meant, and no two alike.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Reads an object; a list of its fields' values would do for serde.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    let is_object = text.trim_ascii_start().starts_with('{');
    is_object.then(|| serde_json::from_str(text).ok()).flatten()
}

/// A value as text: a string says what it says, anything else its JSON, so a number its digits;
/// null says nothing.
pub(super) fn text(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Said<'a>(#[serde(borrow)] Cow<'a, str>);

    let json = value?.get();
    match serde_json::from_str::<Said<'_>>(json) {
        Ok(Said(text)) => Some(text),
        // A string that holds no text, such as half a surrogate pair.
        Err(_) if json.starts_with('"') || json == "null" => None,
        Err(_) => Some(Cow::Borrowed(json)),
    }
}
