//! Telling other programs about this one: coding agents, in each one's own form, and editors.

pub mod agents;
pub mod editor;
mod marked;
pub mod planned;
mod told;
