//! The real binary, in folders of its own, with nothing of the machine around it.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod changes;
mod claims;
mod docs;
mod edits;
mod environment;
mod floors;
mod hints;
mod plan;
mod safety;
mod screens;
mod walkthrough;
