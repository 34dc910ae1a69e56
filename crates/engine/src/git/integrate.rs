//! How a task's work comes into its milestone's branch: without a working tree, and in one
//! transaction that checks who may.

use milestone_domain::event::AttemptId;
use milestone_domain::ids::TaskId;
use milestone_store::config::Strategy;

use super::Repository;
use super::error::{GitError, Result};
use super::message::{attempt_of, body_of, message};
use super::names::{self, Attempt, Branch, Oid};
use super::refs::{Step, TRIES_MAX};

/// Work that is to come into a branch.
#[derive(Debug, Clone)]
pub struct Integration<'a> {
    pub attempt: Attempt,
    /// That of its milestone, or of its stream.
    pub into: &'a Branch,
    /// The commit that was kept of it.
    pub kept: &'a Oid,
    pub subject: &'a str,
    pub body: &'a str,
    pub strategy: Strategy,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Integrated {
    /// The work is in the branch, with this commit.
    Done(Oid),
    /// The branch has changed the same lines meanwhile; nothing happened.
    Conflict { files: Vec<String> },
    /// There is nothing in it that the branch does not have.
    Nothing,
}

pub(super) enum Merged {
    Tree(Oid),
    Conflict(Vec<String>),
}

impl Repository {
    /// Brings kept work into its branch, which is begun if it is not there. May be repeated: what
    /// this attempt has brought in already is not brought in again.
    pub fn integrate(&self, work: &Integration<'_>) -> Result<Integrated> {
        let attempt = &work.attempt;
        let branch = work.into.full();
        self.refresh(attempt.task.milestone, &[])?;
        for _ in 0..TRIES_MAX {
            let fence = self.fenced(attempt)?;
            if let Some(done) = self.done(attempt, work.into)? {
                return Ok(Integrated::Done(done));
            }
            let tip = self.begun(work.into)?;
            let tree = match self.merged(&tip, work.kept)? {
                Merged::Tree(tree) => tree,
                Merged::Conflict(files) => return Ok(Integrated::Conflict { files }),
            };
            if Some(&tree) == self.tree_of(&tip)?.as_ref() {
                return Ok(Integrated::Nothing);
            }
            let text = message(work.subject, work.body, attempt);
            let parents: &[&Oid] = match work.strategy {
                Strategy::Squash => &[&tip],
                Strategy::Merge => &[&tip, work.kept],
            };
            let commit = self.commit(&tree, parents, &text)?;
            self.check_not_checked_out(&branch)?;
            let Err(error) = self.bring_in(work, &fence, &tip, &commit) else {
                return Ok(Integrated::Done(commit));
            };
            // Whoever was quicker has changed the branch or the fence; anything else is a failure.
            let is_same = self.commit_of(&branch)?.as_ref() == Some(&tip)
                && self.fence_of(attempt.task)?.as_ref() == Some(&fence);
            if is_same {
                return Err(error);
            }
        }
        Err(GitError::Busy { branch })
    }

    fn bring_in(&self, work: &Integration<'_>, fence: &Oid, tip: &Oid, commit: &Oid) -> Result<()> {
        let task = work.attempt.task;
        let done = names::done(task);
        let before = self.object_of(&done)?;
        let name = names::fence(task);
        // Of a ref that stays as it is, a push says nothing to the hub, which would not look.
        let moved =
            self.hub.is_some().then(|| self.fence_bringing(&work.attempt, commit)).transpose()?;
        let fence = match &moved {
            Some(to) => Step::Update { name, from: Some(fence), to },
            None => Step::Verify { name, is: fence },
        };
        self.publish(&[
            fence,
            Step::Update { name: work.into.full(), from: Some(tip), to: commit },
            Step::Update { name: done, from: before.as_ref(), to: commit },
        ])
    }

    /// The commit with which this very attempt's work came into a branch, if it is in there: whoever
    /// comes back after a crash records that and does nothing twice.
    pub fn done(&self, attempt: &Attempt, into: &Branch) -> Result<Option<Oid>> {
        let brought = self.brought(attempt.task, into)?;
        Ok(brought.filter(|(by, _)| *by == attempt.id).map(|(_, commit)| commit))
    }

    /// The commit with which a task's work last came into a branch, or into that of its milestone,
    /// if it is in there, and by which attempt. Once the task's fence is taken, no older attempt
    /// brings any.
    pub fn brought(&self, task: TaskId, into: &Branch) -> Result<Option<(AttemptId, Oid)>> {
        let Some(commit) = self.commit_of(&names::done(task))? else { return Ok(None) };
        let said = self.git(&["cat-file", "commit", commit.as_str()]).run()?;
        let Some(by) = attempt_of(&said.text()) else { return Ok(None) };
        for branch in [into, &Branch::of(task.milestone)] {
            if let Some(tip) = self.tip(branch)?
                && self.contains(tip.as_str(), &commit)?
            {
                return Ok(Some((by, commit)));
            }
        }
        Ok(None)
    }

    /// What was said of a task's work when it came into a branch.
    pub fn account(&self, task: TaskId, into: &Branch) -> Result<Option<String>> {
        let Some((_, commit)) = self.brought(task, into)? else { return Ok(None) };
        let said = self.git(&["cat-file", "commit", commit.as_str()]).run()?;
        Ok(body_of(&said.text()))
    }

    /// What two commits come to together, or what they disagree about.
    pub(super) fn merged(&self, ours: &Oid, theirs: &Oid) -> Result<Merged> {
        let words = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages"];
        let words: Vec<&str> = words.into_iter().chain([ours.as_str(), theirs.as_str()]).collect();
        let said = self.git(&words).accepting(&[0, 1]).run()?;
        let mut parts = said.parts().into_iter();
        let tree = Oid::said("merge-tree", &parts.next().unwrap_or_default())?;
        Ok(match said.exit {
            Some(0) => Merged::Tree(tree),
            _ => Merged::Conflict(parts.collect()),
        })
    }

    pub(super) fn tree_of(&self, commit: &Oid) -> Result<Option<Oid>> {
        self.object_of(&format!("{commit}^{{tree}}"))
    }
}
