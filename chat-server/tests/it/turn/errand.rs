//! A command that somebody sends until it is answered for good, and what he is told.

use chat_core::{Cid, Command, Record, RoomId, Seq, UserId};
use chat_server::mail::{Refused, Reply};

use super::world::World;

/// A command under one cid, and each mail that carried it.
pub(super) struct Errand {
    pub(super) user: UserId,
    pub(super) room: Option<RoomId>,
    pub(super) cid: Option<Cid>,
    pub(super) command: Command,
    pub(super) mails: Vec<usize>,
}

impl Errand {
    /// What was said to an errand is what the logs say of it.
    pub(super) fn is_told_the_truth(&self, world: &World) {
        let Some(cid) = &self.cid else { return };
        let is_mine = |it: &&Record| it.by.id == self.user && it.cid.as_ref() == Some(cid);
        let rooms = world.archive.rooms();
        let stored: Vec<(RoomId, Seq)> = rooms
            .iter()
            .flat_map(|room| world.archive.log(*room))
            .filter(is_mine)
            .map(|it| (it.room, it.seq))
            .collect();
        assert!(
            stored.len() <= 1,
            "{:?} has two effects: {stored:?}",
            self.command
        );
        let outcomes: Vec<_> = self
            .mails
            .iter()
            .filter_map(|mail| world.sent[*mail].outcome.clone())
            .collect();
        for outcome in &outcomes {
            if let Ok(Reply::Done {
                room,
                seq,
                dup: false,
            }) = outcome
            {
                assert_eq!(stored, [(*room, *seq)], "{:?}", self.command);
            }
            let leaves_records = matches!(self.command, Command::Post(_) | Command::CreateRoom(_));
            if let (true, Ok(Reply::Done { room, seq, .. })) = (leaves_records, outcome) {
                assert_eq!(stored, [(*room, *seq)], "{:?}", self.command);
            }
        }
        // The fact was made by the mail that was told so, else by one of those that failed.
        let answered = |told: fn(&Result<Reply, Refused>) -> bool| {
            let mails = self.mails.iter().map(|mail| &world.sent[*mail]);
            let told = mails.filter(move |it| it.outcome.as_ref().is_some_and(told));
            told.map(|it| it.answered_at).max()
        };
        let made = answered(|it| matches!(it, Ok(Reply::Done { dup: false, .. })))
            .or_else(|| answered(|it| *it == Err(Refused::StorageUnavailable)));
        for mail in &self.mails {
            let refused = matches!(
                world.sent[*mail].outcome,
                Some(Err(Refused::Rejected(_) | Refused::NameTaken))
            );
            // Of two at the same time, one may have been judged before the other was carried out.
            if refused && made.is_none_or(|made| made <= *mail) {
                assert!(
                    stored.is_empty(),
                    "{:?} was refused and is fact at {stored:?}: {outcomes:?}",
                    self.command
                );
            }
        }
    }
}
