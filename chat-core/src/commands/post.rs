//! `post`: say something.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Ruling, distinct};
use crate::content::{Attachment, Content, Format, Text};
use crate::event::{Event, Kind, Posted};
use crate::id::{Seq, UserId};
use crate::judge::{at_most, Case, Effective, within};
use crate::limits::{Limits, POST_REFILL_MS, POSTS_BURST_MAX};
use crate::policy::{Permission, Rule};
use crate::rejection::{Counted, Field, Rejection};
use crate::request::{Need, Stop};

/// Says something to a room.
///
/// Allowed to whoever holds [`Permission::Post`], within the bounds on posts and slow mode; in a
/// direct room unless the other has blocked the actor. Becomes [`Posted`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Post {
    /// The text; may be empty beside attachments.
    pub body: Text,
    /// How to show it.
    #[serde(skip_serializing_if = "Format::is_plain")]
    pub format: Format,
    /// The message that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
    /// The first message of the thread it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<Seq>,
    /// Whom it mentions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
    /// Whether it mentions everybody.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub mention_all: bool,
    /// References to things kept elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The sender's own labels, passed on untouched.
    #[serde(
        deserialize_with = "crate::distinct_keys",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub ext: BTreeMap<Text, Text>,
}

impl Post {
    /// Plain text alone.
    #[must_use]
    pub fn plain(body: Text) -> Self {
        Self {
            body,
            ..Self::default()
        }
    }

    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        let actor = case.may(Permission::Post)?;
        let content = self.content();
        check(&content, &self.mentions, case.limits)?;
        if self.mention_all {
            case.may(Permission::MentionAll)?;
        }
        self.check_references(case)?;
        not_blocked(case)?;
        not_too_fast(case, actor)?;
        Ok(Posted {
            idx: case.room.head_idx.next(),
            reply_to: self.reply_to,
            thread: self.thread,
            mentions: distinct(&self.mentions),
            mention_all: self.mention_all,
            content: Some(content),
        }
        .into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        let Event::Posted(it) = event else {
            return false;
        };
        it.reply_to == self.reply_to
            && it.thread == self.thread
            && it.mention_all == self.mention_all
            && it.mentions == distinct(&self.mentions)
            // What was erased can't be compared: the first answer stands.
            && it.content.as_ref().is_none_or(|content| *content == self.content())
    }

    fn content(&self) -> Content {
        content(&self.body, self.format, &self.attachments, &self.ext)
    }

    /// Refuses an answer to what isn't there, and a thread that begins within a thread.
    fn check_references(&self, case: &Case<'_>) -> Result<(), Stop> {
        if let Some(message) = self.reply_to {
            case.living_message(message)?;
        }
        let Some(root) = self.thread else {
            return Ok(());
        };
        if !case.room.features.threads {
            let (permission, rule) = (Permission::Post, Rule::Feature);
            return Err(Rejection::PermissionDenied { permission, rule }.into());
        }
        match case.living_message(root)?.thread {
            None => Ok(()),
            Some(_) => Err(Rejection::bad(Field::Message).into()),
        }
    }
}

/// What a wish says, apart from where.
pub(super) fn content(
    body: &Text,
    format: Format,
    attachments: &[Attachment],
    ext: &BTreeMap<Text, Text>,
) -> Content {
    Content {
        body: body.clone(),
        format,
        attachments: attachments.to_vec(),
        ext: ext.clone(),
    }
}

/// Refuses content that is empty or over its limits.
pub(super) fn check(
    content: &Content,
    mentions: &[UserId],
    limits: &Limits,
) -> Result<(), Rejection> {
    within(
        Field::Body,
        content.body.as_str().len(),
        limits.body_bytes_max,
    )?;
    within(Field::Ext, content.ext_bytes(), limits.ext_bytes_max)?;
    within(
        Field::Attachments,
        content.attachment_bytes(),
        limits.body_bytes_max,
    )?;
    let (attached, max) = (content.attachments.len(), limits.attachments_max);
    at_most(Counted::Attachments, attached as u64, max as u64)?;
    let (mentioned, max) = (mentions.len(), limits.mentions_max);
    at_most(Counted::Mentions, mentioned as u64, max as u64)?;
    if content.body.is_blank() && content.attachments.is_empty() {
        return Err(Rejection::EmptyBody);
    }
    Ok(())
}

fn not_blocked(case: &Case<'_>) -> Result<(), Stop> {
    if case.room.kind != Kind::Direct {
        return Ok(());
    }
    let Some(peer) = case.room.peer(case.actor.id) else {
        return Ok(());
    };
    match case.facts.blocked {
        None => Err(Need::Blocked(peer).into()),
        Some(true) => Err(Rejection::Blocked.into()),
        Some(false) => Ok(()),
    }
}

fn not_too_fast(case: &Case<'_>, actor: Effective) -> Result<(), Stop> {
    let Some(poster) = case.room.posters.get(case.actor.id) else {
        return Ok(());
    };
    if case.now < poster.last_at {
        // The clock was set back since his last line: nobody knows how long ago that is.
        return Ok(());
    }
    let bypasses = case
        .room
        .permissions(actor.role)
        .contains(Permission::BypassSlowMode);
    let since = case.at.ms_since(poster.last_at);
    let slow_ms = case.room.slow_mode_s.saturating_mul(1000);
    if !bypasses && since < slow_ms {
        return Err(Rejection::SlowMode {
            retry_ms: slow_ms - since,
        }
        .into());
    }
    let burst = case.limits.posts_burst.min(POSTS_BURST_MAX);
    let retry_ms = poster.bucket.wait_ms(case.at, burst, POST_REFILL_MS);
    // A debt that the bound doesn't allow is from when it didn't hold.
    let bounded = case.limits.posts_limited && retry_ms <= POST_REFILL_MS;
    if bounded && retry_ms > 0 {
        return Err(Rejection::RateLimited { retry_ms }.into());
    }
    Ok(())
}
