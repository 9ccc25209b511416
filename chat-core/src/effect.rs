//! What a record asks of the shell: a pure function of the record, constant in size.

use crate::event::{Event, Record};
use crate::id::UserId;

/// An instruction to the shell. Each node computes the same ones from the same record; replay
/// follows none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Deliver the record to every session attached to the room.
    Broadcast,
    /// Attach the user's sessions to the room.
    Attach(UserId),
    /// Detach the user's sessions, after what came before in this list.
    Detach(UserId),
    /// Tell the user's sessions, whether they are attached or not.
    Notify(UserId),
    /// If the room is a group: judge this user again in the rooms that grant to it.
    Regrant(UserId),
    /// Judge everybody who is attached to the room without being a member again.
    Rejudge,
    /// Detach everybody. If the room is a group, the roles it gave are gone.
    Close,
}

/// The effects of one record, in the order in which they are to be followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    list: [Option<Effect>; 4],
}

impl Effects {
    fn of<const N: usize>(effects: [Effect; N]) -> Self {
        const { assert!(N <= 4, "a record has at most four effects") };
        let mut list = [None; 4];
        for (place, effect) in list.iter_mut().zip(effects) {
            *place = Some(effect);
        }
        Self { list }
    }

    /// The effects in order.
    pub fn iter(&self) -> impl Iterator<Item = Effect> {
        self.into_iter()
    }
}

impl IntoIterator for Effects {
    type Item = Effect;
    type IntoIter = core::iter::Flatten<core::array::IntoIter<Option<Effect>, 4>>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter().flatten()
    }
}

impl Record {
    /// What the shell has to do about this record.
    #[must_use]
    pub fn effects(&self) -> Effects {
        use Effect::{Attach, Broadcast, Close, Detach, Notify, Regrant, Rejudge};

        let by = self.by.id;
        match &self.event {
            Event::RoomCreated(it) => match it.pair {
                Some([one, other]) => Effects::of([Attach(one), Attach(other), Broadcast]),
                None if it.joined => Effects::of([Attach(by), Broadcast, Regrant(by)]),
                None => Effects::of([Broadcast]),
            },
            Event::Joined(_) => Effects::of([Attach(by), Broadcast, Regrant(by)]),
            Event::Left(_) => Effects::of([Broadcast, Detach(by), Regrant(by)]),
            Event::Kicked(it) => Effects::of([Broadcast, Detach(it.user), Regrant(it.user)]),
            Event::Banned(it) => Effects::of([
                Broadcast,
                Notify(it.user),
                Detach(it.user),
                Regrant(it.user),
            ]),
            Event::Invited(it) => Effects::of([Broadcast, Notify(it.user)]),
            Event::InviteRevoked(it) => Effects::of([Broadcast, Notify(it.user)]),
            Event::Unbanned(it) => Effects::of([Broadcast, Notify(it.user)]),
            // An owner who isn't a member has no role once the room is another's.
            Event::GrantChanged(_) | Event::AccessChanged(_) | Event::OwnershipTransferred(_) => {
                Effects::of([Broadcast, Rejudge])
            }
            Event::RoomDeleted(_) => Effects::of([Broadcast, Close]),
            Event::RoomUpdated(_)
            | Event::RoomArchived(_)
            | Event::RoomUnarchived(_)
            | Event::RoomTrimmed(_)
            | Event::InviteDeclined(_)
            | Event::Muted(_)
            | Event::Unmuted(_)
            | Event::RoleChanged(_)
            | Event::NicknameChanged(_)
            | Event::Posted(_)
            | Event::Edited(_)
            | Event::Deleted(_)
            | Event::Reacted(_)
            | Event::Unreacted(_)
            | Event::Pinned(_)
            | Event::Unpinned(_) => Effects::of([Broadcast]),
        }
    }
}
