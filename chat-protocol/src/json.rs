//! JSON as it is written: by everything that the server says, and by the log.

use serde::Serialize;

/// Encodes what can't fail to be JSON: our own types, whose maps have numbers or texts as keys.
pub(crate) fn json(value: &impl Serialize) -> Vec<u8> {
    json_after(b"", value)
}

/// The same, behind what a message begins with.
pub(crate) fn json_after(begin: &[u8], value: &impl Serialize) -> Vec<u8> {
    let mut text = Vec::with_capacity(FRAME_BYTES);
    text.extend_from_slice(begin);
    serde_json::to_writer(&mut text, value).expect("our own types are JSON");
    text
}

/// Room for a message of usual length, so that the text doesn't grow in steps.
const FRAME_BYTES: usize = 256;
