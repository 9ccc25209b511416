//! How our server scales: what a delivery, a post, a connection and a member cost as there are more of
//! them, in one run.
//!
//! * [`question`] says what is asked, of whom, and at which sizes; [`figure`] what is read off.
//! * [`trial`] puts one server to one size once, with the programs and places of [`versus`](crate::versus).
//! * [`results`] makes medians and ratios of many trials, [`table`] and [`page`] show them.
//! * [`disk`] tells how long the disk takes to say that something is there.

pub mod disk;
pub mod figure;
pub mod page;
pub mod question;
pub mod results;
pub mod table;
pub mod trial;
