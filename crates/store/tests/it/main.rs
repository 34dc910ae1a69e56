//! The file store through the one door, on a real disk.

mod files;
