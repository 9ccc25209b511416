//! Requests over HTTP, one conversation per file, compared to the byte.
//!
//! Each line is an object with one key. `H`: a request of a client. `op`: who is to ask, and for
//! what it was read; null if the reply needs nobody. `answer`: what the dialect is given to spell.
//! `S`: the reply, and the methods that it allows if it says so. `GOLDEN_WRITE=1` writes down what is.

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs};

use chat_protocol::Dialect;
use chat_protocol::http::{Asked, Reply, Request, Site};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::given::answer;
use crate::golden::compare;

#[test]
fn rest_requests_are_answered_in_its_words() {
    hold(Dialect::Rest);
}

#[test]
fn a_site_lies_below_its_path() {
    assert_eq!(Site::ALL.map(Site::path), ["/v1/api", "/api"]);
}

#[derive(Deserialize)]
struct Given {
    method: String,
    path: String,
    authorization: Option<String>,
    /// The body; a string as what it says.
    #[serde(default)]
    body: Value,
}

fn hold(dialect: Dialect) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/http");
    let mut files = 0;
    for entry in fs::read_dir(root.join(dialect.name())).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let actual = replay(Site::of(dialect).unwrap(), &text);
        files += 1;
        if env::var_os("GOLDEN_WRITE").is_some() {
            fs::write(&path, &actual).unwrap();
            continue;
        }
        compare(&path, &text, &actual);
    }
    assert!(files > 0, "requests of {}", dialect.name());
}

/// The transcript with `op` and `S` as they come out.
fn replay(site: Site, text: &str) -> String {
    let mut asked: Option<Result<Asked, Reply>> = None;
    let mut reply: Option<Reply> = None;
    let mut actual = String::new();
    for line in text.lines() {
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(line).expect(line);
        let (key, raw) = fields.iter().next().expect("one key");
        let line = match key.as_str() {
            "H" => {
                let read = ask(site, &serde_json::from_str(raw.get()).unwrap());
                reply = match &read {
                    Ok(Asked {
                        ticket,
                        op: Err(refusal),
                        ..
                    }) => Some(ticket.reply(&Err(refusal.clone()))),
                    Ok(_) => None,
                    Err(reply) => Some(reply.clone()),
                };
                asked = Some(read);
                line.to_owned()
            }
            "op" => {
                let shown = match asked.as_ref().unwrap() {
                    Ok(it) => Some(match &it.op {
                        Ok(op) => format!("{:?}: {op:?}", it.proof),
                        Err(refusal) => format!("{:?}: refused: {}", it.proof, refusal.code),
                    }),
                    Err(_) => None,
                };
                format!("{{\"op\":{}}}", Value::from(shown))
            }
            "answer" => {
                let Some(Ok(asked)) = &asked else {
                    panic!("nobody answers {line}");
                };
                reply = Some(asked.ticket.reply(&answer(raw.get())));
                line.to_owned()
            }
            "S" => {
                let reply = reply.take().expect("a reply");
                let body = String::from_utf8(reply.body).unwrap();
                let allow = reply.allow.map(|it| format!(",{}", Value::from(it)));
                let allow = allow.unwrap_or_default();
                format!("{{\"S\":[{},{body}{allow}]}}", reply.status)
            }
            other => panic!("{other} is no key of a transcript"),
        };
        actual.push_str(&line);
        actual.push('\n');
    }
    actual
}

fn ask(site: Site, given: &Given) -> Result<Asked, Reply> {
    let body = match &given.body {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        body @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            body.to_string()
        }
    };
    site.ask(&Request {
        method: &given.method,
        path: &given.path,
        authorization: given.authorization.as_deref(),
        body: body.as_bytes(),
    })
}
