//! What must be unique beyond one room, and is therefore watched over by the store.

use alloc::string::String;
use alloc::vec::Vec;

use crate::event::{Event, Kind, Record};
use crate::id::{Cid, RoomId, UserId};
use crate::name::Name;

/// A unique key of the store. A record may claim some; the store refuses the record if one is
/// taken.
///
/// What the shell does then:
///
/// * [`Key::Alias`]: the actor hears that the name is taken.
/// * [`Key::Direct`]: the shell loads the room that holds the key and asks again in that room.
/// * [`Key::Creation`] and [`Key::Command`]: the shell asks again in the room that holds the key,
///   with the record that claimed it in [`Facts::used`](crate::Facts::used).
///
/// A repeat gets the first answer even if it would be refused by then, so a shell looks a cid up
/// before a creation, and before it answers a command with a refusal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A room's alias, by its skeleton.
    Alias(String),
    /// The direct room of two, the smaller number first.
    Direct(UserId, UserId),
    /// A creation's cid, in the scope of its user alone: the room has no number yet.
    Creation(UserId, Cid),
    /// A command's cid, in the scope of user and room.
    Command(RoomId, UserId, Cid),
}

impl Record {
    /// The keys that this record claims. Cids come first: a repeat is a repeat, whatever else is
    /// taken by then.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        let mut keys = Vec::new();
        let pair = if let Event::RoomCreated(it) = &self.event {
            debug_assert_eq!(
                it.kind == Kind::Direct,
                it.pair.is_some(),
                "pairs are direct rooms"
            );
            keys.extend(self.cid.clone().map(|cid| Key::Creation(self.by.id, cid)));
            it.pair
        } else {
            None
        };
        let command = |cid| Key::Command(self.room, self.by.id, cid);
        keys.extend(self.cid.clone().map(command));
        keys.extend(pair.map(|[one, other]| Key::Direct(one, other)));
        keys.extend(self.alias().map(|alias| Key::Alias(alias.skeleton())));
        keys
    }

    /// Whether this record gives up the alias that its room held before.
    #[must_use]
    pub fn frees_alias(&self) -> bool {
        if let Event::RoomUpdated(it) = &self.event {
            it.alias.is_some()
        } else {
            matches!(self.event, Event::RoomDeleted(_))
        }
    }

    /// The alias that this record gives to its room.
    fn alias(&self) -> Option<&Name> {
        if let Event::RoomCreated(it) = &self.event {
            it.alias.as_ref()
        } else if let Event::RoomUpdated(it) = &self.event {
            it.alias.as_ref()
        } else {
            None
        }
    }
}
