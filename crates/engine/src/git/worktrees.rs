//! The working trees in which attempts work.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::Repository;
use super::error::{GitError, Result};
use super::names::{Attempt, Oid};
use super::refs::found;
use super::remove::move_out;
use super::run::{Call, Said, Tree};
use super::writers::{SHARED, own_name};

/// What git says of a worktree that it has not finished making.
const UNFINISHED: &str = "initializing";

/// How many changed files a description names.
const NAMED_MAX: usize = 50;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Worktree {
    pub path: PathBuf,
    pub head: Option<Oid>,
    /// The branch's whole name, unless a commit without one is checked out.
    pub branch: Option<String>,
    /// Why git is to leave it alone, if somebody said so.
    pub locked: Option<String>,
    pub is_bare: bool,
}

/// What a worktree looks like, for a session's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub branch: Option<String>,
    pub commit: Option<Oid>,
    /// What is not committed, each with git's two letters before it; the first ones of many.
    pub uncommitted: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

pub(super) fn parsed(said: &Said) -> Vec<Worktree> {
    let mut found: Vec<Worktree> = Vec::new();
    for part in said.parts() {
        let (key, value) = part.split_once(' ').unwrap_or((&part, ""));
        if key == "worktree" {
            found.push(Worktree { path: value.into(), ..Worktree::default() });
        }
        let Some(last) = found.last_mut() else { continue };
        match key {
            // One without a commit has only zeros.
            "HEAD" if value.bytes().any(|byte| byte != b'0') => last.head = Oid::parse(value),
            "branch" => last.branch = Some(value.to_owned()),
            "locked" => last.locked = Some(value.to_owned()),
            "bare" => last.is_bare = true,
            _ => {}
        }
    }
    found
}

/// Whether git was killed while it made a worktree; nobody has worked in it then.
pub(super) fn is_unfinished(tree: &Tree) -> bool {
    fs::read_to_string(tree.admin.join("locked")).is_ok_and(|reason| reason.trim() == UNFINISHED)
}

/// The linked worktrees with their own folders in git's, as the disk has them.
pub(super) fn trees(common: &Path) -> Vec<Tree> {
    let Ok(entries) = fs::read_dir(common.join("worktrees")) else { return Vec::new() };
    let admins = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let tree = |admin: PathBuf| {
        let text = fs::read_to_string(admin.join("gitdir")).ok()?;
        let path = settled(admin.join(text.trim_end_matches('\n')).parent()?);
        Some(Tree { admin, path })
    };
    admins.filter_map(tree).collect()
}

/// All folders in which a git may be at work in a repository.
pub(super) fn places(top: &Path, common: &Path) -> Vec<PathBuf> {
    let linked = trees(common).into_iter().map(|tree| tree.path);
    [top.to_owned(), common.to_owned()].into_iter().chain(linked).collect()
}

/// The path by which git knows a folder, which need not be there.
pub(super) fn settled(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (path.parent().and_then(|parent| parent.canonicalize().ok()), path.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => path,
    }
}

impl Repository {
    /// All working trees, the main one first.
    pub fn worktrees(&self) -> Result<Vec<Worktree>> {
        Ok(parsed(&self.git(&["worktree", "list", "--porcelain", "-z"]).run()?))
    }

    /// Makes a worktree for an attempt, on a branch of its own that begins at `start`. May be
    /// repeated: one that is there is left as it is, and one that was not finished is made anew.
    /// Whatever holds something that is not in git is moved aside and never deleted.
    pub fn add_worktree(&self, path: &Path, attempt: &Attempt, start: &Oid) -> Result<()> {
        let parent = path.parent().unwrap_or(path);
        fs::create_dir_all(parent).map_err(GitError::io("make", parent))?;
        let path = settled(path);
        let turn = self.administration()?;
        if self.is_made(&path, attempt, start, &turn)? {
            return Ok(());
        }
        let has_content = fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some());
        if has_content {
            return Err(GitError::PathTaken { path });
        }
        // What the branch already has, from a worktree that was removed, goes on in this one.
        let branch = attempt.branch_name();
        let is_begun = self.commit_of(&attempt.branch())?.is_some();
        let mut words: Vec<&std::ffi::OsStr> =
            ["worktree", "add", "--quiet"].map(AsRef::as_ref).into();
        if is_begun {
            words.extend([path.as_os_str(), branch.as_ref()]);
        } else {
            words.extend(
                ["--no-track", "-b", branch.as_str()].map(AsRef::<std::ffi::OsStr>::as_ref),
            );
            words.extend([path.as_os_str(), start.as_str().as_ref()]);
        }
        self.make_worktree(&words, &path, vec![format!("{}.lock", attempt.branch())], &turn)
    }

    /// Runs a git that makes a worktree. Killed in the wrong moment it leaves an empty file, at which
    /// every later git fails that looks which worktrees there are.
    pub(super) fn make_worktree(
        &self,
        words: &[&std::ffi::OsStr],
        path: &Path,
        mut leaves: Vec<String>,
        turn: &File,
    ) -> Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        leaves.push(format!("worktrees/{name}*"));
        leaves.extend(SHARED.map(str::to_owned));
        self.git(words).handing(turn).leaving(&self.top, &self.common, leaves).run().map(drop)
    }

    /// Whether the attempt's worktree is there. What a killed git made of it is cleared away first:
    /// since it holds the turn to its end, none can be at work on it now.
    fn is_made(&self, path: &Path, attempt: &Attempt, start: &Oid, turn: &File) -> Result<bool> {
        let listed = self.worktrees()?.into_iter().find(|tree| settled(&tree.path) == path);
        let Some(listed) = listed else { return Ok(false) };
        let is_unfinished = listed.locked.as_deref() == Some(UNFINISHED);
        let is_own = listed.branch.is_none() || listed.branch == Some(attempt.branch());
        let is_there = path.join(".git").exists();
        if is_there && !is_unfinished {
            // The agent may have gone to another branch; its commits tell whose it is.
            let is_known = is_own || self.is_made_for(path, attempt);
            return if is_known {
                Ok(true)
            } else {
                Err(GitError::PathTaken { path: path.into() })
            };
        }
        if path.exists() && !is_unfinished {
            return Err(GitError::PathTaken { path: path.to_owned() });
        }
        self.clear_unfinished(path, start, turn)?;
        Ok(false)
    }

    /// Takes away what a killed git made of a worktree, folder or not, while nobody else has the
    /// turn. A folder in which git does not have all that is in it is put aside.
    pub(super) fn clear_unfinished(&self, path: &Path, start: &Oid, turn: &File) -> Result<()> {
        if path.exists() {
            match self.holds_nothing_new(path, start)? {
                true => move_out(path)?,
                false => set_aside(path)?,
            }
        }
        let words = ["worktree", "remove", "--force", "--force"].map(std::ffi::OsStr::new);
        let words: Vec<_> = words.into_iter().chain([path.as_os_str()]).collect();
        self.git(&words).handing(turn).run()?;
        Ok(())
    }

    /// Whether a worktree began on the attempt's branch, wherever it is now.
    fn is_made_for(&self, path: &Path, attempt: &Attempt) -> bool {
        let log = self.tree_at(path).map(|tree| tree.admin.join("logs/HEAD"));
        let moved = format!("moving from {} to ", attempt.branch_name());
        log.and_then(|log| fs::read_to_string(log).ok()).is_some_and(|log| log.contains(&moved))
    }

    pub(super) fn tree_at(&self, path: &Path) -> Option<Tree> {
        let path = settled(path);
        trees(&self.common).into_iter().find(|tree| tree.path == path)
    }

    /// Where a worktree is, and what in it is not committed.
    pub fn describe(&self, worktree: &Path) -> Result<Description> {
        // The main one is no linked worktree, and is asked in its own folder.
        let tree = if worktree == self.top { None } else { Some(self.known(worktree)?) };
        let ask = |words: &[&str]| match &tree {
            Some(tree) => self.within(tree, words),
            None => self.git(words),
        };
        let head = ask(&["symbolic-ref", "--quiet", "HEAD"]);
        let branch = head.run_accepting_absence()?.map(|said| said.text());
        let commit = match &tree {
            Some(tree) => self.head_of(tree)?,
            None => self.commit_of("HEAD")?,
        };
        let words = ["status", "--porcelain", "-z", "--no-renames", "--untracked-files=normal"];
        let mut uncommitted = ask(&words).run()?.parts();
        let more = uncommitted.len().saturating_sub(NAMED_MAX);
        uncommitted.truncate(NAMED_MAX);
        Ok(Description { branch, commit, uncommitted, more })
    }

    pub(super) fn known(&self, worktree: &Path) -> Result<Tree> {
        let unknown = || GitError::NotAWorktree { path: worktree.to_owned() };
        let tree = self.tree_at(worktree).ok_or_else(unknown)?;
        match tree.path.symlink_metadata() {
            Ok(found) if found.is_dir() => Ok(tree),
            Ok(_) => Err(unknown()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(unknown()),
            Err(error) => Err(GitError::io("open", worktree)(error)),
        }
    }

    pub(super) fn within(&self, tree: &Tree, words: &[&str]) -> Call<'_> {
        self.git(words).within(tree)
    }

    pub(super) fn head_of(&self, tree: &Tree) -> Result<Option<Oid>> {
        let asked = ["rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD^{commit}"];
        found(&self.within(tree, &asked))
    }
}

fn set_aside(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(own_name(&format!("{name}.unfinished-")));
    fs::rename(path, &aside).map_err(GitError::io("move aside", path))
}
