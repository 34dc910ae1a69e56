//! The folder of a new project.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::config::PROJECT_FILE;
use crate::discover::Root;
use crate::error::StoreError;

const IGNORED: &str = "\
# What this clone keeps for itself; documents and history are shared.
/data/
/sessions/
/logs/
/temp/
/config/scale-detection.yaml
";

const ATTRIBUTES: &str = "\
# Documents are text that people review; histories are only ever added to.
*.yaml text eol=lf
*.jsonl text eol=lf -diff
";

const CONFIG: &str = "\
# Settings of this project. All of them are optional: see `milestone config get`.
";

const CONFIG_SHARED: &str = "\
# Settings of this project. All of them are optional: see `milestone config get`.

# This repository has a remote: two branches that finish different tasks would both change the
# progress figure in a document and conflict on it. It is computed wherever it is shown.
documents:
  progress: false
";

/// Makes the folder, or what is missing of it. True if there was none.
pub fn init(root: &Root) -> Result<bool, StoreError> {
    let folder = root.folder();
    let new = !folder.is_dir();
    for part in ["active", "completed", "config", "history"] {
        let path = folder.join(part);
        fs::create_dir_all(&path).map_err(StoreError::io("make", &path))?;
    }
    let config = if has_remote(&root.project) { CONFIG_SHARED } else { CONFIG };
    let files = [(".gitignore", IGNORED), (".gitattributes", ATTRIBUTES), (PROJECT_FILE, config)];
    for (name, text) in files {
        write_new(&folder.join(name), text)?;
    }
    Ok(new)
}

/// What a person has changed is theirs.
fn write_new(path: &Path, text: &str) -> Result<(), StoreError> {
    match fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => {
            use std::io::Write as _;
            file.write_all(text.as_bytes()).map_err(StoreError::io("write", path))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::io("write", path)(error)),
    }
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
        let text = fs::read_to_string(root.folder().join(PROJECT_FILE)).unwrap();
        assert!(text.contains("progress: false"));
    }
}
