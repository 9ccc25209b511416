//! Lists against a naive recount of the log, over random logs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chat_core::commands::{
    Ban, Command, Delete, DeleteRoom, Edit, Join, Kick, Leave, Post, React, SetRole, Trim, Unban,
    Unreact,
};
use chat_core::{Content, Event, Reaction, Record, Role, RoomId, Seq, UserId};
use chat_server::store::Marker;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use super::Any;
use super::stage::{ALICE, Stage, all, text};

/// One thing that somebody does in a room.
#[derive(Clone, Debug)]
enum Step {
    Act(UserId, Command),
    Read(UserId, u64),
}

/// Messages are named by how far back they lie, so that most of them exist.
fn steps() -> impl Strategy<Value = Vec<(UserId, u8, u64, u64)>> {
    let step = (1..=4u64, 0..17u8, 0..8u64, 1..=4u64);
    let step = step.prop_map(|(user, what, back, other)| (UserId::new(user), what, back, other));
    prop::collection::vec(step, 1..80)
}

fn step(stage: &Stage, room: RoomId, draw: (UserId, u8, u64, u64)) -> Step {
    let (user, what, back, other) = draw;
    let other = UserId::new(other);
    let head = stage.engine.room(room).unwrap();
    let message = Seq::new(head.head_seq.number().saturating_sub(back));
    let reaction = || Reaction::new(["a", "b", "c"][(back % 3) as usize]).unwrap();
    let said = || text(&format!("{user} at {}", stage.at));
    Step::Act(
        user,
        match what {
            0..=4 => Post {
                mentions: if what < 2 { vec![other] } else { Vec::new() },
                mention_all: what == 2,
                ..Post::plain(said())
            }
            .into(),
            5 => Edit {
                mentions: vec![other],
                ..Edit::plain(message, said())
            }
            .into(),
            6 => Edit::plain(message, said()).into(),
            7 | 8 => Delete { message }.into(),
            9 => React {
                message,
                reaction: reaction(),
            }
            .into(),
            10 => Unreact {
                message,
                reaction: reaction(),
            }
            .into(),
            11 => Join::default().into(),
            12 => Leave {}.into(),
            13 if back < 3 => Kick {
                user: other,
                reason: None,
            }
            .into(),
            13 if back < 5 => Ban {
                user: other,
                until: None,
                reason: None,
            }
            .into(),
            13 => Unban { user: other }.into(),
            14 => SetRole {
                user: other,
                role: Role::Moderator,
            }
            .into(),
            15 => Trim { from: message }.into(),
            _ => return Step::Read(user, head.head_idx.number().saturating_sub(back)),
        },
    )
}

/// What a naive reader makes of a log, beginning at its beginning.
#[derive(Default)]
struct Recount {
    read: BTreeMap<UserId, u64>,
    messages: BTreeMap<Seq, Line>,
    kept_from: Seq,
}

struct Line {
    idx: u64,
    author: UserId,
    all: bool,
    mentions: BTreeSet<UserId>,
    content: Option<Content>,
    deleted: bool,
    reactions: BTreeMap<Reaction, BTreeSet<UserId>>,
}

impl Recount {
    fn hear(&mut self, record: &Record) {
        let by = record.by.id;
        match &record.event {
            Event::RoomCreated(_) | Event::Joined(_) => {
                self.read.insert(by, self.messages.len() as u64);
            }
            Event::Left(_) => drop(self.read.remove(&by)),
            Event::Kicked(it) => drop(self.read.remove(&it.user)),
            Event::Banned(it) => drop(self.read.remove(&it.user)),
            Event::Posted(it) => {
                self.read
                    .entry(by)
                    .and_modify(|read| *read = it.idx.number());
                self.messages.insert(
                    record.seq,
                    Line {
                        idx: it.idx.number(),
                        author: by,
                        all: it.mention_all,
                        mentions: it.mentions.clone(),
                        content: it.content.clone(),
                        deleted: false,
                        reactions: BTreeMap::new(),
                    },
                );
            }
            Event::Edited(it) => {
                let line = self.messages.get_mut(&it.message).unwrap();
                line.mentions = it.mentions.clone();
                line.content = it.content.clone();
            }
            Event::Deleted(it) => {
                let line = self.messages.get_mut(&it.message).unwrap();
                line.deleted = true;
                line.content = None;
                line.reactions.clear();
            }
            Event::Reacted(it) => {
                let line = self.messages.get_mut(&it.message).unwrap();
                line.reactions
                    .entry(it.reaction.clone())
                    .or_default()
                    .insert(by);
            }
            Event::Unreacted(it) => {
                let line = self.messages.get_mut(&it.message).unwrap();
                line.reactions.get_mut(&it.reaction).unwrap().remove(&by);
                line.reactions.retain(|_, users| !users.is_empty());
            }
            Event::RoomTrimmed(it) => self.kept_from = it.from,
            _ => {}
        }
    }

    /// Those that are kept.
    fn kept(&self) -> impl Iterator<Item = (&Seq, &Line)> {
        self.messages.range(self.kept_from..)
    }

    fn marker(&self, user: UserId) -> Marker {
        let Some(read) = self.read.get(&user) else {
            return Marker::default();
        };
        let unread = || {
            self.kept()
                .map(|(_, line)| line)
                .filter(|line| line.idx > *read && line.author != user && !line.deleted)
        };
        Marker {
            read: chat_core::Idx::new(*read),
            unread: unread().count() as u64,
            mentions: unread()
                .filter(|it| it.all || it.mentions.contains(&user))
                .count() as u64,
        }
    }
}

pub(super) async fn lists_equal_a_naive_recount(store: Any) {
    let mut runner = TestRunner::new(Config::default());
    for number in 1..=24 {
        let draws = steps().new_tree(&mut runner).unwrap().current();
        // Shown if the story fails, so that it can be told again.
        println!("room {number}: {draws:?}");
        let mut stage = Stage::new(Arc::clone(&store));
        let den = stage.den(number).await;
        let mut recount = Recount::default();
        recount.hear(&store.records(den, Seq::default(), 1).await.unwrap()[0]);
        for draw in draws {
            match step(&stage, den, draw) {
                Step::Act(user, command) => {
                    if let Some(record) = stage.try_act(den, user, command).await {
                        recount.hear(&record);
                    }
                }
                Step::Read(user, idx) => {
                    let idx_read = chat_core::Idx::new(idx);
                    store.mark_read(&[(den, user, idx_read)]).await.unwrap();
                    recount
                        .read
                        .entry(user)
                        .and_modify(|read| *read = idx.max(*read));
                }
            }
        }
        compare(&stage, den, &recount).await;
        if number % 5 == 0 {
            stage.act(den, ALICE, DeleteRoom {}).await;
        }
    }
}

async fn compare(stage: &Stage, den: RoomId, recount: &Recount) {
    let store = &stage.store;
    let room = stage.engine.room(den).unwrap();
    assert_eq!(store.load(den).await.unwrap().as_ref(), Some(room));
    for user in (1..=4).map(UserId::new) {
        let marker = recount.marker(user);
        assert_eq!(store.marker(den, user).await.unwrap(), marker, "{user}");
        let mine = store.rooms_of(user).await.unwrap();
        let mine = mine.iter().find(|mine| mine.room.id == den);
        assert_eq!(mine.is_some(), room.members.contains_key(&user));
        if let Some(mine) = mine {
            let seen = Marker {
                read: mine.read,
                unread: mine.unread,
                mentions: mine.mentions,
            };
            assert_eq!((seen, Some(mine.role)), (marker, room.own_role(user)));
            assert_eq!(mine.room.members, room.members.len() as u64);
        }
    }
    let members = store.members(den, None, 99).await.unwrap();
    let expected: Vec<_> = room
        .members
        .iter()
        .map(|(user, it)| (*user, it.since))
        .collect();
    let seen: Vec<_> = members
        .iter()
        .map(|member| (member.user.id, member.since))
        .collect();
    assert_eq!(seen, expected);

    let messages = store.messages(&all(den)).await.unwrap();
    assert_eq!(messages.len(), recount.kept().count());
    for (message, (seq, line)) in messages.iter().zip(recount.kept()) {
        assert_eq!((message.seq, message.idx.number()), (*seq, line.idx));
        assert_eq!(
            (&message.content, &message.mentions),
            (&line.content, &line.mentions)
        );
        assert_eq!(message.deleted_at.is_some(), line.deleted);
        let counts: BTreeMap<_, _> = message
            .reactions
            .iter()
            .map(|it| (it.reaction.clone(), (it.count, it.mine)))
            .collect();
        let expected: BTreeMap<_, _> = line
            .reactions
            .iter()
            .map(|(it, users)| (it.clone(), (users.len() as u64, users.contains(&ALICE))))
            .collect();
        assert_eq!(counts, expected);
        let (_, head) = store.head(den, *seq).await.unwrap();
        assert_eq!(head.as_ref(), room.head(*seq));
    }
}
