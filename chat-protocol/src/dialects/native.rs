//! `chat.v1.json`: the dialect that can say everything.

use chat_core::Record;
use serde::Serialize;

use crate::answer::Answer;
use crate::code::{Code, Refusal};
use crate::dialect::Call;
use crate::event::encode_record;
use crate::frame::Frame;
use crate::voice::Hearer;

/// What a reply needs to know of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// The client's number of the frame.
    pub(crate) id: Option<u64>,
}

/// Frames of one message. What comes of a frame of two bytes takes hundreds.
pub(crate) const FRAMES_MAX: usize = 1_000;

/// Reads a message of one or several frames, a line each. What is over the bound is refused as a
/// whole.
pub(crate) fn decode(text: &str, calls: &mut Vec<Call>) {
    let lines = text.split('\n').map(str::trim_ascii);
    let mut lines = lines.filter(|line| !line.is_empty());
    for line in lines.by_ref().take(frames_max()) {
        let Frame { id, op } = Frame::decode(line);
        calls.push(Call {
            ticket: Ticket { id }.into(),
            op,
        });
    }
    if lines.next().is_some() {
        let words = format!("a message holds at most {FRAMES_MAX} frames");
        calls.push(Call {
            ticket: Ticket { id: None }.into(),
            op: Err(Refusal::bad_frame(words)),
        });
    }
}

fn frames_max() -> usize {
    #[cfg(sabotage)]
    if chat_core::sabotage::planted("frames_uncounted") {
        return usize::MAX;
    }
    FRAMES_MAX
}

/// Spells the reply. A frame without a number gets none, unless it couldn't be read at all.
pub(crate) fn answer(ticket: &Ticket, answer: &Result<Answer, Refusal>) -> Option<Vec<u8>> {
    let re = ticket.id;
    match answer {
        Ok(ok) => re.map(|_| crate::json(&Reply::Ok { re, ok })),
        Err(err) => {
            let wanted = re.is_some() || err.code == Code::BadFrame;
            wanted.then(|| crate::json(&Reply::Err { re, err }))
        }
    }
}

/// Spells the refusal of a frame that nobody has read.
pub(crate) fn refuse(err: &Refusal) -> Vec<u8> {
    crate::json(&Reply::Err { re: None, err })
}

/// Spells a record. What a filtered stream left out is for [`encode_record`] to tell.
pub(crate) fn event(record: &Record, hearer: Hearer) -> Vec<u8> {
    encode_record(record, hearer, None)
}

#[derive(Serialize)]
#[serde(untagged)]
enum Reply<'a> {
    Ok { re: Option<u64>, ok: &'a Answer },
    Err { re: Option<u64>, err: &'a Refusal },
}
