//! A disk that loses what was not synchronised: all of it, or any part.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chat_server::simulation::Dice;

/// What was done to a file, or to the names in its folder.
#[derive(Debug)]
pub(super) struct Step {
    what: What,
    file: u8,
    /// How long the record was after it.
    pub(super) mark: u64,
}

#[derive(Debug)]
enum What {
    Create,
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
    Sync,
    SyncFailed,
    Unlink,
}

/// The files of a database, by the letters that the record has for them.
const NAMES: [(u8, &str); 3] = [
    (b'd', "chat.db"),
    (b'w', "chat.db-wal"),
    (b'j', "chat.db-journal"),
];
const FOLDER: u8 = b'f';

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
/// What the system keeps, writes back and forgets whole.
const PAGE: usize = 4_096;

/// Reads what the shim wrote: for each step a letter for what, one for the file, whether it failed,
/// a place, a length, and the bytes if it was a write.
pub(super) fn read(log: &[u8]) -> Vec<Step> {
    let number = |at: usize| u64::from_ne_bytes(log[at..at + 8].try_into().unwrap());
    let size = |at| usize::try_from(number(at)).unwrap();
    let mut steps = Vec::new();
    let mut from = 0;
    while from < log.len() {
        let (file, failed, length) = (log[from + 1], log[from + 2] != 0, size(from + 11));
        let at = size(from + 3);
        let bytes = from + 19;
        let what = match log[from] {
            b'c' => What::Create,
            b'w' => What::Write {
                at,
                bytes: log[bytes..bytes + length].to_vec(),
            },
            b't' => What::Truncate(length),
            b's' if failed => What::SyncFailed,
            b's' => What::Sync,
            b'u' => What::Unlink,
            other => panic!("{other} in the record"),
        };
        from = bytes;
        if let What::Write { bytes, .. } = &what {
            from += bytes.len();
        }
        steps.push(Step {
            what,
            file,
            mark: from as u64,
        });
    }
    steps
}

/// All files, and which of them has which name: for certain, and as the system sees it.
#[derive(Clone, Debug, Default)]
pub(in crate::crash) struct Disk {
    files: Vec<File>,
    certain: BTreeMap<u8, usize>,
    seen: BTreeMap<u8, usize>,
}

/// One file: what is certain of it, and what was done since.
#[derive(Clone, Debug, Default)]
struct File {
    certain: Vec<u8>,
    pending: Vec<Change>,
    /// Pieces of which an fsync has said that they could not be written. The system takes them for
    /// written; whether they are nobody knows.
    doubtful: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    /// Bytes within one sector.
    Piece {
        at: usize,
        bytes: Vec<u8>,
    },
    Length(usize),
}

impl Disk {
    /// A disk with the files of this folder, which have lain there for long.
    pub(in crate::crash) fn holding(folder: &Path) -> Self {
        let mut disk = Self::default();
        for (letter, name) in NAMES {
            if let Ok(certain) = fs::read(folder.join(name)) {
                disk.certain.insert(letter, disk.files.len());
                disk.files.push(File {
                    certain,
                    ..File::default()
                });
            }
        }
        disk.seen.clone_from(&disk.certain);
        disk
    }

    pub(super) fn apply(&mut self, step: &Step) {
        if step.file == FOLDER {
            if matches!(step.what, What::Sync) {
                self.certain.clone_from(&self.seen);
            }
            return;
        }
        if matches!(step.what, What::Create) {
            self.seen.insert(step.file, self.files.len());
            self.files.push(File::default());
            return;
        }
        if matches!(step.what, What::Unlink) {
            self.seen.remove(&step.file);
            return;
        }
        let file = &mut self.files[self.seen[&step.file]];
        match &step.what {
            What::Write { at, bytes } => file.write(*at, bytes),
            What::Truncate(length) => file.pending.push(Change::Length(*length)),
            What::Sync => file.sync(),
            What::SyncFailed => file.fail(),
            What::Create | What::Unlink => {}
        }
    }

    /// Writes into a folder what a power cut could leave at this moment, and says how it was drawn.
    pub(super) fn leave(&self, folder: &Path, dice: &mut Dice) -> String {
        let mut how = Vec::new();
        for (letter, name) in NAMES {
            let names = if dice.chance(50) {
                &self.certain
            } else {
                &self.seen
            };
            let Some(file) = names.get(&letter) else {
                continue;
            };
            let file = &self.files[*file];
            let loss = Loss::draw(dice);
            how.push(format!("{name}: {loss:?} of {}", file.pending.len()));
            fs::write(folder.join(name), file.after(loss, dice)).unwrap();
        }
        how.join(", ")
    }
}

/// How what is pending gets lost.
#[derive(Clone, Copy, Debug)]
enum Loss {
    All,
    Nothing,
    /// Whatever came after some moment.
    Tail,
    /// Each sector has what it had at some moment of its own; in so many of a hundred cases, the
    /// last.
    Scattered(u64),
}

impl Loss {
    fn draw(dice: &mut Dice) -> Self {
        match dice.below(6) {
            0 => Self::All,
            1 => Self::Nothing,
            2 => Self::Tail,
            3 => Self::Scattered(10),
            4 => Self::Scattered(90),
            _ => Self::Scattered(50),
        }
    }

    /// How many of the changes up to `all` are there.
    fn limit(self, all: usize, dice: &mut Dice) -> usize {
        match self {
            Self::All => 0,
            Self::Nothing => all,
            Self::Tail => dice.below(all + 1),
            Self::Scattered(percent) if dice.chance(percent) => all,
            Self::Scattered(_) => dice.below(all + 1) * usize::from(dice.chance(30)),
        }
    }
}

impl File {
    fn write(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        let mut from = at;
        while from < end {
            let to = usize::min(end, (from / SECTOR + 1) * SECTOR);
            // A page that is written to goes to disk whole, whatever was believed of it before.
            let page = from / PAGE;
            let (again, rest) = self
                .doubtful
                .drain(..)
                .partition(|it| matches!(it, Change::Piece { at, .. } if at / PAGE == page));
            self.doubtful = rest;
            self.pending.extend::<Vec<_>>(again);
            let bytes = bytes[from - at..to - at].to_vec();
            self.pending.push(Change::Piece { at: from, bytes });
            from = to;
        }
    }

    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.certain);
        }
    }

    fn fail(&mut self) {
        let (pieces, lengths) = self
            .pending
            .drain(..)
            .partition(|it| matches!(it, Change::Piece { .. }));
        self.pending = lengths;
        self.doubtful.extend::<Vec<_>>(pieces);
    }

    /// The file after a power cut.
    fn after(&self, loss: Loss, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.certain.clone();
        let changes: Vec<_> = self.doubtful.iter().chain(&self.pending).collect();
        let all = changes.len();
        // One moment for all, or one for the length and each sector.
        let tail = loss.limit(all, dice);
        let mut limits = BTreeMap::new();
        let mut length = self.certain.len();
        for (place, change) in changes.into_iter().enumerate() {
            let limit = match (loss, change) {
                (Loss::Scattered(_), Change::Piece { at, .. }) => *limits
                    .entry(at / SECTOR)
                    .or_insert_with(|| loss.limit(all, dice)),
                (Loss::Scattered(_), Change::Length(_))
                | (Loss::All | Loss::Nothing | Loss::Tail, _) => tail,
            };
            match change {
                Change::Piece { at, bytes } => length = length.max(at + bytes.len()),
                Change::Length(to) => length = *to,
            }
            if place < limit {
                change.apply(&mut bytes);
            }
        }
        // That it has grown may be known though what it has grown by isn't there.
        if length > bytes.len() && dice.chance(30) {
            bytes.resize(length, 0);
        }
        bytes
    }
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Piece { at, bytes } => {
                let end = at + bytes.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[*at..end].copy_from_slice(bytes);
            }
            Self::Length(length) => file.resize(*length, 0),
        }
    }
}
