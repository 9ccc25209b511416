//! The rules of what is said.

use chat_core::commands::{Edit, Post};
use chat_core::event::{Deleted, Edited, Pinned, Posted, Reacted, Unpinned, Unreacted};
use chat_core::{
    Content, Counted, Field, Idx, Kind, Permission, Reaction, Rejection, Role, Rule, Seq, Signal,
    UserId,
};

use super::rules::{bad, fact, too_many};
use super::{Question, Ruled, Verdict};

/// A day, in which one may edit.
const EDIT_MS: u64 = 86_400_000;

/// The time in which a budget of posts grows by one.
const REFILL_MS: u64 = 500;

impl Question<'_> {
    pub(super) fn post(&self, it: &Post) -> Ruled {
        let role = self.may(Permission::Post)?;
        self.content(&it.body, &it.mentions)?;
        if it.mention_all {
            self.may(Permission::MentionAll)?;
        }
        if let Some(message) = it.reply_to {
            self.living(message)?;
        }
        if let Some(root) = it.thread {
            if !self.past.features().threads {
                let permission = Permission::Post;
                return Err(Rejection::PermissionDenied {
                    permission,
                    rule: Rule::Feature,
                });
            }
            if self.living(root)?.in_thread {
                return Err(bad(Field::Message));
            }
        }
        if self.past.kind() == Kind::Direct {
            let mut peers = self.past.pair().into_iter().flatten();
            let peer = peers.find(|user| *user != self.actor.id).unwrap();
            if self.oracle.blocks.contains(&(peer, self.actor.id)) {
                return Err(Rejection::Blocked);
            }
        }
        self.not_too_fast(role)?;
        fact(Posted {
            idx: self.past.messages().next(),
            reply_to: it.reply_to,
            thread: it.thread,
            mentions: it.mentions.iter().copied().collect(),
            mention_all: it.mention_all,
            content: Some(Content::plain(it.body.clone())),
        })
    }

    fn content(&self, body: &chat_core::Text, mentions: &[UserId]) -> Result<(), Rejection> {
        let max = self.oracle.limits.body_bytes_max;
        if body.as_str().len() > max {
            return Err(Rejection::TooLarge {
                field: Field::Body,
                max: max as u64,
            });
        }
        let max = self.oracle.limits.mentions_max;
        if mentions.len() > max {
            return Err(too_many(Counted::Mentions, max));
        }
        if body.as_str().trim().is_empty() {
            Err(Rejection::EmptyBody)
        } else {
            Ok(())
        }
    }

    /// Slow mode, then a debt of half a second for each post. A clock that was set back since the
    /// last post holds nobody up, nor does a debt that nobody could have made by the rules.
    fn not_too_fast(&self, role: Role) -> Result<(), Rejection> {
        let posts = self.past.posts(self.actor.id);
        let Some(last) = posts.last() else {
            return Ok(());
        };
        if self.now < *last {
            return Ok(());
        }
        let (since, slow_ms) = (self.at.ms_since(*last), self.past.slow_ms());
        if since < slow_ms && !self.holds(role, Permission::BypassSlowMode) {
            return Err(Rejection::SlowMode {
                retry_ms: slow_ms - since,
            });
        }
        let full = self.oracle.limits.posts_burst * REFILL_MS;
        let (mut debt, mut at) = (0_u64, posts[0]);
        for post in posts {
            debt = debt.saturating_sub(post.ms_since(at)) + REFILL_MS;
            at = post;
        }
        debt = debt.saturating_sub(self.at.ms_since(at));
        if debt > full || debt + REFILL_MS <= full {
            return Ok(());
        }
        Err(Rejection::RateLimited {
            retry_ms: debt + REFILL_MS - full,
        })
    }

    pub(super) fn edit(&self, it: &Edit) -> Ruled {
        let permission = Permission::EditOwn;
        self.may(permission)?;
        self.content(&it.body, &it.mentions)?;
        let message = self.living(it.message)?;
        if message.author != self.actor.id {
            let rule = Rule::NotTheAuthor;
            return Err(Rejection::PermissionDenied { permission, rule });
        }
        if self.at.ms_since(message.at) > EDIT_MS {
            return Err(Rejection::EditWindowClosed);
        }
        fact(Edited {
            message: it.message,
            mentions: it.mentions.iter().copied().collect(),
            content: Some(Content::plain(it.body.clone())),
        })
    }

    pub(super) fn delete(&self, message: Seq) -> Ruled {
        let role = self.may(Permission::Read)?;
        let found = self.past.message(message).filter(|_| self.reads(message));
        let found = found.ok_or(Rejection::MessageNotFound)?;
        if found.author == self.actor.id {
            self.may(Permission::DeleteOwn)?;
        } else {
            self.may(Permission::DeleteAny)?;
            self.outranks(role, found.author)?;
        }
        match found.deleted {
            Some(seq) => Ok(Verdict::Already(seq)),
            None => fact(Deleted { message }),
        }
    }

    pub(super) fn react(&self, message: Seq, reaction: &Reaction) -> Ruled {
        self.may(Permission::React)?;
        let found = self.living(message)?;
        if found.reactions.contains(&(reaction.clone(), self.actor.id)) {
            return Ok(Verdict::Already(self.past.head()));
        }
        let limits = &self.oracle.limits;
        let mut kinds: Vec<&Reaction> = found.reactions.iter().map(|(it, _)| it).collect();
        kinds.dedup();
        if !kinds.contains(&reaction) && kinds.len() >= limits.reactions_distinct_max {
            return Err(too_many(Counted::Reactions, limits.reactions_distinct_max));
        }
        if found.reactions.len() >= limits.reactions_max {
            return Err(too_many(Counted::Reactions, limits.reactions_max));
        }
        fact(Reacted {
            message,
            reaction: reaction.clone(),
        })
    }

    pub(super) fn pin(&self, message: Seq) -> Ruled {
        self.may(Permission::Pin)?;
        self.living(message)?;
        let (pins, max) = (self.past.pins(), self.oracle.limits.pins_max);
        if !pins.contains(&message) && pins.len() >= max {
            return Err(too_many(Counted::Pins, max));
        }
        self.unless(pins.contains(&message), Pinned { message })
    }

    pub(super) fn unreact(&self, message: Seq, reaction: &Reaction) -> Ruled {
        self.may(Permission::React)?;
        let (found, reaction) = (self.living(message)?, reaction.clone());
        let reacted = found.reactions.contains(&(reaction.clone(), self.actor.id));
        self.unless(!reacted, Unreacted { message, reaction })
    }

    pub(super) fn unpin(&self, message: Seq) -> Ruled {
        self.may(Permission::Pin)?;
        let pinned = self.past.pins().contains(&message);
        self.unless(!pinned, Unpinned { message })
    }

    pub(super) fn mark_read(&self, idx: Idx) -> Ruled {
        self.may(Permission::Read)?;
        self.member()?;
        if idx > self.past.messages() {
            return Err(bad(Field::Idx));
        }
        let as_of = self.past.head();
        Ok(Verdict::Signal(Signal::Read { idx, as_of }))
    }
}
