//! The server for the published protocol tests, with their settings.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use serde_json::{Value, json};

use crate::program::Program;

/// The body of an answer.
fn ask(address: &str, request: &str, body: &str) -> String {
    let length = body.len();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.contains("access-control-allow-origin: *"),
        "{answer}"
    );
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// Opens a session, with the settings of the tests; gives its address in requests.
fn open(address: &str, path: &str) -> String {
    let url = format!("{path}?EIO=4&transport=polling");
    let said = ask(address, &format!("GET {url}"), "");
    let mut open: Value = serde_json::from_str(said.strip_prefix('0').unwrap()).unwrap();
    let sid = open["sid"].take();
    let expected = json!({
        "sid": null, "upgrades": ["websocket"],
        "pingInterval": 300, "pingTimeout": 200, "maxPayload": 1_000_000,
    });
    assert_eq!(open, expected);
    format!("{url}&sid={}", sid.as_str().unwrap())
}

/// What is heard before the first ping.
fn hear(address: &str, url: &str, packets: usize) -> Vec<String> {
    let mut heard: Vec<String> = Vec::new();
    while heard.len() < packets {
        let payload = ask(address, &format!("GET {url}"), "");
        let packets = payload.split('\x1e').filter(|packet| *packet != "2");
        heard.extend(packets.map(str::to_owned));
    }
    heard
}

#[test]
fn whoever_tests_a_protocol_finds_what_he_expects() {
    let command = env!("CARGO_BIN_EXE_socketio_conformance");
    let mut program =
        Program::start(Command::new(command).args(["--port", "0", "--seconds", "60"]));
    let line = program.prints("listening on http://127.0.0.1:");
    let address = line.split("http://").nth(1).unwrap();

    let raw = open(address, "/engine.io/");
    assert_eq!(
        ask(address, &format!("POST {raw}"), "4hello\x1ebAQI="),
        "ok"
    );
    assert_eq!(hear(address, &raw, 2), ["4hello", "bAQI="]);

    for (enter, namespace, auth) in [
        ("40", "", "{}"),
        (r#"40/custom,{"token":"a"}"#, "/custom,", r#"{"token":"a"}"#),
    ] {
        let url = open(address, "/socket.io/");
        let asks = format!(
            "{enter}\x1e42{namespace}[\"message\",1,\"2\"]\x1e42{namespace}7[\"message-with-ack\",{{}}]"
        );
        assert_eq!(ask(address, &format!("POST {url}"), &asks), "ok");
        let heard = hear(address, &url, 4);
        assert!(
            heard[0].starts_with(&format!("40{namespace}{{\"sid\":")),
            "{heard:?}"
        );
        assert_eq!(heard[1], format!("42{namespace}[\"auth\",{auth}]"));
        assert_eq!(heard[2], format!("42{namespace}[\"message-back\",1,\"2\"]"));
        assert_eq!(heard[3], format!("43{namespace}7[{{}}]"));
    }
    program.kill();
}
