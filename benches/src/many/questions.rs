//! What is asked of a small store and of a large one, in turn.

use chat_core::{Idx, Seq, Timestamp};
use chat_server::store::sqlite::Sqlite;
use chat_server::store::{
    DirectoryQuery, MessageQuery, Order, Place, Scope, SearchQuery, Sought, Store,
};
use tokio::runtime::Runtime;

use super::stock::{ASKER, DEN, READER, Stock};
use crate::batches::keep;
use crate::cost::{Cost, Spread, measure};

/// Turns of each store.
const TURNS: u64 = 60;

/// How often a turn asks.
const TIMES: u64 = 20;

/// Items of a page.
const PAGE: usize = 50;

/// Steps from one place of a log to the next, so that pages are asked for from all over its middle.
const STRIDE: u64 = 7_919;

/// Something that a server asks of its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Append,
    MarkRead,
    NewestPage,
    MiddlePage,
    PageAround,
    Resume,
    Members,
    Load,
    SearchCommon,
    SearchRare,
    SearchInVain,
    RoomsOf,
    Directory,
    Marker,
    Standing,
    Card,
}

/// All of them, and what they are called. Those that write come last: what they write has no words
/// in the index yet, and another number of records after the snapshot in either store.
const QUESTIONS: [(&str, Question); 16] = [
    ("newest page", Question::NewestPage),
    ("page before one of the middle", Question::MiddlePage),
    ("page around one of the middle", Question::PageAround),
    ("resume of 100 records", Question::Resume),
    ("page of members", Question::Members),
    ("load of the room", Question::Load),
    ("search, a common word", Question::SearchCommon),
    ("search, a rare word", Question::SearchRare),
    ("search, two words never together", Question::SearchInVain),
    ("one's 21 rooms", Question::RoomsOf),
    ("page of the directory", Question::Directory),
    ("marker and counts, all unread", Question::Marker),
    ("standing", Question::Standing),
    ("card of the room", Question::Card),
    ("append of a record", Question::Append),
    ("a marker moved on", Question::MarkRead),
];

/// Asks both stores everything and prints what it took.
///
/// # Panics
///
/// If a store fails, or answers something else than it should.
pub fn compare(runtime: &Runtime, stocks: [&mut Stock; 2]) {
    let [small, large] = stocks;
    println!(
        "One room of {} messages among {} rooms, beside one of {} among {}; {TURNS} turns of {TIMES}\n",
        large.size.messages, large.size.rooms, small.size.messages, small.size.rooms
    );
    println!("| | small, µs | large, µs | large by small | of the processor |");
    println!("|---|---|---|---|---|");
    let open = |stock: &Stock| Sqlite::open(&stock.path).expect("it was just closed");
    let (of_small, of_large) = (open(small), open(large));
    for (name, question) in QUESTIONS {
        let mut turns = Vec::new();
        for turn in 0..TURNS {
            let one = ask(runtime, question, &of_small, small, turn);
            let other = ask(runtime, question, &of_large, large, turn);
            // The first of them find nothing where they look for it.
            if turn >= TURNS / 10 {
                turns.push((one, other));
            }
        }
        report(name, &turns);
    }
    println!();
}

fn report(name: &str, turns: &[(Cost, Cost)]) {
    #[expect(clippy::cast_precision_loss, reason = "these are small numbers")]
    let each = |cost: Cost| cost.wall.as_secs_f64() * 1e6 / TIMES as f64;
    let cpu = |cost: Cost| cost.cpu.as_secs_f64();
    println!(
        "| {name} | {:.0} | {:.0} | {:.2} | {:.2} |",
        Spread::of(turns.iter().map(|(one, _)| each(*one))),
        Spread::of(turns.iter().map(|(_, other)| each(*other))),
        Spread::of(turns.iter().map(|(one, other)| each(*other) / each(*one))),
        Spread::of(turns.iter().map(|(one, other)| cpu(*other) / cpu(*one))),
    );
}

/// Asks one store some times.
fn ask(
    runtime: &Runtime,
    question: Question,
    store: &Sqlite,
    stock: &mut Stock,
    turn: u64,
) -> Cost {
    // What is decided of it isn't the store's.
    let says = if question == Question::Append {
        TIMES
    } else {
        0
    };
    let mut said: Vec<_> = (0..says).map(|_| stock.say()).collect();
    let head = stock.head();
    said.reverse();
    measure(|| {
        runtime.block_on(async {
            for time in 0..TIMES {
                match said.pop() {
                    Some(append) => keep(store, vec![append]).await,
                    None => put(question, store, head, turn * TIMES + time).await,
                }
            }
        });
    })
}

/// Asks once, and makes sure of the answer.
async fn put(question: Question, store: &Sqlite, head: Seq, time: u64) {
    let middle = Seq::new(head.number() / 2 + time * STRIDE % (head.number() / 4));
    let fine = "the disk is well";
    let (found, expected) = match question {
        Question::Append => unreachable!("it is asked with something to append"),
        Question::MarkRead => {
            let markers = [(DEN, READER, Idx::saturating(time + 1))];
            store.mark_read(&markers).await.expect(fine);
            (1, 1)
        }
        Question::NewestPage => (page(store, Place::Newest).await, PAGE),
        Question::MiddlePage => (page(store, Place::Before(middle)).await, PAGE),
        Question::PageAround => (page(store, Place::Around(middle)).await, PAGE),
        Question::Resume => {
            let after = Seq::new(head.number() - 100);
            let records = store.records(DEN, after, 1_000).await.expect(fine);
            (records.len(), 100)
        }
        Question::Members => {
            let members = store.members(DEN, None, PAGE).await.expect(fine);
            (members.len(), PAGE)
        }
        Question::Load => {
            let room = store.load(DEN).await.expect(fine).expect("it is there");
            (usize::from(room.head_seq == head), 1)
        }
        Question::SearchCommon => (search(store, "harbour").await, PAGE),
        Question::SearchRare => (search(store, "lighthouse").await, 10),
        Question::SearchInVain => (search(store, "starboard larboard").await, 0),
        Question::RoomsOf => (store.rooms_of(ASKER).await.expect(fine).len(), 21),
        Question::Directory => {
            let query = DirectoryQuery::first(Order::Newest, PAGE);
            let rooms = store.directory(&query).await.expect(fine);
            (rooms.items.len(), PAGE)
        }
        Question::Marker => {
            let marker = store.marker(DEN, READER).await.expect(fine);
            (
                usize::from(marker.read == Idx::default() && marker.unread > 0),
                1,
            )
        }
        Question::Standing => {
            let standing = store.standing(ASKER, Timestamp::new(1)).await.expect(fine);
            (usize::try_from(standing.rooms_joined).unwrap_or(0), 21)
        }
        Question::Card => (usize::from(store.card(DEN).await.expect(fine).is_some()), 1),
    };
    assert_eq!(found, expected, "{question:?}");
}

async fn page(store: &Sqlite, place: Place) -> usize {
    let mut query = MessageQuery::newest(DEN, ASKER, PAGE);
    query.place = place;
    let messages = store.messages(&query).await.expect("the disk is well");
    messages.len()
}

async fn search(store: &Sqlite, words: &str) -> usize {
    let scope = Scope {
        room: DEN,
        from: Seq::new(1),
        to: Seq::MAX,
    };
    let query = SearchQuery {
        sought: Sought::new(words).expect("these are words"),
        viewer: ASKER,
        rooms: vec![scope],
        limit: PAGE,
    };
    let found = store.search(&query).await.expect("the disk is well");
    found.items.len()
}
