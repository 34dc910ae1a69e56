//! The file store through the one door, on a real disk.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod collisions;
mod damage;
mod documents;
mod editors;
mod files;
mod git;
mod outside;
mod support;
