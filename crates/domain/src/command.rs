//! What people, agents and programs may ask for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use crate::change::FieldChange;
use crate::document::{Criterion, Lessons, Milestone, Task};
use crate::event::{AttemptId, ChangeId};
use crate::ids::{MilestoneId, TaskId, Uid};
use crate::status::{Decision, MilestoneStatus, TaskStatus};

/// Who asks, when, and under which identity the answer is kept.
#[derive(Debug, Clone)]
pub struct Context {
    pub change: ChangeId,
    pub actor: String,
    pub now: Timestamp,
    /// The civil date in the project's zone.
    pub today: Date,
}

/// The right that a write on a claimed task shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Credential {
    pub fence: Option<u64>,
    pub attempt: Option<AttemptId>,
}

/// What is said about a milestone when it is filed away.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Closing {
    /// Why it is filed away although something is open.
    pub force: Option<String>,
    /// How criteria were seen to hold, by their numbers.
    pub evidence: Vec<(u32, String)>,
    pub lessons: Lessons,
    pub release: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Makes a milestone. The draft's own id says nothing; the next free one is given.
    Plan {
        draft: Box<Milestone>,
    },
    /// Takes in a document that was written or pulled without the program.
    Adopt {
        document: Box<Milestone>,
    },
    /// Sets fields that are a person's.
    Amend {
        milestone: MilestoneId,
        changes: Vec<FieldChange>,
    },
    /// Takes in what somebody changed in a document by hand; refused as a whole or taken as a
    /// whole.
    TakeIn {
        milestone: MilestoneId,
        changes: Vec<FieldChange>,
    },
    ChangeMilestone {
        milestone: MilestoneId,
        to: MilestoneStatus,
        reason: Option<String>,
    },
    AddTask {
        milestone: MilestoneId,
        draft: Box<Task>,
    },
    ChangeTask {
        task: TaskId,
        to: TaskStatus,
        reason: Option<String>,
        credential: Credential,
    },
    Claim {
        task: TaskId,
        attempt: AttemptId,
        lease_seconds: u64,
    },
    Release {
        task: TaskId,
        reason: Option<String>,
        credential: Credential,
    },
    Progress {
        task: TaskId,
        percent: u32,
        credential: Credential,
    },
    Note {
        task: TaskId,
        text: String,
        credential: Credential,
    },
    NoteMilestone {
        milestone: MilestoneId,
        text: String,
    },
    RemoveTask {
        task: TaskId,
    },
    MoveTask {
        task: TaskId,
        to: MilestoneId,
    },
    AddCriterion {
        milestone: MilestoneId,
        draft: Box<Criterion>,
    },
    MeetCriterion {
        milestone: MilestoneId,
        number: u32,
        evidence: String,
    },
    /// Says what becomes of a phase that asks for approval.
    DecideGate {
        milestone: MilestoneId,
        /// A task of the phase, where whoever decides named one.
        task: Option<u32>,
        phase: String,
        decision: Decision,
        reason: Option<String>,
    },
    SetCondition {
        name: String,
        reason: Option<String>,
    },
    ClearCondition {
        name: String,
        reason: Option<String>,
    },
    Archive {
        milestone: MilestoneId,
        closing: Box<Closing>,
    },
    /// Gives a document whose id another one also has a new id. `tree` is what it said; `means` are
    /// those it refers to that have no id of their own yet; `referring` are the documents whose
    /// references to the id mean this one.
    Renumber {
        from: MilestoneId,
        uid: Uid,
        tree: Box<Value>,
        means: BTreeMap<MilestoneId, Uid>,
        referring: Vec<MilestoneId>,
    },
}

/// Whose an attempt's wish is, where it is not its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// The session verifies what the attempt leaves, and completes the task.
    Sessions,
    /// The plan, and the other tasks in it, are for people to change.
    Peoples,
}

impl Command {
    /// Whether an attempt of a session at a task may ask for this: it reports on that task and adds
    /// what it found.
    pub fn check_attempt(&self, at: TaskId) -> Result<(), Others> {
        match self {
            Self::ChangeTask { to: TaskStatus::Blocked | TaskStatus::Failed, .. }
            | Self::Progress { .. }
            | Self::Note { .. }
            | Self::NoteMilestone { .. }
            | Self::Plan { .. }
            | Self::AddTask { .. }
            | Self::AddCriterion { .. }
            | Self::MeetCriterion { .. }
            | Self::SetCondition { .. }
            | Self::ClearCondition { .. } => Ok(()),
            Self::ChangeTask { task, .. } | Self::Release { task, .. } if *task == at => {
                Err(Others::Sessions)
            }
            Self::Adopt { .. }
            | Self::Amend { .. }
            | Self::TakeIn { .. }
            | Self::ChangeMilestone { .. }
            | Self::ChangeTask { .. }
            | Self::Claim { .. }
            | Self::Release { .. }
            | Self::RemoveTask { .. }
            | Self::MoveTask { .. }
            | Self::DecideGate { .. }
            | Self::Archive { .. }
            | Self::Renumber { .. } => Err(Others::Peoples),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_reports_and_ends_nothing() {
        let (own, other) = (TaskId::new(MilestoneId(1), 1), TaskId::new(MilestoneId(1), 2));
        let change = |task, to| {
            let credential = Credential::default();
            Command::ChangeTask { task, to, reason: None, credential }.check_attempt(own)
        };
        assert_eq!(change(own, TaskStatus::Blocked), Ok(()));
        assert_eq!(change(own, TaskStatus::Failed), Ok(()));
        for to in [TaskStatus::Completed, TaskStatus::Pending, TaskStatus::Cancelled] {
            assert_eq!(change(own, to), Err(Others::Sessions));
            assert_eq!(change(other, to), Err(Others::Peoples));
        }
    }
}
