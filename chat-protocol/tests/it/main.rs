//! The integration tests of the protocol, as one program.

mod log;
