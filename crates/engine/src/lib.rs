//! Runs the tasks of a milestone with agents: sessions, runners, worktrees and git.

pub mod prompt;
pub mod runners;
