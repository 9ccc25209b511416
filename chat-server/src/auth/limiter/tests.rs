//! Stories of budgets, told to clocks that stand still.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::state::{SWEEP_FROM, UNDER_WAY_RETRY_MS};
use super::*;
use crate::clock::ManualClock;

const RULES: AttemptRules = AttemptRules {
    counted: true,
    burst: 5,
    refill_ms: 12_000,
};
const ANN: UserId = UserId::new(1);

fn limiter() -> (Arc<ManualClock>, Arc<Limiter>) {
    let clock = Arc::new(ManualClock::new(Timestamp::new(1_000_000)));
    let limiter = Limiter::new(clock.clone(), RULES);
    (clock, limiter)
}

fn from(number: u32) -> Whence<'static> {
    Whence::of(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number)))
}

fn wrong(limiter: &Arc<Limiter>, user: UserId, whence: Whence<'_>) -> bool {
    let attempt = limiter.log_in(Some(user), "", whence);
    attempt.map(Attempt::fail).is_ok()
}

#[test]
fn five_wrong_passwords_for_an_account_are_the_limit_until_the_budget_refills() {
    let (clock, limiter) = limiter();
    for number in 0..5 {
        assert!(wrong(&limiter, ANN, from(number)));
    }
    assert_eq!(
        limiter.log_in(Some(ANN), "", from(9)).unwrap_err(),
        RateLimited { retry_ms: 12_000 }
    );
    clock.advance(Duration::from_secs(12));
    assert!(wrong(&limiter, ANN, from(9)));
    assert!(!wrong(&limiter, ANN, from(9)));
}

#[test]
fn one_address_may_not_try_its_luck_on_many_accounts() {
    let (_, limiter) = limiter();
    let tried = (1..100).filter(|user| wrong(&limiter, UserId::new(*user), from(1)));
    assert_eq!(tried.count(), 5);
}

#[test]
fn names_that_nobody_has_run_out_like_others() {
    let (_, limiter) = limiter();
    let tried = (0..9).filter(|number| {
        let attempt = limiter.log_in(None, "Nobody", from(*number));
        attempt.map(Attempt::fail).is_ok()
    });
    assert_eq!(tried.count(), 5);
    assert!(limiter.log_in(None, " nobody", from(20)).is_err());
    assert!(limiter.log_in(None, "somebody", from(20)).is_ok());
}

#[test]
fn neighbours_in_one_ipv6_network_share_a_budget() {
    let (_, limiter) = limiter();
    let address = |last: u16| Whence::of(IpAddr::from([0x2001, 0xdb8, 1, 2, 9, 9, 9, last]));
    let tried = (1..50).filter(|n| wrong(&limiter, UserId::new(u64::from(*n)), address(*n)));
    assert_eq!(tried.count(), 5);
    let elsewhere = Whence::of(IpAddr::from([0x2001, 0xdb8, 1, 3, 0, 0, 0, 1]));
    assert!(wrong(&limiter, ANN, elsewhere));
    let mapped = Whence::of("::ffff:10.0.0.7".parse().unwrap());
    assert_eq!(network(mapped.address), from(7).address);
}

#[test]
fn right_passwords_cost_nothing() {
    let (_, limiter) = limiter();
    for user in 1..100 {
        let attempt = limiter.log_in(Some(UserId::new(user)), "", from(1));
        attempt.unwrap().succeed();
    }
}

#[test]
fn attempts_at_once_count_before_their_outcome_is_known() {
    let (_, limiter) = limiter();
    let under_way: Vec<_> = (0..5)
        .map(|number| limiter.log_in(Some(ANN), "", from(number)).unwrap())
        .collect();
    assert!(limiter.log_in(Some(ANN), "", from(6)).is_err());
    // Hanging up counts as wrong.
    drop(under_way);
    let refused = limiter.log_in(Some(ANN), "", from(6)).unwrap_err();
    assert_eq!(refused.retry_ms, 12_000);
}

#[test]
fn many_people_behind_one_address_may_come_at_once_but_wrong_ones_are_a_debt() {
    let (clock, limiter) = limiter();
    let begin = |user| limiter.log_in(Some(UserId::new(user)), "", from(1));
    let house: Vec<_> = (1..33).map(|user| begin(user).unwrap()).collect();
    assert_eq!(begin(33).unwrap_err().retry_ms, UNDER_WAY_RETRY_MS);
    house.into_iter().for_each(Attempt::succeed);

    let thieves: Vec<_> = (101..133).map(|user| begin(user).unwrap()).collect();
    thieves.into_iter().for_each(Attempt::fail);
    let debt = Duration::from_millis((32 - 5) * RULES.refill_ms);
    clock.advance(debt);
    assert!(begin(200).is_err());
    clock.advance(Duration::from_millis(RULES.refill_ms));
    begin(200).unwrap().fail();
}

#[test]
fn who_was_right_before_is_not_locked_out_by_strangers() {
    let (clock, limiter) = limiter();
    let home = from(1);
    let attempt = limiter.log_in(Some(ANN), "", home);
    attempt.unwrap().succeed();
    for number in 2..202 {
        wrong(&limiter, ANN, from(number));
        clock.advance(Duration::from_millis(10));
    }
    assert!(!wrong(&limiter, ANN, from(300)));
    let attempt = limiter.log_in(Some(ANN), "", home);
    attempt.unwrap().succeed();
    // His own budget has an end too.
    let tried = (0..9).filter(|_| wrong(&limiter, ANN, home));
    assert_eq!(tried.count(), 5);
}

#[test]
fn a_named_device_is_not_locked_out_by_its_neighbours() {
    let (_, limiter) = limiter();
    let named = Whence {
        page: None,
        device: Some("d0a7"),
        ..from(1)
    };
    let attempt = limiter.log_in(Some(ANN), "", named);
    attempt.unwrap().succeed();
    let tried = (0..9).filter(|_| wrong(&limiter, ANN, from(1)));
    assert_eq!(tried.count(), 5);
    assert!(limiter.log_in(Some(ANN), "", named).is_ok());
}

#[test]
fn a_room_has_a_budget_and_its_visitors_have_theirs() {
    let (_, limiter) = limiter();
    let room = RoomId::new(7);
    limiter.enter(room, ANN, from(1)).unwrap().succeed();
    let tried = (10..20).filter(|number| {
        let guest = UserId::guest(u64::from(*number));
        let attempt = limiter.enter(room, guest, from(*number));
        attempt.map(Attempt::fail).is_ok()
    });
    assert_eq!(tried.count(), 5);
    assert!(limiter.enter(room, ANN, from(99)).is_ok());
    assert!(limiter.enter(RoomId::new(8), ANN, from(99)).is_ok());
}

#[test]
fn nothing_is_remembered_of_budgets_that_are_full_again() {
    let (clock, limiter) = limiter();
    for number in 0..20_000 {
        assert!(wrong(
            &limiter,
            UserId::new(u64::from(number)),
            from(number)
        ));
        clock.advance(Duration::from_millis(100));
    }
    assert!(limiter.lock().budgets.len() <= SWEEP_FROM);
}

#[test]
fn a_jump_of_the_wall_clock_refills_nothing() {
    let (clock, limiter) = limiter();
    for number in 0..5 {
        wrong(&limiter, ANN, from(number));
    }
    clock.jump(Timestamp::new(9_000_000_000));
    assert!(!wrong(&limiter, ANN, from(9)));
}

#[test]
fn the_devices_of_an_account_are_bounded_and_the_oldest_goes_first() {
    let (_, limiter) = limiter();
    for number in 0..9 {
        let attempt = limiter.log_in(Some(ANN), "", from(number));
        attempt.unwrap().succeed();
    }
    assert!(limiter.last_log_in(ANN, from(0)).is_none());
    assert!(limiter.last_log_in(ANN, from(8)).is_some());
}

#[test]
fn the_commands_of_all_guests_of_an_address_are_one_budget_to_the_last() {
    let (clock, limiter) = limiter();
    let mut limits = ServerLimits::default();
    (limits.guest_commands_burst, limits.guest_command_refill_ms) = (20, 50);
    let rules = GuestRules::from(&limits);
    let act = |number| {
        let acted = limiter.act_as_guest(from(number), rules, 16);
        acted.map_err(|it| it.retry_ms)
    };
    assert_eq!((act(1), act(1), act(1)), (Ok(16), Ok(4), Err(50)));
    assert_eq!(act(2), Ok(16), "another address has its own");
    clock.advance(Duration::from_millis(49));
    assert_eq!(act(1), Err(1));
    clock.advance(Duration::from_millis(101));
    assert_eq!((act(1), act(1)), (Ok(3), Err(50)));
}
