//! Socket.IO packets: what is written is read again, attachments are waited for, and what is none
//! is refused.

use std::borrow::Cow;

use chat_protocol::socketio::{Assembler, Kind, MAIN, Malformed, Packet};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

/// What a packet says, for comparing.
fn told(packet: &Packet<'_>) -> String {
    let data = packet.data.as_deref().map_or("-", RawValue::get);
    format!(
        "{:?} {} {:?} {} {data}",
        packet.kind, packet.namespace, packet.id, packet.attachments
    )
}

#[test]
fn packets_of_every_kind_are_read_and_written() {
    for (message, says) in [
        ("40", "Connect / None 0 -"),
        (
            r#"40{"token":"123"}"#,
            r#"Connect / None 0 {"token":"123"}"#,
        ),
        ("40/admin,", "Connect /admin None 0 -"),
        (
            r#"40/admin,{"sid":"o"}"#,
            r#"Connect /admin None 0 {"sid":"o"}"#,
        ),
        ("41", "Disconnect / None 0 -"),
        ("41/admin,", "Disconnect /admin None 0 -"),
        (r#"42["foo"]"#, r#"Event / None 0 ["foo"]"#),
        (r#"42/admin,["bar"]"#, r#"Event /admin None 0 ["bar"]"#),
        (r#"4212["foo",1]"#, r#"Event / Some(12) 0 ["foo",1]"#),
        ("42[1,2]", "Event / None 0 [1,2]"),
        (r#"43/admin,13["bar"]"#, r#"Ack /admin Some(13) 0 ["bar"]"#),
        ("430[]", "Ack / Some(0) 0 []"),
        (
            r#"44{"message":"Not authorized"}"#,
            r#"ConnectError / None 0 {"message":"Not authorized"}"#,
        ),
        (r#"44"no""#, r#"ConnectError / None 0 "no""#),
        (
            r#"451-["baz",{"_placeholder":true,"num":0}]"#,
            r#"Event / None 1 ["baz",{"_placeholder":true,"num":0}]"#,
        ),
        (
            r#"452-/admin,7["baz",{"_placeholder":true,"num":1}]"#,
            r#"Event /admin Some(7) 2 ["baz",{"_placeholder":true,"num":1}]"#,
        ),
        (
            r#"461-/admin,15[{"_placeholder":true,"num":0}]"#,
            r#"Ack /admin Some(15) 1 [{"_placeholder":true,"num":0}]"#,
        ),
    ] {
        let packet = Packet::decode(message).unwrap();
        assert_eq!(told(&packet), says);
        assert_eq!(String::from_utf8(packet.encode()).unwrap(), message);
        assert_eq!(packet.clone().into_owned(), packet);
    }
}

#[test]
fn what_clients_leave_out_or_add_is_understood() {
    for (message, namespace) in [
        ("40/random", "/random"),
        ("41/custom", "/custom"),
        ("40/admin?token=1234,", "/admin"),
        ("40/admin?token=1234", "/admin"),
        ("40/?token=1234", MAIN),
    ] {
        assert_eq!(Packet::decode(message).unwrap().namespace, namespace);
    }
    let none = Packet::decode(r#"450-["foo"]"#).unwrap();
    assert_eq!(none.encode(), br#"42["foo"]"#);
}

#[test]
fn what_is_no_packet_is_refused() {
    for (message, why) in [
        ("", Malformed::NotAMessage),
        ("2", Malformed::NotAMessage),
        ("4", Malformed::UnknownKind),
        ("4abc", Malformed::UnknownKind),
        ("47", Malformed::UnknownKind),
        (r#"45["foo"]"#, Malformed::BadAttachments),
        (r#"45-["foo"]"#, Malformed::BadAttachments),
        (r#"45-1-["foo"]"#, Malformed::BadAttachments),
        (r#"45+1-["foo"]"#, Malformed::BadAttachments),
        (
            r#"4599999999999999999999-["foo"]"#,
            Malformed::BadAttachments,
        ),
        (r#"4299999999999999999999["foo"]"#, Malformed::BadId),
        ("43[1]", Malformed::BadId),
        ("42", Malformed::BadData),
        ("42{}", Malformed::BadData),
        ("42[]", Malformed::BadData),
        ("42[{}]", Malformed::BadData),
        ("42[null]", Malformed::BadData),
        (r#"42["foo""#, Malformed::BadData),
        (r#"42["foo"]]"#, Malformed::BadData),
        (r#"42["connect"]"#, Malformed::BadData),
        (r#"42["disconn\u0065ct"]"#, Malformed::BadData),
        ("43", Malformed::BadData),
        ("431{}", Malformed::BadData),
        ("40[1]", Malformed::BadData),
        ("40null", Malformed::BadData),
        ("41{}", Malformed::BadData),
        ("44", Malformed::BadData),
        ("44[1]", Malformed::BadData),
    ] {
        assert_eq!(Packet::decode(message).unwrap_err(), why, "{message}");
    }
}

#[test]
fn packets_of_our_own_are_made_in_words() {
    for (packet, message) in [
        (
            Packet::connected("oSO0OpakMV_3jnilAAAA"),
            r#"40{"sid":"oSO0OpakMV_3jnilAAAA"}"#,
        ),
        (
            Packet::refused("Invalid namespace").within("/foo"),
            r#"44/foo,{"message":"Invalid namespace"}"#,
        ),
        (Packet::disconnect(), "41"),
        (Packet::disconnect().within("/foo"), "41/foo,"),
        (
            Packet::event("message", &[json!({"text": "hi"})]),
            r#"42["message",{"text":"hi"}]"#,
        ),
        (Packet::event::<&str>("bell", &[]), r#"42["bell"]"#),
        (
            Packet::event("bell", &[1, 2]).asking(5),
            r#"425["bell",1,2]"#,
        ),
        (Packet::ack(0, &["done"]), r#"430["done"]"#),
        (Packet::ack::<&str>(3, &[]), "433[]"),
        (
            Packet::event("file", &[json!({"_placeholder": true, "num": 0})])
                .within("/files")
                .followed_by(1),
            r#"451-/files,["file",{"_placeholder":true,"num":0}]"#,
        ),
    ] {
        assert_eq!(String::from_utf8(packet.encode()).unwrap(), message);
        assert_eq!(Packet::decode(message).unwrap(), packet);
    }
}

#[test]
fn an_event_has_a_name_and_arguments() {
    let event = Packet::decode(r#"42["jo\u0069n",{"a":[1, 2]},null]"#).unwrap();
    assert_eq!(event.name().unwrap(), "join");
    let args: Vec<&str> = event.args().into_iter().map(RawValue::get).collect();
    assert_eq!(args, [r#"{"a":[1, 2]}"#, "null"]);
    assert_eq!(Packet::decode("42[7]").unwrap().name().unwrap(), "7");
    let ack = Packet::decode("430[1]").unwrap();
    assert_eq!((ack.name(), ack.args().len()), (None, 1));
}

#[test]
fn a_packet_is_whole_when_its_last_attachment_has_come() {
    let mut assembler = Assembler::new(2);
    let plain = assembler.text(r#"42["foo"]"#).unwrap().unwrap();
    assert_eq!(plain.attachments, Vec::<Vec<u8>>::new());
    let message =
        r#"452-["foo",{"_placeholder":true,"num":1},{"a":[{"_placeholder":true,"num":0}]}]"#;
    assert_eq!(assembler.text(message), Ok(None));
    assert_eq!(assembler.binary(vec![1]), Ok(None));
    assert_eq!(assembler.waiting_bytes(), 1);
    let whole = assembler.binary(vec![2, 3]).unwrap().unwrap();
    assert_eq!(whole.packet.encode(), message.as_bytes());
    assert_eq!(whole.attachments, [vec![1], vec![2, 3]]);
    assert_eq!(assembler.waiting_bytes(), 0);
    assert!(assembler.text("40").unwrap().is_some());
}

#[test]
fn attachments_out_of_place_are_refused() {
    let one = r#"451-["foo",{"_placeholder":true,"num":0}]"#;
    let mut assembler = Assembler::new(2);
    assert_eq!(assembler.binary(vec![1]), Err(Malformed::UnexpectedBinary));
    assert_eq!(assembler.text(one), Ok(None));
    assert_eq!(
        assembler.text(r#"42["foo"]"#),
        Err(Malformed::MissingBinary)
    );
    for message in [
        r#"453-["foo"]"#,
        r#"451-["foo",{"_placeholder":true,"num":1}]"#,
        r#"451-["foo",[{"_placeholder":true,"num":-1}]]"#,
        r#"451-["foo",{"a":{"_placeholder":true,"num":"0"}}]"#,
        r#"451-["foo",{"_placeholder":true}]"#,
    ] {
        let refused = Assembler::new(2).text(message).unwrap_err();
        assert_eq!(refused, Malformed::BadAttachments, "{message}");
    }
}

fn packet() -> impl Strategy<Value = Packet<'static>> {
    let namespace = prop_oneof![Just(MAIN.to_owned()), "/[a-z0-9_/-]{1,8}"];
    let args = vec(
        prop_oneof![
            any::<i32>().prop_map(|n| json!(n)),
            any::<String>().prop_map(|s| json!(s))
        ],
        0..4,
    );
    let kind = prop_oneof![
        Just(Kind::Connect),
        Just(Kind::Disconnect),
        Just(Kind::Event),
        Just(Kind::Ack),
        Just(Kind::ConnectError),
    ];
    (
        kind,
        namespace,
        option::of(any::<u64>()),
        0_usize..4,
        "[a-c \"\\\\]{0,4}",
        args,
    )
        .prop_map(|(kind, namespace, id, attachments, name, args)| {
            let raw = |value| Some(Cow::Owned(to_raw_value(&value).unwrap()));
            let (id, attachments, data) = match kind {
                Kind::Connect => (None, 0, raw(json!({ "args": args }))),
                Kind::Disconnect => (None, 0, None),
                Kind::ConnectError => (None, 0, raw(json!(name))),
                Kind::Event => {
                    let all: Vec<_> = std::iter::once(json!(name)).chain(args).collect();
                    (id, attachments, raw(json!(all)))
                }
                Kind::Ack => (id.or(Some(1)), attachments, raw(json!(args))),
            };
            let namespace = Cow::Owned(namespace);
            Packet {
                kind,
                namespace,
                id,
                attachments,
                data,
            }
        })
}

proptest! {
    #[test]
    fn a_packet_is_read_as_it_was_written(packet in packet()) {
        let message = String::from_utf8(packet.encode()).unwrap();
        assert_eq!(Packet::decode(&message).unwrap(), packet, "{}", message);
    }

    #[test]
    fn no_message_is_too_strange_to_be_judged(
        messages in vec(prop_oneof![any::<String>(), "4[0-7][0-9]{0,2}-?(/[a-z?]{0,3},?)?[0-9]{0,2}[\\[\\]{}\",a0-9]{0,8}"], 0..4),
        bytes in vec(any::<u8>(), 0..4),
    ) {
        let mut assembler = Assembler::new(8);
        for message in &messages {
            if let Ok(Some(whole)) = assembler.text(message) {
                let _ = (whole.packet.name(), whole.packet.args());
                let again = String::from_utf8(whole.packet.encode()).unwrap();
                assert_eq!(Packet::decode(&again).unwrap(), whole.packet);
            }
            drop(assembler.binary(bytes.clone()));
        }
    }
}

#[test]
fn packets_are_alike_only_in_all_they_have() {
    let packet = |text: &'static str| Packet::decode(text).unwrap();
    let one = packet(r#"42/a,1["greet"]"#);
    assert_eq!(one, packet(r#"42/a,1["greet"]"#));
    for other in [
        r#"43/a,1["greet"]"#,
        r#"42/b,1["greet"]"#,
        r#"42/a,2["greet"]"#,
        r#"42/a,["greet"]"#,
        r#"42/a,1["great"]"#,
        r#"451-/a,1["greet"]"#,
    ] {
        assert_ne!(one, packet(other), "{other}");
    }
}

#[test]
fn a_packet_announces_no_more_attachments_than_it_may_have() {
    for count in [
        "11",
        "4294967296",
        "18446744073709551615",
        "18446744073709551616",
    ] {
        let text = format!(r#"45{count}-["x",{{"_placeholder":true,"num":0}}]"#);
        let refused = Assembler::new(10).text(&text).err();
        assert_eq!(refused, Some(Malformed::BadAttachments), "{count}");
    }
}
