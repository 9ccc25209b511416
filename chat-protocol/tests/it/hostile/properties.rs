//! What holds of any bytes. Tests draw the bytes by lot, fuzz targets look for them.
//!
//! Nothing panics; what is answered is JSON; and what comes of an input is no larger than a small
//! multiple of it. Each function is given one thing from a stranger.

use chat_core::{NUMBER_MAX, Name, Record, RoomId, Seq, Timestamp};
use chat_protocol::client::Client;
use chat_protocol::command::Hello;
use chat_protocol::engineio::{self, Payload, packets};
use chat_protocol::http::{Request, Site};
use chat_protocol::log::{self, Entry, Mac, Sealed, Sum, WordsKey};
use chat_protocol::socketio::{Assembler, Packet};
use chat_protocol::time::rfc3339_ms;
use chat_protocol::{Call, Code, Dialect, Form, Frame, RoomRef, ServerFrame, Spelling};
use serde_json::Value;

/// Bytes said for each byte heard, and bytes said besides: a byte may be escaped twice, once in
/// words for a person and once in JSON.
const SAID_PER_BYTE: usize = 16;
const SAID_BESIDES: usize = 1_024;

/// Frames that one message is read as at most, and then one that says so.
pub(crate) const CALLS_MAX: usize = 1_001;

/// Asserts that a dialect's clients can read what is said.
pub(crate) fn assert_said(dialect: Dialect, said: &[u8]) {
    let text = std::str::from_utf8(said).expect("what is said is text");
    let json = match dialect {
        // What goes over Engine.IO has packet types and names before the JSON.
        Dialect::Socketio => {
            let packet = Packet::decode(text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(packet.encode(), said, "{text}");
            return;
        }
        Dialect::Rooms => text.strip_prefix("message: ").unwrap_or(text),
        Dialect::Native | Dialect::Rest | Dialect::Actions | Dialect::Groups => text,
    };
    assert_json(json.as_bytes());
}

fn assert_json(json: &[u8]) {
    if let Err(error) = serde_json::from_slice::<Value>(json) {
        panic!("{error}: {}", String::from_utf8_lossy(json));
    }
}

/// A message of a socket.
pub(crate) fn message(dialect: Dialect, text: &str, form: Form) -> Vec<Call> {
    let mut calls = Vec::new();
    dialect.decode(text, form, &mut calls);
    assert!(calls.len() <= CALLS_MAX, "{} calls", calls.len());
    let mut said = 0;
    for call in &calls {
        let Err(refusal) = &call.op else { continue };
        call.ticket.answer(&Err(refusal.clone()), &mut |reply| {
            assert_said(dialect, reply);
            said += reply.len();
        });
    }
    let besides = SAID_BESIDES * calls.len().max(1);
    let most = text.len() * SAID_PER_BYTE + besides;
    assert!(said <= most, "{said} bytes are said to {}", text.len());
    calls
}

/// A first message, of which nobody knows the dialect; then the same to each.
pub(crate) fn first_message(text: &str) {
    let recognised = Dialect::recognise(text);
    assert!(recognised != Some(Dialect::Native) && recognised != Some(Dialect::Rest));
    for dialect in Dialect::ALL {
        message(dialect, text, Form::Text);
        message(dialect, text, Form::Binary);
    }
    let id = Frame::decode(text).id;
    assert!(id.is_none_or(|id| id <= NUMBER_MAX));
}

/// A payload of HTTP polling, and each of its packets as a message of a socket.
pub(crate) fn payload(text: &str) {
    let mut again = Payload::default();
    let mut length = 0;
    let mut read = Vec::new();
    for packet in packets(text) {
        let Ok(packet) = packet else { return };
        length = match &packet {
            engineio::Packet::Binary(bytes) => again.len_with_binary(bytes.len()),
            engineio::Packet::Open(data)
            | engineio::Packet::Ping(data)
            | engineio::Packet::Pong(data)
            | engineio::Packet::Message(data) => again.len_with_text(1 + data.len()),
            engineio::Packet::Close | engineio::Packet::Upgrade | engineio::Packet::Noop => {
                again.len_with_text(1)
            }
        };
        packet.push_to(&mut again);
        assert_eq!(
            again.as_bytes().len(),
            length,
            "a payload's length is foretold"
        );
        read.push(packet);
    }
    let written = String::from_utf8(again.into_bytes()).expect("a payload is text");
    assert!(written.len() <= text.len() + 2 * read.len() && length == written.len());
    let reread: Result<Vec<_>, _> = packets(&written).collect();
    assert_eq!(
        reread.as_deref(),
        Ok(&*read),
        "what was written is read again"
    );
}

/// Messages of a Socket.IO client, text and binary, of which some belong together.
pub(crate) fn packets_and_attachments<'a>(messages: impl IntoIterator<Item = &'a [u8]>) {
    const ATTACHMENTS_MAX: usize = 10;
    let mut assembler = Assembler::new(ATTACHMENTS_MAX);
    let mut heard = 0;
    for bytes in messages {
        heard += bytes.len();
        let whole = match (bytes.first(), std::str::from_utf8(bytes)) {
            (Some(b'4'), Ok(text)) => {
                socketio_packet(text);
                assembler.text(text).map(|it| it.map(|it| it.into_owned()))
            }
            _ => assembler.binary(bytes.to_vec()),
        };
        assert!(assembler.waiting_bytes() <= heard);
        let Ok(whole) = whole else { return };
        if let Some(whole) = whole {
            assert_eq!(whole.attachments.len(), whole.packet.attachments);
            assert!(whole.attachments.len() <= ATTACHMENTS_MAX);
        }
    }
}

fn socketio_packet(text: &str) {
    let Ok(packet) = Packet::decode(text) else {
        return;
    };
    assert!(packet.args().len() <= text.len());
    let written = String::from_utf8(packet.encode()).expect("a packet is text");
    // A namespace that ends the text gets its comma.
    assert!(written.len() <= text.len() + 1, "{written} for {text}");
    assert_eq!(Packet::decode(&written), Ok(packet), "{text}");
}

/// A request over HTTP.
pub(crate) fn request(site: Site, request: &Request<'_>) {
    let reply = match site.ask(request) {
        Ok(asked) => {
            let refusal = asked.op.err().unwrap_or_else(|| Code::Unavailable.into());
            asked.ticket.reply(&Err(refusal))
        }
        Err(reply) => reply,
    };
    assert_json(&reply.body);
    assert!((200..=599).contains(&reply.status));
    let heard = request.path.len() + request.body.len();
    assert!(reply.body.len() <= heard * SAID_PER_BYTE + SAID_BESIDES);
}

/// A name, of whoever or whatever, and a word for a room.
pub(crate) fn word(text: &str) {
    if let Ok(name) = Name::new(text) {
        assert_eq!(
            Name::new(name.as_str()).as_ref(),
            Ok(&name),
            "a name is one already"
        );
        assert!(!name.as_str().trim().is_empty() && name.as_str().len() <= Name::BYTES_MAX);
        let skeleton = name.skeleton();
        assert!(skeleton.len() <= 64 * name.as_str().len());
        let through_json = serde_json::to_string(&name).unwrap();
        assert_eq!(serde_json::from_str::<Name>(&through_json).unwrap(), name);
    }
    for spelling in Spelling::ALL {
        if let Some(room) = spelling.read(text) {
            assert_eq!(spelling.write(room), text);
        }
        let room = RoomRef::read(spelling, text);
        assert!(room.others.len() < Spelling::ALL.len());
    }
    assert!(RoomRef::named(text).own.is_none());
}

/// A number, as a room and as a moment.
pub(crate) fn number(number: u64) {
    let room = RoomId::saturating(number);
    for spelling in Spelling::ALL {
        assert_eq!(spelling.read(&spelling.write(room)), Some(room));
    }
    let text = rfc3339_ms(Timestamp::saturating(number));
    assert_eq!(
        (text.len(), text.as_bytes()[10], text.as_bytes()[23]),
        (24, b'T', b'Z')
    );
}

/// What a client hears.
pub(crate) fn server_frame(text: &str) {
    if let Ok(ServerFrame::Event(heard)) = ServerFrame::decode(text) {
        assert!(heard.seq.number() <= NUMBER_MAX);
    }
    let mut client = Client::new(Hello::default());
    client.follow(RoomId::new(12), "k3", Seq::new(42));
    client.connected();
    client.received(r#"{"re":1,"ok":{"rooms":{},"epoch":"k3"}}"#);
    client.received(text);
    client.received(r#"{"ev":"left","room":12,"seq":90,"at":1,"by":{"id":1},"d":{}}"#);
    client.received(text);
    client.disconnected(1006, 7);
}

/// Rows of a log as a damaged disk may give them: a fact and its words, in the places of good ones.
pub(crate) fn rows(fact: &[u8], words: &[u8]) {
    let key = WordsKey([7; 16]);
    let forged = Entry {
        version: log::VERSION,
        fact: fact.to_vec(),
        mac: Some(Mac([1; 16])),
        sum: Sum([2; 16]),
        words: Some(Sealed {
            key,
            words: words.to_vec(),
        }),
    };
    log::decode(&forged, &Sum::START).expect_err("a chain isn't guessed");
    // The same with a chain that holds: what is written there is read, or said to be unreadable.
    let Ok(mut record) = serde_json::from_slice::<Record>(fact) else {
        return;
    };
    if let Ok(words) = serde_json::from_slice(words) {
        record = record.with_words(words);
    }
    let entry = log::encode(&record, key, &Sum::START);
    assert_eq!(log::decode(&entry, &Sum::START).as_ref(), Ok(&record));
    let mut erased = entry.clone();
    erased.erase();
    let mut wordless = record.clone();
    let had_words = wordless.take_words() != chat_core::Words::default();
    assert_eq!(erased.is_erased(), had_words);
    assert_eq!(log::decode(&erased, &Sum::START).as_ref(), Ok(&wordless));
    let mut bent = entry;
    if let Some(byte) = bent.fact.last_mut() {
        *byte ^= 1;
    }
    log::decode(&bent, &Sum::START).expect_err("a bent fact breaks the chain");
}
