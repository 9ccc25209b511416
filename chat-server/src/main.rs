//! The server as a program: reads the command line, the environment and the file, runs, and says
//! in one line and one exit code what went wrong.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("chat-server: {failure}");
            failure.exit_code()
        }
    }
}
