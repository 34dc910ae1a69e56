//! Commands that this person has agreed to run.
//!
//! A document arrives by git or from an agent, so what it says to run is not run because it is
//! there. Trust is per command text, kind and project, and kept outside the repository.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

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
}

impl Trust {
    /// `None` where there is no place of the person's own to remember it.
    pub fn of(project: &Path) -> Option<Self> {
        let file = state_folder()?.join("milestone/trusted");
        Some(Self { file, project: project.to_owned() })
    }

    pub fn has(&self, kind: &str, command: &str) -> bool {
        let known = fs::read_to_string(&self.file).unwrap_or_default();
        let wanted = self.key(kind, command);
        known.lines().any(|line| line == wanted)
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
        };
        trust("/a").add("check", "cargo test").unwrap();
        assert!(trust("/a").has("check", "cargo test"));
        assert!(!trust("/b").has("check", "cargo test"));
        assert!(!trust("/a").has("verify", "cargo test"));
        assert!(!trust("/a").has("check", "cargo test "));
        let mode = fs::metadata(temp.path().join("state/trusted")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
