//! The file store through the one door, on a real disk.

mod editors;
mod files;
mod support;
