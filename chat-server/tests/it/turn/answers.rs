//! What the store says to a turn's questions.

use chat_core::{MessageFact, Password, Proof, SecretHash, Seq, Timestamp};
use chat_server::store::Store;
use chat_server::turn::{Ground, Question, Supply};

use super::world::{World, ready};

impl World {
    /// This store is never replaced.
    fn ground(&self, after: Option<Seq>) -> Ground {
        Ground {
            after,
            holds: true,
            epoch: self.store.epoch().into(),
        }
    }

    pub(super) fn read(&self, question: Question) -> Supply {
        match question {
            Question::Load { room, heard, .. } => {
                let Some(state) = ready(self.store.load(room)).unwrap() else {
                    return Supply::Room(None, Vec::new(), self.ground(heard));
                };
                let after = heard.unwrap_or(state.head_seq);
                let missed = ready(self.store.records(room, after, usize::MAX)).unwrap();
                Supply::Room(Some(Box::new(state)), missed, self.ground(heard))
            }
            Question::Since { room, after, .. } => {
                let records = ready(self.store.records(room, after, RECORDS_AT_ONCE)).unwrap();
                let whole = records.len() < RECORDS_AT_ONCE;
                let ground = self.ground(Some(after));
                Supply::Since {
                    records,
                    whole,
                    ground,
                }
            }
            Question::Heads(rooms) => Supply::Heads(ready(self.store.heads(&rooms)).unwrap()),
            Question::Group(group) => {
                Supply::Group(ready(self.store.load(group)).unwrap().map(Box::new))
            }
            Question::Message(room, message) => {
                let (as_of, head) = ready(self.store.head(room, message)).unwrap();
                Supply::Message(MessageFact {
                    message,
                    as_of,
                    head,
                })
            }
            Question::Proof {
                password,
                hash,
                version,
            } => Supply::Proof(Proof {
                version,
                fits: hashed(&password) == hash,
            }),
            Question::Hash(password) => Supply::Hash(hashed(&password)),
            Question::Standing(user) => {
                let day = chat_core::limits::DAY_MS;
                let since = Timestamp::new(self.now.number().saturating_sub(day));
                Supply::Standing(ready(self.store.standing(user, since)).unwrap())
            }
            Question::Blocked { by, user } => {
                Supply::Blocked(ready(self.store.is_blocked(by, user)).unwrap())
            }
            Question::Record(room, seq) => {
                let before = Seq::new(seq.number() - 1);
                let found = ready(self.store.records(room, before, 1)).unwrap();
                Supply::Record(seq, found.into_iter().next())
            }
            Question::Holder(key) => Supply::Holder(ready(self.store.holder(&key)).unwrap()),
        }
    }
}

/// So few that a gap takes more than one reading.
const RECORDS_AT_ONCE: usize = 3;

fn hashed(password: &Password) -> SecretHash {
    SecretHash::new(format!("hash of {}", password.expose()))
}
