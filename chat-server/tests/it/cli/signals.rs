//! What a server does when its terminal closes.

use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};

/// Starts a server from a shell, and waits until it listens.
fn started(words: &str) -> Child {
    let program = env!("CARGO_BIN_EXE_chat-server");
    let mut server = Command::new("sh")
        .args([
            "-c",
            &format!("{words} exec {program} --store memory: --listen 127.0.0.1:0"),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut listening = [0; 9];
    let out = server.stdout.as_mut().unwrap();
    out.read_exact(&mut listening).unwrap();
    assert_eq!(&listening, b"listening");
    server
}

fn signal(server: &Child, name: &str) {
    let id = server.id().to_string();
    let sent = Command::new("kill").args([name, &id]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn a_server_whose_terminal_closes_stops_as_it_does_when_asked() {
    let mut server = started("");
    signal(&server, "-HUP");
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
fn a_server_that_is_to_outlive_its_terminal_does() {
    let mut server = started("trap '' HUP;");
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
    assert_eq!(caught & 1, 0, "SIGHUP is caught");
    signal(&server, "-TERM");
    assert_eq!(server.wait().unwrap().code(), Some(0));
}
