use super::*;

fn line(from: Source, text: &str) -> Line {
    let read = read(from, text).unwrap();
    assert_eq!(read.unknown, Vec::<String>::new(), "{text}");
    read.line
}

fn user_of(from: Source, text: &str) -> User {
    let Line::User(it) = line(from, text) else {
        panic!("{text}")
    };
    it
}

fn room_of(from: Source, text: &str) -> Room {
    let Line::Room(it) = line(from, text) else {
        panic!("{text}")
    };
    it
}

fn message_of(from: Source, text: &str) -> Message {
    let Line::Message(it) = line(from, text) else {
        panic!("{text}")
    };
    it
}

const HASH: &str = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

#[test]
fn a_hash_that_is_cut_short_is_no_password() {
    let (cut, _) = HASH.split_at(30);
    let fields = format!(r#"{{"type":"user","id":"u1","name":"Ann","password":"{cut}"}}"#);
    let user = user_of(Source::Rest, &fields);
    assert_eq!(user.secret, Some(Secret::Hash(cut.into())));
}

#[test]
fn our_own_words_are_understood_from_everybody() {
    for from in Source::ALL {
        let user = user_of(
            from,
            r#"{"type":"user","id":"u1","name":"Ann","email":"ann@example.org","password":"p","created_at":5}"#,
        );
        assert_eq!(user.name, "Ann");
        assert_eq!(user.email.as_deref(), Some("ann@example.org"));
        assert_eq!(user.secret, Some(Secret::Plain(Password::new("p"))));
        assert_eq!(user.created_at, Some(Timestamp::new(5)));
        let room = room_of(
            from,
            r#"{"type":"room","id":"r1","name":"Den","access":"password","password":"p","listed":false,"owner":"u1"}"#,
        );
        assert_eq!((room.id.as_str(), room.name.as_str()), ("r1", "Den"));
        assert_eq!(room.access, Access::Password(Password::new("p")));
        assert!(!room.listed);
        let message = message_of(
            from,
            r#"{"type":"message","room":"r1","user":"u1","body":"hi","at":7,"id":9}"#,
        );
        assert_eq!(
            (message.body.as_str(), message.id.as_deref()),
            ("hi", Some("9"))
        );
        let member = r#"{"type":"member","room":"r1","user":"u1","role":"admin","joined_at":6}"#;
        let Line::Member(member) = line(from, member) else {
            panic!("no member")
        };
        assert_eq!(member.role, Some(Role::Admin));
    }
}

#[test]
fn a_row_of_the_rest_backend_is_read_as_it_is() {
    let user = user_of(
        Source::Rest,
        &format!(
            r#"{{"type":"user","ID":1,"CreatedAt":"2023-10-30T15:47:33.246704222Z","UpdatedAt":"x","DeletedAt":null,"UserName":"user","Email":"email@mail.com","Password":"{HASH}"}}"#
        ),
    );
    assert_eq!((user.id.as_str(), user.name.as_str()), ("1", "user"));
    assert_eq!(user.secret, Some(Secret::Hash(HASH.into())));
    assert_eq!(user.created_at, Some(Timestamp::new(1_698_680_853_246)));
    let message = message_of(
        Source::Rest,
        r#"{"type":"message","chatMessage":"Message","chatUserId":1,"chatUser":"user","chatRoomId":1,"chatRoomName":"Chat name","ChatMessageTs":"2023-10-30T15:47:33Z"}"#,
    );
    assert_eq!(
        (message.room.as_str(), message.user.as_deref()),
        ("1", Some("1"))
    );
    assert_eq!(message.name.as_deref(), Some("user"));
    let gone = r#"{"type":"room","ID":2,"name":"x","DeletedAt":"2023-10-30T15:47:33Z","more":1}"#;
    assert_eq!(line(Source::Rest, gone), Line::Gone);
}

#[test]
fn a_room_of_the_rooms_backend_has_visibility_and_pass() {
    let room = |text: &str| read(Source::Rooms, text).map(|read| read.line);
    let den = r#"{"type":"room","id":"YBVGS","name":"den","visibility":"private","pass":123}"#;
    let den = room_of(Source::Rooms, den);
    assert_eq!(den.access, Access::Password(Password::new("123")));
    assert!(den.listed, "a private room is listed there");
    let open = r#"{"type":"room","id":"EOF29","visibility":"public","pass":""}"#;
    let open = room_of(Source::Rooms, open);
    assert_eq!((open.access, open.name.as_str()), (Access::Open, "EOF29"));
    let bare = r#"{"type":"room","id":"a","visibility":"private","pass":""}"#;
    assert!(room(bare).is_err());
    let line = r#"{"type":"message","roomId":"YBVGS","user":"alok","msg":"Hello","at":1}"#;
    let line = message_of(Source::Rooms, line);
    assert_eq!(line.user.as_deref(), Some("alok"));
}

#[test]
fn somebody_of_the_actions_backend_is_his_name() {
    let text =
        r#"{"type":"user","_id":{"$oid":"6571"},"username":"john_doe","password":"p","__v":0}"#;
    let user = user_of(Source::Actions, text);
    assert_eq!(
        (user.id.as_str(), user.also.as_deref()),
        ("john_doe", Some("6571"))
    );
    let text = r#"{"type":"message","roomId":"room_1","sender":"john_doe","message":"hi","timestamp":"2024-12-10T12:00:00Z"}"#;
    let message = message_of(Source::Actions, text);
    assert_eq!(message.name.as_deref(), Some("john_doe"));
}

#[test]
fn somebody_of_the_groups_backend_brings_his_groups() {
    let text = r#"{"type":"user","name":"New","id":"n1","pwrd":"p","groups":["Plg","Amg"]}"#;
    let user = user_of(Source::Groups, text);
    assert_eq!(user.rooms, ["Plg", "Amg"]);
    assert_eq!(user.handle.as_deref(), Some("n1"));
    let room = room_of(Source::Groups, r#"{"type":"group","group_name":"Plg"}"#);
    assert_eq!((room.id.as_str(), room.name.as_str()), ("Plg", "Plg"));
    let text = r#"{"type":"message","name":"sokoro","group":"Plg","Text":"hi","at":1}"#;
    assert_eq!(message_of(Source::Groups, text).body, "hi");
}

#[test]
fn a_message_of_the_socketio_backend_may_be_any_json() {
    let text = r#"{"type":"message","roomId":"qwxw5ykz","sender":"ann","message":{"a":[1]},"timestamp":1}"#;
    let message = message_of(Source::Socketio, text);
    assert_eq!(
        (message.body.as_str(), message.format),
        (r#"{"a":[1]}"#, Format::Json)
    );
}

#[test]
fn what_is_wrong_with_a_line_is_said_in_words() {
    for (text, words) in [
        ("", "no JSON object"),
        ("[1]", "no JSON object"),
        (r#"{"type":"user""#, "no JSON object"),
        (r#"{"id":1}"#, "no user, room, member or message"),
        (r#"{"type":"user","name":"ann"}"#, "no id"),
        (r#"{"type":"user","id":1}"#, "no name"),
        (r#"{"type":"user","id":-1,"name":"ann"}"#, "id is neither"),
        (r#"{"type":"user","id":1,"name":7}"#, "name is no text"),
        (
            r#"{"type":"room","id":1,"access":"secret"}"#,
            "access is not",
        ),
        (r#"{"type":"member","room":1}"#, "no user"),
        (
            r#"{"type":"member","room":1,"user":1,"role":"king"}"#,
            "no role",
        ),
        (
            r#"{"type":"message","room":1,"user":1,"body":"x"}"#,
            "no time",
        ),
        (
            r#"{"type":"message","room":1,"user":1,"body":"x","at":"noon"}"#,
            "RFC 3339",
        ),
        (
            r#"{"type":"message","room":1,"body":"x","at":1}"#,
            "neither user nor name",
        ),
        (r#"{"type":"message","room":1,"user":1,"at":1}"#, "no body"),
        (
            r#"{"type":"user","id":1,"name":"ann","name":"ann"}"#,
            "twice",
        ),
        (
            r#"{"type":"user","type":"user","id":1,"name":"a"}"#,
            "twice",
        ),
        (
            r#"{"type":"user","id":1,"n\u0061me":"a","name":"b"}"#,
            "twice",
        ),
        (r#"{"type":"user","ID":1,"id":2,"name":"ann"}"#, "twice"),
    ] {
        let (_, said) = read(Source::Rest, text).unwrap_err();
        assert!(said.contains(words), "{text}: {said}");
    }
}

#[test]
fn a_field_under_two_names_is_one_if_both_say_the_same() {
    let text = r#"{"type":"user","_id":"a1","id":"a1","name":"ann"}"#;
    assert_eq!(user_of(Source::Socketio, text).id, "a1");
}

#[test]
fn what_nobody_knows_is_named_as_it_was_written() {
    let text = r#"{"type":"user","ID":1,"UserName":"ann","AvatarUrl":"x"}"#;
    let read = read(Source::Rest, text).unwrap();
    assert_eq!(read.unknown, ["AvatarUrl"]);
}

#[test]
fn no_password_shows_in_debug_output() {
    let text = format!(r#"{{"type":"user","id":1,"name":"ann","password":"{HASH}"}}"#);
    let user = user_of(Source::Rest, &text);
    assert!(!format!("{user:?}").contains("N9qo8"));
}
