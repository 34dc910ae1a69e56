//! Runs the tasks of a milestone with agents: sessions, runners, worktrees and git.
//!
//! What is to be done next is decided by a state machine that touches nothing ([`core`]); what it
//! decides is done by a world ([`world`]): the real one ([`real`]), with processes and git, or a
//! simulated one.

mod attended;
pub mod blockers;
pub mod boxed;
mod copying;
pub mod core;
pub mod error;
pub mod forge;
pub mod git;
pub mod keeper;
pub mod lines;
mod log;
pub mod needs;
mod process;
pub mod prompt;
pub mod real;
pub mod requests;
pub mod roles;
pub mod runners;
pub mod session;
pub mod verdicts;
pub mod world;
