//! What the engine does with real programs.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself has failed")]

mod agents;
mod endpoint;
