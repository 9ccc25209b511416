//! Lines on their way to the person, without anything that could command his terminal.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use chat_core::Timestamp;

/// Lines that wait to be printed.
const WAITING_MAX: usize = 1_000;

/// Prints on a thread of its own: the keyboard's thread may keep a printer waiting, and the
/// connection must never wait for it.
pub(crate) struct Screen {
    lines: SyncSender<String>,
    printing: JoinHandle<()>,
}

impl Screen {
    /// Prints with this function, which is given whole lines.
    pub(crate) fn new(mut print: impl FnMut(String) + Send + 'static) -> Self {
        let (lines, waiting) = sync_channel(WAITING_MAX);
        let printing = thread::spawn(move || waiting.iter().for_each(|line| print(line + "\n")));
        Self { lines, printing }
    }

    /// Prints something; a second line of it can't be taken for a message of its own.
    pub(crate) fn print(&self, text: &str) {
        let lines: Vec<String> = text.lines().map(shown).collect();
        // The thread ends only with this sender.
        self.lines.send(lines.join("\n      ")).unwrap_or_default();
    }

    /// Waits until everything is printed.
    pub(crate) fn close(self) {
        drop(self.lines);
        self.printing.join().unwrap_or_default();
    }
}

/// A line with every control character written out: a message must not move the cursor, set a
/// title, or paint a prompt. Letters of any script, and emoji, stay as they are.
fn shown(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for char in line.chars() {
        if char.is_control() && char != '\t' || is_override(char) {
            shown.extend(char.escape_unicode());
        } else {
            shown.push(char);
        }
    }
    shown
}

/// Characters that turn the direction of what follows, unseen (Unicode Standard Annex 9).
const fn is_override(char: char) -> bool {
    matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// The time of day, in UTC.
pub(crate) fn clock(at: Timestamp) -> String {
    let minutes = at.number() / 60_000 % (24 * 60);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use chat_core::Timestamp;

    use super::{clock, shown};

    #[test]
    fn a_message_cannot_command_the_terminal() {
        assert_eq!(
            shown("\u{1b}[2J\u{7}\r\u{9b}H"),
            r"\u{1b}[2J\u{7}\r\u{9b}H".replace(r"\r", r"\u{d}")
        );
        assert_eq!(shown("\u{202e}txt.exe"), r"\u{202e}txt.exe");
    }

    #[test]
    fn every_script_stays_as_it_is() {
        let text = "שלום\tمرحبا 👩‍👩‍👧 e\u{301} 你好";
        assert_eq!(shown(text), text);
    }

    #[test]
    fn the_clock_shows_utc() {
        assert_eq!(clock(Timestamp::new(1_730_000_000_123)), "03:33");
    }
}
