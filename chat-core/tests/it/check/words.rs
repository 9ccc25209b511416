//! Facts in words, as transcripts have them.

use chat_core::event::{Event, Record};
use chat_core::{Effect, Rejection, RoomId, Signal, UserId, Way};

/// How a script calls users and rooms.
pub(crate) trait Names {
    fn user(&self, user: UserId) -> String;
    fn room(&self, room: RoomId) -> String;
}

/// A record's line. Only a group's says who is to be judged again elsewhere.
pub(crate) fn record(record: &Record, group: bool, names: &impl Names) -> String {
    let (seq, by) = (record.seq, names.user(record.by.id));
    let mut line = format!("{seq} {by} {}", event(&record.event, names));
    if let Some(via) = record.via {
        line += &format!(" through {}", names.room(via.group));
    }
    let effects = record.effects();
    let shown = effects
        .iter()
        .filter(|it| group || !matches!(it, Effect::Regrant(_)));
    let effects: Vec<String> = shown.map(|it| effect(it, names)).collect();
    format!("{line}: {}", effects.join(", "))
}

pub(crate) fn refusal(rejection: &Rejection) -> String {
    if let Rejection::SlowMode { retry_ms } | Rejection::RateLimited { retry_ms } = rejection {
        format!("{rejection} ({retry_ms} ms)")
    } else {
        rejection.to_string()
    }
}

pub(crate) fn signal(signal: Signal) -> String {
    match signal {
        Signal::Typing { on: true } => "is typing".into(),
        Signal::Typing { on: false } => "stopped typing".into(),
        Signal::Visited => "visits".into(),
        Signal::Read { idx, as_of: _ } => format!("has read {idx}"),
    }
}

fn event(event: &Event, names: &impl Names) -> String {
    let user = |it: UserId| names.user(it);
    match event {
        Event::RoomCreated(_) => "created".into(),
        Event::RoomUpdated(_) => "updated".into(),
        Event::AccessChanged(_) => "changed access".into(),
        Event::GrantChanged(it) => match it.role {
            Some(role) => format!("granted {role:?} to {}", names.room(it.group)),
            None => format!("granted nothing to {}", names.room(it.group)),
        },
        Event::RoomArchived(_) => "archived".into(),
        Event::RoomUnarchived(_) => "unarchived".into(),
        Event::RoomTrimmed(it) => format!("trimmed to {}", it.from),
        Event::RoomDeleted(_) => "deleted the room".into(),
        Event::OwnershipTransferred(it) => format!("transferred to {}", user(it.to)),
        Event::Joined(it) => match it.way {
            Way::Owner => format!("joined as {:?}, owner", it.role),
            Way::Open => format!("joined as {:?}", it.role),
            Way::Password => format!("joined as {:?}, by password", it.role),
            Way::Invite => format!("joined as {:?}, invited", it.role),
            Way::Group { group } => format!("joined as {:?}, by {}", it.role, names.room(group)),
        },
        Event::Left(_) => "left".into(),
        Event::Invited(it) => format!("invited {}", user(it.user)),
        Event::InviteRevoked(it) => format!("took back the invitation of {}", user(it.user)),
        Event::InviteDeclined(_) => "declined".into(),
        Event::Kicked(it) => format!("kicked {}", user(it.user)),
        Event::Banned(it) => format!("banned {}", user(it.user)),
        Event::Unbanned(it) => format!("unbanned {}", user(it.user)),
        Event::Muted(it) => format!("muted {}", user(it.user)),
        Event::Unmuted(it) => format!("unmuted {}", user(it.user)),
        Event::RoleChanged(it) => format!("made {} {:?}", user(it.user), it.role),
        Event::NicknameChanged(it) => match &it.nickname {
            Some(nickname) => format!("is called {nickname}"),
            None => "is called as everywhere".into(),
        },
        Event::Posted(it) => format!("posted message {}", it.idx),
        Event::Edited(it) => format!("edited {}", it.message),
        Event::Deleted(it) => format!("deleted {}", it.message),
        Event::Reacted(it) => format!("reacted {} to {}", it.reaction.as_str(), it.message),
        Event::Unreacted(it) => format!("took {} from {}", it.reaction.as_str(), it.message),
        Event::Pinned(it) => format!("pinned {}", it.message),
        Event::Unpinned(it) => format!("unpinned {}", it.message),
    }
}

fn effect(effect: Effect, names: &impl Names) -> String {
    match effect {
        Effect::Broadcast => "broadcast".into(),
        Effect::Attach(user) => format!("attach {}", names.user(user)),
        Effect::Detach(user) => format!("detach {}", names.user(user)),
        Effect::Notify(user) => format!("notify {}", names.user(user)),
        Effect::Regrant(user) => format!("regrant {}", names.user(user)),
        Effect::Rejudge => "rejudge".into(),
        Effect::Close => "close".into(),
    }
}
