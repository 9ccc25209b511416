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

/// Chromium, and Node.js to drive it.
pub(crate) struct Browser {
    node: Node,
    program: PathBuf,
}

impl Browser {
    /// A command that runs a script of the clients' folder, and names the browser to it.
    pub(crate) fn command(&self, script: &str) -> Command {
        let mut command = self.node.command(script);
        command.env("CHROMIUM", &self.program);
        command
    }
}

/// Node.js with the clients of Socket.IO, if a test named `what` can have them.
pub(crate) fn socketio_clients(what: &str) -> Option<Node> {
    with_packages(what, &["socket.io-client", "socket.io-client-4-5"])
}

fn with_packages(what: &str, packages: &[&str]) -> Option<Node> {
    let node = node(what)?;
    let missing = |package: &&&str| !node.clients.join("node_modules").join(package).is_dir();
    if let Some(package) = packages.iter().find(missing) {
        let why = format!("the Node.js package {package} is missing: run .ci/prepare");
        return left_out(what, &why);
    }
    Some(node)
}

/// A browser, if a test named `what` can have it.
pub(crate) fn chromium(what: &str) -> Option<Browser> {
    let packages = [
        "playwright-core",
        "socket.io-client",
        "socket.io-client-4-5",
    ];
    let node = with_packages(what, &packages)?;
    let folders = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&folders)
        .flat_map(|folder| CHROMIUM.map(|name| folder.join(name)))
        .find(|program| program.is_file());
    match found {
        Some(program) => Some(Browser { node, program }),
        None => left_out(what, "Chromium is not installed: run .ci/prepare"),
    }
}

/// A compiler for C and a system that loads libraries before others, if a test named `what` can
/// have them.
pub(crate) fn preloading(what: &str) -> Option<Command> {
    if !cfg!(target_os = "linux") {
        return left_out(what, "only Linux loads a library before others");
    }
    let runs = Command::new("cc")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if runs {
        Some(Command::new("cc"))
    } else {
        left_out(what, "there is no C compiler")
    }
}

/// The folder of PostgreSQL's programs, if a test named `what` can have them.
#[cfg(feature = "postgres")]
pub(crate) fn postgres(what: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    // Where Debian has them, each version by itself.
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    let has_both = |folder: &PathBuf| {
        ["initdb", "postgres"]
            .iter()
            .all(|name| folder.join(name).is_file())
    };
    match folders.into_iter().find(has_both) {
        Some(folder) => Some(folder),
        None => left_out(what, "PostgreSQL is not installed: run .ci/prepare"),
    }
}

/// A NATS server, if a test named `what` can have one.
#[cfg(feature = "nats")]
pub(crate) fn nats_server(what: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    // Where the packages of some systems put it, and not everybody looks.
    let sbin = Path::new("/usr/sbin").to_owned();
    let found = env::split_paths(&folders)
        .chain([sbin])
        .map(|folder| folder.join("nats-server"))
        .find(|program| program.is_file());
    found.or_else(|| left_out(what, "nats-server is not installed: run .ci/prepare"))
}

/// What Chromium is called in the packages of different systems.
const CHROMIUM: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

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
