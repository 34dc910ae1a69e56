//! What a milestone is and what may happen to it.
//!
//! Pure: no clock, files, environment, network, threads or randomness.

pub mod apply;
pub mod calendar;
pub mod change;
pub mod command;
pub mod decide;
pub mod dependencies;
pub mod dice;
pub mod document;
pub mod effort;
pub mod event;
pub mod forecast;
pub mod graph;
pub mod ids;
pub mod limits;
pub mod needs;
pub mod offers;
pub mod past;
pub mod planning;
pub mod planted;
pub mod progress;
#[cfg(any(test, feature = "random"))]
pub mod random;
pub mod readiness;
pub mod refusal;
pub mod schedule;
pub mod search;
pub mod settings;
pub mod snapshot;
pub mod status;
pub mod streams;
pub mod views;
