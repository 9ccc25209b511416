//! What a test may need beyond the Rust toolchain. Where it is missing the test says by name what
//! it leaves out; with `CHAT_TEST_REQUIRE=all`, as in CI, that is a failure.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Node.js and the packages that `.ci/prepare` puts beside the client tests.
pub(crate) struct Node {
    /// The folder that holds the client scripts and their packages.
    pub(crate) clients: PathBuf,
}

impl Node {
    /// A command that runs a script of the folder.
    pub(crate) fn command(&self, script: &str) -> Command {
        let mut command = Command::new("node");
        command.current_dir(&self.clients).arg(script);
        command
    }
}

/// Node.js, if a test named `what` can have it.
pub(crate) fn node(what: &str) -> Option<Node> {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients");
    let runs = Command::new("node")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !runs {
        return left_out(what, "Node.js is not installed");
    }
    if !clients.join("node_modules/ws").is_dir() {
        return left_out(what, "the Node.js package ws is missing: run .ci/prepare");
    }
    Some(Node { clients })
}

/// Says that a test is left out, and why.
fn left_out<T>(what: &str, why: &str) -> Option<T> {
    if env::var("CHAT_TEST_REQUIRE").is_ok_and(|value| value == "all") {
        panic!("{what}: {why}");
    }
    // Not through the captured output of the test: whoever runs the tests is to see it.
    let line = format!("LEFT OUT {what}: {why}\n");
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap_or_default();
    None
}
