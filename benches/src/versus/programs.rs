//! The programs that are run: built as they are needed, or missing by name.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::contender::{Contender, Program};

/// Where what was built lies.
#[derive(Clone, Debug, Default)]
pub struct Programs {
    executables: BTreeMap<String, PathBuf>,
    scripts: Option<PathBuf>,
    /// What couldn't be had, in words.
    pub missing: Vec<String>,
}

/// Our server.
pub const SERVER: &str = "chat-server";

/// The load generator.
pub const LOAD: &str = "chat-load";

impl Programs {
    /// Builds what these contenders need, and the load generator. Cargo's own words go to standard
    /// error.
    #[must_use]
    pub fn build(repository: &Path, contenders: &[Contender]) -> Self {
        let mut programs = Self::default();
        let needs = |wanted: fn(Program) -> bool| {
            let mut all = contenders.iter().map(|contender| contender.program);
            all.any(wanted)
        };
        // In one go: what both are made of is built once.
        let mut ours = vec!["--package", "chat-benches", "--bin", LOAD];
        if needs(|program| matches!(program, Program::Chat(_))) {
            ours.extend(["--package", SERVER, "--bin", SERVER]);
        }
        for contender in contenders {
            if let Program::Own(name) = contender.program {
                ours.extend(["--bin", name]);
            }
        }
        programs.cargo(&repository.join("Cargo.toml"), &ours);
        let peers = repository.join("benches/peers");
        if needs(|program| matches!(program, Program::Rust(..))) {
            programs.cargo(&peers.join("rust/Cargo.toml"), &["--bins"]);
        }
        if needs(|program| matches!(program, Program::Node(_))) {
            programs.npm(peers.join("node"));
        }
        programs
    }

    /// Names what is at this place. Building finds programs by itself.
    #[must_use]
    pub fn with(mut self, name: &str, executable: &Path) -> Self {
        self.executables
            .insert(name.to_owned(), executable.to_owned());
        self
    }

    /// Where a program lies.
    ///
    /// # Errors
    ///
    /// That it is missing.
    pub fn executable(&self, name: &str) -> Result<&OsStr, String> {
        let path = self.executables.get(name);
        path.map(|path| path.as_os_str())
            .ok_or_else(|| format!("{name} couldn't be built"))
    }

    /// Where a script lies.
    ///
    /// # Errors
    ///
    /// That scripts can't be run.
    pub fn script(&self, name: &str) -> Result<PathBuf, String> {
        let scripts = self.scripts.as_ref();
        scripts
            .map(|dir| dir.join(name))
            .ok_or_else(|| "Node.js or its packages are missing".to_owned())
    }

    fn cargo(&mut self, manifest: &Path, what: &[&str]) {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["build", "--locked", "--profile", "perf", "--message-format"])
            .args(["json-render-diagnostics", "--manifest-path"])
            .arg(manifest)
            .args(what)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        match command.output() {
            Ok(built) => {
                let messages = String::from_utf8_lossy(&built.stdout);
                self.executables
                    .extend(messages.lines().filter_map(executable));
                if !built.status.success() {
                    self.missing
                        .push(format!("cargo build {} fails", what.join(" ")));
                }
            }
            Err(error) => self.missing.push(format!("cargo can't be run: {error}")),
        }
    }

    fn npm(&mut self, dir: PathBuf) {
        let installed = Command::new("npm")
            .args([
                "ci",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--loglevel=error",
            ])
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .status();
        match installed {
            Ok(status) if status.success() => self.scripts = Some(dir),
            Ok(_) => self
                .missing
                .push("npm ci fails: servers on Node.js are left out".to_owned()),
            Err(error) => self.missing.push(format!(
                "npm can't be run ({error}): servers on Node.js are left out"
            )),
        }
    }
}

/// The program that a message of cargo's says is built.
fn executable(message: &str) -> Option<(String, PathBuf)> {
    #[derive(Deserialize)]
    struct Artifact {
        executable: Option<PathBuf>,
    }
    let artifact: Artifact = serde_json::from_str(message).ok()?;
    let path = artifact.executable?;
    let name = path.file_stem()?.to_str()?.to_owned();
    Some((name, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_says_where_programs_lie() {
        let built = r#"{"reason":"compiler-artifact","executable":"/tmp/perf/floor"}"#;
        let path = PathBuf::from("/tmp/perf/floor");
        assert_eq!(executable(built), Some(("floor".to_owned(), path)));
        assert_eq!(
            executable(r#"{"reason":"compiler-artifact","executable":null}"#),
            None
        );
        assert_eq!(executable("Compiling"), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        let none = Programs::default();
        assert_eq!(
            none.executable(LOAD).unwrap_err(),
            "chat-load couldn't be built"
        );
        assert!(none.script("ws.mjs").unwrap_err().starts_with("Node.js"));
    }
}
