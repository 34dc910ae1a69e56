//! The branches of milestones: where they start, and what they contain.

use std::fs;
use std::path::PathBuf;

use milestone_domain::ids::MilestoneId;

use super::Repository;
use super::error::{GitError, Result};
use super::integrate::Merged;
use super::names::{Branch, Oid};
use super::refs::{Step, TRIES_MAX};
use super::run::Call;
use super::worktrees;

/// Where work begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The whole name of the branch; none where a commit without one is checked out.
    pub branch: Option<String>,
    pub commit: Oid,
}

/// What two commits come to.
pub(super) enum Joined {
    Tip(Oid),
    /// The files that both have changed.
    Conflict(Vec<String>),
}

impl Repository {
    /// The branch on which work begins: the one that the others begin with, or the usual one, or
    /// what is checked out.
    pub fn default_branch(&self) -> Result<Start> {
        let mut names = Vec::new();
        if let Some(name) = self.symbolic("refs/remotes/origin/HEAD")? {
            names.extend(name.strip_prefix("refs/remotes/origin/").map(str::to_owned));
        }
        names.extend(self.configured("init.defaultBranch")?);
        names.extend(["main".to_owned(), "master".to_owned()]);
        for name in names {
            let branch = format!("refs/heads/{name}");
            if let Some(commit) = self.commit_of(&branch)? {
                return Ok(Start { branch: Some(branch), commit });
            }
        }
        let branch = self.symbolic("HEAD")?;
        let commit = self.commit_of("HEAD")?;
        let commit = commit.ok_or_else(|| GitError::NoCommit { path: self.top.clone() })?;
        Ok(Start { branch, commit })
    }

    fn symbolic(&self, name: &str) -> Result<Option<String>> {
        let said = self.git(&["symbolic-ref", "--quiet", name]).run_accepting_absence()?;
        Ok(said.map(|said| said.text()))
    }

    /// What a milestone's branch points to, if there is one.
    pub fn milestone_tip(&self, id: MilestoneId) -> Result<Option<Oid>> {
        self.tip(&Branch::of(id))
    }

    /// What a branch points to, if there is one.
    pub fn tip(&self, branch: &Branch) -> Result<Option<Oid>> {
        self.commit_of(&branch.full())
    }

    /// Makes sure that a milestone's branch is there and contains those that it requires, as far as
    /// they have branches: one without may have been done before there were any.
    pub fn milestone_branch(&self, id: MilestoneId, requires: &[MilestoneId]) -> Result<Oid> {
        self.moved(&Branch::of(id), |before| {
            let begun = match before {
                Some(tip) => tip,
                None => self.default_branch()?.commit,
            };
            self.with_required(id, begun, requires)
        })
    }

    /// Makes sure that a branch is there. That of a stream begins at its milestone's.
    pub(super) fn begun(&self, branch: &Branch) -> Result<Oid> {
        let milestone = || self.milestone_branch(branch.milestone, &[]);
        match branch.stream {
            None => milestone(),
            Some(_) => self.moved(branch, |before| before.map_or_else(milestone, Ok)),
        }
    }

    /// Moves a branch to what is made of where it is; whoever is quicker is not overwritten.
    pub(super) fn moved<E: From<GitError>>(
        &self,
        branch: &Branch,
        next: impl Fn(Option<Oid>) -> std::result::Result<Oid, E>,
    ) -> std::result::Result<Oid, E> {
        let name = branch.full();
        for _ in 0..TRIES_MAX {
            let before = self.commit_of(&name)?;
            let tip = next(before.clone())?;
            if before.as_ref() == Some(&tip) {
                return Ok(tip);
            }
            self.check_not_checked_out(&name)?;
            let step = Step::Update { name: name.clone(), from: before.as_ref(), to: &tip };
            match self.publish(&[step]) {
                Ok(()) => return Ok(tip),
                Err(error) if self.commit_of(&name)? == before => return Err(error.into()),
                Err(_) => {}
            }
        }
        Err(GitError::Busy { branch: name }.into())
    }

    fn with_required(&self, id: MilestoneId, tip: Oid, requires: &[MilestoneId]) -> Result<Oid> {
        let mut tip = tip;
        for required in requires {
            let Some(branch) = self.milestone_tip(*required)? else { continue };
            let message = format!("chore({id}): take in {required}\n\nMilestone: {id}\n");
            tip = match self.joined(&tip, &branch, &message)? {
                Joined::Tip(tip) => tip,
                Joined::Conflict(files) => {
                    let required = *required;
                    return Err(GitError::MilestonesConflict { milestone: id, required, files });
                }
            };
        }
        Ok(tip)
    }

    /// A commit that has what both have; the first itself, where that is so already.
    pub(super) fn joined(&self, tip: &Oid, other: &Oid, message: &str) -> Result<Joined> {
        if self.contains(tip.as_str(), other)? {
            return Ok(Joined::Tip(tip.clone()));
        }
        Ok(match self.merged(tip, other)? {
            Merged::Tree(tree) => Joined::Tip(self.commit(&tree, &[tip, other], message)?),
            Merged::Conflict(files) => Joined::Conflict(files),
        })
    }

    /// Where a branch (its whole name) is checked out, or in the middle of being rebased.
    pub fn checked_out(&self, branch: &str) -> Result<Option<PathBuf>> {
        // In a folder that was deleted nobody works; a locked one may be on a disk that comes back.
        let on_it = |tree: &worktrees::Worktree| {
            let is_somewhere = tree.locked.is_some() || tree.path.exists();
            tree.branch.as_deref() == Some(branch) && is_somewhere
        };
        let listed = self.worktrees()?.into_iter().find(on_it).map(|tree| tree.path);
        Ok(listed.or_else(|| self.rebased(branch)))
    }

    fn rebased(&self, branch: &str) -> Option<PathBuf> {
        let mut trees = worktrees::trees(&self.common);
        trees.push(super::run::Tree { admin: self.common.clone(), path: self.top.clone() });
        let is_on_it = |tree: &super::run::Tree| {
            ["rebase-merge/head-name", "rebase-apply/head-name"].iter().any(|file| {
                fs::read_to_string(tree.admin.join(file)).is_ok_and(|name| name.trim() == branch)
            })
        };
        trees.into_iter().find(is_on_it).map(|tree| tree.path)
    }

    pub(super) fn check_not_checked_out(&self, branch: &str) -> Result<()> {
        let at_hub = || self.checked_out_at_hub(branch);
        match self.checked_out(branch)?.map_or_else(at_hub, |path| Ok(Some(path)))? {
            Some(path) => Err(GitError::CheckedOut { branch: branch.to_owned(), path }),
            None => Ok(()),
        }
    }

    /// A commit of ours, signed where the person signs.
    pub(super) fn commit(&self, tree: &Oid, parents: &[&Oid], message: &str) -> Result<Oid> {
        let asked = ["config", "--type=bool", "--get", "commit.gpgsign"];
        let signs = self.git(&asked).run_accepting_absence()?;
        let signs = signs.is_some_and(|said| said.text() == "true");
        let call = self.commit_tree(tree, parents, signs, message)?;
        let call = if signs { call.signing() } else { call };
        Oid::said("commit-tree", &call.run()?.text())
    }

    /// A commit of what is only kept, which nobody signs.
    pub(super) fn commit_kept(&self, tree: &Oid, parents: &[&Oid], message: &str) -> Result<Oid> {
        let call = self.commit_tree(tree, parents, false, message)?;
        Oid::said("commit-tree", &call.run()?.text())
    }

    fn commit_tree(
        &self,
        tree: &Oid,
        parents: &[&Oid],
        signs: bool,
        message: &str,
    ) -> Result<Call<'_>> {
        let mut words = vec!["commit-tree", "-F", "-"];
        words.extend(signs.then_some("-S"));
        for parent in parents {
            words.extend(["-p", parent.as_str()]);
        }
        words.push(tree.as_str());
        let mut call = self.git(&words).input(message);
        let fallback = &self.caller.fallback;
        for (key, value) in [("user.name", &fallback.name), ("user.email", &fallback.email)] {
            if self.configured(key)?.is_none() {
                call = call.setting(format!("{key}={value}"));
            }
        }
        Ok(call)
    }
}
