//! PostgreSQL servers for tests: one that all share, and others of their own for those that end it.
//!
//! A server lives in a folder under the system's temporary one, listens on a socket in there alone, and
//! ends with this process, however that ends: a shell waits for the end of its standard input, which
//! this process holds, and then stops the server and removes the folder.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use chat_server::store::postgres::Postgres;
use tokio_postgres::{Client, NoTls};

use crate::require;

/// Starts what it is given, and ends it once nothing more can come.
const KEEPER: &str = r#"folder=$1; shift; "$@" & server=$!
cat >/dev/null; kill -INT "$server"; wait "$server"; [ "$folder" = "" ] || rm -rf "$folder""#;

/// A database server, with a database for whoever wants one.
pub(crate) struct Server {
    programs: PathBuf,
    folder: PathBuf,
    keeper: Option<Child>,
}

/// The server that all share, if a test named `what` can have it.
pub(crate) fn shared(what: &str) -> Option<&'static Server> {
    static SHARED: OnceLock<Server> = OnceLock::new();
    let programs = require::postgres(what)?;
    Some(SHARED.get_or_init(|| Server::start(programs)))
}

/// A server of a test's own, if it can have one.
pub(crate) fn own(what: &str) -> Option<Server> {
    Some(Server::start(require::postgres(what)?))
}

impl Server {
    fn start(programs: PathBuf) -> Self {
        let folder = tempfile::Builder::new().prefix("chat-pg-").tempdir();
        let folder = folder.unwrap().keep();
        if let Some((user, group)) = somebody_else() {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        let made = as_anybody(&programs.join("initdb"))
            .args([
                "--no-sync",
                "-A",
                "trust",
                "-U",
                "chat",
                "-E",
                "UTF8",
                "--locale=C",
            ])
            .arg("-D")
            .arg(folder.join("data"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let mut server = Self {
            programs,
            folder,
            keeper: None,
        };
        server.go_on();
        server
    }

    /// Starts it, and waits until it is ready.
    pub(crate) fn go_on(&mut self) {
        let program = as_anybody(&self.programs.join("postgres"));
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(&self.folder);
        keeper.arg(program.get_program()).args(program.get_args());
        keeper.arg("-D").arg(self.folder.join("data"));
        keeper.arg("-k").arg(&self.folder);
        for setting in [
            "listen_addresses=",
            "max_connections=300",
            "shared_buffers=32MB",
            // What it has written outlives whatever happens to it here.
            "fsync=off",
        ] {
            keeper.args(["-c", setting]);
        }
        keeper
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut keeper = keeper.spawn().unwrap();
        let mut said = BufReader::new(keeper.stderr.take().unwrap()).lines();
        let mut heard = Vec::new();
        loop {
            let Some(Ok(line)) = said.next() else {
                panic!("the database server doesn't start: {heard:#?}");
            };
            heard.push(line);
            if heard
                .last()
                .unwrap()
                .contains("ready to accept connections")
            {
                break;
            }
        }
        // Else it would stop at a full pipe one day.
        std::thread::spawn(move || said.for_each(drop));
        self.keeper = Some(keeper);
    }

    /// Ends it at once, as if the machine had died: what it holds in memory is gone, and all
    /// connections are.
    pub(crate) fn die(&mut self) {
        let pid = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        let killed = Command::new("kill").args(["-QUIT", &pid]).status().unwrap();
        assert!(killed.success());
        let mut keeper = self.keeper.take().unwrap();
        // The keeper would remove the folder at the end.
        while !self.is_down() {
            std::thread::yield_now();
        }
        keeper.kill().unwrap();
        keeper.wait().unwrap();
    }

    /// Keeps a copy of what has been committed so far, as a standby has it that hears no more.
    pub(crate) fn keep_copy(&self) {
        // Not all of them have a link where the server has one.
        let server = self.programs.join("postgres").canonicalize().unwrap();
        let mut copying = as_anybody(&server.with_file_name("pg_basebackup"));
        copying.args(["--no-sync", "-c", "fast", "-X", "fetch", "-U", "chat"]);
        copying.arg("-h").arg(&self.folder);
        copying.arg("-D").arg(self.folder.join("copy"));
        let done = copying.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{said}");
    }

    /// Puts the copy in the place of what is on disk, while it is down: the standby takes over.
    pub(crate) fn take_copy(&self) {
        std::fs::remove_dir_all(self.folder.join("data")).unwrap();
        std::fs::rename(self.folder.join("copy"), self.folder.join("data")).unwrap();
    }

    fn is_down(&self) -> bool {
        !self.folder.join("data/postmaster.pid").exists()
    }

    /// The address of a schema that nobody else uses, and which is empty.
    pub(crate) async fn schema(&self) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("story_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE SCHEMA {name}")).await;
        format!("{}&options=-csearch_path%3D{name}", self.url())
    }

    fn url(&self) -> String {
        format!(
            "postgres:///postgres?user=chat&host={}",
            self.folder.display()
        )
    }

    /// Carries something out that isn't the store's doing.
    pub(crate) async fn sql(&self, sql: &str) {
        beside(&self.url()).await.batch_execute(sql).await.unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            keeper.wait().unwrap();
        }
    }
}

/// A store at an address.
pub(crate) fn open(url: &str) -> Postgres {
    Postgres::open(&url.parse().unwrap()).unwrap()
}

/// A connection of its own to a database, for looks and deeds past the store.
pub(crate) async fn beside(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Who a server runs as if this is root, which PostgreSQL refuses to run as.
fn somebody_else() -> Option<(u32, u32)> {
    let id = |args: &[&str]| {
        let output = Command::new("id").args(args).stderr(Stdio::null()).output();
        let output = output.ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    let of = |user: &str| Some((id(&["-u", user])?, id(&["-g", user])?));
    of("postgres").or_else(|| of("nobody"))
}

/// A command that doesn't run as root.
fn as_anybody(program: &Path) -> Command {
    let Some((user, group)) = somebody_else() else {
        return Command::new(program);
    };
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={group}"))
        .arg("--clear-groups")
        .arg(program);
    command
}
