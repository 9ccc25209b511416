//! Every way to read, by everybody: no byte of a room reaches whoever may not read it.
//!
//! The rows are all ways of reading, taken from the lists that the server itself goes by, so that
//! one without a row fails here; the columns are people of every standing. A cell holds what an
//! answer contained of the words that are marked, and the reason why it contained nothing.

use chat_protocol::Op;
use serde_json::{Value, json};

use super::house::{House, Mark, Marked, Someone, Standing, Which, command};

use crate::world::Native;

/// One way of asking.
pub(super) struct Row {
    pub(super) op: &'static str,
    pub(super) d: Value,
    /// What the owner reads by it in the room that is hidden.
    shows: &'static [Mark],
    /// Who may know of it hears an answer.
    open: bool,
    /// Whether it needs a socket.
    pub(super) live: bool,
}

const LINE: &[Mark] = &[Mark::Line];
const NAME: &[Mark] = &[Mark::Name];
const PERSON: &[Mark] = &[Mark::Person];
const ALL: &[Mark] = &[Mark::Line, Mark::Name, Mark::Person];

/// All ways to ask by this op; none for one that tells nothing of any room.
pub(super) fn rows(op: &'static str, room: &Value, line: u64, host: u64) -> Vec<Row> {
    let row = |shows, d: Value| Row {
        op,
        d,
        shows,
        open: false,
        live: false,
    };
    let open = |row: Row| vec![Row { open: true, ..row }];
    let live = |row: Row| Row { live: true, ..row };
    let in_room = || json!({"room": room});
    let with = |field: &str, value: Value| {
        let mut d = json!({"room": room});
        d[field] = value;
        d
    };
    match op {
        "history" => vec![
            row(LINE, in_room()),
            row(LINE, with("before", json!(1_000))),
            row(LINE, with("after", json!(0))),
            row(LINE, with("around", json!(line))),
            row(LINE, with("thread", json!(line))),
        ],
        "message" => vec![row(LINE, with("message", json!(line)))],
        "records" => vec![row(ALL, with("since", json!(0)))],
        "snapshot" => vec![live(row(ALL, in_room()))],
        "pins" => vec![row(LINE, in_room())],
        "members" | "presence" => vec![row(PERSON, in_room())],
        "bans" | "invites" | "markers" | "permissions" => vec![row(&[], in_room())],
        "room" => open(row(NAME, in_room())),
        "explain" => {
            let d = with("permission", json!("read"));
            let mut rows = open(row(&[], d.clone()));
            let mut of_another = d;
            of_another["user"] = json!(host);
            rows.push(row(&[], of_another));
            rows
        }
        "search" => {
            let mut rows = open(row(LINE, json!({"text": "xyzzy"})));
            rows.push(row(LINE, with("text", json!("XYZZY"))));
            rows
        }
        "rooms" => open(row(NAME, json!({}))),
        "directory" => open(row(&[], json!({"search": "xyzzy"}))),
        "subscribe" | "unsubscribe" => open(live(row(&[], json!({"rooms": [room]})))),
        "user" => open(row(&[], json!({"name": "owner"}))),
        // Who says hello is asked after below.
        "hello" | "logout" | "refresh" | "set_status" | "block" | "unblock" | "limits" => vec![],
        unknown => panic!("{unknown} may show something, and no row says to whom"),
    }
}

/// Ops of the older dialects, each with the way by which it is asked here. One that isn't named
/// here doesn't compile.
#[expect(dead_code, reason = "the compiler reads it")]
const fn covered(op: &Op) -> &'static str {
    match op {
        Op::Hello(_) => "resuming",
        Op::InRoom { .. } => "writing",
        Op::Enter(_) | Op::Exit { .. } | Op::Inside { .. } | Op::Connect { .. } => "entering",
        Op::LogIn { .. } | Op::SignUp(_) | Op::Disconnect {} => "entering",
        Op::Lobby(_) | Op::Transcript { .. } => "lists and histories",
        Op::Create { .. } | Op::Found { .. } => "naming",
        Op::History(_)
        | Op::Subscribe { .. }
        | Op::Unsubscribe { .. }
        | Op::Snapshot { .. }
        | Op::Records { .. }
        | Op::Logout { .. }
        | Op::Refresh { .. }
        | Op::SetStatus { .. }
        | Op::Block { .. }
        | Op::Unblock { .. }
        | Op::Room { .. }
        | Op::Rooms { .. }
        | Op::Directory { .. }
        | Op::Search { .. }
        | Op::Members { .. }
        | Op::Bans { .. }
        | Op::Invites { .. }
        | Op::Message { .. }
        | Op::Pins { .. }
        | Op::Markers { .. }
        | Op::Presence { .. }
        | Op::Permissions { .. }
        | Op::Explain { .. }
        | Op::User { .. }
        | Op::Limits {} => "native questions",
    }
}

/// Asserts that an answer holds nothing of any room that isn't his to see.
pub(super) fn check(who: &Someone, asked: &str, answer: &str) {
    for which in Which::ALL {
        let allowed = who.standing.may_see(which);
        let seen = Mark::of(which, answer);
        let is_his = |mark: &Mark| allowed.contains(mark);
        assert!(
            seen.iter().all(is_his),
            "{:?} sees {seen:?} of the {which:?} room by {asked}: {answer}",
            who.standing
        );
    }
}

fn check_row(who: &Someone, room: &Marked, row: &Row, reply: &Value) {
    let (standing, which) = (who.standing, room.which);
    let asked = format!("{} {}", row.op, row.d);
    let answer = reply.to_string();
    check(who, &asked, &answer);
    if standing == Standing::Owner && which == Which::Hidden {
        let seen = Mark::of(which, &answer);
        let shows = row.shows.iter().all(|mark| seen.contains(mark));
        assert!(shows, "{asked} shows too little to its owner: {reply}");
    }
    // Whose room it was may ask himself why he can't do anything there any more.
    let himself = row.op == "explain" && standing == Standing::Owner;
    let told = himself || row.open && standing.is_known();
    if !standing.reads(which) && !told {
        let code = reply["err"]["code"].as_str().or(reply["code"].as_str());
        let due = Some(standing.refusal(which));
        assert_eq!(code, due, "{standing:?} {which:?} {asked}");
    }
}

fn questions(room: &Marked, host: u64) -> Vec<Row> {
    let names = Op::NAMES.iter();
    let all = names.flat_map(|op| rows(op, &json!(room.id), room.line, host));
    all.collect()
}

#[tokio::test]
async fn no_question_shows_a_room_to_whoever_may_not_read_it() {
    let house = House::open().await;
    let mut cells = 0;
    for who in &house.people {
        let mut socket = socket_of(&house, who).await;
        for room in &house.rooms {
            for row in questions(room, house.host_id) {
                if !row.live {
                    let reply = command(&house.world, &who.account, row.op, &row.d).await;
                    check_row(who, room, &row, &reply);
                    cells += 1;
                }
                if let Some(socket) = &mut socket {
                    let reply = match socket.call(row.op, row.d.clone()).await {
                        Ok(ok) => json!({"ok": ok}),
                        Err(err) => json!({"err": err}),
                    };
                    check_row(who, room, &row, &reply);
                    cells += 1;
                }
            }
        }
        if let Some(mut socket) = socket {
            let heard = json!(socket.rest().await).to_string();
            check(who, "listening", &heard);
        }
    }
    println!("{cells} answers read");
    house.world.stop().await;
}

/// A socket that follows nothing; none for whoever has no token that counts.
async fn socket_of(house: &House, who: &Someone) -> Option<Native> {
    let mut socket = house.world.connect().await;
    let hello = socket
        .call("hello", json!({"token": who.account.token}))
        .await;
    assert_eq!(hello.is_ok(), who.standing.is_known(), "{:?}", who.standing);
    who.standing.is_known().then_some(socket)
}
