//! The folder of a new project.

use std::fs;
use std::path::Path;

use crate::discover::{self, Root};
use crate::error::StoreError;
use crate::files;

/// Makes the folder, or what is missing of it. True if there was none.
pub fn init(root: &Root) -> Result<bool, StoreError> {
    // A new project in the place of one that only needs to be put back would hide it.
    if let Some(aside) = discover::put_aside(&root.project).filter(|_| !root.exists()) {
        return Err(StoreError::RestoreInterrupted { aside });
    }
    files::make(&root.folder(), has_remote(&root.project))
}

/// Git's own file says it; git is not started.
fn has_remote(project: &Path) -> bool {
    let config = fs::read_to_string(project.join(".git/config")).unwrap_or_default();
    config.lines().any(|line| line.trim_start().starts_with("[remote "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_time_changes_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let root = Root { project: temp.path().to_owned() };
        assert!(init(&root).unwrap());
        let ignored = root.folder().join(".gitignore");
        fs::write(&ignored, "mine\n").unwrap();
        assert!(!init(&root).unwrap());
        assert_eq!(fs::read_to_string(ignored).unwrap(), "mine\n");
    }

    #[test]
    fn progress_stays_out_of_documents_that_branches_share() {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join(".git")).unwrap();
        fs::write(temp.path().join(".git/config"), "[remote \"origin\"]\n").unwrap();
        let root = Root { project: temp.path().to_owned() };
        init(&root).unwrap();
        let file = root.folder().join(crate::config::PROJECT_FILE);
        let text = fs::read_to_string(file).unwrap();
        assert!(text.contains("progress: false"));
    }
}
