//! A world of people who wish at random, nonsense included, and a naive model of the rules that
//! has to foresee every answer.
//!
//! A failing run prints its steps. It is kept in `tests/it/simulation.regressions` and told again
//! by the next run; `PROPTEST_RNG_SEED` tells one run again, `PROPTEST_CASES` tells more of them.

mod draw;
mod oracle;
mod world;

use proptest::collection::vec;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};

use self::draw::{Draw, draws};
use self::world::World;
use crate::coverage;

/// Worlds in an ordinary run, and how many steps each of them takes at most.
const WORLDS: u32 = 400;
const STEPS_MAX: usize = 400;

/// How long worlds last in which memory forgets what the store still knows.
const LONG_WORLDS: u32 = 4;
const LONG_STEPS_MAX: usize = 4_000;

#[test]
fn the_engine_answers_as_the_rules_foresee() {
    coverage::forget();
    run(WORLDS, vec(draws(1, 12), 0..STEPS_MAX), World::default);
    coverage::assert_all_seen(&["stale_fact"]);
}

#[test]
fn it_does_so_when_memory_has_forgotten_what_the_store_still_knows() {
    run(
        LONG_WORLDS,
        vec(draws(40, 900), LONG_STEPS_MAX / 2..LONG_STEPS_MAX),
        World::of_much_talk,
    );
}

fn run(ordinary: u32, steps: impl Strategy<Value = Vec<Draw>>, world: impl Fn() -> World) {
    let default = Config::default();
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let regressions = FileFailurePersistence::Direct("tests/it/simulation.regressions");
    let config = Config {
        cases: if asked { default.cases } else { ordinary },
        failure_persistence: Some(Box::new(regressions)),
        ..default
    };
    let outcome = TestRunner::new(config).run(&steps, |steps| {
        world().live(&steps);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
