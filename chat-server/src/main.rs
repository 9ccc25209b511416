//! The server as a program: all of it is in `cli.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    chat_server::cli::main()
}
