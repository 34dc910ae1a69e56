//! A worktree that is only looked at: all of a milestone's work together, in which nobody works.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use milestone_domain::ids::MilestoneId;

use super::Repository;
use super::error::{GitError, Result};
use super::names::Oid;
use super::worktrees::settled;

impl Repository {
    /// Makes a worktree of a commit, without a branch. What an earlier one at the same place left is
    /// removed: nobody's work is ever in it.
    pub fn add_checkout(&self, path: &Path, commit: &Oid) -> Result<()> {
        let parent = path.parent().unwrap_or(path);
        fs::create_dir_all(parent).map_err(GitError::io("make", parent))?;
        let path = settled(path);
        let turn = self.administration()?;
        self.clear_checkout(&path, &turn)?;
        if fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(GitError::PathTaken { path });
        }
        let words = ["worktree", "add", "--quiet", "--detach"].map(OsStr::new);
        let words = words.into_iter().chain([path.as_os_str(), OsStr::new(commit.as_str())]);
        self.make_worktree(&words.collect::<Vec<_>>(), &path, Vec::new(), &turn)
    }

    pub fn remove_checkout(&self, path: &Path) -> Result<()> {
        let turn = self.administration()?;
        self.clear_checkout(&settled(path), &turn)
    }

    /// Only one that git knows, and that is on no branch: there a person may be at work.
    fn clear_checkout(&self, path: &Path, turn: &File) -> Result<()> {
        let listed = self.worktrees()?.into_iter().find(|tree| settled(&tree.path) == path);
        let Some(listed) = listed else { return Ok(()) };
        if listed.branch.is_some() {
            return Err(GitError::PathTaken { path: path.to_owned() });
        }
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(GitError::io("remove", path)(error));
            }
            _ => {}
        }
        let words = ["worktree", "remove", "--force", "--force"].map(OsStr::new);
        let words: Vec<_> = words.into_iter().chain([path.as_os_str()]).collect();
        self.git(&words).handing(turn).run().map(drop)
    }

    /// Which of these paths a commit has, files or folders.
    pub fn has(&self, commit: &Oid, paths: &[String]) -> Result<Vec<String>> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let words = ["ls-tree", "-z", "--full-tree", "--name-only", commit.as_str(), "--"];
        let words: Vec<&str> = words.into_iter().chain(paths.iter().map(String::as_str)).collect();
        Ok(self.git(&words).run()?.parts())
    }

    /// Where all work of a milestone is together; where it begins, while there is none.
    pub fn milestone_start(&self, id: MilestoneId) -> Result<Oid> {
        match self.milestone_tip(id)? {
            Some(tip) => Ok(tip),
            None => Ok(self.default_branch()?.commit),
        }
    }
}
