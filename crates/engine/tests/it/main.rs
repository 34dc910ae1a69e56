//! The engine from outside, with the real programs.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod git;
