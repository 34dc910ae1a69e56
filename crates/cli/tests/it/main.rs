//! The real binary, in folders of its own, with nothing of the machine around it.

mod changes;
mod claims;
mod docs;
mod edits;
mod environment;
mod safety;
mod screens;
