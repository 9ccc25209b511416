//! Messages in the shape that a dialect knows, with something wrong in some of them.
//!
//! A tape of bytes says which: every tape is a conversation, so whoever looks for tapes, at random
//! or led by what the code does with them, gets behind the parser at once.

use chat_protocol::{Dialect, Form, Spelling};
use serde_json::Value;

use super::world::World;

/// A stranger's bytes, as choices. When it has run out, every choice is the first one.
pub(crate) struct Tape<'a>(&'a [u8]);

impl<'a> Tape<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn byte(&mut self) -> usize {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        usize::from(*first)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.byte() % from.len()]
    }

    fn chance(&mut self, of_256: usize) -> bool {
        self.byte() >= 256 - of_256
    }
}

/// Messages of one conversation.
const MESSAGES_MAX: usize = 48;

/// Lets a tape talk to a world, and proves what has to hold of it afterwards.
pub(crate) fn converse(bytes: &[u8]) {
    let (mut tape, mut world) = (Tape::new(bytes), World::new());
    for _ in 0..MESSAGES_MAX {
        if tape.0.is_empty() {
            break;
        }
        // The native account and its guest can say most.
        let who = tape.byte();
        let who = match who {
            0..80 => 0,
            80..112 => 1,
            _ => who,
        };
        let dialect = world.dialect(who);
        let text = shaped(&mut tape, dialect, world.size());
        let form = if tape.chance(16) {
            Form::Binary
        } else {
            Form::Text
        };
        world.hear(who, &text, form);
        world.wait(tape.pick(&[1, 0, 700, 20_000, 90_000_000]));
    }
    world.prove();
}

/// One message for a dialect, as a tape tells it.
pub(crate) fn one(bytes: &[u8]) -> (Dialect, String) {
    let mut tape = Tape::new(bytes);
    let dialect = tape.pick(&Dialect::ALL);
    let text = shaped(&mut tape, dialect, (3, 5));
    (dialect, text)
}

fn shaped(tape: &mut Tape<'_>, dialect: Dialect, size: (u64, u64)) -> String {
    let shape = tape.pick(shapes(dialect));
    let mut text = String::new();
    // `$r` is filled in by what is meant by it, and so on.
    let mut parts = shape.split('$');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (hole, rest) = part.split_at(1);
        text.push_str(&filled(tape, hole, size));
        text.push_str(rest);
    }
    if tape.chance(112) {
        bent(tape, &text)
    } else {
        text
    }
}

fn filled(tape: &mut Tape<'_>, hole: &str, (rooms, people): (u64, u64)) -> String {
    let number = |tape: &mut Tape<'_>, most: u64| 1 + tape.byte() as u64 % (most + 1);
    match hole {
        "r" => number(tape, rooms).to_string(),
        // As a word, spelled in some way.
        "w" => {
            let room = chat_core::RoomId::new(number(tape, rooms));
            let spelled = tape.pick(&Spelling::ALL).write(room);
            if tape.chance(80) {
                word(tape)
            } else {
                format!("{spelled:?}")
            }
        }
        "u" => {
            let user = number(tape, people / 2);
            if tape.chance(64) {
                chat_core::UserId::guest(user).to_string()
            } else {
                user.to_string()
            }
        }
        "m" => number(tape, 12).to_string(),
        "n" | "t" => word(tape),
        "l" => tape.pick(&ROLES).to_owned(),
        "p" => tape.pick(&PERMISSIONS).to_owned(),
        "b" => tape.pick(&["true", "false"]).to_owned(),
        "i" => tape.pick(&NUMBERS).to_owned(),
        "a" => tape
            .pick(&ACCESS)
            .replace('$', &number(tape, rooms).to_string()),
        "c" => format!("\"c{}\"", tape.byte() % 8),
        _ => unreachable!("{hole} is no hole of a shape"),
    }
}

/// A JSON string: a name, or something to say.
fn word(tape: &mut Tape<'_>) -> String {
    let mut text = tape.pick(&WORDS).to_owned();
    while tape.chance(48) && text.len() < 4_096 {
        text.push_str(tape.pick(&WORDS));
    }
    if tape.chance(8) {
        text = text.repeat(1 + tape.byte());
    }
    Value::from(text).to_string()
}

const WORDS: [&str; 24] = [
    "den",
    "Plg",
    "bob",
    "",
    " ",
    "0",
    "room_1",
    "AAAAA",
    "hi",
    "\0",
    "\u{200b}",
    "\u{202e}",
    "e\u{301}",
    "\u{430}",
    "👨\u{200d}👩",
    "\u{e0001}",
    "\u{feff}",
    "\n",
    "\"",
    "\\",
    "{",
    "\u{1}",
    "李雷",
    "x\u{300}\u{300}\u{300}\u{300}\u{300}\u{300}",
];

const NUMBERS: [&str; 16] = [
    "1",
    "0",
    "-1",
    "2",
    "1.5",
    "1e3",
    "9007199254740991",
    "9007199254740992",
    "18446744073709551616",
    "1e400",
    "-0",
    "\"1\"",
    "null",
    "86400000",
    "1730000100000",
    "50",
];

const ROLES: [&str; 7] = [
    "\"member\"",
    "\"guest\"",
    "\"moderator\"",
    "\"admin\"",
    "\"owner\"",
    "null",
    "\"king\"",
];

const PERMISSIONS: [&str; 5] = [
    "\"post\"",
    "\"pin\"",
    "\"kick\"",
    "\"invite\"",
    "\"set_access\"",
];

const ACCESS: [&str; 6] = [
    r#"{"mode":"open"}"#,
    r#"{"mode":"password","password":"sesame"}"#,
    r#"{"mode":"password","password":""}"#,
    r#"{"mode":"invite"}"#,
    r#"{"mode":"groups","groups":[$]}"#,
    r#"{"mode":"groups","groups":[]}"#,
];

/// What clients of a dialect send.
const fn shapes(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Native => &NATIVE,
        Dialect::Rooms => &[
            r#"{"type":"create","payload":{"name":$n,"visibility":"public","pass":""}}"#,
            r#"{"type":"create","payload":{"name":$n,"visibility":"private","pass":"sesame"}}"#,
            r#"{"type":"query","payload":{"query":"rooms"}}"#,
            r#"{"type":"query","payload":{"query":"userInRoom","roomId":$w}}"#,
            r#"{"type":"join","payload":{"name":$n,"roomId":$w,"pass":""}}"#,
            r#"{"type":"join","payload":{"name":$n,"roomId":$w,"pass":"sesame","token":$t}}"#,
            r#"{"type":"chat","payload":{"roomId":$w,"msg":$t}}"#,
            r#"{"type":"leave","payload":{"roomId":$w}}"#,
            r#"{"type":"leave"}"#,
        ],
        Dialect::Socketio => &[
            r#"40{"token":$t}"#,
            "40",
            "40/foo,",
            "41",
            r#"42["joinRoom",{"roomId":$w,"username":$n}]"#,
            r#"42["message",{"roomId":$w,"message":$t,"sender":$n}]"#,
            r#"421["message",{"roomId":$w,"message":{"deep":[$i,$t]},"sender":$n}]"#,
            r#"42["leaveRoom",{"roomId":$w,"username":$n}]"#,
            r#"42["typing",{"roomId":$w,"username":$n}]"#,
            r#"421["create_room",$n]"#,
            r#"422["join_room",$w]"#,
            r#"42["leave_room",$w]"#,
            r#"42["send_message",{"roomId":$w,"message":$t}]"#,
            r#"451-["message",{"_placeholder":true,"num":0}]"#,
            r#"43$i[$t]"#,
        ],
        Dialect::Rest => &[
            r#"{"chatRoomId":$r,"chatMessage":$t}"#,
            r#"{"ChatRoomId":$r,"CHATMESSAGE":$t,"chatRoomName":$n,"chatUser":$n,"chatUserId":$u}"#,
        ],
        Dialect::Actions => &[
            r#"{"action":"join","username":$n,"roomId":$w}"#,
            r#"{"action":"join","username":$n,"roomId":$w,"token":$t}"#,
            r#"{"action":"send-message","roomId":$w,"message":$t}"#,
            r#"{"action":"leave","username":$n,"roomId":$w}"#,
            r#"{"type":"join-room","roomName":$n,"username":$n}"#,
            r#"{"type":"chat","roomName":$n,"username":$n,"message":$t}"#,
        ],
        Dialect::Groups => &[
            r#"{"type":"log_in","name":$n,"pwrd":$t}"#,
            r#"{"type":"sign-up","name":$n,"pwrd":$t,"id":$n,"groups":[$n,$n]}"#,
            r#"{"type":"get_groups"}"#,
            r#"{"type":"first-connect","name":$n,"group":$n}"#,
            r#"{"type":"message","name":$n,"group":$n,"Text":$t}"#,
            r#"{"type":"make_group","group_name":$n,"name":$n}"#,
        ],
    }
}

const NATIVE: [&str; 46] = [
    r#"{"id":1,"op":"create_room","d":{"name":$n,"access":$a,"alias":$n,"listed":$b,"cid":$c}}"#,
    r#"{"id":1,"op":"create_room","d":{"name":$n,"kind":"group","capacity":$i,"join":$b}}"#,
    r#"{"id":1,"op":"create_room","d":{"name":$n,"preset":"announcement","history":"since_join"}}"#,
    r#"{"id":1,"op":"open_direct","d":{"user":$u,"cid":$c}}"#,
    r#"{"id":1,"op":"update_room","d":{"room":$r,"name":$n,"topic":$t,"slow_mode_s":$i}}"#,
    r#"{"id":1,"op":"update_room","d":{"room":$r,"alias":$n,"capacity":$i,"features":{"edits":$b}}}"#,
    r#"{"id":1,"op":"update_room","d":{"room":$r,"overrides":{"member":{"allow":[$p],"deny":[$p]}}}}"#,
    r#"{"id":1,"op":"set_access","d":{"room":$r,"access":$a,"listed":$b,"history":"all"}}"#,
    r#"{"id":1,"op":"set_grant","d":{"room":$r,"group":$r,"role":$l}}"#,
    r#"{"id":1,"op":"archive","d":{"room":$r}}"#,
    r#"{"id":1,"op":"unarchive","d":{"room":$r}}"#,
    r#"{"id":1,"op":"delete_room","d":{"room":$r}}"#,
    r#"{"id":1,"op":"transfer_ownership","d":{"room":$r,"user":$u}}"#,
    r#"{"id":1,"op":"join","d":{"room":$r,"cid":$c}}"#,
    r#"{"id":1,"op":"join","d":{"room":$w,"password":"sesame"}}"#,
    r#"{"id":1,"op":"leave","d":{"room":$r}}"#,
    r#"{"id":1,"op":"visit","d":{"room":$r,"password":"sesame"}}"#,
    r#"{"id":1,"op":"invite","d":{"room":$r,"user":$u,"until":$i}}"#,
    r#"{"id":1,"op":"revoke_invite","d":{"room":$r,"user":$u}}"#,
    r#"{"id":1,"op":"decline_invite","d":{"room":$r}}"#,
    r#"{"id":1,"op":"kick","d":{"room":$r,"user":$u,"reason":$t}}"#,
    r#"{"id":1,"op":"ban","d":{"room":$r,"user":$u,"until":$i,"reason":$t}}"#,
    r#"{"id":1,"op":"unban","d":{"room":$r,"user":$u}}"#,
    r#"{"id":1,"op":"mute","d":{"room":$r,"user":$u,"until":$i}}"#,
    r#"{"id":1,"op":"unmute","d":{"room":$r,"user":$u}}"#,
    r#"{"id":1,"op":"set_role","d":{"room":$r,"user":$u,"role":$l}}"#,
    r#"{"id":1,"op":"set_nickname","d":{"room":$r,"nickname":$n}}"#,
    r#"{"id":1,"op":"post","d":{"room":$r,"body":$t,"cid":$c}}"#,
    r#"{"id":1,"op":"post","d":{"room":$w,"body":$t,"reply_to":$m,"thread":$m,"mentions":[$u,$u]}}"#,
    r#"{"id":1,"op":"post","d":{"room":$r,"body":$t,"format":"json","mention_all":$b,"ext":{$n:$t}}}"#,
    r#"{"id":1,"op":"post","d":{"room":$r,"attachments":[{"url":$t,"name":$t,"bytes":$i}]}}"#,
    r#"{"id":1,"op":"edit","d":{"room":$r,"message":$m,"body":$t}}"#,
    r#"{"id":1,"op":"delete","d":{"room":$r,"message":$m,"cid":$c}}"#,
    r#"{"id":1,"op":"react","d":{"room":$r,"message":$m,"reaction":$t}}"#,
    r#"{"id":1,"op":"unreact","d":{"room":$r,"message":$m,"reaction":$t}}"#,
    r#"{"id":1,"op":"pin","d":{"room":$r,"message":$m}}"#,
    r#"{"id":1,"op":"unpin","d":{"room":$r,"message":$m}}"#,
    r#"{"op":"mark_read","d":{"room":$r,"idx":$i}}"#,
    r#"{"op":"typing","d":{"room":$r,"on":$b}}"#,
    r#"{"id":1,"op":"hello","d":{"token":$t,"resume":{"$r":["k3",$m]},"subscribe":"mine"}}"#,
    r#"{"id":1,"op":"hello","d":{"guest":{"name":$n},"subscribe":[$r]}}"#,
    r#"{"id":$i,"op":"history","d":{"room":$r,"before":$m,"limit":$i}}"#,
    r#"{"id":1,"op":"explain","d":{"room":$r,"permission":$p,"user":$u}}"#,
    r#"{"id":1,"op":"directory","d":{"search":$t,"cursor":$t,"limit":$i}}"#,
    r#"{"id":1,"op":"set_status","d":{"status":"away","text":$t}}"#,
    "{\"id\":1,\"op\":\"archive\",\"d\":{\"room\":$r}}\n{\"id\":2,\"op\":\"post\",\"d\":{\"room\":$r,\"body\":$t}}",
];

/// The same with something wrong. What isn't JSON to begin with is bent as text.
fn bent(tape: &mut Tape<'_>, text: &str) -> String {
    let start = text.find(['{', '[']).unwrap_or(text.len());
    let (before, json) = text.split_at(start);
    let Ok(value) = serde_json::from_str::<Value>(json) else {
        return bent_text(tape, text);
    };
    if tape.chance(48) {
        return bent_text(tape, text);
    }
    let mut tree = Json::from(&value);
    for _ in 0..=tape.byte() % 3 {
        let mut left = tape.byte() % tree.count();
        bend(tape, &mut tree, &mut left);
    }
    let mut text = before.to_owned();
    tree.write(&mut text);
    text
}

fn bent_text(tape: &mut Tape<'_>, text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let at = (tape.byte() << 8 | tape.byte()) % (chars.len() + 1);
    match tape.byte() % 5 {
        0 => chars.truncate(at),
        1 => chars.insert(
            at,
            tape.pick(&['\0', '\u{feff}', '"', '{', '\\', '\n', '\u{10ffff}']),
        ),
        2 => drop(chars.drain(at..(at + 1).min(chars.len()))),
        3 => chars.extend(" {}".chars()),
        _ => chars.rotate_left(at),
    }
    chars.into_iter().collect()
}

/// JSON with what a map can't hold: keys that come twice, and texts that are none.
enum Json {
    Raw(String),
    List(Vec<Json>),
    Fields(Vec<(String, Json)>),
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Self {
        match value {
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(fields) => {
                let read = |(key, value): (&String, &Value)| (key.clone(), Self::from(value));
                Self::Fields(fields.iter().map(read).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Self::Raw(value.to_string())
            }
        }
    }
}

impl Json {
    fn count(&self) -> usize {
        1 + match self {
            Self::Raw(_) => 0,
            Self::List(items) => items.iter().map(Self::count).sum(),
            Self::Fields(fields) => fields.iter().map(|(_, it)| it.count()).sum(),
        }
    }

    fn write(&self, text: &mut String) {
        let mut between = "";
        match self {
            Self::Raw(json) => text.push_str(json),
            Self::List(items) => {
                text.push('[');
                for item in items {
                    text.push_str(std::mem::replace(&mut between, ","));
                    item.write(text);
                }
                text.push(']');
            }
            Self::Fields(fields) => {
                text.push('{');
                for (key, value) in fields {
                    text.push_str(std::mem::replace(&mut between, ","));
                    text.push_str(&Value::from(key.as_str()).to_string());
                    text.push(':');
                    value.write(text);
                }
                text.push('}');
            }
        }
    }
}

fn bend(tape: &mut Tape<'_>, tree: &mut Json, left: &mut usize) {
    if *left == 0 {
        *left = usize::MAX;
        let old = std::mem::replace(tree, Json::Raw("null".to_owned()));
        *tree = other(tape, old);
        return;
    }
    *left -= 1;
    match tree {
        Json::Raw(_) => {}
        Json::List(items) => items.iter_mut().for_each(|it| bend(tape, it, left)),
        Json::Fields(fields) => fields.iter_mut().for_each(|(_, it)| bend(tape, it, left)),
    }
}

/// Something else in a value's place.
fn other(tape: &mut Tape<'_>, old: Json) -> Json {
    match (tape.byte() % 6, old) {
        (0, Json::Fields(mut fields)) if !fields.is_empty() => {
            // One field is gone, or there twice, or spelled in another way.
            let at = tape.byte() % fields.len();
            match tape.byte() % 4 {
                0 => drop(fields.remove(at)),
                1 => {
                    let twice = (fields[at].0.clone(), Json::Raw(word(tape)));
                    fields.push(twice);
                }
                2 => fields[at].0 = fields[at].0.to_uppercase(),
                _ => fields[at].0 = fields[at].0.repeat(1 + tape.byte()),
            }
            Json::Fields(fields)
        }
        (0 | 1, old) => {
            let depth = 1 + tape.byte();
            (0..depth).fold(old, |inner, at| {
                if at % 2 == 0 {
                    Json::List(vec![inner])
                } else {
                    Json::Fields(vec![("d".to_owned(), inner)])
                }
            })
        }
        (2, _) => Json::Raw(tape.pick(&NUMBERS).to_owned()),
        (3, _) => Json::Raw(tape.pick(&ODDITIES).to_owned()),
        (4, _) => Json::Raw(word(tape)),
        (_, _) => Json::List(Vec::new()),
    }
}

/// What some readers of JSON take, and others don't.
const ODDITIES: [&str; 12] = [
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    r#""\u0000""#,
    "NaN",
    "-Infinity",
    "'a'",
    "01",
    "+1",
    "1.",
    "{\"a\":1,\"a\":2}",
    "[1,]",
    "/**/1",
];
