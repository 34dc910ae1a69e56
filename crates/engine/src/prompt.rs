//! What an agent is told.

use milestone_domain::document::{Milestone, Task};

use crate::core::Failure;

pub fn of(milestone: &Milestone, task: &Task, before: Option<&Failure>) -> Result<String, String> {
    Ok(format!("{} {} {before:?}", milestone.id, task.title))
}
