//! Removing worktrees, and only those that hold nothing that is not kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Repository;
use super::error::{GitError, Result};
use super::names::{Attempt, Oid};
use super::refs::Step;
use super::run::Tree;
use super::worktrees::{is_unfinished, settled};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    Gone,
    /// It stays, for this reason.
    Kept(String),
}

impl Repository {
    /// Removes an attempt's worktree if all that is in it is in the kept commit, ignored files
    /// aside, and then its branch if that commit has all of it. May be repeated: what a removal
    /// that was killed left of a worktree has nothing that is not kept. Of an attempt that never
    /// got to work, `kept` is the commit it was to begin at.
    pub fn remove_worktree(&self, path: &Path, attempt: &Attempt, kept: &Oid) -> Result<Removed> {
        let turn = self.administration()?;
        let path = settled(path);
        let going = place_to_go(&path);
        if let Err(error) = remove_all(&going) {
            return Ok(left(&going, &error));
        }
        let Some(tree) = self.tree_at(&path) else {
            if path.symlink_metadata().is_ok() && !self.is_spare(&path, kept) {
                return Ok(Removed::Kept("it is not a worktree of this repository".to_owned()));
            }
            remove_all(&path).map_err(GitError::io("remove", &path))?;
            return self.remove_branch(attempt, kept).map(|()| Removed::Gone);
        };
        if is_unfinished(&tree) {
            self.clear_unfinished(&path, kept, &turn)?;
            return self.remove_branch(attempt, kept).map(|()| Removed::Gone);
        }
        if let Some(reason) = self.reason_to_stay(&tree, kept)? {
            return Ok(Removed::Kept(reason));
        }
        let moved = match milestone_store::planted::has("removed-in-place") {
            true => fs::remove_dir_all(&tree.path),
            false => fs::rename(&tree.path, &going),
        };
        match moved {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Ok(Removed::Kept(format!("it cannot be removed: {error}")));
            }
            _ => {}
        }
        let words = ["worktree", "remove", "--force"].map(std::ffi::OsStr::new);
        let words: Vec<_> = words.into_iter().chain([path.as_os_str()]).collect();
        self.git(&words).handing(&turn).run()?;
        self.remove_branch(attempt, kept)?;
        Ok(remove_all(&going).map_or_else(|error| left(&going, &error), |()| Removed::Gone))
    }

    /// Whether a folder that git does not know any more, as after a power cut, has nothing that is
    /// not kept. Where that cannot be told, it has.
    fn is_spare(&self, folder: &Path, kept: &Oid) -> bool {
        let is_repository = folder.join(".git").is_dir();
        folder.is_dir() && !is_repository && self.holds_nothing_new(folder, kept).unwrap_or(false)
    }

    fn reason_to_stay(&self, tree: &Tree, kept: &Oid) -> Result<Option<String>> {
        let because = |reason: &str| Ok(Some(reason.to_owned()));
        if let Ok(reason) = fs::read_to_string(tree.admin.join("locked")) {
            return Ok(Some(format!("it is locked: {}", reason.trim())));
        }
        if tree.admin.join("modules").exists() {
            return because("a submodule was checked out in it");
        }
        if !tree.path.exists() {
            return Ok(None);
        }
        if tree.path.join(".git").is_dir() {
            return because("a repository of its own was made in it");
        }
        let content = match self.known(&tree.path).and_then(|tree| self.content(&tree)) {
            // One that was killed says nothing about the worktree.
            Err(GitError::Failed { exit: Some(_), said, .. }) => return Ok(Some(said)),
            content => content?,
        };
        if !self.only_lacks(kept, &content.tree)? {
            return because("something in it was changed after it was kept");
        }
        if let Some(head) = &content.head
            && !self.contains(kept.as_str(), head)?
        {
            return because("it has commits that were not kept");
        }
        let unkept = content.missed.first().or(content.state.iter().find(|line| !is_missing(line)));
        Ok(unkept.map(|what| format!("not all of it can be kept: {what}")))
    }

    /// The branch goes once what is kept has all of it.
    fn remove_branch(&self, attempt: &Attempt, kept: &Oid) -> Result<()> {
        let branch = attempt.branch();
        let Some(tip) = self.commit_of(&branch)? else { return Ok(()) };
        if !self.contains(kept.as_str(), &tip)? || self.checked_out(&branch)?.is_some() {
            return Ok(());
        }
        match self.changing(&[Step::Delete { name: branch, from: &tip }]).impatient().run() {
            // As an agent's git that was killed leaves it. All of the branch is kept, so it may stay.
            Err(GitError::Locked { .. }) => Ok(()),
            deleted => deleted.map(drop),
        }
    }
}

/// Where a worktree goes before it is removed: what a removal that was killed left of it must not be
/// taken for what the attempt left.
fn place_to_go(path: &Path) -> PathBuf {
    path.with_added_extension("going")
}

/// Removes a folder of which git has everything. Half of one that stood where it was would look like
/// something that somebody left.
pub(super) fn move_out(path: &Path) -> Result<()> {
    let going = place_to_go(path);
    let gone = |path| GitError::io("remove", path);
    remove_all(&going).map_err(gone(&going))?;
    fs::rename(path, &going).map_err(gone(path))?;
    remove_all(&going).map_err(gone(&going))
}

fn left(folder: &Path, error: &io::Error) -> Removed {
    Removed::Kept(format!("all of it is kept, but {} cannot be removed: {error}", folder.display()))
}

fn remove_all(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Whether git only says that a file is not there any more.
fn is_missing(line: &str) -> bool {
    line.starts_with(" D ")
}
