//! The echo gives back what it is sent.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use crate::program::{PATIENCE, Program};

/// A client's frame, under a mask that changes nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

#[test]
fn the_echo_gives_texts_back_as_texts_and_bytes_as_bytes() {
    let command = env!("CARGO_BIN_EXE_echo");
    let mut program =
        Program::start(Command::new(command).args(["--listen", "127.0.0.1:0", "--seconds", "60"]));
    let line = program.prints("listening on ws://");
    let address = line.split("ws://").nth(1).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET / HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n"
    )
    .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    for frames in [
        frame(0x81, b"hello"),
        frame(0x82, b"hello"),
        frame(0x88, b"\x03\xe8"),
    ] {
        stream.write_all(&frames).unwrap();
    }
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"\x81\x05hello\x82\x05hello\x88\x02\x03\xe8");
    program.kill();
}
