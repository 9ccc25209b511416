//! Whatever is written is what `serde_json` would have written.

use std::collections::BTreeMap;

use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Verbatim, json};

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct Pair(u8, &'static str);

#[derive(Serialize)]
struct Wrapped(i64);

#[derive(Serialize)]
enum Shape {
    Bare,
    One(u8),
    Two(u8, u8),
    Named { side: u8, name: &'static str },
}

#[derive(Serialize)]
struct Everything<'a> {
    shapes: [Shape; 4],
    numbers: (i8, i16, i32, i64, u8, u16, u32, u64, f32, f64),
    nothing: (Option<u8>, Option<u8>, (), Unit),
    pair: Pair,
    wrapped: Wrapped,
    letters: (char, char, bool),
    by_number: BTreeMap<i32, &'a str>,
    by_text: BTreeMap<&'a str, [u8; 0]>,
    empty: BTreeMap<u64, u64>,
    #[serde(flatten)]
    more: BTreeMap<&'a str, u8>,
}

fn check(value: &impl Serialize) {
    let text = String::from_utf8(json(value)).unwrap();
    assert_eq!(text, serde_json::to_string(value).unwrap());
}

#[test]
fn every_shape_of_value_is_written_as_serde_json_writes_it() {
    check(&Everything {
        shapes: [
            Shape::Bare,
            Shape::One(1),
            Shape::Two(1, 2),
            Shape::Named {
                side: 3,
                name: "square",
            },
        ],
        numbers: (-1, -2, -3, i64::MIN, 4, 5, 6, u64::MAX, 0.5, f64::NAN),
        nothing: (None, Some(7), (), Unit),
        pair: Pair(8, "tab\t"),
        wrapped: Wrapped(-9),
        letters: ('"', 'é', true),
        by_number: [(-1, "minus"), (10, "ten")].into(),
        by_text: [("", []), ("quo\"ted", [])].into(),
        empty: BTreeMap::new(),
        more: [("a", 1), ("b\n", 2)].into(),
    });
}

#[test]
fn every_character_is_escaped_as_serde_json_does_it() {
    for c in ('\0'..='\u{100}').chain(['\u{2028}', '💬']) {
        // At the beginning, within and beyond what is looked at at once.
        for before in [0, 1, 7, 8, 9, 40] {
            check(&format!("{}{c}{}", "x".repeat(before), "y".repeat(20)));
        }
    }
}

#[test]
fn what_is_json_already_stands_as_it_is() {
    let said = json(&("message", Verbatim("{\"a\" : [1e3] }")));
    assert_eq!(said, br#"["message",{"a" : [1e3] }]"#);
}

/// Talk, with what has to be escaped in it here and there.
fn talk() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z \"\\\\\n\t\u{1}é]{0,80}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        talk().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let fields = proptest::collection::btree_map(talk(), inner.clone(), 0..4);
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(Value::from),
            fields.prop_map(|it| Value::Object(it.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_is_written_as_serde_json_writes_it(value in value()) {
        let text = String::from_utf8(json(&value)).unwrap();
        prop_assert_eq!(text, serde_json::to_string(&value).unwrap());
    }
}
