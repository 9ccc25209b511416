//! Looking for words, message by message.

use chat_core::Lifecycle;

use super::state::State;
use crate::store::words::{Found, SEARCH_STEPS_MAX, SearchQuery};

impl State {
    pub(super) fn search(&self, query: &SearchQuery) -> Found {
        let (mut found, mut steps) = (Found::default(), SEARCH_STEPS_MAX);
        for scope in &query.rooms {
            steps -= 1;
            if steps == 0 || found.items.len() >= query.limit {
                found.next = Some((scope.room, scope.to.next()));
                break;
            }
            let log = self.rooms.get(&scope.room);
            let Some(log) = log.filter(|log| log.room.lifecycle != Lifecycle::Deleted) else {
                continue;
            };
            let from = scope.from.max(log.room.kept_from);
            if from > scope.to {
                continue;
            }
            for (seq, line) in log.messages.range(from..=scope.to).rev() {
                steps -= 1;
                let message = line.show(*seq, query.viewer);
                if query.sought.finds(&message) {
                    found.items.push((scope.room, message));
                }
                if steps == 1 || found.items.len() >= query.limit {
                    found.next = Some((scope.room, *seq));
                    return found;
                }
            }
        }
        found
    }
}
