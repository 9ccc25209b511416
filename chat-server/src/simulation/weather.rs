//! What goes wrong in the world, beside what its people do.

use std::rc::Rc;
use std::time::Duration;

use super::dice::Dice;
use super::faulty::Health;
use super::world::World;

/// Lets things go wrong for so many seconds.
pub(super) async fn change(world: Rc<World>, mut dice: Dice, seconds: u64) {
    while world.clock.elapsed_ms() < seconds * 1_000 && !world.trace.is_wrong() {
        tokio::time::sleep(Duration::from_millis(dice.between(100, 2_500))).await;
        let machine = dice.below(world.host.machines());
        match dice.between(0, 12) {
            0 | 1 => {
                world.trace.harm("server crashed");
                world.host.crash(machine).await;
                away(&world, machine, &mut dice).await;
            }
            2 => {
                world.trace.harm("server stopped");
                world.host.stop(machine).await;
                away(&world, machine, &mut dice).await;
            }
            3 => fall_ill(&world, &mut dice, Health::Down, "store down").await,
            4 => fall_ill(&world, &mut dice, Health::Slow, "store slow").await,
            5 | 6 => {
                let off = i64::try_from(dice.between(0, 12 * HOUR_MS)).unwrap_or(0);
                let off = off - i64::try_from(6 * HOUR_MS).unwrap_or(0);
                world.trace.harm("wall clock put elsewhere");
                world.trace.note("clock", &format!("{off} ms off"));
                world.clock.put(off);
            }
            7 | 8 => cut_off(&world, &mut dice).await,
            _ => {}
        }
    }
}

/// A while in which the machines don't hear each other.
async fn cut_off(world: &World, dice: &mut Dice) {
    let Some(bus) = &world.host.bus else { return };
    world.trace.harm("bus cut");
    world.trace.note("bus", "is cut");
    bus.cut(true);
    tokio::time::sleep(Duration::from_millis(dice.between(200, 4_000))).await;
    bus.cut(false);
    world.trace.note("bus", "is itself again");
}

/// A while without a server.
async fn away(world: &World, machine: usize, dice: &mut Dice) {
    tokio::time::sleep(Duration::from_millis(dice.between(1, 1_500))).await;
    world.host.start(machine).await;
}

async fn fall_ill(world: &World, dice: &mut Dice, health: Health, what: &'static str) {
    world.trace.harm(what);
    world.trace.note("store", what);
    world.host.ward.set(health);
    tokio::time::sleep(Duration::from_millis(dice.between(200, 4_000))).await;
    world.host.ward.set(Health::Frail);
    world.trace.note("store", "is itself again");
}

const HOUR_MS: u64 = 60 * 60 * 1_000;
