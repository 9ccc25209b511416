//! One line of the file, in whatever words its server had for it.

use std::collections::BTreeMap;

use chat_core::{Format, Password, Role, Timestamp};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::Source;
use super::moment;

/// What a line is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    User(User),
    Room(Room),
    Member(Member),
    Message(Message),
    /// Its server had deleted it.
    Gone,
}

/// Somebody with an account there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    /// What names him in tokens and in the other lines.
    pub(super) id: String,
    /// Another word that other lines may have for him.
    pub(super) also: Option<String>,
    pub(super) name: String,
    pub(super) handle: Option<String>,
    pub(super) email: Option<String>,
    pub(super) secret: Option<Secret>,
    pub(super) created_at: Option<Timestamp>,
    /// Rooms that he is a member of, where his own line says so.
    pub(super) rooms: Vec<String>,
}

/// What somebody proves himself with. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Secret {
    Plain(Password),
    Hash(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) access: Access,
    pub(super) listed: bool,
    pub(super) owner: Option<String>,
    pub(super) created_at: Option<Timestamp>,
}

/// Who might enter there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Open,
    Password(Password),
    Invite,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) room: String,
    pub(super) user: String,
    pub(super) role: Option<Role>,
    pub(super) joined_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: Option<String>,
    pub(super) room: String,
    pub(super) user: Option<String>,
    pub(super) name: Option<String>,
    pub(super) body: String,
    pub(super) format: Format,
    pub(super) at: Timestamp,
}

/// The kinds of lines, as the file and the report name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    User,
    Room,
    Member,
    Message,
}

impl Kind {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Room => "room",
            Self::Member => "member",
            Self::Message => "message",
        }
    }
}

/// A line, and the fields of it that nobody knows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) kind: Kind,
    pub(super) line: Line,
    pub(super) unknown: Vec<String>,
}

/// Reads a line. What is wrong with it is said in words, and with its kind if that much is clear.
pub(super) fn read(from: Source, text: &str) -> Result<Read, (Option<Kind>, String)> {
    let Object(object) = serde_json::from_str(text).map_err(|error| {
        // The place within the line matters; the line is told beside.
        let words = error.to_string();
        let words = words.split(" at line ").next().unwrap_or_default();
        let place = error.column();
        (None, format!("no JSON object: {words} at column {place}"))
    })?;
    let kind = object.iter().find(|(name, _)| name == "type");
    let kind = match kind.and_then(|(_, value)| value.as_str()) {
        Some("user") => Kind::User,
        Some("room" | "group") => Kind::Room,
        Some("member") => Kind::Member,
        Some("message") => Kind::Message,
        Some(_) | None => {
            return Err((None, "\"type\" is no user, room, member or message".into()));
        }
    };
    let mut fields = Fields::of(from, kind, object).map_err(|words| (Some(kind), words))?;
    let line = if fields.take("deleted_at").is_some() {
        Ok(Line::Gone)
    } else {
        match kind {
            Kind::User => user(from, &mut fields).map(Line::User),
            Kind::Room => room(from, &mut fields).map(Line::Room),
            Kind::Member => member(&mut fields).map(Line::Member),
            Kind::Message => message(&mut fields).map(Line::Message),
        }
    };
    let line = line.map_err(|words| (Some(kind), words))?;
    let unknown = if line == Line::Gone {
        Vec::new()
    } else {
        fields.left.into_values().map(|(name, _)| name).collect()
    };
    Ok(Read {
        kind,
        line,
        unknown,
    })
}

fn user(from: Source, fields: &mut Fields) -> Result<User, String> {
    let id = fields.id("id")?;
    let name = fields.text("name")?;
    let (id, also) = match (from, id, name.clone()) {
        // Its tokens know the name alone.
        (Source::Actions, id, Some(name)) => (name, id),
        (_, Some(id), _) => (id, None),
        (_, None, _) => return Err("there is no id".into()),
    };
    let name = match (from, name) {
        (_, Some(name)) => name,
        (Source::Groups, None) => id.clone(),
        (_, None) => return Err("there is no name".into()),
    };
    let plain = fields.secret("password")?;
    let secret = match (fields.text("password_hash")?, plain) {
        (Some(hash), _) => Some(Secret::Hash(hash)),
        (None, Some(text)) if is_hash(&text) => Some(Secret::Hash(text)),
        (None, Some(text)) if text.is_empty() => None,
        (None, Some(text)) => Some(Secret::Plain(Password::new(text))),
        (None, None) => None,
    };
    let rooms = match fields.take("groups").filter(|_| from == Source::Groups) {
        Some(Value::Array(rooms)) => rooms.iter().filter_map(id_of).collect(),
        Some(_) | None => Vec::new(),
    };
    Ok(User {
        handle: (from == Source::Groups && id != name).then(|| id.clone()),
        id,
        also,
        name,
        email: fields.text("email")?.filter(|text| !text.is_empty()),
        secret,
        created_at: fields.moment("created_at")?,
        rooms,
    })
}

fn room(from: Source, fields: &mut Fields) -> Result<Room, String> {
    let (id, name) = (fields.id("id")?, fields.text("name")?);
    // Where a room's name is its key, the key needs no field of its own, nor the other way round.
    let (id, name) = match (from, id, name) {
        (_, Some(id), Some(name)) => (id, name),
        (Source::Groups | Source::Socketio, None, Some(name)) => (name.clone(), name),
        (_, None, _) => return Err("there is no id".into()),
        (_, Some(id), None) => (id.clone(), id),
    };
    let password = fields.secret("password")?;
    let password = password.filter(|text| !text.is_empty()).map(Password::new);
    let access = match (fields.text("access")?.as_deref(), password) {
        (Some("open" | "public") | None, None) => Access::Open,
        (Some("open" | "public" | "password" | "private") | None, Some(it)) => Access::Password(it),
        (Some("password" | "private"), None) => {
            return Err("a private room needs a password, or access \"invite\"".into());
        }
        (Some("invite"), _) => Access::Invite,
        (Some(_), _) => return Err("access is not open, password or invite".into()),
    };
    Ok(Room {
        listed: fields.flag("listed")?.unwrap_or(access != Access::Invite),
        id,
        name,
        access,
        owner: fields.id("owner")?,
        created_at: fields.moment("created_at")?,
    })
}

fn member(fields: &mut Fields) -> Result<Member, String> {
    let role = match fields.text("role")?.as_deref() {
        None => None,
        Some("guest") => Some(Role::Guest),
        Some("member") => Some(Role::Member),
        Some("moderator") => Some(Role::Moderator),
        Some("admin") => Some(Role::Admin),
        Some("owner") => Some(Role::Owner),
        Some(_) => return Err("role is no role".into()),
    };
    Ok(Member {
        room: fields.id("room")?.ok_or("there is no room")?,
        user: fields.id("user")?.ok_or("there is no user")?,
        role,
        joined_at: fields.moment("joined_at")?,
    })
}

fn message(fields: &mut Fields) -> Result<Message, String> {
    let room = fields.id("room")?.ok_or("there is no room")?;
    let (user, name) = (fields.id("user")?, fields.text("name")?);
    if user.is_none() && name.is_none() {
        return Err("there is neither user nor name".into());
    }
    let (body, format) = match fields.take("body") {
        Some(Value::String(text)) => (text, Format::Plain),
        // A dialect whose messages are any JSON keeps them so.
        Some(value) => (value.to_string(), Format::Json),
        None => return Err("there is no body".into()),
    };
    Ok(Message {
        id: fields.id("id")?,
        room,
        user,
        name,
        body,
        format,
        at: fields.moment("at")?.ok_or("there is no time")?,
    })
}

/// Whether a password is a hash by its form: what a database calls so often is one. One that is cut
/// short is refused later: taken for a password, it would be one that stands in the old database.
fn is_hash(text: &str) -> bool {
    let forms = ["$2a$", "$2b$", "$2x$", "$2y$", "$argon2"];
    forms.iter().any(|it| text.starts_with(it))
}

/// An object as it stands: a map would keep the last of two fields of one name in silence.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Object;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Object, A::Error> {
                let mut object = Vec::new();
                while let Some(field) = fields.next_entry()? {
                    object.push(field);
                }
                Ok(Object(object))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

/// The fields of a line that weren't read yet, by their plain spelling.
struct Fields {
    from: Source,
    kind: Kind,
    left: BTreeMap<String, (String, Value)>,
}

impl Fields {
    fn of(from: Source, kind: Kind, object: Vec<(String, Value)>) -> Result<Self, String> {
        let mut left: BTreeMap<String, (String, Value)> = BTreeMap::new();
        for (name, value) in object {
            let known = left.insert(plain(&name), (name.clone(), value.clone()));
            // A database may keep one field under two names.
            if let Some((one, _)) = known.filter(|(one, known)| *one == name || *known != value) {
                return Err(format!("{one} and {name} are one field that comes twice"));
            }
        }
        for name in KNOWN_AND_UNUSED {
            left.remove(*name);
        }
        Ok(Self { from, kind, left })
    }

    /// Takes a field by our name, or by one that its server has for it; null is as good as absent.
    fn take(&mut self, field: &str) -> Option<Value> {
        let theirs = spellings(self.from, self.kind)
            .iter()
            .chain(EVERYBODYS)
            .filter(|(ours, _)| *ours == field)
            .map(|(_, theirs)| *theirs);
        let own = plain(field);
        std::iter::once(own.as_str())
            .chain(theirs)
            .filter_map(|name| self.left.remove(name))
            .map(|(_, value)| value)
            .find(|value| !value.is_null())
    }

    fn text(&mut self, field: &str) -> Result<Option<String>, String> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{field} is no text")),
        }
    }

    /// A password; digits may come as a number.
    fn secret(&mut self, field: &str) -> Result<Option<String>, String> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(format!("{field} is no text")),
        }
    }

    fn id(&mut self, field: &str) -> Result<Option<String>, String> {
        match self.take(field) {
            None => Ok(None),
            Some(value) => match id_of(&value) {
                Some(id) => Ok(Some(id)),
                None => Err(format!(
                    "{field} is neither a whole number nor a text of 1 to {ID_BYTES_MAX} bytes"
                )),
            },
        }
    }

    fn moment(&mut self, field: &str) -> Result<Option<Timestamp>, String> {
        match self.take(field) {
            None => Ok(None),
            Some(value) => match moment::read(&value) {
                Some(at) => Ok(Some(at)),
                None => Err(format!(
                    "{field} is neither milliseconds since 1970 nor a time of RFC 3339"
                )),
            },
        }
    }

    fn flag(&mut self, field: &str) -> Result<Option<bool>, String> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::Bool(it)) => Ok(Some(it)),
            Some(_) => Err(format!("{field} is neither true nor false")),
        }
    }
}

/// A field's name as two of them are compared: `UserName`, `user_name` and `userName` are one.
fn plain(name: &str) -> String {
    let kept = name.chars().filter(|c| !matches!(c, '_' | '-'));
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

/// An id, however its database writes it.
fn id_of(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        Value::String(text) => {
            let fits = !text.is_empty() && text.len() <= ID_BYTES_MAX;
            fits.then(|| text.clone())
        }
        Value::Object(object) if object.len() == 1 => id_of(object.get("$oid")?),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The longest id: as long as one in a token may be.
const ID_BYTES_MAX: usize = 256;

/// Fields that databases keep and nobody needs here.
const KNOWN_AND_UNUSED: &[&str] = &["type", "updatedat", "v", "chatroomname", "receivername"];

/// Our field, and a name that any server may have for it.
const EVERYBODYS: &[(&str, &str)] = &[
    ("joined_at", "createdat"),
    ("at", "timestamp"),
    ("at", "createdat"),
];

/// Our field, and the name that this server has for it.
fn spellings(from: Source, kind: Kind) -> &'static [(&'static str, &'static str)] {
    match (from, kind) {
        (Source::Rooms, Kind::User) => &[],
        (Source::Rooms, Kind::Room) => &[
            ("id", "roomid"),
            ("access", "visibility"),
            ("password", "pass"),
        ],
        (Source::Rooms, Kind::Member) => &[("room", "roomid")],
        (Source::Rooms, Kind::Message) => &[("room", "roomid"), ("body", "msg")],
        (Source::Socketio | Source::Actions, Kind::User) => &[("name", "username")],
        (Source::Socketio | Source::Actions, Kind::Room) => {
            &[("id", "roomid"), ("name", "roomname"), ("owner", "creator")]
        }
        (Source::Socketio, Kind::Member) => &[("room", "roomid"), ("user", "userid")],
        (Source::Actions, Kind::Member) => &[("room", "roomid"), ("user", "username")],
        (Source::Socketio | Source::Actions, Kind::Message) => &[
            ("room", "roomid"),
            ("user", "userid"),
            ("name", "sender"),
            ("name", "username"),
            ("body", "message"),
        ],
        (Source::Rest, Kind::User) => &[("id", "userid"), ("name", "username")],
        (Source::Rest, Kind::Room) => &[("id", "chatroomid")],
        (Source::Rest, Kind::Member) => &[
            ("room", "roomid"),
            ("room", "chatroomid"),
            ("user", "userid"),
            ("user", "chatuserid"),
        ],
        (Source::Rest, Kind::Message) => &[
            ("room", "chatroomid"),
            ("room", "roomid"),
            ("user", "chatuserid"),
            ("user", "userid"),
            ("name", "chatuser"),
            ("body", "chatmessage"),
            ("at", "chatmessagets"),
        ],
        (Source::Groups, Kind::User) => &[("password", "pwrd")],
        (Source::Groups, Kind::Room) => &[("name", "groupname"), ("name", "group")],
        (Source::Groups, Kind::Member) => &[("room", "group")],
        (Source::Groups, Kind::Message) => &[("room", "group"), ("body", "text")],
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

#[cfg(test)]
mod tests;
