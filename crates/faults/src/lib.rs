//! Breaks the machine under the program, and checks that no promise broke with it.
//!
//! The harness starts the program as its own child, kills it, cuts its power, fails its system
//! calls, and writes down what was acknowledged. The checker, which shares no state with it, then
//! compares those acknowledgements with what the project's store holds.

pub mod ask;
pub mod check;
pub mod execution;
pub mod ledger;
pub mod project;
pub mod promises;
pub mod random;
pub mod report;
pub mod run;
pub mod server;
pub mod store;
