//! Commands that this person has agreed to run.
//!
//! A document arrives by git or from an agent, so what it says to run is not run because it is
//! there. Trust is per command text, kind and project, and kept outside the repository.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use milestone_engine::real::Trusts;

use crate::errors::Failure;

/// Where programs remember things for this person.
pub fn state_folder() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))
}

/// What this person trusts, in this project.
pub struct Trust {
    file: PathBuf,
    project: PathBuf,
    known: Mutex<Known>,
}

/// What the file said when it was so long and of that time. Nothing but lines at its end is added.
#[derive(Default)]
struct Known {
    at: Option<(u64, SystemTime)>,
    keys: BTreeSet<String>,
}

/// What this person trusts in this project, for whoever asks again and again.
pub fn trusts(project: &Path) -> Trusts {
    let trust = Trust::of(project);
    Arc::new(move |kind, command| trust.as_ref().is_some_and(|trust| trust.has(kind, command)))
}

impl Trust {
    /// `None` where there is no place of the person's own to remember it.
    pub fn of(project: &Path) -> Option<Self> {
        let file = state_folder()?.join("milestone/trusted");
        Some(Self { file, project: project.to_owned(), known: Mutex::default() })
    }

    pub fn has(&self, kind: &str, command: &str) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let about = fs::metadata(&self.file).ok();
        let now = about.and_then(|about| Some((about.len(), about.modified().ok()?)));
        if now.is_none() || known.at != now {
            let text = fs::read_to_string(&self.file).unwrap_or_default();
            *known = Known { at: now, keys: text.lines().map(str::to_owned).collect() };
        }
        known.keys.contains(&self.key(kind, command))
    }

    pub fn add(&self, kind: &str, command: &str) -> Result<(), Failure> {
        if self.has(kind, command) {
            return Ok(());
        }
        let failed = |source| Failure::Io { doing: "write", path: self.file.clone(), source };
        if let Some(folder) = self.file.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        let mut file =
            options.append(true).create(true).mode(0o600).open(&self.file).map_err(failed)?;
        file.write_all(format!("{}\n", self.key(kind, command)).as_bytes()).map_err(failed)
    }

    fn key(&self, kind: &str, command: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        // Lengths, so that no two triples can be written as the same bytes.
        for part in
            [kind.as_bytes(), self.project.as_os_str().as_encoded_bytes(), command.as_bytes()]
        {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize().to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn trust_is_for_this_command_of_this_kind_in_this_project_only() {
        let temp = tempfile::tempdir().unwrap();
        let trust = |project: &str| Trust {
            file: temp.path().join("state/trusted"),
            project: PathBuf::from(project),
            known: Mutex::default(),
        };
        trust("/a").add("check", "cargo test").unwrap();
        assert!(trust("/a").has("check", "cargo test"));
        assert!(!trust("/b").has("check", "cargo test"));
        assert!(!trust("/a").has("verify", "cargo test"));
        assert!(!trust("/a").has("check", "cargo test "));
        let mode = fs::metadata(temp.path().join("state/trusted")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn whoever_has_asked_before_sees_what_was_agreed_to_and_taken_back_since() {
        let temp = tempfile::tempdir().unwrap();
        let trust = || Trust {
            file: temp.path().join("trusted"),
            project: PathBuf::from("/a"),
            known: Mutex::default(),
        };
        let (asks, adds) = (trust(), trust());
        assert!(!asks.has("check", "one"));
        adds.add("check", "one").unwrap();
        assert!(asks.has("check", "one") && !asks.has("check", "two"));
        adds.add("check", "two").unwrap();
        assert!(asks.has("check", "two"));
        fs::remove_file(temp.path().join("trusted")).unwrap();
        assert!(!asks.has("check", "one"));
    }
}
