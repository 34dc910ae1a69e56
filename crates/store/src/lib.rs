//! Where a project's truth is kept, and the one door to it.

pub mod yaml;
