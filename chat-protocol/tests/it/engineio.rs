//! Engine.IO packets: what is written is read again, and nothing else is.

use chat_protocol::engineio::{Malformed, Open, Packet, Payload, SEPARATOR, packets};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

#[test]
fn every_packet_has_its_digit() {
    for (text, packet) in [
        ("0{}", Packet::Open("{}")),
        ("1", Packet::Close),
        ("2", Packet::Ping("")),
        ("2probe", Packet::Ping("probe")),
        ("3", Packet::Pong("")),
        ("3probe", Packet::Pong("probe")),
        ("4", Packet::Message("")),
        ("4hello", Packet::Message("hello")),
        ("4\u{20ac}", Packet::Message("\u{20ac}")),
        ("5", Packet::Upgrade),
        ("6", Packet::Noop),
    ] {
        assert_eq!(Packet::decode(text), Ok(packet.clone()), "{text}");
        let mut payload = Payload::default();
        packet.push_to(&mut payload);
        assert_eq!(payload.into_bytes(), text.as_bytes());
    }
}

#[test]
fn what_is_no_packet_is_refused() {
    for text in [
        "", "7", "abc", "b", "bAQ==", "1x", "5x", "6x", " 4", "\u{661}",
    ] {
        assert_eq!(Packet::decode(text), Err(Malformed), "{text}");
    }
    for payload in ["", "4a\x1e", "\x1e4a", "4a\x1e\x1e4b", "4a\x1ebA", "abc"] {
        let read: Result<Vec<_>, _> = packets(payload).collect();
        assert_eq!(read, Err(Malformed), "{payload:?}");
    }
}

#[test]
fn a_session_opens_with_these_words() {
    let open = Open {
        sid: "lv_VI97HAXpY6yYWAAAC".to_owned(),
        upgrades: vec!["websocket".to_owned()],
        ping_interval_ms: 25_000,
        ping_timeout_ms: 20_000,
        payload_bytes_max: 1_000_000,
    };
    let said = r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    assert_eq!(open.encode(), said.as_bytes());
}

fn packet_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>().prop_map(|text| format!("4{text}")),
        Just("2probe".to_owned()),
        Just("1".to_owned()),
    ]
    // A payload has no way to write its separator.
    .prop_map(|text| text.replace(char::from(SEPARATOR), ""))
}

#[derive(Clone, Debug)]
enum Sent {
    Text(String),
    Binary(Vec<u8>),
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        packet_text().prop_map(Sent::Text),
        vec(any::<u8>(), 0..64).prop_map(Sent::Binary),
    ]
}

proptest! {
    #[test]
    fn a_payload_is_read_as_it_was_written(all in vec(sent(), 1..8)) {
        let mut payload = Payload::default();
        let mut expected = Vec::new();
        for sent in &all {
            let length = match sent {
                Sent::Text(text) => {
                    let length = payload.len_with_text(text.len());
                    payload.push_text(text.as_bytes());
                    expected.push(Packet::decode(text).unwrap());
                    length
                }
                Sent::Binary(bytes) => {
                    let length = payload.len_with_binary(bytes.len());
                    payload.push_binary(bytes);
                    expected.push(Packet::Binary(bytes.clone()));
                    length
                }
            };
            assert_eq!(payload.as_bytes().len(), length);
        }
        let text = String::from_utf8(payload.into_bytes()).unwrap();
        let read: Result<Vec<_>, _> = packets(&text).collect();
        assert_eq!(read.unwrap(), expected);
    }

    #[test]
    fn what_can_be_read_is_written_the_same(text in "[0-7b]?[A-Za-z0-9+/=\x1e]{0,12}") {
        if let Ok(packets) = packets(&text).collect::<Result<Vec<_>, _>>() {
            let mut payload = Payload::default();
            for packet in &packets {
                packet.push_to(&mut payload);
            }
            // Base64 may come without its padding.
            let bare = |text: &str| text.replace('=', "");
            let written = String::from_utf8(payload.into_bytes()).unwrap();
            let is_plain = !text.contains('b');
            assert!(if is_plain { written == text } else { bare(&written) == bare(&text) });
        }
    }

    #[test]
    fn no_payload_is_too_strange_to_be_judged(payload in any::<String>()) {
        let _ = packets(&payload).count();
    }
}
