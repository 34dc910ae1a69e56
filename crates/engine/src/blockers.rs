//! What keeps work from going on until somebody does something: what it is, how much it matters,
//! and what to do.

use milestone_domain::ids::TaskId;
use milestone_domain::readiness::Reason;
use milestone_domain::views::impact::Impact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::{Failure, FailureKind};

/// What kind of thing is in the way.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BlockerKind {
    /// It does not go together with what others did.
    Conflict,
    Verification,
    /// A program that is not there.
    MissingTool,
    /// The disk, the memory, the store or git.
    Machine,
    RateLimit,
    /// It said nothing, or took too long.
    Stall,
    Budget,
    /// A phase that nobody has approved.
    Approval,
    /// A command that nobody has agreed to.
    Trust,
    /// It is for a person, or somebody has set it aside.
    Person,
    /// Somebody stopped what worked at it.
    Stopped,
    /// Nothing is there that could do it.
    Runner,
    /// The agent says that it cannot go on.
    Asks,
    /// The runner failed, again and again.
    Failed,
    /// The work of its stream together was not accepted.
    Stream,
}

/// How much it matters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing waits for it.
    Low,
    /// Other tasks wait for it.
    Medium,
    /// Every day that it lasts moves the finish of everything.
    High,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    fn of(impact: Impact) -> Self {
        match impact {
            Impact { critical: true, .. } => Self::High,
            Impact { tasks: 0, milestones: 0, .. } => Self::Low,
            _ => Self::Medium,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Blocker {
    pub task: TaskId,
    pub kind: BlockerKind,
    pub severity: Severity,
    pub reason: String,
    /// Other tasks that finish later for every day that it lasts longer.
    pub holds_up: usize,
    /// What to do about it.
    pub next: String,
}

impl Blocker {
    pub fn new(task: TaskId, kind: BlockerKind, reason: String, impact: Impact) -> Self {
        let severity = Severity::of(impact);
        Self { task, kind, severity, reason, holds_up: impact.tasks, next: kind.next(task) }
    }
}

impl BlockerKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Verification => "verification",
            Self::MissingTool => "missing tool",
            Self::Machine => "machine",
            Self::RateLimit => "rate limit",
            Self::Stall => "stall",
            Self::Budget => "budget",
            Self::Approval => "approval",
            Self::Trust => "trust",
            Self::Person => "person",
            Self::Stopped => "stopped",
            Self::Runner => "runner",
            Self::Asks => "asks",
            Self::Failed => "failed",
            Self::Stream => "stream",
        }
    }

    /// What an attempt came to nothing for, as something in the way.
    pub fn of(failure: &Failure) -> Self {
        match failure.kind {
            FailureKind::Conflict => Self::Conflict,
            FailureKind::Verify => Self::Verification,
            FailureKind::World | FailureKind::Away => Self::Machine,
            FailureKind::Limited => Self::RateLimit,
            FailureKind::TimedOut | FailureKind::Silent => Self::Stall,
            FailureKind::Budget => Self::Budget,
            FailureKind::Blocked => Self::Asks,
            FailureKind::Halted | FailureKind::Stopped => Self::Stopped,
            FailureKind::Lost => Self::Person,
            // How a shell says that there is no such program.
            _ if failure.reason.contains("code 127")
                || failure.reason.contains("ended with 127") =>
            {
                Self::MissingTool
            }
            _ => Self::Failed,
        }
    }

    /// What a task that is not ready waits for, where only somebody from outside can end that.
    pub fn of_reason(reason: &Reason) -> Option<Self> {
        match reason {
            Reason::Gate { .. } => Some(Self::Approval),
            Reason::Blocked { .. } | Reason::Failed { .. } | Reason::External { .. } => {
                Some(Self::Person)
            }
            _ => None,
        }
    }

    fn next(self, task: TaskId) -> String {
        let again = format!("`milestone task unblock {task}`");
        match self {
            Self::Conflict => {
                format!("see both sides in its log and under its kept ref, then {again}")
            }
            Self::Verification | Self::Failed => {
                format!("see its log: `milestone session log {task}`; then {again}")
            }
            Self::MissingTool => format!("install what is missing, then {again}"),
            Self::Machine => format!("make room or put right what its reason names, then {again}"),
            Self::RateLimit => "it goes on by itself when the limit ends".to_owned(),
            Self::Stall => {
                format!("raise `execute.attempt_time` or `execute.silence`, then {again}")
            }
            Self::Budget => {
                format!("raise `execute.task_cost` or `execute.task_tokens`, then {again}")
            }
            Self::Approval => format!("decide: `milestone show {}`", task.milestone),
            Self::Trust => {
                format!("agree to it: `milestone execute {} --resume`", task.milestone)
            }
            Self::Stopped => format!("let it be tried again: {again}"),
            Self::Person => format!("see it: `milestone show {task}`"),
            Self::Runner => format!("give it a runner: `milestone task set {task} --runner NAME`"),
            Self::Asks => format!("do what it asks for, then {again}"),
            Self::Stream => crate::verdicts::next(task.milestone),
        }
    }
}
