//! Lists of rooms have a bound, whatever is in the rooms.

use chat_core::Name;
use chat_protocol::answer::{Answer, LobbyRoom, Mode};
use chat_protocol::http::{Request, Site};
use chat_protocol::{Dialect, Form, Op, Ticket};
use serde_json::{Value, json};

use crate::given::card;
use crate::golden::said;

fn listed(rooms: Vec<LobbyRoom>) -> (usize, Vec<Value>) {
    let asked = r#"{"type":"query","payload":{"query":"rooms"}}"#;
    let ticket = asked_for(Dialect::Rooms, asked);
    let answer = Ok(Answer::Lobby(rooms));
    let list = said(|say| ticket.answer(&answer, say)).concat();
    (list.len(), serde_json::from_str(&list).unwrap())
}

/// How a dialect answers this frame.
fn asked_for(dialect: Dialect, frame: &str) -> Ticket {
    let mut calls = Vec::new();
    dialect.decode(frame, Form::Text, &mut calls);
    calls.remove(0).ticket
}

fn room(id: u64, name: &str, people: usize) -> LobbyRoom {
    let name = Name::new(name).unwrap();
    let people = (0..people)
        .map(|n| Name::new(&format!("person {n}")).unwrap())
        .collect();
    LobbyRoom {
        card: card(id, Some(name), Mode::Open),
        people,
    }
}

#[test]
fn a_thousand_rooms_are_enough() {
    let (_, list) = listed((1..=3_000).map(|id| room(id, "den", 0)).collect());
    assert_eq!(list.len(), 1_000);
}

#[test]
fn long_names_shorten_the_list() {
    let name = "é".repeat(500);
    let (bytes, list) = listed((1..=1_000).map(|id| room(id, &name, 0)).collect());
    assert!(
        bytes <= 256 * 1024 && list.len() > 200,
        "{bytes} bytes, {} rooms",
        list.len()
    );
}

#[test]
fn a_crowd_hides_no_other_room() {
    let (bytes, list) = listed(vec![room(1, "stadium", 50_000), room(2, "den", 1)]);
    assert!(bytes <= 256 * 1024);
    assert_eq!(list[0]["people"].as_array().map(Vec::len), Some(0));
    assert_eq!(list[1]["people"].as_array().map(Vec::len), Some(1));
}

#[test]
fn every_dialect_that_lists_rooms_has_the_bound() {
    let rooms: Vec<_> = (1..=3_000)
        .map(|id| room(id, &format!("{id}{}", "é".repeat(200)), 0))
        .collect();
    let answer = Ok(Answer::Lobby(rooms));
    let asked = Site::Actions.ask(&Request {
        method: "GET",
        path: "/api/rooms",
        authorization: Some("Bearer x"),
        body: b"",
    });
    let list = asked.unwrap().ticket.reply(&answer).body;
    assert!(
        list.len() <= 256 * 1024 && list.len() > 255 * 1024,
        "{} bytes",
        list.len()
    );
    let list: Vec<Value> = serde_json::from_slice(&list).unwrap();
    assert!(
        list.iter()
            .zip(1..)
            .all(|(room, id)| room["roomId"] == format!("room_{id}"))
    );

    // Names that are no aliases are short here; aliases are what counts.
    let Ok(Answer::Lobby(mut rooms)) = answer else {
        unreachable!()
    };
    for room in &mut rooms {
        room.card.alias = room.card.name.clone();
    }
    let ticket = asked_for(Dialect::Groups, r#"{"type":"get_groups"}"#);
    let answer = Ok(Answer::Lobby(rooms));
    let list = said(|say| ticket.answer(&answer, say)).concat();
    assert!(
        list.len() <= 256 * 1024 && list.len() > 255 * 1024,
        "{} bytes",
        list.len()
    );
    let list: Value = serde_json::from_str(&list).unwrap();
    assert!(list["groups"].as_array().unwrap().len() < 1_000);
}

#[test]
fn fifty_groups_can_be_joined_by_signing_up_and_not_one_more() {
    let sign_up = |groups: usize| {
        let (name, groups) = ("ann", vec!["Plg"; groups]);
        let frame = json!({"type": "sign-up", "name": name, "pwrd": "p", "groups": groups});
        let mut calls = Vec::new();
        Dialect::Groups.decode(&frame.to_string(), Form::Text, &mut calls);
        calls.remove(0).op
    };
    let Ok(Op::SignUp(wish)) = sign_up(50) else {
        panic!("fifty are few enough")
    };
    assert_eq!(wish.rooms.len(), 50);
    let refusal = sign_up(51).unwrap_err();
    assert_eq!(refusal.msg, "at most 50 groups");
}
