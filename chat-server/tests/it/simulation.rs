//! Whole servers in a simulated world, seed by seed.

use chat_server::simulation::{Report, Simulation};

fn seeds(default: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|it| it.parse().ok());
    match (number("SEED"), number("SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(count)) => 0..count,
        (None, None) => 0..default,
    }
}

fn run(seed: u64) -> Report {
    let report = Simulation::new(seed).run();
    assert!(report.failure.is_none(), "{report}");
    report
}

#[test]
fn whatever_happens_everybody_hears_what_he_may_and_nothing_else() {
    for seed in seeds(20) {
        let report = run(seed);
        println!("{report}");
        assert_eq!(report, run(seed), "seed {seed} is not the same twice");
    }
}
