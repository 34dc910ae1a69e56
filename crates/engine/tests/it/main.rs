//! The engine from outside, with the real programs.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot prepare itself has failed, and one that is skipped says so"
)]

mod agents;
mod endpoint;
mod git;
mod handing;
mod hub;
mod streams;
