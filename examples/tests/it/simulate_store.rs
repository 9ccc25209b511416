//! A store in a simulated world.

use std::process::Command;

#[test]
fn a_store_that_forgets_is_told_from_one_that_does_not() {
    let output = Command::new(env!("CARGO_BIN_EXE_simulate_store"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.starts_with("a store that keeps everything: 8 worlds, and nothing was wrong\n"));
    assert!(
        said.contains("a store that forgets, and how that was noticed:\n"),
        "{said}"
    );
}
