//! Tells a story to an engine and compares what came of it.
//!
//! Every story is also a replay test: see [`proofs`].

pub(crate) mod proofs;
pub(crate) mod script;
pub(crate) mod shell;
pub(crate) mod words;

use chat_core::{Inquiry, Judgement, Kind, Need, Permission, Room, Timestamp, UserId};

use self::script::{Script, Wish};
use self::shell::{Answer, Shell};
use self::words::Names;
use crate::coverage;

/// Runs a script (its grammar is in [`script`]) and compares the transcript: one line for each
/// wish, none for what happens around the engine.
pub(crate) fn check(script: &str, expected: &str) {
    let shell = tell(script, expected);
    for (room, log) in &shell.logs {
        let live = shell.room(*room).expect("a log has a room");
        proofs::prove(&live, log);
    }
}

/// The transcript of a script.
pub(crate) fn told(script: &str) -> Vec<String> {
    Story::default().lines(script)
}

/// A room as a script leaves it.
pub(crate) fn left(script: &str, room: &str) -> Room {
    let mut story = Story::default();
    story.lines(script);
    let room = story.script.room_id(room);
    story.shell.room(room).expect("a room of the script")
}

fn tell(script: &str, expected: &str) -> Shell {
    let mut story = Story::default();
    let transcript = story.lines(script);
    let expected: Vec<&str> = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if transcript != expected {
        panic!(
            "the story went another way:\n\n{}\n\nin place of\n\n{}\n",
            transcript.join("\n"),
            expected.join("\n")
        );
    }
    story.shell
}

#[derive(Default)]
struct Story {
    shell: Shell,
    script: Script,
}

impl Story {
    /// Does what the lines say.
    fn lines(&mut self, script: &str) -> Vec<String> {
        let lines = script.lines().map(str::trim);
        lines
            .filter(|line| !line.is_empty())
            .filter_map(|line| self.line(line))
            .collect()
    }

    /// Does what a line says; the transcript's line, if it gets one.
    fn line(&mut self, line: &str) -> Option<String> {
        if let Some((times, rest)) = times(line) {
            let mut last = None;
            for _ in 0..times {
                last = self.line(rest);
            }
            return last;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["wait", span] => self.script.now += script::ms(span),
            ["back", span] => self.script.now -= script::ms(span),
            ["unload", room] => drop(self.shell.engine.unload(self.script.room_id(room))),
            ["suspend", user] => drop(self.script.suspended.insert(user.into())),
            ["limit", setting] => {
                let (key, value) = setting.split_once('=').expect("limit name=value");
                let mut limits = serde_json::to_value(self.shell.engine.limits()).unwrap();
                limits[key] = serde_json::from_str(value).unwrap();
                self.shell.limit(serde_json::from_value(limits).unwrap());
            }
            [user, "blocks", other] => {
                let pair = (self.script.user_id(user), self.script.user_id(other));
                self.shell.blocks.insert(pair);
            }
            [user, "departs", room] => {
                let pair = (self.script.room_id(room), self.script.user_id(user));
                self.shell.visitors.remove(&pair);
            }
            [user, "may", permission, room] => {
                return Some(self.explain(user, permission, room.trim_end_matches('?')));
            }
            _ => {
                let wish = self.script.wish(line);
                return Some(self.wish(wish));
            }
        }
        None
    }

    fn wish(&mut self, wish: Wish) -> String {
        let Wish {
            user,
            actor,
            room,
            cid,
            command,
        } = wish;
        let new = !self.script.knows(&room);
        let id = if new {
            self.shell.reserve()
        } else {
            self.script.room_id(&room)
        };
        let name = command.name();
        let at = Timestamp::new(self.script.now);
        let answer = self.shell.ask(id, &actor, at, cid, command);
        coverage::note(name, &answer);
        match answer {
            Answer::Fact(record) => {
                if new {
                    self.script.remember(&room, record.room);
                }
                let room = self.shell.room(record.room).expect("a record has a room");
                words::record(&record, room.kind == Kind::Group, &self.script)
            }
            Answer::Repeat(room, seq) => {
                format!("{user} repeats {} {seq}", self.script.room(room))
            }
            Answer::Signal(signal) => format!("{user} {}", words::signal(signal)),
            Answer::Refused(rejection) => format!("{user} refused: {}", words::refusal(&rejection)),
            Answer::NameTaken => format!("{user} refused: name taken"),
            Answer::NumberTaken => format!("{user} needs another number"),
        }
    }

    /// Asks for a permission and its reasons, and that the short answer agrees with the long one.
    fn explain(&mut self, user: &str, permission: &str, room: &str) -> String {
        let actor = self.script.actor(user);
        let id = self.script.room_id(room);
        let permission: Permission =
            serde_json::from_value(permission.into()).expect("a permission's name");
        let facts = chat_core::Facts {
            visiting: self.shell.visitors.contains(&(id, actor.id)),
            ..chat_core::Facts::default()
        };
        let at = Timestamp::new(self.script.now);
        let inquiry = Inquiry {
            room: id,
            actor: &actor,
            at,
            facts: &facts,
            permission,
        };
        let explanation = loop {
            match self.shell.engine.explain(&inquiry) {
                Ok(explanation) => break explanation,
                Err(Need::Group(group)) => self.shell.teach(group),
                Err(Need::Room(room)) => {
                    let room = self.shell.stored(room).expect("a room of the script");
                    self.shell.engine.load(room);
                }
                Err(need) => panic!("a permission asks for {need:?}"),
            }
        };
        let judged = self.shell.engine.judge(&inquiry);
        assert_eq!(
            matches!(judged, Ok(Judgement::Granted(_))),
            explanation.allowed
        );
        let last = explanation.steps.last().expect("a chain has a rule");
        assert_eq!(last.passed, explanation.allowed, "the last rule decides");
        let steps = explanation.steps.iter();
        let steps: Vec<String> = steps
            .map(|step| format!("{}{}", if step.passed { "" } else { "not " }, step.rule))
            .collect();
        let may = if explanation.allowed {
            "may"
        } else {
            "may not"
        };
        let role = explanation
            .effective
            .map_or("nobody".into(), |it| match it.via {
                None => format!("{:?}", it.role),
                Some(via) => format!("{:?} through {}", it.role, self.script.room(via.group)),
            });
        format!("{user}, {role}, {may} {permission}: {}", steps.join(", "))
    }
}

impl Names for Script {
    fn user(&self, user: UserId) -> String {
        self.user_name(user)
    }

    fn room(&self, room: chat_core::RoomId) -> String {
        self.room_name(room)
    }
}

/// `12x bob post #den hi`: how often, and what.
fn times(line: &str) -> Option<(usize, &str)> {
    let (times, rest) = line.split_once("x ")?;
    Some((times.parse().ok()?, rest))
}
