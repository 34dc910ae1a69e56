//! What charts draw: dates, amounts and places, computed once, so that a terminal, SVG and Mermaid
//! draw the same.

pub mod burn_down;
pub mod gantt;
pub mod graph;
mod layers;

use schemars::JsonSchema;
use serde::Serialize;

use crate::status::{MilestoneStatus, TaskStatus};

/// How far something is, in the few ways that a picture can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    ToDo,
    Doing,
    /// Blocked, failed or paused: somebody has to do something about it.
    Stopped,
    Done,
    Cancelled,
}

impl From<MilestoneStatus> for Stage {
    fn from(status: MilestoneStatus) -> Self {
        match status {
            MilestoneStatus::Planned => Self::ToDo,
            MilestoneStatus::InProgress => Self::Doing,
            MilestoneStatus::Paused | MilestoneStatus::Blocked => Self::Stopped,
            MilestoneStatus::Completed => Self::Done,
            MilestoneStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<TaskStatus> for Stage {
    fn from(status: TaskStatus) -> Self {
        match status {
            TaskStatus::Pending => Self::ToDo,
            TaskStatus::InProgress => Self::Doing,
            TaskStatus::Blocked | TaskStatus::Failed => Self::Stopped,
            TaskStatus::Completed => Self::Done,
            TaskStatus::Cancelled => Self::Cancelled,
        }
    }
}
