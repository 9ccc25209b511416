//! What stands between the program and the system: `shim.c`, and the numbers that steer it.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::OnceLock;

use super::program::{Program, Refused};
use crate::require;

/// A shim for the programs of one folder.
pub(super) struct Shim {
    library: &'static Path,
    folder: PathBuf,
    control: File,
}

/// What the shim is told, and what it counts; the order is that of the file `shim.c`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    /// Milliseconds by which the time of day is moved.
    ShiftMs,
    /// Whether the disk has a bound.
    Limited,
    /// Bytes by which the files may grow.
    Space,
    /// Milliseconds that an fsync takes at least.
    SyncMs,
    /// Which fsync fails, counted from here on; 0 for none.
    FailSync,
    /// Which write fails.
    FailWrite,
    /// Which opening fails.
    FailOpen,
    /// With which error.
    FailErrno,
    /// Whether all later ones do, too.
    Forever,
    /// How many calls of fsync there were.
    Syncs,
    /// How many bytes were read.
    ReadBytes,
    /// How many there are.
    Count,
}

/// "Input/output error" on Linux.
pub(super) const EIO: i64 = 5;

/// "Read-only file system" on Linux.
pub(super) const EROFS: i64 = 30;

impl Shim {
    /// A shim in this folder, if a test named `what` can have one.
    pub(super) fn new(what: &str, folder: &Path) -> Option<Self> {
        let cc = require::preloading(what)?;
        let library = LIBRARY.get_or_init(|| compile(cc));
        let path = folder.join("control");
        let mut options = OpenOptions::new();
        let control = options.read(true).write(true).create_new(true).open(path);
        let control = control.unwrap();
        control.set_len(Field::Count as u64 * 8).unwrap();
        let shim = Self {
            library,
            folder: folder.to_owned(),
            control,
        };
        shim.set(Field::FailErrno, EIO);
        Some(shim)
    }

    /// A command that starts the program behind the shim.
    pub(super) fn command(&self) -> Command {
        let mut command = Program::command(&self.folder);
        command
            .env("LD_PRELOAD", self.library)
            .env("SHIM_CONTROL", self.folder.join("control"));
        command
    }

    /// The same, with a log of what is done to the files.
    pub(super) fn recording(&self) -> Command {
        let mut command = self.command();
        command.env("SHIM_LOG", self.log());
        command
    }

    /// Starts the program behind the shim, where it may not be able to run.
    pub(super) fn try_start(&self) -> Result<Program, Refused> {
        Program::try_run(self.recording())
    }

    /// Where the log is.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    pub(super) fn start(&self) -> Program {
        Program::run(self.command())
    }

    pub(super) fn set(&self, field: Field, value: i64) {
        let bytes = value.to_ne_bytes();
        self.control.write_all_at(&bytes, field as u64 * 8).unwrap();
    }

    pub(super) fn value(&self, field: Field) -> i64 {
        let mut bytes = [0; 8];
        self.control
            .read_exact_at(&mut bytes, field as u64 * 8)
            .unwrap();
        i64::from_ne_bytes(bytes)
    }
}

static LIBRARY: OnceLock<PathBuf> = OnceLock::new();

/// Compiles the shim, beside other processes that may do the same.
fn compile(mut cc: Command) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/crash/shim.c");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(folder).unwrap();
    let made = folder.join(format!("shim-{}.so", process::id()));
    cc.args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror"])
        .args(["-shared", "-fPIC", "-pthread", "-o"])
        .args([&made, &source])
        .arg("-ldl");
    let compiled = cc.output().unwrap();
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{said}");
    let library = folder.join("shim.so");
    fs::rename(made, &library).unwrap();
    library
}
