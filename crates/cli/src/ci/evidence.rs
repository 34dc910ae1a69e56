//! Results of tests and checks, as other programs leave them behind: read to be kept as evidence.
//!
//! Such a file may come from anybody. It is bounded in size and, before a parser sees it, in what
//! costs a parser more than its size.

mod json;
mod xml;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::errors::Failure;

/// The largest file that is read.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How many of those that failed are named, and how much of a name is kept.
const NAMES_MAX: usize = 10;
const NAME_CHARS_MAX: usize = 120;

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Evidence {
    pub file: String,
    #[serde(flatten)]
    pub counts: Counts,
    /// Whether nothing in it failed.
    pub ok: bool,
    /// The first of those that failed, by name.
    pub failing: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "format", rename_all = "snake_case")]
pub enum Counts {
    Junit {
        tests: u64,
        failures: u64,
        errors: u64,
        skipped: u64,
    },
    /// Results by their level; what is suppressed is not counted.
    Sarif {
        errors: u64,
        warnings: u64,
        notes: u64,
        none: u64,
        /// Runs in which the tool itself did not come to an end.
        aborted: u64,
    },
    /// The form of this program.
    Plain {
        passed: u64,
        failed: u64,
        skipped: u64,
    },
}

/// The names of the first that failed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Names {
    first: Vec<String>,
}

impl Names {
    fn add(&mut self, name: &str) {
        if self.first.len() < NAMES_MAX {
            self.first.push(name.chars().take(NAME_CHARS_MAX).collect());
        }
    }
}

/// Why a file is no evidence.
#[derive(Debug, PartialEq, Eq)]
enum Unusable {
    /// It is none of the forms that are known.
    Unknown(String),
    /// It is one of them, and cannot be read.
    Broken(String),
    /// It says nothing.
    Empty,
}

impl Counts {
    fn is_ok(self) -> bool {
        match self {
            Self::Junit { failures, errors, .. } => failures == 0 && errors == 0,
            Self::Sarif { errors, aborted, .. } => errors == 0 && aborted == 0,
            Self::Plain { failed, .. } => failed == 0,
        }
    }

    pub fn said(self) -> String {
        match self {
            Self::Junit { tests, failures, errors, skipped } => format!(
                "JUnit: {tests} tests, {failures} failures, {errors} errors, {skipped} skipped"
            ),
            Self::Sarif { errors, warnings, notes, none, aborted } => {
                let ended =
                    if aborted == 0 { "" } else { ", and the tool did not come to its end" };
                let other = if none == 0 { String::new() } else { format!(", {none} others") };
                format!("SARIF: {errors} errors, {warnings} warnings, {notes} notes{other}{ended}")
            }
            Self::Plain { passed, failed, skipped } => {
                format!("{passed} passed, {failed} failed, {skipped} skipped")
            }
        }
    }
}

impl Evidence {
    /// In a line, as it is kept.
    pub fn said(&self) -> String {
        let word = if self.ok { "ok" } else { "failed" };
        let failing = match self.failing.as_slice() {
            [] => String::new(),
            names => format!("; failing: {}", names.join(", ")),
        };
        format!("{}: {word} ({}){failing}", self.file, self.counts.said())
    }
}

/// What a file says, by its content and not by its name.
pub fn read(file: &Path) -> Result<Evidence, Failure> {
    let name = file.display().to_string();
    let text = text_of(file).map_err(|why| {
        Failure::usage(format!("{name} {why}"), "give the file that the tests have written")
    })?;
    let (counts, names) = understand(&text).map_err(|unusable| refused(&name, unusable))?;
    Ok(Evidence { file: name, counts, ok: counts.is_ok(), failing: names.first })
}

fn refused(name: &str, unusable: Unusable) -> Failure {
    match unusable {
        Unusable::Unknown(why) => Failure::usage(
            format!("{name} is no report that is known: {why}"),
            "give JUnit XML, SARIF 2.1.0, or JSON such as {\"passed\": 12, \"failed\": 0}",
        ),
        Unusable::Broken(why) => Failure::usage(
            format!("{name} cannot be read: {why}"),
            "see that the program that wrote it came to its end, and write it again",
        ),
        Unusable::Empty => Failure::usage(
            format!("{name} says of no test that it was run, so it is evidence of nothing"),
            "see why nothing was tested",
        ),
    }
}

fn text_of(file: &Path) -> Result<String, String> {
    let said = |error: std::io::Error| format!("cannot be read: {error}");
    // Only a file has an end; a pipe may be waited for without one.
    if !file.metadata().map_err(said)?.is_file() {
        return Err("is no file".to_owned());
    }
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(said)?;
    opened.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(said)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(format!("is larger than {} MB", BYTES_MAX / (1024 * 1024)));
    }
    String::from_utf8(bytes).map_err(|_| "is no text in UTF-8".to_owned())
}

fn understand(text: &str) -> Result<(Counts, Names), Unusable> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    match text.chars().next() {
        Some('<') => xml::read(text),
        Some('{') => json::read(text),
        Some(_) => Err(Unusable::Unknown("it is neither XML nor a JSON object".to_owned())),
        None => Err(Unusable::Unknown("it is empty".to_owned())),
    }
}

#[cfg(test)]
mod tests;
