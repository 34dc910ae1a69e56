//! The file store through the one door, on a real disk.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::format_push_string,
    reason = "a test that cannot be set up has failed, and figures are printed"
)]

mod collisions;
mod damage;
mod documents;
mod editors;
mod files;
mod git;
mod moving;
mod outside;
mod recovery;
mod support;
