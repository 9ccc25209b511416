//! Loads a chat server with members who talk, and counts what each of them hears.

use std::process::ExitCode;

fn main() -> ExitCode {
    chat_benches::load::main()
}
