//! What somebody is to a room, and what he may see of it for that.

/// A word that only some may read. Whatever is said here contains one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// What was said.
    Line,
    /// What a room is called, and what about.
    Name,
    /// Who is in it, kept out of it, or awaited.
    Person,
}

impl Mark {
    const ALL: [Self; 3] = [Self::Line, Self::Name, Self::Person];

    /// The word with this mark in a room.
    pub(crate) fn word(self, which: Which) -> String {
        format!("{self:?}-{which:?}-xyzzy").to_lowercase()
    }

    /// Every mark of a room that a text contains.
    pub(crate) fn of(which: Which, text: &str) -> Vec<Self> {
        let marks = Self::ALL.into_iter();
        marks
            .filter(|mark| text.contains(&mark.word(which)))
            .collect()
    }
}

/// Which room it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// In no list.
    Hidden,
    /// In the directory, with a password.
    Listed,
    /// In no list; who comes later doesn't read what was said before.
    SinceJoin,
    /// In no list, read only.
    Archived,
    /// Deleted.
    Deleted,
    /// Between two others.
    Direct,
}

impl Which {
    pub(crate) const ALL: [Self; 6] = [
        Self::Hidden,
        Self::Listed,
        Self::SinceJoin,
        Self::Archived,
        Self::Deleted,
        Self::Direct,
    ];
}

/// What somebody is to all of the rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Owner,
    Member,
    Muted,
    /// A member of a group that the rooms grant a role to.
    ByGroup,
    Stranger,
    Guest,
    /// A guest who was in the room that is listed, with a socket that has gone.
    Visitor,
    Invited,
    Left,
    Kicked,
    Banned,
    /// He was a member of the group.
    Expelled,
    /// A member whose account is suspended.
    Suspended,
    /// A member whose log-in has ended.
    LoggedOut,
    /// A member whose token has ended.
    Expired,
    /// A member's number in a token that somebody else signed.
    Forger,
    /// A request without any token.
    Nobody,
}

impl Standing {
    pub(crate) const ALL: [Self; 17] = [
        Self::Owner,
        Self::Member,
        Self::Muted,
        Self::ByGroup,
        Self::Stranger,
        Self::Guest,
        Self::Visitor,
        Self::Invited,
        Self::Left,
        Self::Kicked,
        Self::Banned,
        Self::Expelled,
        Self::Suspended,
        Self::LoggedOut,
        Self::Expired,
        Self::Forger,
        Self::Nobody,
    ];

    /// Whether the token counts.
    pub(crate) const fn is_known(self) -> bool {
        match self {
            Self::Owner
            | Self::Member
            | Self::Muted
            | Self::ByGroup
            | Self::Stranger
            | Self::Guest
            | Self::Visitor
            | Self::Invited
            | Self::Left
            | Self::Kicked
            | Self::Banned
            | Self::Expelled => true,
            Self::Suspended | Self::LoggedOut | Self::Expired | Self::Forger | Self::Nobody => {
                false
            }
        }
    }

    /// Whether he may read in a room.
    pub(crate) const fn reads(self, which: Which) -> bool {
        let is_in = matches!(
            self,
            Self::Owner | Self::Member | Self::Muted | Self::ByGroup
        );
        match which {
            Which::Hidden | Which::Listed | Which::SinceJoin | Which::Archived => is_in,
            Which::Direct => matches!(self, Self::Owner),
            Which::Deleted => false,
        }
    }

    /// What he may find out of a room, whatever he asks.
    pub(crate) fn may_see(self, which: Which) -> Vec<Mark> {
        if self.reads(which) {
            let late = which == Which::SinceJoin && self != Self::Owner;
            let marks = Mark::ALL.into_iter();
            return marks.filter(|mark| !late || *mark != Mark::Line).collect();
        }
        // Who is invited knows to what.
        let invited = matches!(which, Which::Hidden | Which::SinceJoin | Which::Archived)
            && matches!(self, Self::Invited);
        if invited || which == Which::Listed && self.is_known() {
            vec![Mark::Name]
        } else {
            Vec::new()
        }
    }

    /// The code of the refusal for whoever may not read.
    pub(crate) const fn refusal(self, which: Which) -> &'static str {
        match (self, which) {
            (Self::Suspended, _) => "suspended",
            (Self::LoggedOut | Self::Forger, _) => "token_invalid",
            (Self::Expired, _) => "token_expired",
            (Self::Nobody, _) => "unauthenticated",
            (Self::Banned, Which::Listed) => "banned",
            (_, Which::Listed) => "not_a_member",
            (Self::Invited, Which::Hidden | Which::SinceJoin | Which::Archived) => "not_a_member",
            (_, _) => "room_not_found",
        }
    }
}
