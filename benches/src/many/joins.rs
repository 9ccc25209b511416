//! A room that ever more people come into.

use std::path::Path;
use std::sync::Arc;

use chat_core::{Engine, Record, RoomId};
use chat_server::store::Store;
use chat_server::store::sqlite::Sqlite;
use tokio::runtime::Runtime;

use super::stock::as_kept;
use crate::batches::{append, keep};
use crate::cost::{Cost, Spread, measure};
use crate::crowd::{engine, fill, join};

/// People who come in one transaction.
const TOGETHER: u64 = 100;

/// Between which numbers of members it is measured.
const SPANS: [(u64, u64); 4] = [
    (0, 1_000),
    (1_000, 10_000),
    (10_000, 50_000),
    (50_000, 100_000),
];

const DEN: RoomId = RoomId::new(1);

/// Lets people come, and prints what each costs while the room grows.
///
/// # Panics
///
/// If a store fails or somebody isn't let in.
pub fn grow(runtime: &Runtime, folder: &Path) {
    let store = Sqlite::open(folder.join("joins.db")).expect("the folder is there");
    let mut engine = engine();
    let founding = fill(&mut engine, DEN, 1).into_iter().map(Arc::new);
    runtime.block_on(keep(&store, vec![append(founding.collect())]));
    println!(
        "Joins of one room, {TOGETHER} in a transaction, snapshots as the server keeps them\n"
    );
    println!(
        "| members | engine, ns a join | store, µs a join | with snapshots, µs | snapshots | an append with one, ms | load, ms |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (from, to) in SPANS {
        let (mut deciding, mut plain, mut with) = (Vec::new(), Vec::new(), Vec::new());
        let mut all = Cost::default();
        for first in (from..to).step_by(100) {
            let mut records = Vec::new();
            deciding.push(measure(|| records = come(&mut engine, first)));
            let batch = as_kept(&engine, records);
            let keeps = batch.snapshot.is_some();
            let cost = measure(|| runtime.block_on(keep(&store, vec![batch])));
            all += cost;
            if keeps {
                with.push(cost)
            } else {
                plain.push(cost)
            }
        }
        let load = measure(|| {
            let room = runtime.block_on(store.load(DEN)).expect("the disk is well");
            assert_eq!(room.as_ref(), engine.room(DEN));
        });
        #[expect(clippy::cast_precision_loss, reason = "these are small numbers")]
        let (count, joins) = (TOGETHER as f64, (to - from) as f64);
        let each = |costs: &[Cost], times: f64| {
            Spread::of(costs.iter().map(|cost| cost.wall.as_secs_f64() * times))
        };
        println!(
            "| {from} to {to} | {:.0} | {:.1} | {:.1} | {} | {:.1} | {:.1} |",
            each(&deciding, 1e9 / count),
            each(&plain, 1e6 / count),
            all.wall.as_secs_f64() * 1e6 / joins,
            with.len(),
            each(&with, 1e3),
            load.wall.as_secs_f64() * 1e3,
        );
    }
    println!();
}

/// The next people.
fn come(engine: &mut Engine, first: u64) -> Vec<Arc<Record>> {
    let users = first + 2..first + 2 + TOGETHER;
    users
        .map(|user| Arc::new(join(engine, DEN, user)))
        .collect()
}
