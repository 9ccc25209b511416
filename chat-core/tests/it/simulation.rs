//! A world of people who wish at random, nonsense included, and a naive model of the rules that
//! has to foresee every answer.
//!
//! An ordinary run tells the same worlds each time. `PROPTEST_CASES=5000` tells so many others,
//! `PROPTEST_RNG_SEED` chooses which. A failing run prints its steps, shrunk to the few that matter,
//! and keeps them in `tests/it/simulation.regressions`, from where the next run tells them again
//! (neither of it with `PROPTEST_DISABLE_FAILURE_PERSISTENCE`).

mod draw;
mod oracle;
mod world;

use proptest::collection::vec;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestRunner};

use self::draw::{Draw, draws};
use self::world::World;
use crate::coverage;

/// Worlds in an ordinary run, and how many steps each of them takes at most.
const WORLDS: u32 = 300;
const STEPS_MAX: usize = 400;

/// How long worlds last in which memory forgets what the store still knows.
const LONG_WORLDS: u32 = 4;
const LONG_STEPS_MAX: usize = 3_000;

#[test]
fn the_engine_answers_as_the_rules_foresee() {
    coverage::forget();
    run(WORLDS, vec(draws(1, 12), 0..STEPS_MAX), World::default);
    coverage::assert_all_seen();
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
    let asked = |name: &str| std::env::var_os(name).is_some();
    let mut config = Config::default();
    if config.failure_persistence.is_some() {
        let regressions = FileFailurePersistence::Direct("tests/it/simulation.regressions");
        config.failure_persistence = Some(Box::new(regressions));
    }
    if !asked("PROPTEST_CASES") {
        config.cases = ordinary;
        if !asked("PROPTEST_RNG_SEED") {
            config.rng_seed = RngSeed::Fixed(1);
        }
    }
    let outcome = TestRunner::new(config).run(&steps, |steps| {
        world().live(&steps);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
