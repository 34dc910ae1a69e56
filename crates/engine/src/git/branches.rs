//! The branches of milestones: where they start, and what they contain.

use std::fs;
use std::path::PathBuf;

use milestone_domain::ids::MilestoneId;

use super::Repository;
use super::error::{GitError, Result};
use super::integrate::Merged;
use super::names::{self, Oid};
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
        self.commit_of(&names::milestone_branch(id))
    }

    /// Makes sure that a milestone's branch is there and contains those that it requires, as far as
    /// they have branches: one without may have been done before there were any.
    pub fn milestone_branch(&self, id: MilestoneId, requires: &[MilestoneId]) -> Result<Oid> {
        let name = names::milestone_branch(id);
        for _ in 0..TRIES_MAX {
            let before = self.commit_of(&name)?;
            let begun = match &before {
                Some(tip) => tip.clone(),
                None => self.default_branch()?.commit,
            };
            let tip = self.with_required(id, begun, requires)?;
            if before.as_ref() == Some(&tip) {
                return Ok(tip);
            }
            self.check_not_checked_out(&name)?;
            let step = Step::Update { name: name.clone(), from: before.as_ref(), to: &tip };
            match self.publish(&[step]) {
                Ok(()) => return Ok(tip),
                Err(error) if self.commit_of(&name)? == before => return Err(error),
                Err(_) => {}
            }
        }
        Err(GitError::Busy { branch: name })
    }

    fn with_required(&self, id: MilestoneId, tip: Oid, requires: &[MilestoneId]) -> Result<Oid> {
        let mut tip = tip;
        for required in requires {
            let branch = self.commit_of(&names::milestone_branch(*required))?;
            let Some(branch) = branch else { continue };
            if self.contains(tip.as_str(), &branch)? {
                continue;
            }
            let tree = match self.merged(&tip, &branch)? {
                Merged::Tree(tree) => tree,
                Merged::Conflict(files) => {
                    let required = *required;
                    return Err(GitError::MilestonesConflict { milestone: id, required, files });
                }
            };
            let message = format!("chore({id}): take in {required}\n\nMilestone: {id}\n");
            tip = self.commit(&tree, &[&tip, &branch], &message)?;
        }
        Ok(tip)
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
