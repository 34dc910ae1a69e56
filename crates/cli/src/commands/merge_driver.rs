//! `milestone merge-driver`: what git calls to merge two versions of a document.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use milestone_store::merge::{self, Merged};

use crate::errors::Failure;

/// Merge three versions of a document, field by field (called by git)
///
/// Writes the result over OURS and ends with 0; with 1 if something is left for a person, which
/// then stands in the file between git's markers. Two different documents that were given the same
/// id are never merged into one.
#[derive(Debug, Args)]
#[command(after_help = "\
Set up by `milestone init --merge-driver`, once per clone:
  git config merge.milestone.driver \"milestone merge-driver %O %A %B %P\"")]
pub struct MergeDriverArgs {
    /// The version that both began with
    base: PathBuf,
    /// Our version, and where the result goes
    ours: PathBuf,
    /// Their version
    theirs: PathBuf,
    /// The document's path, for messages
    path: Option<String>,
}

pub fn run(args: &MergeDriverArgs) -> Result<(), Failure> {
    let (base, ours, theirs) = (read(&args.base)?, read(&args.ours)?, read(&args.theirs)?);
    let path = args.path.clone().unwrap_or_else(|| args.ours.display().to_string());
    let (text, left) = match merge::documents(&base, &ours, &theirs) {
        Merged::Text(text) => (text, None),
        Merged::Conflicts { fields, marked } => {
            let names: Vec<String> = fields.iter().map(|field| field.path.to_string()).collect();
            let what = match names.as_slice() {
                [] => "both sides changed the same lines".to_owned(),
                names => format!("both sides changed {}", names.join(", ")),
            };
            (marked, Some(what))
        }
        Merged::Different { marked, .. } => {
            let what = "these are two milestones that were given the same id; after the merge, \
                        `milestone doctor --fix` gives one of them another";
            (marked, Some(what.to_owned()))
        }
        Merged::Unreadable { error, marked, side } => {
            let what = format!("{side:?} cannot be read: line {}: {}", error.line, error.message);
            (marked, Some(what))
        }
    };
    write(&args.ours, &text)?;
    match left {
        None => Ok(()),
        Some(what) => {
            crate::output::warn(&format!("{path}: {what}"));
            Err(Failure::LeftToPerson { path })
        }
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed = |source| Failure::Io { doing: "read", path: path.to_owned(), source };
    fs::read_to_string(path).map_err(failed)
}

/// The file is git's own temporary one, so it is written in place.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |source| Failure::Io { doing: "write", path: path.to_owned(), source };
    let mut file = fs::File::create(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
