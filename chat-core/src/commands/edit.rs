//! `edit`: change what one said.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Ruling, distinct};
use crate::content::{Attachment, Content, Format, Text};
use crate::event::{Edited, Event};
use crate::id::{Seq, UserId};
use crate::judge::Case;
use crate::policy::{Permission, Rule};
use crate::rejection::Rejection;

/// Changes what one said, as a whole.
///
/// Allowed to the author, within the edit window. Becomes [`Edited`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Edit {
    /// The message.
    pub message: Seq,
    /// The text; may be empty beside attachments.
    #[serde(default)]
    pub body: Text,
    /// How to show it.
    #[serde(default, skip_serializing_if = "Format::is_plain")]
    pub format: Format,
    /// Whom it mentions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
    /// References to things kept elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The sender's own labels, passed on untouched.
    #[serde(
        default,
        deserialize_with = "crate::distinct_keys",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub ext: BTreeMap<Text, Text>,
}

impl Edit {
    /// Plain text in place of a message.
    #[must_use]
    pub const fn plain(message: Seq, body: Text) -> Self {
        Self {
            message,
            body,
            format: Format::Plain,
            mentions: Vec::new(),
            attachments: Vec::new(),
            ext: BTreeMap::new(),
        }
    }

    pub(crate) fn decide(&self, case: &Case<'_>) -> Ruling {
        let permission = Permission::EditOwn;
        case.may(permission)?;
        let content = self.content();
        super::post::check(&content, &self.mentions, case.limits)?;
        let head = case.living_message(self.message)?;
        if head.author != case.actor.id {
            return Err(Rejection::PermissionDenied {
                permission,
                rule: Rule::NotTheAuthor,
            }
            .into());
        }
        if case.at.ms_since(head.at) > case.limits.edit_window_ms {
            return Err(Rejection::EditWindowClosed.into());
        }
        Ok(Edited {
            message: self.message,
            mentions: distinct(&self.mentions),
            content: Some(content),
        }
        .into())
    }

    pub(crate) fn became(&self, event: &Event) -> bool {
        let Event::Edited(it) = event else {
            return false;
        };
        it.message == self.message
            && it.mentions == distinct(&self.mentions)
            && it
                .content
                .as_ref()
                .is_none_or(|content| *content == self.content())
    }

    fn content(&self) -> Content {
        super::post::content(&self.body, self.format, &self.attachments, &self.ext)
    }
}
