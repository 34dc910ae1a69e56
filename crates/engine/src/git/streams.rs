//! The branches of a milestone's streams: what they take in, and how they go up.
//!
//! A stream's branch begins at its milestone's and has the work of its tasks on top of it. It takes
//! the milestone's in again before it is judged, so that what is judged is what the milestone's
//! will be.

use std::collections::BTreeSet;

use milestone_domain::ids::{MilestoneId, TaskId};

use super::Repository;
use super::branches::Joined;
use super::error::{GitError, Result};
use super::integrate::Merged;
use super::message::stream_message;
use super::names::{self, Branch, Oid};
use super::refs::{Step, TRIES_MAX};

/// How refs are listed.
const NAMES: &str = "--format=%(refname)";

/// What a stream's branch came to with what it was to take in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Together {
    /// It is here, and has all of it.
    At(Oid),
    /// It does not go together with this, which is that commit, in these files; nothing happened.
    Conflict { with: String, what: Oid, files: Vec<String> },
}

/// What became of a stream that was to go up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raised {
    /// The milestone's branch has it, and is here.
    Up(Oid),
    /// One of the two branches has moved since; nothing happened.
    Moved,
}

/// Why a branch is not moved.
enum Stays {
    Conflict { with: String, what: Oid, files: Vec<String> },
    Git(GitError),
}

impl From<GitError> for Stays {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

impl Repository {
    /// The tasks of a milestone whose work is in the branch of a stream and not in the milestone's.
    pub fn below(&self, id: MilestoneId) -> Result<BTreeSet<TaskId>> {
        let Some(tip) = self.milestone_tip(id)? else { return Ok(BTreeSet::new()) };
        let without = format!("--no-merged={tip}");
        let asked = ["for-each-ref", NAMES, &without, &names::stream_branches(id)];
        let branches = self.git(&asked).run()?.text();
        let branches: Vec<&str> = branches.lines().collect();
        if branches.is_empty() { Ok(BTreeSet::new()) } else { self.works(id, &tip, &branches) }
    }

    /// The tasks whose work a commit has, and the milestone's branch at that commit has not.
    pub fn works_in(&self, id: MilestoneId, from: &Oid, to: &Oid) -> Result<BTreeSet<TaskId>> {
        self.works(id, from, &[to.as_str()])
    }

    fn works(&self, id: MilestoneId, from: &Oid, within: &[&str]) -> Result<BTreeSet<TaskId>> {
        let mut words = vec!["for-each-ref".to_owned(), NAMES.to_owned()];
        words.push(format!("--no-merged={from}"));
        words.extend(within.iter().map(|branch| format!("--merged={branch}")));
        words.push(names::all_done(id));
        let done = self.git(&words).run()?.text();
        let task = |name: &str| name.rsplit('/').next()?.parse().ok();
        Ok(done.lines().filter_map(task).collect())
    }

    /// Makes sure that a stream's branch is there and has the work of these tasks, wherever it was
    /// brought when they were in another stream.
    pub fn stream_branch(&self, branch: &Branch, tasks: &BTreeSet<TaskId>) -> Result<Together> {
        let mut works = Vec::new();
        for task in tasks {
            if let Some(commit) = self.commit_of(&names::done(*task))? {
                works.push((task.to_string(), commit));
            }
        }
        self.together(branch, &works)
    }

    /// Takes the milestone's branch into that of a stream.
    pub fn bring_up_to_date(&self, branch: &Branch) -> Result<Together> {
        let milestone = self.begun(&Branch::of(branch.milestone))?;
        self.together(branch, &[(branch.milestone.to_string(), milestone)])
    }

    /// Takes commits into a stream's branch, which goes on from where the milestone's is if it has
    /// nothing of its own.
    fn together(&self, branch: &Branch, others: &[(String, Oid)]) -> Result<Together> {
        let milestone = self.begun(&Branch::of(branch.milestone))?;
        let moved = self.moved(branch, |tip| {
            let mut tip = match tip {
                Some(tip) if !self.contains(milestone.as_str(), &tip)? => tip,
                _ => milestone.clone(),
            };
            for (what, commit) in others {
                let message = stream_message(branch, what, "");
                tip = match self.joined(&tip, commit, &message)? {
                    Joined::Tip(tip) => tip,
                    Joined::Conflict(files) => {
                        let (with, what) = (what.clone(), commit.clone());
                        return Err(Stays::Conflict { with, what, files });
                    }
                };
            }
            Ok(tip)
        });
        match moved {
            Ok(tip) => Ok(Together::At(tip)),
            Err(Stays::Conflict { with, what, files }) => {
                Ok(Together::Conflict { with, what, files })
            }
            Err(Stays::Git(error)) => Err(error),
        }
    }

    /// Brings a stream into its milestone's branch, as it was judged: with one commit that has all of
    /// its own behind it. May be repeated.
    pub fn raise(&self, branch: &Branch, judged: &Oid, why: &str) -> Result<Raised> {
        let above = Branch::of(branch.milestone);
        for _ in 0..TRIES_MAX {
            let milestone = self.begun(&above)?;
            if self.contains(milestone.as_str(), judged)? {
                return Ok(Raised::Up(milestone));
            }
            let is_same = self.tip(branch)?.as_ref() == Some(judged);
            if !is_same || !self.contains(judged.as_str(), &milestone)? {
                return Ok(Raised::Moved);
            }
            let Some(tree) = self.tree_of(judged)? else { return Ok(Raised::Moved) };
            let stream = branch.stream.as_ref().map(ToString::to_string).unwrap_or_default();
            let text = stream_message(branch, &format!("stream {stream}"), why);
            let commit = self.commit(&tree, &[&milestone, judged], &text)?;
            self.check_not_checked_out(&above.full())?;
            let raised = self.change(&[
                Step::Verify { name: branch.full(), is: judged },
                Step::Update { name: above.full(), from: Some(&milestone), to: &commit },
            ]);
            match raised {
                Ok(()) => return Ok(Raised::Up(commit)),
                Err(error)
                    if self.tip(&above)?.as_ref() == Some(&milestone)
                        && self.tip(branch)?.as_ref() == Some(judged) =>
                {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        Err(GitError::Busy { branch: above.full() })
    }

    /// Whether a commit is nothing but one that was judged before, brought up to date with the
    /// milestone's branch. One that is not in this repository was judged elsewhere.
    pub fn is_same_work(&self, before: &Oid, now: &Oid, milestone: &Oid) -> Result<bool> {
        if before == now {
            return Ok(true);
        }
        if self.commit_of(before.as_str())?.is_none() || !self.contains(now.as_str(), before)? {
            return Ok(false);
        }
        Ok(match self.merged(before, milestone)? {
            Merged::Tree(tree) => self.tree_of(now)? == Some(tree),
            Merged::Conflict(_) => false,
        })
    }
}
