//! The JSON command enum and every wire dialect of the chat engine, as pure codecs.

pub mod answer;
pub mod log;
