//! A bad server is found out: each flaw is counted by its name, and a fair server has none.

use chat_benches::load::ledger::Faults;
use tokio::task::spawn_blocking;

use crate::load;
use crate::plain::{self, Flaw};

/// The faults of a server with this flaw, of ten members in two rooms who say two lines in each, and
/// what it said.
async fn faults(flaw: Flaw) -> (Faults, Vec<String>) {
    let server = plain::start(flaw).await;
    let flags = "--driver ws --connections 10 --rooms 2 --senders 1 --in-flight 2 --lines 12 \
                 --duration 1 --patience 2";
    let run = spawn_blocking(move || load(server, flags));
    let outcome = run.await.unwrap().unwrap();
    assert!(outcome.lines >= 4, "{outcome:?}");
    (outcome.faults, outcome.said)
}

#[tokio::test]
async fn a_fair_server_has_no_fault() {
    assert_eq!(faults(Flaw::None).await, (Faults::default(), Vec::new()));
}

#[tokio::test]
async fn a_line_that_a_member_misses_is_lost() {
    let expected = Faults {
        lost: 1,
        ..Faults::default()
    };
    assert_eq!(faults(Flaw::Loses).await.0, expected);
}

#[tokio::test]
async fn a_line_that_comes_twice_is_duplicated() {
    let expected = Faults {
        duplicated: 1,
        ..Faults::default()
    };
    assert_eq!(faults(Flaw::Doubles).await.0, expected);
}

#[tokio::test]
async fn a_line_that_comes_after_a_later_one_is_disordered() {
    let (faults, _) = faults(Flaw::Swaps).await;
    assert!(faults.disordered >= 1, "{faults:?}");
    assert_eq!(
        Faults {
            disordered: 0,
            ..faults
        },
        Faults::default()
    );
}

#[tokio::test]
async fn a_line_in_another_room_is_a_leak() {
    let expected = Faults {
        leaked: 5,
        ..Faults::default()
    };
    assert_eq!(faults(Flaw::Leaks).await.0, expected);
}

#[tokio::test]
async fn a_connection_that_is_closed_is_counted_and_what_its_member_missed_is_lost() {
    let (faults, said) = faults(Flaw::HangsUp).await;
    assert_eq!(faults.closed, 1);
    assert!(faults.lost >= 1, "{faults:?}");
    assert!(!said.is_empty());
}
