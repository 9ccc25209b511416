//! Where readers of JSON differ: what each dialect makes of it, in one table.
//!
//! How deep a value may be nested is bounded where a value is kept or looked through: 127 levels,
//! serde_json's own bound. What is passed over is read without recursion, so any depth that a frame
//! has room for does no harm.

use chat_protocol::{Call, Dialect, Form, Op};

/// What a dialect makes of a message, in the order of [`DIALECTS`]: `y` a line of somebody's, `n`
/// nothing that can be read, `r` a refusal of what was read, `-` silence.
type Verdicts = &'static str;

const DIALECTS: [Dialect; 6] = [
    Dialect::Native,
    Dialect::Rooms,
    Dialect::Socketio,
    Dialect::Rest,
    Dialect::Actions,
    Dialect::Groups,
];

/// A line of somebody's, with a place for a field at the beginning and one for what is said.
fn line(dialect: Dialect, field: &str, body: &str) -> String {
    match dialect {
        Dialect::Native => {
            format!(r#"{{"id":1,"op":"post","d":{{{field}"room":1,"body":{body}}}}}"#)
        }
        Dialect::Rooms => {
            format!(r#"{{"type":"chat","payload":{{{field}"roomId":"AAAAA","msg":{body}}}}}"#)
        }
        Dialect::Socketio => format!(r#"42["message",{{{field}"roomId":"den","message":{body}}}]"#),
        Dialect::Rest => format!(r#"{{{field}"chatRoomId":1,"chatMessage":{body}}}"#),
        Dialect::Actions => {
            format!(r#"{{{field}"action":"send-message","roomId":"room_1","message":{body}}}"#)
        }
        Dialect::Groups => format!(r#"{{{field}"type":"message","group":"Plg","Text":{body}}}"#),
    }
}

/// The key of what is said.
const fn key(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Native => "body",
        Dialect::Rooms => "msg",
        Dialect::Socketio | Dialect::Actions => "message",
        Dialect::Rest => "chatMessage",
        Dialect::Groups => "Text",
    }
}

#[track_caller]
fn expect(what: &str, verdicts: Verdicts, text: impl Fn(Dialect) -> String) {
    let given: String = DIALECTS
        .iter()
        .map(|dialect| verdict(*dialect, &text(*dialect)))
        .collect();
    assert_eq!(
        given,
        verdicts,
        "{what}: {}",
        text(Dialect::Native).escape_debug()
    );
}

fn verdict(dialect: Dialect, text: &str) -> char {
    let calls = super::properties::message(dialect, text, Form::Text);
    match calls.as_slice() {
        [] => '-',
        [Call { op: Ok(op), .. }, ..] => {
            assert!(matches!(op, Op::InRoom { .. }), "{op:?}");
            'y'
        }
        [
            Call {
                op: Err(refusal), ..
            },
            ..,
        ] if refusal.code == chat_protocol::Code::BadFrame => 'n',
        [Call { op: Err(_), .. }, ..] => 'r',
    }
}

/// A change to the text of a plain line.
fn around(before: &'static str, after: &'static str) -> impl Fn(Dialect) -> String {
    move |dialect| {
        let line = line(dialect, "", r#""hi""#);
        // What stands before the JSON of a packet makes it another packet.
        match dialect {
            Dialect::Socketio => format!("42{before}{}{after}", &line[2..]),
            _ => format!("{before}{line}{after}"),
        }
    }
}

fn saying(body: &str) -> impl Fn(Dialect) -> String {
    let body = body.to_owned();
    move |dialect| line(dialect, "", &body)
}

#[test]
fn a_key_that_comes_twice_is_refused() {
    expect("once", "yyyyyy", saying(r#""hi""#));
    for twice in [r#""hi""#, r#""ho""#, "null"] {
        expect("twice", "nnrnnn", |dialect| {
            line(
                dialect,
                &format!(r#""{}":{twice},"#, key(dialect)),
                r#""hi""#,
            )
        });
    }
    expect("twice, once escaped", "nnrnnn", |dialect| {
        let (first, rest) = key(dialect).split_at(1);
        let code = u32::from(first.chars().next().unwrap());
        line(
            dialect,
            &format!(r#""\u{code:04x}{rest}":"ho","#),
            r#""hi""#,
        )
    });
    expect("nobody's key twice", "yyyyyy", |dialect| {
        line(dialect, r#""x":1,"x":2,"#, r#""hi""#)
    });
    // A value that is passed on as it is has to mean one thing to everybody. Where a message is a
    // text, it is the text that is passed on.
    expect("twice within a value", "ryrnyy", saying(r#"{"a":1,"a":2}"#));
    expect(
        "deep within",
        "ryrnyy",
        saying(r#"[{"b":{"a":1,"\u0061":2}}]"#),
    );
}

#[test]
fn a_key_of_a_frame_or_beside_its_command_that_comes_twice_is_refused() {
    let once = r#"{"id":1,"op":"post","d":{"room":1,"cid":"c","body":"hi"}}"#;
    assert_eq!(verdict(Dialect::Native, once), 'y');
    for (key, twice) in [
        (r#""id":1"#, r#""id":1,"id":1"#),
        (r#""op":"post""#, r#""op":"post","op":"post""#),
        (r#""d":{"#, r#""d":{"room":2,"body":"ho"},"d":{"#),
        (r#""room":1"#, r#""room":1,"room":2"#),
        (r#""cid":"c""#, r#""cid":null,"cid":"c""#),
    ] {
        let text = once.replace(key, twice);
        assert_ne!(verdict(Dialect::Native, &text), 'y', "{text}");
    }
}

#[test]
fn a_key_that_comes_twice_in_a_map_is_refused() {
    for d in [
        r#""ext":{"a":"1","a":"2"}"#,
        r#""ext":{"a":"1","\u0061":"2"}"#,
    ] {
        let text = format!(r#"{{"id":1,"op":"post","d":{{"room":1,"body":"hi",{d}}}}}"#);
        assert_eq!(verdict(Dialect::Native, &text), 'r', "{text}");
    }
    for (op, d) in [
        ("hello", r#""resume":{"12":["k3",1],"12":["k3",2]}"#),
        (
            "create_room",
            r#""name":"den","overrides":{"member":{},"member":{}}"#,
        ),
        (
            "update_room",
            r#""room":1,"overrides":{"guest":{},"guest":{}}"#,
        ),
    ] {
        let text = format!(r#"{{"id":1,"op":"{op}","d":{{{d}}}}}"#);
        let mut calls = Vec::new();
        Dialect::Native.decode(&text, Form::Text, &mut calls);
        let refusal = calls[0].op.clone().unwrap_err();
        assert!(refusal.msg.ends_with("a key comes twice"), "{refusal}");
    }
}

#[test]
fn a_handshake_with_two_tokens_is_that_of_nobody() {
    let mut calls = Vec::new();
    Dialect::Socketio.decode(r#"40{"token":"a","token":"b"}"#, Form::Text, &mut calls);
    let Ok(Op::Connect { token: Some(token) }) = &calls[0].op else {
        panic!("not as a guest: {calls:?}")
    };
    assert!(token.expose() != "a" && token.expose() != "b");
}

#[test]
fn what_is_almost_json_is_refused() {
    for (before, after) in [("", " \r\n\t"), ("\t ", "")] {
        expect("white space around", "yyyyyy", around(before, after));
    }
    for (what, before, after) in [
        ("a byte order mark", "\u{feff}", ""),
        ("no-break space", "\u{a0}", ""),
        ("garbage after", "", " x"),
        ("another value after", "", " {}"),
        ("a bracket too many", "", "}"),
        ("NUL after", "", "\0"),
        ("a comment before", "/**/", ""),
        ("a comment after", "", "//"),
        ("a number before", "1", ""),
    ] {
        // Digits before a packet's data are its number.
        let verdicts = if before == "1" { "nnynnn" } else { "nnnnnn" };
        expect(what, verdicts, around(before, after));
    }
    for text in [
        "", " ", "\t\r", "\u{feff}", "null", "0", "\"hi\"", "[]", "{}", "{", "{}{}",
    ] {
        let verdicts = if text.trim_ascii().is_empty() {
            "-nnnnn"
        } else {
            "nnnnnn"
        };
        expect(text, verdicts, |_| text.to_owned());
    }
    for body in [
        "NaN",
        "Infinity",
        "-Infinity",
        "undefined",
        "'hi'",
        "hi",
        "+1",
        "01",
        "1.",
        ".5",
        "0x10",
        "1_000",
        "\"hi\",",
        "True",
        "\"a\nb\"",
        "\"a\u{1}b\"",
        r#""\x41""#,
        r#""\u12""#,
        r#""\"#,
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "/**/1",
        "",
    ] {
        expect(body, "nnnnnn", saying(body));
    }
}

#[test]
fn what_no_text_can_hold_is_refused() {
    expect("a surrogate pair", "yyyyyy", saying(r#""\ud83d\ude00""#));
    for lone in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\udc00\ud800""#,
        r#""\ud800\ud800""#,
        r#""\ud800x""#,
    ] {
        expect(lone, "rnrnnn", saying(lone));
    }
    expect("NUL", "rrrrrr", saying(r#""a\u0000b""#));
    expect(
        "all other control characters",
        "yyyyyy",
        saying(r#""\u0001\u001f\u007f\u0085\u200b""#),
    );
    expect("no characters", "yyyyyy", saying(r#""\uffff\ufffe\ufdd0""#));
}

#[test]
fn keys_may_be_escaped_and_long_but_not_of_another_case() {
    expect("escaped", "yyyyyy", |dialect| {
        let key = key(dialect);
        let escaped: String = key
            .chars()
            .map(|c| format!("\\u{:04x}", u32::from(c)))
            .collect();
        line(dialect, "", r#""hi""#).replace(&format!("\"{key}\""), &format!("\"{escaped}\""))
    });
    expect("in capitals", "ynryn-", |dialect| {
        let key = key(dialect);
        let text = line(dialect, "", r#""hi""#);
        match dialect {
            // `message` is the name of the event, too.
            Dialect::Socketio => text.replace("\"message\":", "\"MESSAGE\":"),
            Dialect::Groups => text.replace("\"message\"", "\"MESSAGE\""),
            _ => text.replace(
                &format!("\"{key}\":"),
                &format!("\"{}\":", key.to_uppercase()),
            ),
        }
    });
    for length in [1_000, 60_000] {
        expect("a long key", "yyyyyy", |dialect| {
            line(
                dialect,
                &format!("\"{}\":1,", "k".repeat(length)),
                r#""hi""#,
            )
        });
    }
}

#[test]
fn depth_does_no_harm() {
    for depth in [127, 128, 1_000, 30_000] {
        let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let fields = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        for deep in [deep, fields] {
            expect("deep where nobody looks", "yyyyyy", |dialect| {
                line(dialect, &format!("\"x\":{deep},"), r#""hi""#)
            });
            // As a text it is as flat as any; a value that others read has to be readable.
            let verdicts = if depth <= 127 { "ryynyy" } else { "ryrnyy" };
            expect("deep in what is said", verdicts, saying(&deep));
        }
    }
}

#[test]
fn a_number_is_a_number_or_none() {
    let rooms = |dialect: Dialect, room: &str| {
        let text = line(dialect, "", r#""hi""#);
        match dialect {
            Dialect::Native => text.replace(r#""room":1"#, &format!(r#""room":{room}"#)),
            _ => text,
        }
    };
    for (room, taken) in [
        ("0", 'y'),
        ("9007199254740991", 'y'),
        ("9007199254740992", 'r'),
        ("18446744073709551615", 'r'),
        ("18446744073709551616", 'r'),
        ("-1", 'r'),
        ("-0", 'r'),
        ("1.0", 'r'),
        ("1e0", 'r'),
        ("1.5", 'r'),
        ("1e400", 'r'),
        ("\"1\"", 'y'),
        ("\"-1\"", 'y'),
        ("null", 'r'),
        ("true", 'r'),
        ("[1]", 'r'),
        ("01", 'n'),
    ] {
        assert_eq!(
            verdict(Dialect::Native, &rooms(Dialect::Native, room)),
            taken,
            "{room}"
        );
    }
    for (id, taken) in [
        ("9007199254740991", 'y'),
        ("9007199254740992", 'n'),
        ("-1", 'n'),
        ("1.0", 'n'),
        ("1e0", 'n'),
        ("\"1\"", 'n'),
        ("null", 'y'),
    ] {
        let text = format!(r#"{{"id":{id},"op":"post","d":{{"room":1,"body":"hi"}}}}"#);
        assert_eq!(verdict(Dialect::Native, &text), taken, "{id}");
    }
    // Where a text is meant, the older dialects take a number's digits as they stand.
    for number in ["0", "-0", "1e0", "1e400", "9007199254740993", "0.1"] {
        // No reader of ours has room for 1e400, so it isn't passed on as a value.
        let verdicts = if number == "1e400" {
            "ryrnyy"
        } else {
            "ryynyy"
        };
        expect(number, verdicts, saying(number));
    }
}

#[test]
fn more_frames_than_a_message_may_hold_are_not_read() {
    for (frames, calls) in [(1_000, 1_000), (1_001, 1_001), (30_000, 1_001)] {
        let text = "x\n".repeat(frames);
        let read = super::properties::message(Dialect::Native, &text, Form::Text);
        assert_eq!(read.len(), calls);
    }
}

#[test]
fn an_unknown_word_is_said_back_up_to_a_bound_and_by_whole_characters() {
    for word in ["\u{e9}", "\u{20ac}", "\u{1f600}", "\0", "\\", "\""] {
        for length in [1, 21, 32, 63, 64, 65, 10_000] {
            let op = serde_json::Value::from(format!("x{}", word.repeat(length)));
            let frame = format!(r#"{{"id":1,"op":{op}}}"#);
            let calls = super::properties::message(Dialect::Native, &frame, Form::Text);
            let refusal = calls[0].op.as_ref().unwrap_err();
            assert!(refusal.msg.len() < 1_024, "{refusal}");
        }
    }
}
