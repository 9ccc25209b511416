//! Lines from the person: from the keyboard with editing and history, or from a pipe as they are.

use std::borrow::Cow;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

use rustyline::completion::Completer;
use rustyline::config::Configurer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{ColorMode, DefaultEditor, Editor, ExternalPrinter, Helper};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::screen::Screen;

pub(crate) struct Input {
    lines: Receiver<String>,
    /// Lets the thread read the next line: it must not wait for the keyboard when the program
    /// ends, because it would leave the terminal as the editor needs it.
    more: SyncSender<()>,
    /// Whether it does.
    reads: bool,
    reading: JoinHandle<()>,
    keyboard: bool,
}

impl Input {
    /// The person's lines, and the screen that goes with them.
    pub(crate) fn open() -> Result<(Self, Screen), String> {
        let (said, lines) = channel(1);
        let (more, next) = mpsc::sync_channel(1);
        let keyboard = io::stdin().is_terminal();
        let (reading, screen) = if keyboard {
            let mut editor = DefaultEditor::new().map_err(|why| why.to_string())?;
            let mut printer = editor
                .create_external_printer()
                .map_err(|why| why.to_string())?;
            let reading = thread::spawn(move || {
                read_with(&said, &next, || {
                    let line = editor.readline("> ").ok()?;
                    // A line that isn't kept can be typed again.
                    drop(editor.add_history_entry(&line));
                    Some(line)
                });
            });
            (reading, Screen::new(move |line| drop(printer.print(line))))
        } else {
            let reading = thread::spawn(move || {
                let mut pipe = io::stdin().lock();
                read_with(&said, &next, || read_line(&mut pipe));
            });
            (
                reading,
                Screen::new(|line| drop(io::stdout().lock().write_all(line.as_bytes()))),
            )
        };
        Ok((
            Self {
                lines,
                more,
                reads: false,
                reading,
                keyboard,
            },
            screen,
        ))
    }

    /// The next line; none at the end. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Option<String> {
        if !self.reads {
            // A thread that has ended sends no line either.
            self.more.send(()).unwrap_or_default();
            self.reads = true;
        }
        let line = self.lines.recv().await;
        self.reads = false;
        line
    }

    /// Ends, with the terminal as it was found.
    pub(crate) fn close(self, screen: Screen) {
        drop(self.more);
        if self.keyboard {
            if self.reads {
                screen.print("-- press enter");
            }
            self.reading.join().unwrap_or_default();
        }
        screen.close();
    }
}

fn read_with(
    said: &Sender<String>,
    next: &mpsc::Receiver<()>,
    mut read: impl FnMut() -> Option<String>,
) {
    while next.recv().is_ok() {
        let Some(line) = read() else { return };
        if said.blocking_send(line).is_err() {
            return;
        }
    }
}

/// A line of a pipe; bytes that are no text are shown as such.
fn read_line(pipe: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    let read = pipe.read_until(b'\n', &mut bytes).ok()?;
    let line = String::from_utf8_lossy(&bytes);
    (read > 0).then(|| line.trim_end_matches(['\n', '\r']).to_owned())
}

/// The password: from the environment, or as it is typed, unseen.
pub(crate) fn password() -> Result<String, String> {
    if let Ok(password) = std::env::var("CHAT_PASSWORD") {
        return Ok(password);
    }
    let editor = Editor::<Unseen, DefaultHistory>::new();
    let mut editor = editor.map_err(|why| why.to_string())?;
    editor.set_helper(Some(Unseen));
    editor.set_color_mode(ColorMode::Forced);
    editor.readline("password: ").map_err(|why| why.to_string())
}

/// Shows blanks for whatever is typed.
struct Unseen;

impl Highlighter for Unseen {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        " ".repeat(line.chars().count()).into()
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        true
    }
}

impl Completer for Unseen {
    type Candidate = String;
}

impl Hinter for Unseen {
    type Hint = String;
}

impl Validator for Unseen {}

impl Helper for Unseen {}
