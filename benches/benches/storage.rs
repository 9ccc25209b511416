//! Appending messages durably, beside SQLite alone inserting the same rows.
//!
//! The time of a synchronisation changes by the minute, with the disk and with who else writes to
//! it. So the contenders take turns of a few batches each, and every turn gives a ratio of its own.

use chat_benches::batches::{Batches, keep};
use chat_benches::cost::{Cost, Spread, measure};
use chat_benches::plain::{Chains, Plain, Rows};
use chat_server::store::Store;
use chat_server::store::memory::Memory;
use chat_server::store::sqlite::Sqlite;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Turns of each contender.
const TURNS: usize = 100;

/// Batches in a turn.
const BATCHES: usize = 10;

/// Turns before those that count.
const WARM_UP: usize = 5;

/// Rooms over which records are spread.
const ROOMS: u64 = 100;

fn main() {
    // As other benchmarks have it: the first plain word on the command line is part of a title.
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    println!("ratios: the yardstick's time through the contender's, in the same turn");
    println!("median (lowest tenth to highest tenth) of {TURNS} turns of {BATCHES} batches each\n");
    for (layout, rooms) in [("one room", 1), ("100 rooms", ROOMS)] {
        for records in [1, 10, 100] {
            let title = format!("{layout}, {records} records a transaction");
            if wanted.as_ref().is_none_or(|wanted| title.contains(wanted)) {
                println!("{title}\n");
                compete(rooms, records);
            }
        }
    }
}

fn compete(rooms: u64, records: usize) {
    let dir = tempdir();
    let sqlite = Sqlite::open(dir.path().join("chat.db")).expect("the folder is there");
    let memory = Memory::new().expect("the system has random numbers");
    let plain = |name: &str, rows| {
        Plain::create(&dir.path().join(name), rooms, rows).expect("the folder is there")
    };
    let mut contenders: [(&str, Box<dyn Contender>); 4] = [
        (
            "plain SQLite, all rows",
            Box::new(Alone::new(plain("all.db", Rows::All), rooms)),
        ),
        (
            "plain SQLite, log alone",
            Box::new(Alone::new(plain("log.db", Rows::Log), rooms)),
        ),
        ("store in SQLite", Box::new(Kept::new(sqlite, rooms))),
        ("store in memory", Box::new(Kept::new(memory, rooms))),
    ];
    let mut turns = Vec::new();
    for _ in 0..WARM_UP + TURNS {
        turns.push(
            contenders
                .each_mut()
                .map(|(_, contender)| contender.turn(records)),
        );
    }
    turns.drain(..WARM_UP);
    let names = contenders.each_ref().map(|(name, _)| *name);
    report(&names, &turns, records);
}

fn report<const N: usize>(names: &[&str; N], turns: &[[Cost; N]], records: usize) {
    #[expect(clippy::cast_precision_loss, reason = "these are small numbers")]
    let count = (BATCHES * records) as f64;
    println!("| | of all rows | of the log | µs a record | CPU of all rows | CPU µs a record |");
    println!("|---|---|---|---|---|---|");
    for (place, name) in names.iter().enumerate() {
        let cost = |turn: &[Cost; N], place: usize| turn.get(place).copied().unwrap_or_default();
        let spread = |of: &dyn Fn(&[Cost; N]) -> f64| Spread::of(turns.iter().map(of));
        let wall = |turn: &[Cost; N], place| cost(turn, place).wall.as_secs_f64() * 1e6 / count;
        let cpu = |turn: &[Cost; N], place| cost(turn, place).cpu.as_secs_f64() * 1e6 / count;
        println!(
            "| {name} | {:.2} | {:.2} | {:.1} | {:.2} | {:.1} |",
            spread(&|turn| wall(turn, 0) / wall(turn, place)),
            spread(&|turn| wall(turn, 1) / wall(turn, place)),
            spread(&|turn| wall(turn, place)),
            spread(&|turn| cpu(turn, 0) / cpu(turn, place)),
            spread(&|turn| cpu(turn, place)),
        );
    }
    println!();
}

/// Somebody who can append posts.
trait Contender {
    /// Prepares batches of so many posts, and measures their way to the disk alone.
    fn turn(&mut self, records: usize) -> Cost;
}

/// A store of the server's.
struct Kept<S> {
    runtime: Runtime,
    store: S,
    batches: Batches,
}

impl<S: Store> Kept<S> {
    fn new(store: S, rooms: u64) -> Self {
        let runtime = Builder::new_current_thread()
            .build()
            .expect("the system has threads");
        let batches = Batches::of_rooms(rooms);
        runtime.block_on(keep(&store, batches.founding()));
        Self {
            runtime,
            store,
            batches,
        }
    }
}

impl<S: Store> Contender for Kept<S> {
    fn turn(&mut self, records: usize) -> Cost {
        let batches: Vec<_> = (0..BATCHES).map(|_| self.batches.batch(records)).collect();
        measure(|| {
            for batch in batches {
                self.runtime.block_on(keep(&self.store, batch));
            }
        })
    }
}

/// SQLite alone.
struct Alone {
    plain: Plain,
    batches: Batches,
    chains: Chains,
}

impl Alone {
    fn new(plain: Plain, rooms: u64) -> Self {
        Self {
            plain,
            batches: Batches::of_rooms(rooms),
            chains: Chains::default(),
        }
    }
}

impl Contender for Alone {
    fn turn(&mut self, records: usize) -> Cost {
        let mut batch = || {
            let mut posts = self.batches.posts(records);
            posts.sort_by_key(|record| (record.room, record.seq));
            self.chains.rows(&posts)
        };
        let batches: Vec<_> = (0..BATCHES).map(|_| batch()).collect();
        measure(|| {
            for rows in &batches {
                self.plain.insert(rows).expect("the disk is well");
            }
        })
    }
}

/// A folder on the disk that builds are on: a temporary one of the system may lie in memory, where
/// synchronisation costs nothing.
fn tempdir() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written to")
}
