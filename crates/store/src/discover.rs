//! Finding the one live project of a repository.
//!
//! Whatever branch a linked worktree has checked out, the project is the one in the main worktree:
//! otherwise every worktree would have its own idea of who works on what. Git's own files say
//! where that is; git itself is not started.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// The folder that holds a project.
pub const FOLDER: &str = ".milestones";

/// What a restore puts aside stands beside the project, under a name that begins with this.
pub const BEFORE_RESTORE: &str = ".milestones.before-restore-";

/// Where a backup is unpacked, beside the project. Never anything but that.
pub const RESTORING: &str = ".milestones.restoring";

/// Where a project is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The folder beside which `.milestones` stands: the repository's, or the person's choice.
    pub project: PathBuf,
}

impl Root {
    pub fn folder(&self) -> PathBuf {
        self.project.join(FOLDER)
    }

    pub fn exists(&self) -> bool {
        self.folder().is_dir()
    }
}

/// The project that a command started in `start` is about. `chosen` is `MILESTONE_ROOT`.
pub fn find(start: &Path, chosen: Option<&Path>) -> Result<Root, StoreError> {
    let root = place(start, chosen)?;
    if !root.exists() {
        return Err(match put_aside(&root.project) {
            Some(aside) => StoreError::RestoreInterrupted { aside },
            None => StoreError::NoProject { from: start.to_owned() },
        });
    }
    check_owner(&root.folder())?;
    Ok(root)
}

/// Where a project is, or would be made.
pub fn place(start: &Path, chosen: Option<&Path>) -> Result<Root, StoreError> {
    let absolute = |path: &Path| fs::canonicalize(path).map_err(StoreError::io("open", path));
    if let Some(chosen) = chosen {
        return Ok(Root { project: absolute(chosen)? });
    }
    let start = absolute(start)?;
    for folder in start.ancestors() {
        match fs::symlink_metadata(folder.join(".git")) {
            Ok(git) if git.is_dir() => return Ok(Root { project: folder.to_owned() }),
            Ok(git) if git.is_file() => {
                let main = main_worktree(&folder.join(".git"));
                return Ok(Root { project: main.unwrap_or_else(|| folder.to_owned()) });
            }
            _ => {}
        }
        if folder.join(FOLDER).is_dir() || put_aside(folder).is_some() {
            return Ok(Root { project: folder.to_owned() });
        }
    }
    Ok(Root { project: start })
}

/// The project that an interrupted restore has put aside, and to whose place the backup has not come
/// yet.
pub fn put_aside(project: &Path) -> Option<PathBuf> {
    fs::symlink_metadata(project.join(RESTORING)).ok()?;
    let is_folder = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|kind| kind.is_dir());
    asides(project).ok()?.into_iter().rfind(is_folder)
}

/// Everything that restores have put aside, the newest last.
pub fn asides(project: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut asides = Vec::new();
    for entry in fs::read_dir(project)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(BEFORE_RESTORE) {
            asides.push(entry.path());
        }
    }
    asides.sort();
    Ok(asides)
}

/// The main worktree of the repository that a linked worktree's `.git` file belongs to; `None` for
/// a submodule, which is a repository of its own.
fn main_worktree(file: &Path) -> Option<PathBuf> {
    let parent = file.parent()?;
    let text = fs::read_to_string(file).ok()?;
    let private = parent.join(text.strip_prefix("gitdir:")?.trim());
    let common = fs::read_to_string(private.join("commondir")).ok()?;
    let common = fs::canonicalize(private.join(common.trim())).ok()?;
    (common.file_name()? == ".git").then(|| common.parent().map(Path::to_owned)).flatten()
}

/// Another user's folder may hold anything. Root is trusted to know where it works.
fn check_owner(folder: &Path) -> Result<(), StoreError> {
    let metadata = fs::metadata(folder).map_err(StoreError::io("open", folder))?;
    let me = rustix::process::geteuid().as_raw();
    if metadata.uid() == me || me == 0 {
        return Ok(());
    }
    Err(StoreError::ForeignOwner { path: folder.to_owned(), owner: metadata.uid() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &Path) -> PathBuf {
        fs::create_dir_all(path).unwrap();
        path.to_owned()
    }

    #[test]
    fn a_project_is_found_from_below() {
        let temp = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(temp.path()).unwrap();
        folder(&root.join(".milestones"));
        let below = folder(&root.join("a/b"));
        assert_eq!(find(&below, None).unwrap().project, root);
    }

    #[test]
    fn a_linked_worktree_leads_to_the_main_one() {
        let temp = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(temp.path()).unwrap();
        let main = folder(&root.join("main"));
        let private = folder(&main.join(".git/worktrees/side"));
        fs::write(private.join("commondir"), "../..\n").unwrap();
        folder(&main.join(".milestones"));
        let side = folder(&root.join("side"));
        fs::write(side.join(".git"), format!("gitdir: {}\n", private.display())).unwrap();
        // The checked-out copy is not the live project.
        folder(&side.join(".milestones"));
        assert_eq!(find(&side, None).unwrap().project, main);
    }

    #[test]
    fn a_repository_without_a_project_says_so() {
        let temp = tempfile::tempdir().unwrap();
        folder(&temp.path().join(".git"));
        assert!(matches!(find(temp.path(), None), Err(StoreError::NoProject { .. })));
    }

    #[test]
    fn the_chosen_root_wins() {
        let temp = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(temp.path()).unwrap();
        folder(&root.join("here/.milestones"));
        let there = folder(&root.join("there"));
        folder(&there.join(".milestones"));
        let found = find(&root.join("here"), Some(&there)).unwrap();
        assert_eq!(found.project, there);
    }
}
