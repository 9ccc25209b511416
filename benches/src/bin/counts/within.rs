//! What happens under valgrind: cases, one after the other, each with its counted work.
//!
//! Valgrind knows two functions by their names: it counts what happens within `counted_work`, and
//! when `case_is_over` is called it writes down what it has counted since the last time.

use std::hint::black_box;

/// Instructions that are counted.
#[inline(never)]
pub(crate) fn counted_work(work: &mut dyn FnMut()) {
    work();
    // Keeps the call above from taking this one's place on the stack.
    black_box(());
}

/// The end of a case: what was counted was so many of what it is about.
#[inline(never)]
pub(crate) fn case_is_over(name: &str, units: usize) {
    println!("{units} {name}");
}

/// A case of many like pieces of work: they take turns with what has to be prepared for each.
pub(crate) fn case<T>(name: &str, mut prepare: impl FnMut() -> T, mut work: impl FnMut(T)) {
    // The first ones find caches empty and buffers small.
    for _ in 0..TIMES / 10 {
        work(prepare());
    }
    for _ in 0..TIMES {
        let mut prepared = Some(prepare());
        counted_work(&mut || {
            if let Some(it) = prepared.take() {
                work(it);
            }
        });
    }
    case_is_over(name, TIMES);
}

/// How often a piece of work is done: more often than anything in it happens once in a while, such
/// as the growth of a list.
const TIMES: usize = 1_000;
