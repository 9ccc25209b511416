//! What much in the store costs: a small store and a large one take turns.
//!
//! Without more said it is a tenth of what the targets are set for; `ROOMS=100000 MESSAGES=900000`
//! is all of it.

use chat_benches::cost::measure;
use chat_benches::many::stock::{Size, Stock};
use chat_benches::many::{joins, memory, number, questions, start};
use tempfile::TempDir;
use tokio::runtime::Builder;

/// How much the small store holds.
const SMALL: Size = Size {
    rooms: 100,
    messages: 1_000,
};

fn main() {
    // As other benchmarks have it: the first plain word on the command line is part of a title.
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let is_wanted = |title: &str| wanted.as_ref().is_none_or(|wanted| title.contains(wanted));
    let large = Size {
        rooms: number("ROOMS", 10_000),
        messages: number("MESSAGES", 90_000),
    };
    let runtime = Builder::new_current_thread()
        .build()
        .expect("the system has threads");
    // On the disk that builds are on: a temporary folder of the system may lie in memory.
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("it can be written to");
    // First, while nothing that was given back could be used again.
    if is_wanted("memory") {
        memory::weigh(&runtime, folder.path());
    }
    if is_wanted("joins") {
        joins::grow(&runtime, folder.path());
    }
    if !is_wanted("questions") && !is_wanted("start") {
        return;
    }
    let mut small = runtime.block_on(Stock::fill(folder.path(), "small.db", SMALL));
    let mut filled = None;
    let cost = measure(|| {
        filled = Some(runtime.block_on(Stock::fill(folder.path(), "large.db", large)));
    });
    let mut large = filled.expect("it was just filled");
    println!(
        "Filled in {:.0} s: {} bytes a room with one message, {} bytes a message, words included\n",
        cost.wall.as_secs_f64(),
        large.bytes_a_room,
        large.bytes_a_message,
    );
    if is_wanted("start") {
        start::compare([&small, &large], folder.path());
    }
    if is_wanted("questions") {
        questions::compare(&runtime, [&mut small, &mut large]);
    }
}
