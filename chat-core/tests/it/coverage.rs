//! All stories together show every command, every fact and every refusal.

use std::cell::RefCell;
use std::collections::BTreeSet;

use chat_core::{Command, Event, Rejection};

use crate::check::shell::Answer;

#[derive(Default)]
struct Seen {
    commands: BTreeSet<&'static str>,
    events: BTreeSet<&'static str>,
    refusals: BTreeSet<&'static str>,
}

thread_local! {
    static SEEN: RefCell<Seen> = RefCell::default();
}

/// Notes what a story has shown.
pub(crate) fn note(command: &'static str, answer: &Answer) {
    SEEN.with_borrow_mut(|seen| {
        if let Answer::Fact(record) = answer {
            seen.events.insert(record.event.name());
        } else if let Answer::Refused(rejection) = answer {
            seen.refusals.insert(code(rejection));
        }
        if matches!(
            answer,
            Answer::Fact(_) | Answer::Repeat(..) | Answer::Signal(_)
        ) {
            seen.commands.insert(command);
        }
    });
}

/// Begins anew.
pub(crate) fn forget() {
    SEEN.take();
}

/// Asks that every command was granted, every fact came to be and every refusal was heard
/// since.
pub(crate) fn assert_all_seen() {
    let seen = SEEN.take();
    let none: [&str; 0] = [];
    assert_eq!(
        missing(Command::NAMES, &seen.commands),
        none,
        "commands that were never granted"
    );
    assert_eq!(
        missing(Event::NAMES, &seen.events),
        none,
        "facts that never came to be"
    );
    assert_eq!(
        missing(CODES, &seen.refusals),
        none,
        "refusals that nobody heard"
    );
}

#[test]
fn the_stories_show_every_command_every_fact_and_every_refusal() {
    forget();
    let stories = [
        crate::rooms::STORIES,
        crate::membership::STORIES,
        crate::posting::STORIES,
        crate::groups::STORIES,
        crate::rights::STORIES,
        crate::replay::STORIES,
    ];
    stories.concat().iter().for_each(|story| story());
    assert_all_seen();
}

fn missing<'a>(all: &[&'a str], seen: &BTreeSet<&'static str>) -> Vec<&'a str> {
    all.iter()
        .copied()
        .filter(|name| !seen.contains(name))
        .collect()
}

/// The refusals by their codes. A variant without one doesn't compile.
fn code(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::BadArgument { .. } => "bad_argument",
        Rejection::TooLarge { .. } => "too_large",
        Rejection::EmptyBody => "empty_body",
        Rejection::PermissionDenied { .. } => "permission_denied",
        Rejection::NotAMember => "not_a_member",
        Rejection::Banned { .. } => "banned",
        Rejection::Muted { .. } => "muted",
        Rejection::Outranked => "outranked",
        Rejection::WrongPassword => "wrong_password",
        Rejection::InviteRequired => "invite_required",
        Rejection::Archived => "archived",
        Rejection::Blocked => "blocked",
        Rejection::Suspended => "suspended",
        Rejection::RoomNotFound => "room_not_found",
        Rejection::UserNotFound => "user_not_found",
        Rejection::MessageNotFound => "message_not_found",
        Rejection::CidConflict => "cid_conflict",
        Rejection::LastOwner => "last_owner",
        Rejection::MessageDeleted => "message_deleted",
        Rejection::EditWindowClosed => "edit_window_closed",
        Rejection::SlowMode { .. } => "slow_mode",
        Rejection::RateLimited { .. } => "rate_limited",
        Rejection::RoomFull => "room_full",
        Rejection::TooMany { .. } => "too_many",
    }
}

/// The codes that the wire promises for refusals of the engine.
const CODES: &[&str] = &[
    "bad_argument",
    "too_large",
    "empty_body",
    "permission_denied",
    "not_a_member",
    "banned",
    "muted",
    "outranked",
    "wrong_password",
    "invite_required",
    "archived",
    "blocked",
    "suspended",
    "room_not_found",
    "user_not_found",
    "message_not_found",
    "cid_conflict",
    "last_owner",
    "message_deleted",
    "edit_window_closed",
    "slow_mode",
    "rate_limited",
    "room_full",
    "too_many",
];
