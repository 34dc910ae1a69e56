//! The names that git knows our things by: made of numbers only, so that nothing a document says
//! can become an option, a path or another ref.

use std::fmt;

use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::streams::StreamName;

use super::error::{GitError, Result};
pub use crate::core::Attempt;

/// An object's name in git.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(String);

impl Oid {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a name, as records keep it.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (is_hex && matches!(text.len(), 40 | 64)).then(|| Self(text.to_owned()))
    }

    pub(super) fn said(doing: &str, text: &str) -> Result<Self> {
        Self::parse(text.trim()).ok_or_else(|| GitError::Unexpected {
            doing: doing.to_owned(),
            said: text.chars().take(200).collect(),
        })
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a milestone's finished work is.
pub fn milestone_branch(id: MilestoneId) -> String {
    Branch::of(id).full()
}

/// Where finished work goes: the branch of a milestone, or that of one of its streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    pub milestone: MilestoneId,
    pub stream: Option<StreamName>,
}

impl Branch {
    pub fn of(milestone: MilestoneId) -> Self {
        Self { milestone, stream: None }
    }

    pub fn of_stream(milestone: MilestoneId, stream: &StreamName) -> Self {
        Self { milestone, stream: Some(stream.clone()) }
    }

    /// As people see it. Git has no ref below another, so a stream's stands beside the milestone's.
    pub fn name(&self) -> String {
        match &self.stream {
            None => format!("milestone/{}", self.milestone),
            Some(stream) => format!("milestone/{}--{stream}", self.milestone),
        }
    }

    pub(super) fn full(&self) -> String {
        format!("refs/heads/{}", self.name())
    }
}

/// The branches of all streams of a milestone.
pub fn stream_branches(id: MilestoneId) -> String {
    format!("refs/heads/milestone/{id}--*")
}

/// What says of all tasks of a milestone with which commits they were brought in.
pub fn all_done(id: MilestoneId) -> String {
    let first = done(TaskId::new(id, 0));
    format!("{}*", first.trim_end_matches(|c: char| c.is_ascii_digit()))
}

impl Attempt {
    /// The branch on which the attempt works, as people see it.
    pub fn branch_name(&self) -> String {
        let id = self.id.0.simple().to_string();
        format!("milestone/attempts/{}-{}-{}", self.task, self.fence, &id[id.len() - 8..])
    }

    pub fn branch(&self) -> String {
        format!("refs/heads/{}", self.branch_name())
    }

    /// The commit of everything that the attempt left.
    pub fn kept(&self) -> String {
        format!("refs/milestone/attempts/{}/{}", self.task, self.id.0)
    }
}

/// Who may change the branch of the task's milestone.
pub fn fence(task: TaskId) -> String {
    format!("refs/milestone/fence/{task}")
}

/// The commit that brought the task's work into the milestone's branch.
pub fn done(task: TaskId) -> String {
    format!("refs/milestone/done/{task}")
}
