//! `set_nickname`: choose one's own name in this room.

use super::{Outcome, Ruling};
use crate::event::{Event, NicknameChanged};
use crate::judge::{Case, within};
use crate::name::Name;
use crate::policy::Permission;
use crate::rejection::{Field, Rejection};

wish! {
    /// Chooses a name for this room alone, or goes back to the user's own.
    ///
    /// Allowed to members. Becomes [`NicknameChanged`].
    SetNickname {
        /// The name; the user's own if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nickname: Option<Name>,
    }
}

impl SetNickname {
    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        case.may(Permission::SetNickname)?;
        let Some(member) = case.room.members.get(&case.actor.id) else {
            return Err(Rejection::NotAMember.into());
        };
        if let Some(nickname) = &self.nickname {
            within(
                Field::Nickname,
                nickname.chars(),
                case.limits.nickname_chars_max,
            )?;
        }
        if member.nickname == self.nickname {
            return Ok(Outcome::Already(case.room.head_seq));
        }
        Ok(NicknameChanged {
            nickname: self.nickname.clone(),
        }
        .into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        matches!(event, Event::NicknameChanged(it) if it.nickname == self.nickname)
    }
}
