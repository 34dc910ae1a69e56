//! What a milestone is and what may happen to it.
//!
//! Pure: no clock, files, environment, network, threads or randomness.

pub mod calendar;
pub mod effort;
pub mod graph;
pub mod schedule;
