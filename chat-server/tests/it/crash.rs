//! The program as a process: killed at any moment, told to stop, without power, without a disk, with
//! a clock that jumps, and started on files that it can't use.

mod clock;
mod damage;
mod faults;
mod kills;
#[cfg(feature = "postgres")]
mod nodes;
mod power;
mod program;
mod shim;
mod start;
mod stop;
mod talker;

pub(crate) use self::program::Program;
