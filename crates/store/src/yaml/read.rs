//! Strict, bounded reading of a document into a type.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Error, Options};

use super::tree::{Position, Repeats, Tree, Trivia};
use super::{MAX_ALIASES, MAX_DEPTH, MAX_NODES, path, scalar};

/// Largest document that is read. A long milestone of 200 tasks is about 100 KiB.
pub const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// Characters of the offending line shown on each side of the error.
const SNIPPET_RADIUS: usize = 40;

/// A value, and what was noticed on the way.
#[derive(Debug)]
pub struct Read<T> {
    pub value: T,
    /// Paths of keys that `T` does not know, such as `tasks/2/colour`.
    pub unknown: Vec<String>,
    /// Keys that are set twice, in words. Only [`read_lenient`] lets such a document pass.
    pub repeated: Vec<String>,
}

/// Why a document cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub message: String,
    /// The line in question and, below it, a mark under the column.
    pub snippet: Option<String>,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ReadError {}

/// Reads a document as a `T`.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<Read<T>, ReadError> {
    let text = check_text(text)?;
    let (value, unknown) = typed(text, DuplicateKeyPolicy::Error)?;
    Ok(Read { value, unknown, repeated: Vec::new() })
}

/// Reads the bytes of a file as a `T`.
pub fn read_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<Read<T>, ReadError> {
    check_size(bytes.len())?;
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ReadError::not_utf8(bytes, error.valid_up_to()))?;
    read(text)
}

/// Reads a configuration file as a `T`. A key that is set twice must not stop the whole program,
/// so its last value counts and the repetition is reported.
pub fn read_lenient<T: DeserializeOwned>(text: &str) -> Result<Read<T>, ReadError> {
    let text = check_text(text)?;
    let repeated = Tree::parse(text, Repeats::Report, Trivia::Skip)?.repeats;
    let (value, unknown) = typed(text, DuplicateKeyPolicy::LastWins)?;
    Ok(Read { value, unknown, repeated })
}

/// What is refused before any parser sees it. Returns the text without a byte order mark.
pub(super) fn check_text(text: &str) -> Result<&str, ReadError> {
    check_size(text.len())?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    if let Some(offset) = text.bytes().position(is_forbidden) {
        let at = position_of(text, offset);
        let code = text.as_bytes()[offset];
        let message = format!("the control character 0x{code:02X} is not allowed");
        return Err(ReadError::at(text, at, &message));
    }
    if text.lines().all(is_no_content) { Err(ReadError::empty(text)) } else { Ok(text) }
}

fn is_no_content(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#') || line == "---" || line == "..."
}

fn check_size(bytes: usize) -> Result<(), ReadError> {
    if bytes <= MAX_DOCUMENT_BYTES {
        return Ok(());
    }
    let message = format!(
        "this file is {} MiB long; documents of at most {} MiB are read",
        bytes.div_ceil(1024 * 1024),
        MAX_DOCUMENT_BYTES / (1024 * 1024),
    );
    Err(ReadError { line: 1, column: 1, message, snippet: None })
}

fn is_forbidden(byte: u8) -> bool {
    (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) || byte == 0x7F
}

fn typed<T: DeserializeOwned>(
    text: &str,
    duplicates: DuplicateKeyPolicy,
) -> Result<(T, Vec<String>), ReadError> {
    let mut unknown = Vec::new();
    serde_saphyr::with_deserializer_from_str_with_options(text, options(duplicates), |yaml| {
        serde_ignored::deserialize(yaml, |path| unknown.push(path_text(&path)))
    })
    .map(|value| (value, unknown))
    .map_err(|error| from_reader(text, &error))
}

fn options(duplicate_keys: DuplicateKeyPolicy) -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 2 * MAX_NODES,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_recorded_anchor_events: MAX_NODES,
            max_recorded_anchor_bytes: MAX_DOCUMENT_BYTES,
            max_total_scalar_bytes: 2 * MAX_DOCUMENT_BYTES,
            max_documents: 2,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 16,
        },
        // A section that somebody has commented out would exceed the budget for comments.
        emit_comments: false,
        duplicate_keys: duplicate_keys,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn path_text(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    let join = |parent: &Path<'_>, name: &str| match path_text(parent) {
        parent if parent.is_empty() => name.to_owned(),
        parent => format!("{parent}/{name}"),
    };
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => join(parent, &index.to_string()),
        Path::Map { parent, key } => join(parent, &path::escape(key)),
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => path_text(parent),
    }
}

impl ReadError {
    pub(super) fn at(text: &str, at: Position, message: &str) -> Self {
        let message = scalar::shown(message);
        Self { line: at.line, column: at.column, message, snippet: snippet(text, at) }
    }

    pub(super) fn empty(text: &str) -> Self {
        let what = if text.trim().is_empty() { "is empty" } else { "holds comments only" };
        Self { line: 1, column: 1, message: format!("this document {what}"), snippet: None }
    }

    pub(super) fn syntax(text: &str, error: &granit_parser::ScanError) -> Self {
        let marker = error.marker();
        let at = Position { line: marker.line(), column: marker.col() + 1 };
        Self::at(text, at, &syntax_words(&error.info()))
    }

    fn not_utf8(bytes: &[u8], offset: usize) -> Self {
        let before = String::from_utf8_lossy(&bytes[..offset]);
        let before = before.strip_prefix('\u{FEFF}').unwrap_or(&before);
        let at = position_of(before, before.len());
        let message = format!("the byte 0x{:02X} is not valid UTF-8", bytes[offset]);
        Self { line: at.line, column: at.column, message, snippet: None }
    }
}

fn position_of(text: &str, offset: usize) -> Position {
    let before = &text[..offset];
    let line_start = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
    let breaks = before.matches('\n').count() + before.matches('\r').count()
        - before.matches("\r\n").count();
    Position { line: breaks + 1, column: before[line_start..].chars().count() + 1 }
}

fn snippet(text: &str, at: Position) -> Option<String> {
    let line = text.split('\n').nth(at.line.checked_sub(1)?)?;
    let line = line.strip_suffix('\r').unwrap_or(line);
    let first = at.column.saturating_sub(SNIPPET_RADIUS + 1);
    let before: String = line.chars().skip(first).take(at.column - 1 - first).collect();
    let after: String = line.chars().skip(at.column - 1).take(SNIPPET_RADIUS).collect();
    let (before, after) = (scalar::shown(&before), scalar::shown(&after));
    let indent = " ".repeat(before.chars().count());
    Some(format!("{before}{after}\n{indent}^"))
}

/// The typed reader's error, in the words of somebody who has a text editor open.
fn from_reader(text: &str, error: &Error) -> ReadError {
    let error = error.without_snippet();
    let at = error.location().map_or(Position { line: 1, column: 1 }, |location| Position {
        line: usize::try_from(location.line()).unwrap_or(1).max(1),
        column: usize::try_from(location.column()).unwrap_or(1).max(1),
    });
    if matches!(error, Error::Eof { .. }) {
        return ReadError::empty(text);
    }
    ReadError::at(text, at, &words(error))
}

fn words(error: &Error) -> String {
    match error {
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("the key `{field}` is not known{}", one_of(expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("`{variant}` is not allowed here{}", one_of(expected))
        }
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            format!("found {}, but {} is needed", plain(unexpected), plain(expected))
        }
        Error::SerdeInvalidLength { len, expected, .. } => {
            format!("found {len} items, but {} is needed", plain(expected))
        }
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` is set twice")
        }
        Error::DuplicateMappingKey { key: None, .. } => "a key is set twice".to_owned(),
        Error::MultipleDocuments { .. } => "this file must hold one document only".to_owned(),
        Error::InvalidScalar { ty, .. } => format!("{} is needed here", plain(ty)),
        Error::InvalidBooleanStrict { .. } => "`true` or `false` is needed here".to_owned(),
        Error::NullIntoString { .. } => "text is needed here, but there is nothing".to_owned(),
        Error::Unexpected { expected, .. } => format!("{} is needed here", plain(expected)),
        Error::MergeKeyNotAllowed { .. } => {
            "merge keys (`<<`) are not supported; write the keys out".to_owned()
        }
        Error::UnknownAnchor { .. } => "this alias has no anchor (`&name`) before it".to_owned(),
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "this alias stands for something that contains it".to_owned()
        }
        Error::Budget { breach, .. } => budget_words(breach).to_owned(),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "aliases make this document too large to be read".to_owned()
        }
        Error::Message { msg, .. } => msg.clone(),
        Error::AliasError { error, .. } => words(error.without_snippet()),
        other => syntax_words(&other.render_with_formatter(&serde_saphyr::UserMessageFormatter)),
    }
}

fn budget_words(breach: &serde_saphyr::budget::BudgetBreach) -> &'static str {
    use serde_saphyr::budget::BudgetBreach;
    match breach {
        BudgetBreach::Depth { .. } => "lists and mappings are nested too deeply here",
        BudgetBreach::Aliases { .. } | BudgetBreach::AliasAnchorRatio { .. } => {
            "there are too many aliases (`*name`) in this document"
        }
        BudgetBreach::Anchors { .. } => "there are too many anchors (`&name`) in this document",
        BudgetBreach::Documents { .. } => "this file must hold one document only",
        _ => "this document holds too many values to be read",
    }
}

fn one_of(expected: &[&str]) -> String {
    match expected {
        [] => String::new(),
        names => format!("; use one of {}", names.join(", ")),
    }
}

/// What the parsers say, and what it means to somebody who has the text in front of them.
const SYNTAX: &[(&str, &str)] = &[
    ("recursion limit", "lists and mappings are nested too deeply here"),
    ("found a tab", "tabs cannot indent here; use spaces"),
    ("mapping values are not allowed", "`:` is unexpected here; text with `: ` in it needs quotes"),
    ("unclosed quote", "this quote is never closed"),
    ("unclosed bracket", "this bracket is never closed"),
    ("expected '-' indicator", "another item of the list (`- `) was expected here"),
    ("unknown escape", "unknown escape in double quotes; a backslash is written `\\\\`"),
    ("externally tagged enum", "a word or a mapping is needed here"),
    ("unsupported tag", "tags (`!name`) are not supported here"),
    ("tagged scalar", "this tag does not fit here"),
    ("binary", "this tag does not fit here"),
];

fn syntax_words(message: &str) -> String {
    // The place is reported beside the message.
    let message = message.split(" at line ").next().unwrap_or(message);
    let known = SYNTAX.iter().find(|(part, _)| message.contains(part));
    known.map_or_else(|| plain(message), |(_, words)| (*words).to_owned())
}

/// Serde describes values by the names of Rust's types; somebody who edits YAML knows other names.
fn plain(description: &str) -> String {
    const WORDS: &[(&str, &str)] = &[
        ("unit value", "nothing"),
        ("floating point", "number"),
        ("integer", "number"),
        ("boolean", "flag"),
        ("string", "text"),
        ("sequence", "list"),
        ("a map", "a mapping"),
    ];
    match description {
        "f32" | "f64" | "floating point" => "a number".to_owned(),
        "a string" | "string" | "string scalar" | "str expected" => "text".to_owned(),
        "scalar" | "value" => "a single value".to_owned(),
        "map" | "mapping start" => "a mapping".to_owned(),
        "sequence" | "sequence start" => "a list".to_owned(),
        "boolean" | "bool expected" => "`true` or `false`".to_owned(),
        text if is_integer(text) => "a whole number".to_owned(),
        text if text.starts_with("struct ") => "a mapping".to_owned(),
        text if text.starts_with("enum ") || text.starts_with("variant ") => {
            "one of the allowed words".to_owned()
        }
        text => WORDS.iter().fold(text.to_owned(), |text, (from, to)| reworded(&text, from, to)),
    }
}

/// Replaces words before the first quote; what is quoted is the author's own text.
fn reworded(text: &str, from: &str, to: &str) -> String {
    let quoted_at = text.find(['"', '`']).unwrap_or(text.len());
    format!("{}{}", text[..quoted_at].replace(from, to), &text[quoted_at..])
}

/// Whether this is the name of one of Rust's integers.
fn is_integer(name: &str) -> bool {
    let size = name.strip_prefix(['i', 'u']);
    size.is_some_and(|size| size == "size" || size.bytes().all(|byte| byte.is_ascii_digit()))
}
