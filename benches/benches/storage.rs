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
const TURNS: usize = 40;

/// Batches in a turn.
const BATCHES: usize = 10;

/// Turns before those that count.
const WARM_UP: usize = 5;

/// Rooms over which records are spread.
const ROOMS: u64 = 100;

fn main() {
    println!("ratios: the yardstick's time through the contender's, in the same turn");
    println!("median (lowest tenth to highest tenth) of {TURNS} turns of {BATCHES} batches each\n");
    for (layout, rooms) in [("one room", 1), ("100 rooms", ROOMS)] {
        for records in [1, 10, 100] {
            println!("{layout}, {records} records a transaction");
            compete(rooms, records);
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
                .map(|(_, contender)| turn(&mut **contender, records)),
        );
    }
    turns.drain(..WARM_UP);
    let names = contenders.each_ref().map(|(name, _)| *name);
    report(&names, &turns, records);
}

fn turn(contender: &mut dyn Contender, records: usize) -> Cost {
    let mut cost = Cost::default();
    for _ in 0..BATCHES {
        cost += contender.append(records);
    }
    cost
}

fn report<const N: usize>(names: &[&str; N], turns: &[[Cost; N]], records: usize) {
    #[expect(clippy::cast_precision_loss, reason = "these are small numbers")]
    let count = (BATCHES * records) as f64;
    println!(
        "  {:24} {:>24} {:>12} {:>12}  CPU",
        "", "µs a record", "of all rows", "of the log"
    );
    for (place, name) in names.iter().enumerate() {
        let wall = |turn: &[Cost; N], place: usize| {
            turn.get(place).map_or(0.0, |cost| cost.wall.as_secs_f64())
        };
        let time = Spread::of(turns.iter().map(|turn| wall(turn, place) * 1e6 / count));
        let cpu = Spread::of(
            turns
                .iter()
                .filter_map(|turn| Some(turn.get(place)?.cpu.as_secs_f64() * 1e6 / count)),
        );
        let ratio = |yardstick| {
            let of = Spread::of(
                turns
                    .iter()
                    .map(|turn| wall(turn, yardstick) / wall(turn, place)),
            );
            format!("{:.2} ({:.2} to {:.2})", of.middle, of.low, of.high)
        };
        println!(
            "  {name:24} {:8.1} ({:.1} to {:.1}) | {} | {} | {:.1} ({:.1} to {:.1})",
            time.middle,
            time.low,
            time.high,
            ratio(0),
            ratio(1),
            cpu.middle,
            cpu.low,
            cpu.high
        );
    }
    println!();
}

/// Somebody who can append posts.
trait Contender {
    /// Prepares a batch of so many posts, and measures its way to the disk alone.
    fn append(&mut self, records: usize) -> Cost;
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
    fn append(&mut self, records: usize) -> Cost {
        let batch = self.batches.batch(records);
        measure(|| self.runtime.block_on(keep(&self.store, batch)))
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
    fn append(&mut self, records: usize) -> Cost {
        let mut posts = self.batches.posts(records);
        posts.sort_by_key(|record| (record.room, record.seq));
        let rows = self.chains.rows(&posts);
        measure(|| self.plain.insert(&rows).expect("the disk is well"))
    }
}

/// A folder on the disk that builds are on: a temporary one of the system may lie in memory, where
/// synchronisation costs nothing.
fn tempdir() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written to")
}
