//! Our server and those of others side by side, in one run: who takes part, what they are put to, and
//! what came of it.
//!
//! * [`contender`] says who takes part, [`shape`] what they are put to, [`choice`] which of both.
//! * [`programs`] builds what is run, or says what is missing.
//! * [`child`] runs a program on a processor of its own and ends it; [`trial`] is one contender put to
//!   one shape once.
//! * [`machine`] tells where. [`outcome`] is what the load generator says of that; [`table`] and [`targets`] make figures of many.

pub mod child;
pub mod choice;
pub mod contender;
pub mod machine;
pub mod outcome;
pub mod programs;
pub mod shape;
pub mod table;
pub mod targets;
pub mod trial;
