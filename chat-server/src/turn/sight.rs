//! Answers to questions about a room's state.

use chat_core::{Author, Facts, Inquiry, Judgement, Permission, Room, RoomId, Timestamp, UserId};
use chat_protocol::answer::{BanCard, Me, RoomCard, Settings};

use super::{Judging, Turn};
use crate::bus::Attendant;
use crate::mail::{Look, Mail, NameMark, Sight, View};

impl<R> Turn<R> {
    /// Looks at a room as the mail's actor may see it.
    pub(super) fn sight(
        &self,
        look: Look,
        mail: &Mail<R>,
        facts: &Facts,
        at: Timestamp,
    ) -> Result<Sight, Judging> {
        let permission = match look {
            Look::View => Permission::Read,
            Look::May(permission) => permission,
            Look::Explain { permission, user } => {
                return self.explain(permission, user, mail, facts, at);
            }
            Look::Bans => Permission::Ban,
            Look::Invites => Permission::Invite,
            Look::Presence { .. } => Permission::ListMembers,
            Look::People { most } => return Ok(Sight::People(self.people(mail.room, most))),
            Look::Namesakes(mark) => {
                return Ok(Sight::People(self.namesakes(mail.room, mark)));
            }
        };
        let inquiry = Inquiry {
            room: mail.room,
            actor: &mail.actor,
            at,
            facts,
            permission,
        };
        let effective = match self.engine.judge(&inquiry) {
            Ok(Judgement::Granted(effective)) => effective,
            Ok(Judgement::Need(need)) => return Err(Judging::Need(need)),
            Err(rejection) => return Err(Judging::Refused(rejection.into())),
        };
        let room = self
            .engine
            .room(mail.room)
            .ok_or(Judging::Need(chat_core::Need::Room(mail.room)))?;
        let readable_from = room.readable_from(mail.actor.id);
        Ok(match look {
            Look::View => Sight::View(Box::new(View {
                card: RoomCard::from(room),
                settings: settings(room),
                me: Me {
                    role: Some(effective.role),
                    permissions: room.permissions(effective.role).iter().collect(),
                    read: chat_core::Idx::default(),
                    unread: 0,
                    mentions: 0,
                },
                pins: room.pins.clone(),
                readable_from,
            })),
            Look::May(_) => Sight::May {
                effective,
                readable_from,
                head: room.head_seq,
            },
            Look::Explain { .. } | Look::Bans => Sight::Bans(in_force(
                room.bans.iter().map(|(user, until)| (*user, *until)),
                |user| room.is_banned(user, at),
            )),
            Look::Invites => Sight::Invites(in_force(
                room.invites.iter().map(|(user, until)| (*user, *until)),
                |user| room.is_invited(user, at),
            )),
            Look::Presence { after, most } => Sight::Presence(self.present(mail.room, after, most)),
            Look::People { .. } | Look::Namesakes(_) => Sight::People(Vec::new()),
        })
    }

    /// Some of those who are present, by their numbers.
    fn present(&self, room: RoomId, after: Option<UserId>, most: usize) -> Vec<Attendant> {
        let (Some(slot), Some(state)) = (self.slots.get(&room), self.engine.room(room)) else {
            return Vec::new();
        };
        #[cfg(sabotage)]
        let most = match chat_core::sabotage::planted("whole_crowd_told_at_once") {
            true => usize::MAX,
            false => most,
        };
        let some = slot.presence.after(after).take(most);
        some.map(|(by, said)| Attendant {
            by: named(state, by),
            said: said.cloned(),
        })
        .collect()
    }

    /// Who is present in a room that anybody may see, in the order in which they arrived.
    fn people(&self, room: RoomId, most: usize) -> Vec<Author> {
        let (Some(slot), Some(state)) = (self.slots.get(&room), self.engine.room(room)) else {
            return Vec::new();
        };
        if !state.listed {
            return Vec::new();
        }
        let first = slot.presence.by_arrival(most).into_iter();
        first.map(|by| named(state, by)).collect()
    }

    /// Who of them may be taken for somebody of a name, in the order in which they arrived.
    fn namesakes(&self, room: RoomId, mark: NameMark) -> Vec<Author> {
        let (Some(slot), Some(state)) = (self.slots.get(&room), self.engine.room(room)) else {
            return Vec::new();
        };
        if !state.listed {
            return Vec::new();
        }
        let nickname = |user| state.nickname(user).cloned();
        slot.presence.namesakes(mark, nickname)
    }

    /// Explains a permission: to anybody his own, to whoever may set roles that of others.
    fn explain(
        &self,
        permission: Permission,
        user: Option<UserId>,
        mail: &Mail<R>,
        facts: &Facts,
        at: Timestamp,
    ) -> Result<Sight, Judging> {
        let mut actor = mail.actor.clone();
        if let Some(user) = user.filter(|user| *user != actor.id) {
            let permission = Permission::SetRoles;
            let inquiry = Inquiry {
                room: mail.room,
                actor: &actor,
                at,
                facts,
                permission,
            };
            match self.engine.judge(&inquiry) {
                Ok(Judgement::Granted(_)) => actor.id = user,
                Ok(Judgement::Need(need)) => return Err(Judging::Need(need)),
                Err(rejection) => return Err(Judging::Refused(rejection.into())),
            }
        } else if self
            .engine
            .room(mail.room)
            .is_some_and(|room| !is_known_to(room, &actor, at))
        {
            return Err(Judging::Refused(chat_core::Rejection::RoomNotFound.into()));
        }
        let inquiry = Inquiry {
            room: mail.room,
            actor: &actor,
            at,
            facts,
            permission,
        };
        self.engine
            .explain(&inquiry)
            .map(Sight::Explained)
            .map_err(Judging::Need)
    }
}

/// Somebody, as he is called in a room.
fn named(room: &Room, by: &Author) -> Author {
    let nickname = room.nickname(by.id);
    Author {
        id: by.id,
        name: nickname.or(by.name.as_ref()).cloned(),
    }
}

/// Whether somebody may learn of a room's rules: whether he may learn of the room at all.
fn is_known_to(room: &Room, actor: &chat_core::Actor, at: Timestamp) -> bool {
    room.listed || room.own_role(actor.id).is_some() || room.is_invited(actor.id, at)
}

fn in_force(
    list: impl Iterator<Item = (UserId, Option<Timestamp>)>,
    holds: impl Fn(UserId) -> bool,
) -> Vec<BanCard> {
    list.filter(|(user, _)| holds(*user))
        .map(|(user, until)| BanCard { user, until })
        .collect()
}

fn settings(room: &Room) -> Settings {
    Settings {
        owner: room.owner,
        history: room.history,
        features: room.features,
        capacity: room.capacity,
        slow_mode_s: room.slow_mode_s,
        retention: room.retention,
        overrides: room.overrides.clone(),
        grants: room.grants.clone(),
    }
}
