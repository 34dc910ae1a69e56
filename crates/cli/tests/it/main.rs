//! The real binary, in folders of its own, with nothing of the machine around it.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod agents;
mod archive;
mod attempts;
mod boxed;
mod changes;
mod charts;
mod ci;
mod claims;
mod closed;
mod docs;
mod documents;
mod edits;
mod environment;
mod execute;
mod floors;
mod gates;
mod hints;
mod hostile;
mod integrate;
mod live;
mod plan;
mod pushing;
mod readying;
mod safety;
mod scale;
mod schemas;
mod screens;
mod search;
mod seed;
mod shells;
mod storage;
mod streams;
mod terminal;
mod verifying;
mod views;
mod walkthrough;
mod worker;
