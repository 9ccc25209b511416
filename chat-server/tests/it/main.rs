//! The integration tests of the server, as one program.

mod store;
