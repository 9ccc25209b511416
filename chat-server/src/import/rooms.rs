//! What rooms are called here: the number and the unique name of each.
//!
//! An old id should go on to mean its room. Where ids were numbers, the room takes the same number if
//! that is free; else its id becomes its unique name, if that is free and spells no other room. What
//! a room was called is kept in the store before it is made, so it is called the same for ever.

use std::collections::HashSet;

use chat_core::{Cid, Key, Name, RoomId, Seq};
use chat_protocol::Spelling;

use super::line::Kind;
use super::outline::{Here, Outline};
use super::report::Desk;
use super::together::{TOGETHER, all};
use super::{ImportError, Options, Source};
use crate::store::{Store, StoreError};

/// The highest number that a room may bring with it: those that are made later go on after it.
const NUMBER_KEPT_MAX: u64 = 10_000_000;

/// How often a number that somebody else took meanwhile is replaced by another.
const TRIES_MAX: usize = 8;

/// Who is at a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Nobody,
    /// The room that an earlier import made for this very id.
    Itself,
    Another,
}

/// Gives each room of the file its number and its unique name.
pub(super) async fn number(
    store: &dyn Store,
    options: &Options,
    outline: &mut Outline,
    desk: &mut Desk<'_>,
) -> Result<(), ImportError> {
    let from = options.from;
    let mut numbers = Numbers {
        store,
        from,
        wanted: HashSet::new(),
        spare: Vec::new(),
    };
    let mut open: Vec<usize> = (0..outline.rooms.len())
        .filter(|index| {
            outline
                .rooms
                .get(*index)
                .is_some_and(|it| it.line.is_some())
        })
        .collect();
    let mut wishes = numbers.wishes(outline, &open).await?;
    for attempt in 0..TRIES_MAX {
        open = numbers.keep(outline, open, &mut wishes, attempt).await?;
    }
    for index in open {
        if let Some((line, _)) = outline.rooms.get(index).and_then(|it| it.line.as_ref()) {
            desk.refuse(
                *line,
                Some(Kind::Room),
                "its number was taken by another room",
            );
        }
    }
    name(store, options, outline).await?;
    Ok(())
}

struct Numbers<'a> {
    store: &'a dyn Store,
    from: Source,
    /// Numbers that rooms of the file bring with them.
    wanted: HashSet<RoomId>,
    /// Numbers that were reserved and not needed.
    spare: Vec<RoomId>,
}

impl Numbers<'_> {
    /// The numbers that rooms bring with them, as far as they are free.
    async fn wishes(
        &mut self,
        outline: &Outline,
        open: &[usize],
    ) -> Result<Vec<Option<RoomId>>, StoreError> {
        let mut wishes = vec![None; outline.rooms.len()];
        let Some(spelling) = self.from.numbers() else {
            return Ok(wishes);
        };
        for part in open.chunks(TOGETHER) {
            let ids = part.iter().filter_map(|index| {
                let id = &outline.rooms.get(*index)?.id;
                let number = spelling.read(id)?;
                let fits = (1..=NUMBER_KEPT_MAX).contains(&number.number());
                fits.then_some((*index, id, number))
            });
            let ids: Vec<_> = ids.collect();
            let found = all(ids.iter().map(|(_, id, number)| self.at(id, *number))).await;
            for ((index, _, number), at) in ids.into_iter().zip(found) {
                if at? != At::Another
                    && let Some(wish) = wishes.get_mut(index)
                {
                    self.wanted.insert(number);
                    *wish = Some(number);
                }
            }
        }
        Ok(wishes)
    }

    /// Has the store keep the numbers of some rooms; gives those whose number turned out to be
    /// somebody else's.
    async fn keep(
        &mut self,
        outline: &mut Outline,
        open: Vec<usize>,
        wishes: &mut [Option<RoomId>],
        attempt: usize,
    ) -> Result<Vec<usize>, StoreError> {
        let mut left = Vec::new();
        for part in open.chunks(TOGETHER) {
            let mut proposals = Vec::new();
            for index in part {
                let wish = wishes.get_mut(*index).and_then(Option::take);
                proposals.push(match wish {
                    Some(number) => number,
                    None => self.reserve().await?,
                });
            }
            let rooms = part.iter().filter_map(|index| outline.rooms.get(*index));
            let found = all(rooms.zip(&proposals).map(async |(room, proposal)| {
                let number = self.kept(&room.id, attempt, *proposal).await?;
                let at = self.at(&room.id, number).await?;
                Ok::<_, StoreError>((number, at))
            }));
            let found = found.await;
            for ((index, proposal), found) in part.iter().zip(proposals).zip(found) {
                let (id, at) = found?;
                if id != proposal && !self.wanted.contains(&proposal) {
                    self.spare.push(proposal);
                }
                let Some(room) = outline.rooms.get_mut(*index) else {
                    continue;
                };
                let own = self.from.numbers().map(|it| it.write(id));
                if at == At::Another {
                    left.push(*index);
                } else {
                    room.here = Some(Here {
                        id,
                        is_made: at == At::Itself,
                        alias: None,
                        keeps_number: own.as_ref() == Some(&room.id),
                    });
                }
            }
        }
        Ok(left)
    }

    /// The number that the store keeps for an id: the first that was ever proposed.
    async fn kept(&self, id: &str, attempt: usize, proposal: RoomId) -> Result<RoomId, StoreError> {
        let name = format!("import/{}/room.{attempt}/{id}", self.from.name());
        let kept = self.store.setting(&name, &proposal.to_string()).await?;
        Spelling::Number
            .read(&kept)
            .ok_or_else(|| StoreError::Damaged(format!("the setting {name} is no number")))
    }

    async fn reserve(&mut self) -> Result<RoomId, StoreError> {
        if let Some(spare) = self.spare.pop() {
            return Ok(spare);
        }
        loop {
            let number = self.store.reserve_room().await?;
            if !self.wanted.contains(&number) {
                return Ok(number);
            }
        }
    }

    async fn at(&self, id: &str, number: RoomId) -> Result<At, StoreError> {
        let first = self.store.records(number, Seq::default(), 1).await?;
        Ok(match first.first() {
            None => At::Nobody,
            Some(record) if record.cid.is_some() && record.cid == founding(self.from, id) => {
                At::Itself
            }
            Some(_) => At::Another,
        })
    }
}

/// The id under which a room is made.
pub(super) fn founding(from: Source, id: &str) -> Option<Cid> {
    from.cid("r", id)
}

/// Gives rooms that are to be made the unique names that they can have.
async fn name(
    store: &dyn Store,
    options: &Options,
    outline: &mut Outline,
) -> Result<(), StoreError> {
    let numbers: HashSet<RoomId> = outline
        .rooms
        .iter()
        .filter_map(|room| Some(room.here.as_ref()?.id))
        .collect();
    let mut taken = HashSet::new();
    for room in &mut outline.rooms {
        let (Some(here), Some((_, line))) = (&mut room.here, &room.line) else {
            continue;
        };
        if here.is_made {
            continue;
        }
        // Where names were unique, a name is as good as an id; where the number stays, the id needs
        // no other spelling.
        let candidates = match options.from {
            _ if here.keeps_number => [&line.name, &line.name],
            Source::Groups => [&line.name, &line.id],
            Source::Rooms | Source::Socketio | Source::Rest | Source::Actions => {
                [&line.id, &line.name]
            }
        };
        for candidate in candidates {
            let Ok(name) = Name::new(candidate) else {
                continue;
            };
            let fits = name.chars() <= options.limits.alias_chars_max;
            if here.alias.is_none() && fits && is_free(store, &name, &numbers, &taken).await? {
                taken.insert(name.skeleton());
                here.alias = Some(name);
            }
        }
    }
    Ok(())
}

/// Whether a name may become a room's alias: nobody has it, and in no dialect does it spell the
/// number of a room, of this file or another.
async fn is_free(
    store: &dyn Store,
    name: &Name,
    numbers: &HashSet<RoomId>,
    taken: &HashSet<String>,
) -> Result<bool, StoreError> {
    let skeleton = name.skeleton();
    if taken.contains(&skeleton) {
        return Ok(false);
    }
    for number in Spelling::ALL.iter().filter_map(|it| it.read(name.as_str())) {
        if numbers.contains(&number) || store.card(number).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(store.holder(&Key::Alias(skeleton)).await?.is_none())
}
