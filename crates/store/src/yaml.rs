//! The YAML documents that people and the program both write.
//!
//! Reading is strict and bounded ([`read`], [`to_value`]): whatever the bytes are, they cost a
//! limited amount of time and memory and end in a value or in an error that names a line.
//! Writing comes in two kinds: [`write`] makes a new document, [`edit`] changes a few places of an
//! existing one and leaves every other line, comment and blank line as its author left it.
//!
//! What a document may hold is a little less than YAML allows, because each of these is a trap in
//! a file edited by hand: duplicate keys, tabs as indentation, several documents in one file,
//! merge keys (`<<`), tags other than the core ones, keys that are not plain text, and control
//! characters are refused with a message. Anchors and aliases are read, within budgets.
//!
//! Untyped values follow one rule, so that nothing is silently changed by passing through the
//! program: a plain scalar is a number only if writing that number gives the same text again. So
//! `12` and `2.5` are numbers while `012`, `1e3`, `1.10`, `0x1F` and `2026-01-01` stay text; only
//! `true` and `false` are booleans, and `yes` and `True` stay text.

mod edit;
mod engine;
mod path;
mod read;
mod scalar;
mod tree;
mod write;

#[cfg(test)]
mod tests;

pub use edit::{Edit, EditError, edit};
pub use path::{Step, Steps};
pub use read::{MAX_DOCUMENT_BYTES, Read, ReadError, read, read_bytes, read_lenient};
pub use tree::{locate, nearest_place, to_value};
pub use write::write;

/// Deepest nesting of sequences and mappings. Our own documents need six; every level costs stack
/// in two parsers, so the limit is what keeps `[[[[…` an error instead of a crash.
const MAX_DEPTH: usize = 48;

/// Most nodes (scalars, sequences, mappings; aliases count what they stand for). A task of a long
/// document has about 25, so this is room for thousands of tasks, and it bounds memory.
const MAX_NODES: usize = 150_000;

/// Most anchors, and most aliases, in one document.
const MAX_ALIASES: usize = 1_000;
