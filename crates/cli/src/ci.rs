//! Work in jobs of a CI: what its log understands, and reports in and out.

pub mod evidence;
pub mod host;
pub mod job;
pub mod junit;
pub mod outcome;
pub mod summary;
