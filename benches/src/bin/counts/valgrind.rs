//! Valgrind's part: it runs this program and counts.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use crate::kept::Case;

/// Counts the cases of these groups, each in a process of its own, as many at once as there are
/// processors: they don't disturb each other's counts.
pub(crate) fn count(groups: &[&'static str]) -> Vec<Case> {
    let left: Mutex<Vec<_>> = Mutex::new(groups.iter().rev().collect());
    let next = || left.lock().expect("nobody panics with it").pop();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let counters: Vec<_> = (0..threads.min(groups.len()))
            .map(|_| {
                scope.spawn(|| {
                    let groups = std::iter::from_fn(next);
                    groups.flat_map(|it| count_group(it)).collect::<Vec<_>>()
                })
            })
            .collect();
        let counted = counters.into_iter().map(|it| it.join());
        counted
            .flat_map(|it| it.expect("the cases run through"))
            .collect()
    })
}

fn count_group(group: &str) -> Vec<Case> {
    let folder = tempfile::tempdir().expect("there is a place for files");
    let out = folder.path().join("out");
    let program = std::env::current_exe().expect("it is there");
    let ran = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .args(["--collect-atstart=no", "--toggle-collect=*counted_work*"])
        .arg("--dump-after=*case_is_over*")
        .arg(program)
        .arg(group)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("valgrind is installed");
    assert!(ran.status.success(), "the cases of {group} failed");
    let said = String::from_utf8(ran.stdout).expect("names are texts");
    said.lines()
        .enumerate()
        .map(|(number, line)| {
            let (units, name) = line.split_once(' ').expect("a count and a name");
            let units: f64 = units.parse().expect("a count");
            // The first file is number 1.
            let total = total(&out.with_extension((number + 1).to_string()));
            Case {
                name: name.to_owned(),
                instructions: total / units,
            }
        })
        .collect()
}

/// The sum at the end of a file.
fn total(file: &Path) -> f64 {
    let text = fs::read_to_string(file).expect("valgrind writes a file for each case");
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total: f64 = total
        .and_then(|it| it.trim().parse().ok())
        .expect("valgrind sums up");
    assert!(total > 0.0, "nothing was counted");
    total
}

/// All that instructions depend on beside the code. Valgrind shows every program the same
/// processor, a Haswell, if the real one has AVX2 at all.
pub(crate) fn made_with() -> String {
    let rustc = said(Command::new("rustc").arg("-vV"));
    let of = |key: &str| {
        let value = rustc.lines().find_map(|line| line.strip_prefix(key));
        value.unwrap_or("unknown").trim().to_owned()
    };
    let (first, host) = (rustc.lines().next().unwrap_or("rustc"), of("host:"));
    let libc = said(Command::new("getconf").arg("GNU_LIBC_VERSION"));
    let valgrind = said(Command::new("valgrind").arg("--version"));
    let processor = if has_avx2() { "with" } else { "without" };
    format!("{first}, {host}, {libc}, {valgrind}, {processor} AVX2")
}

/// What a program says, if there is one.
fn said(command: &mut Command) -> String {
    let output = command.stderr(Stdio::null()).output();
    let text = output.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned());
    match text {
        Ok(text) if !text.is_empty() => text,
        Ok(_) | Err(_) => "unknown".to_owned(),
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
}

#[cfg(not(target_arch = "x86_64"))]
const fn has_avx2() -> bool {
    false
}
