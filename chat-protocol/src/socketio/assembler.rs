//! Packets and their attachments, put together again.

use serde_json::Value;

use super::{Malformed, Packet};

/// Waits for what is binary in a packet. It holds one packet at most, as the protocol has it:
/// nothing comes between a packet and its attachments.
#[derive(Debug)]
pub struct Assembler {
    waiting: Option<Whole<'static>>,
    /// Attachments of it that have come.
    come: usize,
    attachments_max: usize,
    keeps: bool,
}

/// A packet with all that belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole<'a> {
    /// The packet; placeholders stand in its data where something is binary.
    pub packet: Packet<'a>,
    /// What is binary, by the numbers of the placeholders; nothing if it is only
    /// [counted](Assembler::counting).
    pub attachments: Vec<Vec<u8>>,
}

impl Whole<'_> {
    /// The same with nothing borrowed.
    #[must_use]
    pub fn into_owned(self) -> Whole<'static> {
        Whole {
            packet: self.packet.into_owned(),
            attachments: self.attachments,
        }
    }
}

impl Assembler {
    /// An assembler that takes no packet with more attachments than this. How many bytes they have
    /// is bounded by whoever carries them.
    #[must_use]
    pub const fn new(attachments_max: usize) -> Self {
        Self {
            waiting: None,
            come: 0,
            attachments_max,
            keeps: true,
        }
    }

    /// The same for whoever has no use for attachments: they are counted, and none is kept.
    #[must_use]
    pub const fn counting(attachments_max: usize) -> Self {
        Self {
            waiting: None,
            come: 0,
            attachments_max,
            keeps: false,
        }
    }

    /// Takes the text of a message. Gives the packet if it is whole.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if it is no packet, has too many attachments or placeholders without one, or
    /// if an attachment should have come.
    pub fn text<'a>(&mut self, message: &'a str) -> Result<Option<Whole<'a>>, Malformed> {
        if self.waiting.is_some() {
            return Err(Malformed::MissingBinary);
        }
        let packet = Packet::decode(message)?;
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("packet_length_trusted") {
            drop(Vec::<Vec<u8>>::with_capacity(packet.attachments));
        }
        if packet.attachments > self.attachments_max {
            return Err(Malformed::BadAttachments);
        }
        if packet.attachments == 0 {
            let attachments = Vec::new();
            return Ok(Some(Whole {
                packet,
                attachments,
            }));
        }
        let data = packet.data.as_deref().ok_or(Malformed::BadData)?;
        let data = serde_json::from_str(data.get()).map_err(|_| Malformed::BadData)?;
        if !are_placed(&data, packet.attachments) {
            return Err(Malformed::BadAttachments);
        }
        self.come = 0;
        self.waiting = Some(Whole {
            packet: packet.into_owned(),
            attachments: Vec::new(),
        });
        Ok(None)
    }

    /// Takes an attachment. Gives the packet if it was the last.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if no packet waits for one.
    pub fn binary(&mut self, bytes: Vec<u8>) -> Result<Option<Whole<'static>>, Malformed> {
        let waiting = self.waiting.as_mut().ok_or(Malformed::UnexpectedBinary)?;
        if self.keeps {
            waiting.attachments.push(bytes);
        }
        self.come += 1;
        let is_whole = self.come >= waiting.packet.attachments;
        Ok(if is_whole { self.waiting.take() } else { None })
    }

    /// Bytes of attachments that wait for the others of their packet.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        let waiting = self.waiting.iter();
        waiting
            .flat_map(|whole| &whole.attachments)
            .map(Vec::len)
            .sum()
    }
}

/// Whether every placeholder has an attachment.
fn are_placed(data: &Value, attachments: usize) -> bool {
    match data {
        Value::Array(items) => items.iter().all(|item| are_placed(item, attachments)),
        Value::Object(fields) if fields.get("_placeholder") == Some(&Value::Bool(true)) => fields
            .get("num")
            .and_then(Value::as_u64)
            .and_then(|num| usize::try_from(num).ok())
            .is_some_and(|num| num < attachments),
        Value::Object(fields) => fields.values().all(|item| are_placed(item, attachments)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
