//! A native client against a server that loses, repeats and forgets.

use std::collections::VecDeque;

use chat_core::commands::Post;
use chat_core::{Cid, Command, RoomId, Seq, Text};
use chat_protocol::client::{Client, Output, PENDING_MAX, TooManyPending};
use chat_protocol::command::{GuestHello, Hello, Op, Subscribe, Token};
use chat_protocol::{Frame, RoomRef, Spelling};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};

const ROOM: RoomId = RoomId::new(12);

fn event(seq: u64) -> String {
    format!(r#"{{"ev":"left","room":12,"seq":{seq},"at":9,"by":{{"id":3}},"d":{{}}}}"#)
}

fn after(prev: u64, seq: u64) -> String {
    format!(
        r#"{{"ev":"left","room":12,"seq":{seq},"prev":{prev},"at":9,"by":{{"id":3}},"d":{{}}}}"#
    )
}

fn filling(re: u64, seqs: &[u64], upto: u64, head: u64) -> String {
    let events: Vec<String> = seqs.iter().map(|seq| event(*seq)).collect();
    let events = events.join(",");
    format!(r#"{{"re":{re},"ok":{{"events":[{events}],"upto":{upto},"head":{head}}}}}"#)
}

fn post() -> Command {
    Post::plain(Text::new("hello").unwrap()).into()
}

/// A client that is welcome, in room 12 at 42.
fn client() -> Client {
    let mut client = Client::new(Hello {
        subscribe: Subscribe::Mine,
        ..Hello::default()
    });
    client.follow(ROOM, "k3", Seq::new(42));
    client.connected();
    let welcome = r#"{"re":1,"ok":{"epoch":"k3","rooms":{"12":{"st":"ok","from":42,"to":42}}}}"#;
    assert!(matches!(
        client.received(welcome).as_slice(),
        [Output::Welcome(_)]
    ));
    client
}

/// What came of it, in short.
fn told(outputs: &[Output]) -> Vec<String> {
    outputs
        .iter()
        .map(|output| match output {
            Output::Send(text) => {
                let frame: Value = serde_json::from_str(text).unwrap();
                let since = frame["d"]["since"].as_u64();
                let op = frame["op"].as_str().unwrap();
                let rooms = [&frame["room"], &frame["d"]["room"]];
                let of_the_room = rooms.into_iter().any(|room| *room == ROOM.number());
                assert!(of_the_room || op == "hello", "{text}");
                since.map_or(format!("send {op}"), |since| {
                    format!("send {op} since {since}")
                })
            }
            Output::Event(heard) => format!("event {}", heard.seq),
            Output::Synced { room, seq } => format!("synced {room} at {seq}"),
            Output::Reset { room, why } => format!("reset {room} {why:?}"),
            Output::Gone { room } => format!("gone {room}"),
            Output::Reply { id, result } => {
                format!("reply {id} {}", if result.is_ok() { "yes" } else { "no" })
            }
            Output::Welcome(_) => "welcome".to_owned(),
            Output::Unwelcome(refused) => format!("unwelcome {}", refused.code),
            Output::Signal(signal) => format!("signal {}", signal.what.name()),
            Output::TokenExpiring { at } => format!("token ends {at}"),
            Output::Reconnect { after_ms } => format!("reconnect after {after_ms}"),
            Output::Stop { code } => format!("stop {code}"),
        })
        .collect()
}

#[test]
fn events_come_in_order_and_once() {
    let mut client = client();
    let shown = client.received(&[event(43), event(43), event(42), event(44)].join("\n"));
    assert_eq!(told(&shown), ["event 43", "event 44"]);
}

#[test]
fn what_others_may_see_alone_is_no_gap() {
    let mut client = client();
    assert_eq!(told(&client.received(&after(42, 45))), ["event 45"]);
    assert_eq!(told(&client.received(&after(44, 46))), ["event 46"]);
}

#[test]
fn a_gap_is_filled_before_anything_after_it_is_shown() {
    let mut client = client();
    assert_eq!(
        told(&client.received(&event(45))),
        ["send records since 42"]
    );
    assert!(client.received(&event(46)).is_empty());
    let shown = client.received(&filling(2, &[43, 44], 44, 46));
    assert_eq!(
        told(&shown),
        ["event 43", "event 44", "event 45", "event 46"]
    );
}

#[test]
fn a_long_gap_is_filled_in_pieces() {
    let mut client = client();
    client.received(&event(46));
    let shown = client.received(&filling(2, &[43], 43, 46));
    assert_eq!(told(&shown), ["event 43", "send records since 43"]);
    let shown = client.received(&filling(3, &[45], 45, 46));
    assert_eq!(told(&shown), ["event 45", "event 46"]);
}

#[test]
fn a_thousand_events_wait_for_a_gap_and_no_more() {
    let mut client = client();
    for seq in 44..=1_044 {
        client.received(&event(seq));
    }
    let shown = told(&client.received(&filling(2, &[43], 43, 1_044)));
    assert_eq!(shown.len(), 1_002);
    assert_eq!(shown[1_000..], ["event 1043", "send records since 1043"]);
}

#[test]
fn a_filling_that_brings_nothing_is_a_reset() {
    let mut client = client();
    client.received(&event(46));
    assert_eq!(
        told(&client.received(&filling(2, &[], 42, 46))),
        ["reset 12 None"]
    );
    assert_eq!(told(&client.received(&event(47))), ["event 47"]);
}

#[test]
fn a_lost_tail_is_noticed_by_a_ping_and_at_the_end_of_the_past() {
    let mut client = client();
    let asked = client.received(r#"{"sys":"ping","heads":{"12":43,"99":5}}"#);
    assert_eq!(told(&asked), ["send records since 42"]);
    assert_eq!(
        told(&client.received(&filling(2, &[43], 43, 43))),
        ["event 43"]
    );
    let asked = client.received(r#"{"sys":"synced","room":12,"seq":44}"#);
    assert_eq!(told(&asked), ["send records since 43"]);
    let shown = client.received(&filling(3, &[44], 44, 44));
    assert_eq!(told(&shown), ["event 44", "synced 12 at 44"]);
}

#[test]
fn a_filling_refused_for_a_while_is_asked_for_again() {
    let mut client = client();
    client.received(&event(44));
    let err = r#"{"re":2,"err":{"code":"rate_limited","class":"limit","msg":"","details":{}}}"#;
    assert!(client.received(err).is_empty());
    assert_eq!(
        told(&client.received(&event(45))),
        ["send records since 42"]
    );
}

#[test]
fn a_position_out_of_date_is_reset_and_a_lost_room_is_gone() {
    let mut client = client();
    client.follow(RoomId::new(15), "k9", Seq::new(5));
    client.disconnected(1006, 0);
    client.connected();
    let shown = client.received(
        r#"{"re":2,"ok":{"epoch":"q2","rooms":{"12":{"st":"reset","why":"epoch_changed","epoch":"q2","head":9},"15":{"st":"gone"}}}}"#,
    );
    assert_eq!(
        told(&shown),
        ["welcome", "reset 12 Some(EpochChanged)", "gone 15"]
    );
    assert_eq!(
        client.positions().into_iter().collect::<Vec<_>>(),
        [(ROOM, ("q2".to_owned(), Seq::new(9)))]
    );
}

#[test]
fn a_snapshot_moves_the_position_of_the_room_that_it_is_of() {
    let mut client = client();
    let room = RoomRef::read(Spelling::Number, "den");
    let (id, sent) = client.ask(&Op::Snapshot { room }).unwrap();
    let asked = r#"{"id":2,"op":"snapshot","d":{"room":"den"}}"#;
    assert_eq!(sent, Some(Output::Send(asked.to_owned())));
    client.received(&format!(
        r#"{{"re":{id},"ok":{{"room":{{"id":12}},"position":{{"epoch":"k4","seq":100}}}}}}"#
    ));
    assert_eq!(
        client.positions().get(&ROOM),
        Some(&("k4".to_owned(), Seq::new(100)))
    );
    assert_eq!(told(&client.received(&event(101))), ["event 101"]);
}

#[test]
fn a_command_without_reply_is_sent_again_and_answered_once() {
    let mut client = client();
    let (id, sent) = client
        .command(Some(ROOM), &Cid::new("c1").unwrap(), &post())
        .unwrap();
    client.disconnected(1006, 0);
    let (_, unsent) = client
        .command(Some(ROOM), &Cid::new("c2").unwrap(), &post())
        .unwrap();
    assert_eq!(unsent, None);
    client.connected();
    let outputs = client.received(r#"{"re":4,"ok":{"epoch":"k3","rooms":{}}}"#);
    assert_eq!(told(&outputs), ["welcome", "send post", "send post"]);
    assert!(outputs.contains(&sent.unwrap()));
    let reply = format!(r#"{{"re":{id},"ok":{{"seq":43,"dup":true}}}}"#);
    assert_eq!(told(&client.received(&reply)), [format!("reply {id} yes")]);
    assert!(client.received(&reply).is_empty());
}

#[test]
fn codes_from_4500_mean_stay_away() {
    for (code, coming_back) in [
        (1006, true),
        (4000, true),
        (4499, true),
        (4500, false),
        (4507, false),
    ] {
        let outputs = client().disconnected(code, 3);
        assert_eq!(
            matches!(outputs.as_slice(), [Output::Reconnect { .. }]),
            coming_back,
            "{code}"
        );
    }
}

#[test]
fn a_client_comes_back_no_sooner_than_it_was_told() {
    let mut client = client();
    client.received(r#"{"sys":"bye","code":4000,"why":"shutting down","retry_ms":30000}"#);
    assert_eq!(
        told(&client.disconnected(4000, 3)),
        ["reconnect after 30000"]
    );
    assert_eq!(told(&client.disconnected(1006, 3)), ["reconnect after 503"]);
}

#[test]
fn a_client_comes_back_where_it_was() {
    let mut client = client();
    client.received(&event(43));
    client.disconnected(1006, 0);
    let hello = client.connected();
    let [Output::Send(hello)] = hello.as_slice() else {
        panic!("{hello:?}")
    };
    let hello: Value = serde_json::from_str(hello).unwrap();
    assert_eq!(hello["d"]["resume"], json!({"12": ["k3", 43]}));
}

#[test]
fn a_guest_comes_back_as_himself() {
    let guest = Some(GuestHello {
        name: chat_core::Name::new("Zoë").unwrap(),
    });
    let mut client = Client::new(Hello {
        guest,
        ..Hello::default()
    });
    let first = format!("{:?}", client.connected());
    assert!(first.contains("guest") && first.contains("Zoë"), "{first}");
    client.received(r#"{"re":1,"ok":{"epoch":"k3","rooms":{},"guest_token":"g.t.k"}}"#);
    let again = format!("{:?}", client.connected());
    assert!(
        again.contains("g.t.k") && !again.contains("guest\\\":"),
        "{again}"
    );
}

#[test]
fn a_typing_signal_is_not_kept_for_later() {
    let mut client = client();
    let typing = chat_core::commands::Typing { on: true }.into();
    assert!(client.hint(ROOM, &typing).is_some());
    client.disconnected(1006, 0);
    assert_eq!(client.hint(ROOM, &typing), None);
}

#[test]
fn what_a_client_asks_is_what_a_server_reads() {
    let mut client = client();
    for asked in [
        r#"{"op":"subscribe","d":{"rooms":[12,"den"]}}"#,
        r#"{"op":"records","d":{"room":12,"since":3,"limit":9}}"#,
        r#"{"op":"history","d":{"room":"den","around":7,"thread":2}}"#,
        r#"{"op":"history","d":{"room":12}}"#,
        r#"{"op":"set_status","d":{"status":"away","text":"at lunch"}}"#,
        r#"{"op":"search","d":{"text":"cat","room":12,"before":9,"limit":5}}"#,
        r#"{"op":"explain","d":{"room":12,"permission":"post","user":3}}"#,
        r#"{"op":"refresh","d":{"token":"secret"}}"#,
        r#"{"op":"limits","d":{}}"#,
        r#"{"op":"hello","d":{"guest":{"name":"ann"},"resume":{"12":["k3",4]},"subscribe":[12]}}"#,
        r#"{"op":"edit","d":{"room":12,"cid":"c1","message":4,"body":"better"}}"#,
        r#"{"op":"create_room","d":{"cid":"c2","name":"den","access":{"mode":"password","password":"x"}}}"#,
    ] {
        let op = Frame::decode(asked).op.unwrap();
        let (id, Some(Output::Send(sent))) = client.ask(&op).unwrap() else {
            panic!("the server is there")
        };
        let read = Frame::decode(&sent);
        assert_eq!((read.id, read.op), (Some(id), Ok(op)), "{sent}");
    }
}

#[test]
fn commands_that_wait_have_a_bound() {
    let mut client = Client::new(Hello::default());
    let rooms = Op::Rooms { after: None };
    for _ in 0..PENDING_MAX {
        client.ask(&rooms).unwrap();
    }
    assert_eq!(client.ask(&rooms), Err(TooManyPending));
}

#[test]
fn an_event_that_the_client_is_too_old_for_still_counts() {
    let mut client = client();
    let text = r#"{"ev":"sang","room":12,"seq":43,"at":9,"by":{"id":3},"d":{"song":"x"},"more":1}"#;
    assert_eq!(told(&client.received(text)), ["event 43"]);
    assert_eq!(told(&client.received(&event(44))), ["event 44"]);
}

#[test]
fn a_filling_that_repeats_shows_nothing_twice() {
    let mut client = client();
    client.received(&event(43));
    client.received(&event(45));
    let shown = client.received(&filling(2, &[42, 43, 44], 44, 45));
    assert_eq!(told(&shown), ["event 44", "event 45"]);
}

/// What happens between a client and a server on a bad line.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The next record is written and arrives.
    Arrives,
    /// The next record is written and gets lost.
    IsLost,
    /// The last record comes again.
    IsRepeated,
    /// The oldest open question is answered, with at most so many records.
    Answer(u64),
    /// A ping tells the head.
    Ping,
    /// The socket breaks, and the client comes back to where it was.
    Break,
}

/// A server with one room that it remembers whole.
struct Server {
    head: u64,
    asked: VecDeque<(u64, u64)>,
    shown: Vec<u64>,
}

impl Server {
    fn take(&mut self, client: &mut Client, outputs: &[Output]) {
        for output in outputs {
            if let Output::Event(heard) = output {
                self.shown.push(heard.seq.number());
            }
            assert!(
                !matches!(output, Output::Reset { .. }),
                "nothing is lost for good"
            );
            let Output::Send(text) = output else { continue };
            let frame: Value = serde_json::from_str(text).unwrap();
            let id = frame["id"].as_u64().unwrap();
            if frame["op"] == "hello" {
                let from = client.positions()[&ROOM].1.number();
                let state = json!({ "st": "ok", "from": from, "to": self.head });
                let ok = json!({ "epoch": "k3", "rooms": { "12": state } });
                let outputs = client.received(&json!({ "re": id, "ok": ok }).to_string());
                self.take(client, &outputs);
            } else {
                self.asked
                    .push_back((id, frame["d"]["since"].as_u64().unwrap()));
            }
        }
    }

    fn answer(&mut self, client: &mut Client, limit: u64) {
        let Some((id, since)) = self.asked.pop_front() else {
            return;
        };
        let upto = self.head.min(since + limit);
        let seqs: Vec<u64> = (since + 1..=upto).collect();
        let outputs = client.received(&filling(id, &seqs, upto, self.head));
        self.take(client, &outputs);
    }

    fn meet(&mut self, client: &mut Client, fate: Fate) {
        let ping = |head| format!(r#"{{"sys":"ping","heads":{{"12":{head}}}}}"#);
        let outputs = match fate {
            Fate::Arrives => {
                self.head += 1;
                client.received(&event(self.head))
            }
            Fate::IsLost => {
                self.head += 1;
                return;
            }
            Fate::IsRepeated => client.received(&event(self.head)),
            Fate::Answer(limit) => return self.answer(client, limit),
            Fate::Ping => client.received(&ping(self.head)),
            Fate::Break => {
                self.asked.clear();
                client.disconnected(1006, 0);
                client.connected()
            }
        };
        self.take(client, &outputs);
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Arrives),
        2 => Just(Fate::IsLost),
        1 => Just(Fate::IsRepeated),
        3 => (1..4_u64).prop_map(Fate::Answer),
        1 => Just(Fate::Ping),
        1 => Just(Fate::Break),
    ]
}

proptest! {
    #[test]
    fn on_any_line_everything_is_shown_once_and_in_order(fates in vec(fate(), 1..60)) {
        let mut client = client();
        let mut server = Server { head: 42, asked: VecDeque::new(), shown: Vec::new() };
        for fate in fates {
            server.meet(&mut client, fate);
        }
        server.meet(&mut client, Fate::Ping);
        while !server.asked.is_empty() {
            server.answer(&mut client, 2);
        }
        let expected: Vec<u64> = (43..=server.head).collect();
        prop_assert_eq!(server.shown, expected);
    }
}

#[test]
fn a_fresh_token_goes_out_at_once_and_with_the_next_hello() {
    let mut client = client();
    let Some(Output::Send(sent)) = client.refresh(Token::new("t2")) else {
        panic!("the server is there")
    };
    assert_eq!(sent, r#"{"op":"refresh","d":{"token":"t2"}}"#);
    client.disconnected(1006, 0);
    assert!(client.refresh(Token::new("t3")).is_none());
    let hello = client.connected();
    let [Output::Send(hello)] = hello.as_slice() else {
        panic!("{hello:?}")
    };
    assert!(hello.contains(r#""token":"t3""#), "{hello}");
}
