//! Keeping all that an attempt left, in whatever state it left it.
//!
//! The worktree's own index is never touched: a copy of it takes in what is there. The worktree's
//! folder in git is found by its path, so a `.git` that somebody put into it leads nowhere.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Repository;
use super::error::{GitError, Result};
use super::integrate::Merged;
use super::names::{Attempt, Oid};
use super::refs::{Step, TRIES_MAX};
use super::run::{Call, Tree};
use super::worktrees::is_unfinished;
use super::writers::{Writer, own_name};

/// How many of the things that could not be kept are named.
const MISSED_MAX: usize = 20;

/// The mode under which git lists a repository within the repository.
const REPOSITORY_MODE: &str = "160000";

/// What an attempt left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub commit: Oid,
    /// The files that are not as they were at the attempt's start.
    pub changed: Vec<String>,
    /// Whether anything in the project's own folder was changed, which no attempt may do.
    pub state_touched: bool,
    /// What git cannot keep: repositories within the worktree, and what cannot be read.
    pub missed: Vec<String>,
}

/// All of a worktree's content as git would have it.
#[derive(Debug)]
pub(super) struct Content {
    pub tree: Oid,
    pub head: Option<Oid>,
    /// What is changed below the project's folder and not committed; it is in no tree.
    pub state: Vec<String>,
    pub missed: Vec<String>,
}

/// An index of our own, for as long as it is needed.
struct Index {
    path: PathBuf,
    /// Says whose it is, should this process be killed.
    writer: Writer,
}

impl Drop for Index {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(self.path.with_added_extension("lock"));
        self.writer.end();
    }
}

impl Repository {
    /// Keeps all that is in a worktree and not ignored, committed or not, under the attempt's ref.
    /// The worktree may be in the middle of anything, and on whatever branch. In one that was not
    /// finished nobody has worked: what is kept is what its branch has. Of one that is not there any
    /// more, it is what was kept before.
    pub fn keep(&self, worktree: &Path, attempt: &Attempt, start: &Oid) -> Result<Kept> {
        let (commit, state, missed) = match self.known(worktree) {
            Err(gone @ GitError::NotAWorktree { .. }) => {
                (self.commit_of(&attempt.kept())?.ok_or(gone)?, Vec::new(), Vec::new())
            }
            Err(error) => return Err(error),
            Ok(tree) if is_unfinished(&tree) => {
                let begun = self.commit_of(&attempt.branch())?;
                (begun.unwrap_or_else(|| start.clone()), Vec::new(), Vec::new())
            }
            Ok(tree) => {
                let content = self.content(&tree)?;
                (self.kept_commit(&content, attempt, start)?, content.state, content.missed)
            }
        };
        self.store(attempt, &commit)?;
        let changed = self.changed(start, &commit)?;
        let below = format!("{}/", self.state);
        let is_state = |file: &String| *file == self.state || file.starts_with(&below);
        let state_touched = !state.is_empty() || changed.iter().any(is_state);
        Ok(Kept { commit, changed, state_touched, missed })
    }

    /// What work that was kept comes to on top of what the branch has become since; nothing where
    /// there is none, or the two do not go together.
    pub fn carried_on(&self, start: &Oid, kept: &Oid) -> Result<Option<Oid>> {
        if self.contains(kept.as_str(), start)? {
            return Ok(Some(kept.clone()).filter(|kept| kept != start));
        }
        match self.merged(start, kept)? {
            Merged::Conflict(_) => Ok(None),
            Merged::Tree(tree) if Some(&tree) == self.tree_of(start)?.as_ref() => Ok(None),
            Merged::Tree(tree) => {
                let message = "Kept: what an earlier attempt left, with what others did since\n";
                self.commit_kept(&tree, &[start, kept], message).map(Some)
            }
        }
    }

    fn kept_commit(&self, content: &Content, attempt: &Attempt, start: &Oid) -> Result<Oid> {
        let head = content.head.as_ref().unwrap_or(start);
        if self.tree_of(head)?.as_ref() == Some(&content.tree) {
            return Ok(head.clone());
        }
        let Attempt { task, id, .. } = attempt;
        let message = format!("Kept: what an attempt at {task} left\n\nAttempt: {}\n", id.0);
        self.commit_kept(&content.tree, &[head], &message)
    }

    fn store(&self, attempt: &Attempt, commit: &Oid) -> Result<()> {
        let name = attempt.kept();
        for _ in 0..TRIES_MAX {
            let before = self.object_of(&name)?;
            if before.as_ref() == Some(commit) {
                return Ok(());
            }
            let step = Step::Update { name: name.clone(), from: before.as_ref(), to: commit };
            match self.change(&[step]) {
                Ok(()) => return Ok(()),
                Err(error) if self.object_of(&name)? == before => return Err(error),
                Err(_) => {}
            }
        }
        Err(GitError::Busy { branch: name })
    }

    /// The files that any commit on the way from one to another changes.
    pub fn touched(&self, from: &Oid, to: &Oid) -> Result<Vec<String>> {
        let way = format!("{from}..{to}");
        let words = ["log", "-z", "-m", "--format=", "--name-only", "--no-renames", &way, "--"];
        let parts = self.git(&words).run()?.parts();
        Ok(parts.into_iter().map(|part| part.trim_start_matches('\n').to_owned()).collect())
    }

    fn changed(&self, from: &Oid, to: &Oid) -> Result<Vec<String>> {
        let words = ["diff-tree", "-r", "-z", "--name-only", "--no-renames"];
        let words: Vec<&str> = words.into_iter().chain([from.as_str(), to.as_str()]).collect();
        Ok(self.git(&words).run()?.parts())
    }

    /// What a worktree holds now.
    pub(super) fn content(&self, tree: &Tree) -> Result<Content> {
        let index = self.own_index(Some(&tree.admin.join("index")))?;
        let head = self.head_of(tree)?;
        let call = |words: &[&str]| self.within(tree, words).index(&index.path);
        if !index.path.exists()
            && let Some(head) = &head
        {
            call(&["read-tree", head.as_str()]).run()?;
        }
        show_hidden(tree, &call)?;
        let own = format!(":(top,literal){}", self.state);
        let state =
            ["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", &own];
        let state = call(&state).run()?.parts();
        let missed = take_in(tree, &self.state, &call)?;
        self.leave_state(head.as_ref(), &call)?;
        let kept = call(&["write-tree"]).run()?.text();
        let content = Oid::said("write-tree", &kept)?;
        Ok(Content { tree: content, head, state, missed })
    }

    /// An index that is a copy of another, or not there yet.
    fn own_index(&self, of: Option<&Path>) -> Result<Index> {
        let name = own_name("milestone-index-");
        let leaves = [name.clone(), format!("{name}.lock")];
        let writer = Writer::begin(&self.common, &leaves)?;
        let path = self.common.join(name);
        let index = Index { path, writer };
        let Some(of) = of else { return Ok(index) };
        match copy_with_time(of, &index.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(GitError::io("copy", of)(error))
            }
            _ => Ok(index),
        }
    }

    /// Puts the project's folder back to what is committed: it is never staged.
    fn leave_state<'a>(
        &self,
        head: Option<&Oid>,
        call: &impl Fn(&[&str]) -> Call<'a>,
    ) -> Result<()> {
        let own = format!(":(top,literal){}", self.state);
        call(&[
            "rm",
            "-r",
            "-f",
            "--cached",
            "--quiet",
            "--ignore-unmatch",
            "--sparse",
            "--",
            &own,
        ])
        .run()?;
        let Some(head) = head else { return Ok(()) };
        let listed =
            call(&["ls-tree", "-r", "-z", "--full-tree", head.as_str(), "--", &self.state]);
        let listed = listed.run()?.out;
        if !listed.is_empty() {
            call(&["update-index", "-z", "--index-info"]).input(listed).run()?;
        }
        Ok(())
    }

    /// Whether git has everything that is in a folder, as files of a commit.
    pub(super) fn holds_nothing_new(&self, folder: &Path, commit: &Oid) -> Result<bool> {
        let index = self.own_index(None)?;
        let tree = Tree { admin: self.common.clone(), path: folder.to_owned() };
        let call = |words: &[&str]| self.within(&tree, words).index(&index.path);
        call(&["read-tree", commit.as_str()]).run()?;
        // Everything counts, ignored or not: nobody has worked here yet.
        call(&["add", "-A", "-f", "--", ":(top)"]).run()?;
        let now = Oid::said("write-tree", &call(&["write-tree"]).run()?.text())?;
        self.only_lacks(commit, &now)
    }

    /// Whether a tree has nothing that a commit has not: files may be missing, none is another.
    pub(super) fn only_lacks(&self, commit: &Oid, tree: &Oid) -> Result<bool> {
        let words = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--diff-filter=d"];
        let words: Vec<&str> = words.into_iter().chain([commit.as_str(), tree.as_str()]).collect();
        Ok(self.git(&words).run()?.out.is_empty())
    }
}

/// Git looks again at files that may have been changed in the moment in which an index was written.
fn copy_with_time(from: &Path, to: &Path) -> io::Result<()> {
    let written = from.metadata()?.modified()?;
    fs::copy(from, to)?;
    fs::File::options().write(true).open(to)?.set_modified(written)
}

fn is_there(tree: &Tree, name: &[u8]) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(name);
    tree.path.join(name).symlink_metadata().is_ok()
}

/// Files that git was told not to look at are looked at.
fn show_hidden<'a>(tree: &Tree, call: &impl Fn(&[&str]) -> Call<'a>) -> Result<()> {
    let listed = call(&["ls-files", "-v", "-z"]).run()?;
    let (mut unchanging, mut skipped) = (Vec::new(), Vec::new());
    for line in listed.out.split(|byte| *byte == 0) {
        let (Some(letter), Some(name)) = (line.first(), line.get(2..)) else { continue };
        if letter.is_ascii_lowercase() {
            unchanging.extend([name, b"\0"].concat());
        }
        if letter.eq_ignore_ascii_case(&b'S') && is_there(tree, name) {
            skipped.extend([name, b"\0"].concat());
        }
    }
    for (flag, names) in [("--no-assume-unchanged", unchanging), ("--no-skip-worktree", skipped)] {
        if !names.is_empty() {
            call(&["update-index", flag, "-z", "--stdin"]).input(names).run()?;
        }
    }
    Ok(())
}

/// Takes everything in that is not ignored, and gives what git cannot keep.
fn take_in<'a>(
    tree: &Tree,
    state: &str,
    call: &impl Fn(&[&str]) -> Call<'a>,
) -> Result<Vec<String>> {
    let beside = format!(":(top,exclude,literal){state}");
    let all = if milestone_store::planted::has("untracked-not-kept") { "-u" } else { "-A" };
    let words = ["add", all, "--ignore-errors", "--sparse", "--", ":(top)", &beside];
    let said = call(&words).accepting(&[0, 1]).run()?;
    let mut missed = Vec::new();
    if said.exit != Some(0) {
        let said = said.err.lines().filter(|line| line.starts_with("error:"));
        missed.extend(said.map(str::to_owned));
        if missed.is_empty() {
            missed.push("something that cannot be read".to_owned());
        }
    }
    let listed = call(&["ls-files", "--stage", "-z"]).run()?;
    for entry in listed.parts().iter().filter(|entry| entry.starts_with(REPOSITORY_MODE)) {
        let Some((_, name)) = entry.split_once('\t') else { continue };
        let mut inside = fs::read_dir(tree.path.join(name)).into_iter().flatten();
        if inside.next().is_some() {
            missed.push(format!("{name}: a repository of its own, of which only a name is kept"));
        }
    }
    missed.truncate(MISSED_MAX);
    Ok(missed)
}
