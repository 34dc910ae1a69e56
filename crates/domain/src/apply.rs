//! What an event makes of a document.
//!
//! Total: an event that makes no sense for the document changes nothing. Rules stand in `decide`;
//! here a fold of the history of two merged branches must come out the same in every clone.

use serde_json::Value;

use crate::change::put;
use crate::document::{GateDecision, Milestone, Task};
use crate::event::{Event, Recorded, Stream};
use crate::ids::TaskName;
use crate::status::{MilestoneStatus, TaskStatus};

/// The document after the event, or `None` while none exists.
#[must_use]
pub fn apply(document: Option<Milestone>, recorded: &Recorded) -> Option<Milestone> {
    let Stream::Milestone(id) = recorded.stream else { return document };
    let Some(mut milestone) = document else {
        return created(recorded).map(|milestone| Milestone { id, ..milestone });
    };
    change(&mut milestone, recorded);
    Some(milestone)
}

/// All of a stream's events in order, folded into the document they leave.
#[must_use]
pub fn fold<'a>(events: impl IntoIterator<Item = &'a Recorded>) -> Option<Milestone> {
    events.into_iter().fold(None, apply)
}

fn created(recorded: &Recorded) -> Option<Milestone> {
    match &recorded.event {
        Event::MilestoneCreated { document } | Event::MilestoneRenumbered { document, .. } => {
            let archived = document.get("archived") == Some(&Value::Bool(true));
            Milestone::from_tree(document.clone(), archived).ok()
        }
        _ => None,
    }
}

fn change(milestone: &mut Milestone, recorded: &Recorded) {
    match &recorded.event {
        Event::MilestoneStatusChanged { to, reason, .. } => {
            milestone.status = *to;
            milestone.reason.clone_from(reason);
            stamp_milestone(milestone, recorded);
        }
        Event::MilestoneArchived { .. } => milestone.archived = true,
        Event::MilestoneReturned => milestone.archived = false,
        Event::Edited { change } => edit(milestone, change),
        Event::TaskAdded { document, .. } => add_task(milestone, document),
        Event::TaskRemoved { task, .. } => remove_task(milestone, *task),
        Event::TaskStatusChanged { task, to, reason, .. } => {
            change_task(milestone, *task, |task| {
                set_task_status(task, *to, recorded);
                task.reason.clone_from(reason);
            });
        }
        Event::TaskClaimed { task, fence, .. } => change_task(milestone, *task, |task| {
            if task.attempts.is_some() && task.started_at.is_some() {
                task.interrupted = Some(true);
            }
            set_task_status(task, TaskStatus::InProgress, recorded);
            task.reason = None;
            task.started_by = Some(recorded.by.clone());
            task.attempts = task.attempts.max(Some(*fence));
        }),
        Event::TaskReleased { task, .. } => change_task(milestone, *task, |task| {
            set_task_status(task, TaskStatus::Pending, recorded);
        }),
        Event::TaskProgressed { task, percent } => {
            change_task(milestone, *task, |task| task.progress = Some(*percent));
        }
        Event::CriterionMet { criterion, met } => {
            if let Some(criterion) = milestone.criterion_mut(*criterion) {
                criterion.met = Some(met.clone());
            }
        }
        Event::CriterionReopened { criterion } => {
            if let Some(criterion) = milestone.criterion_mut(*criterion) {
                criterion.met = None;
            }
        }
        Event::GateDecided { phase, decision, reason } => {
            if milestone.phase(phase).is_some() {
                let (by, at) = (recorded.by.clone(), recorded.at);
                let decided = GateDecision { decision: *decision, by, at, reason: reason.clone() };
                milestone.gates.insert(phase.clone(), decided);
            }
        }
        Event::GateReopened { phase } => {
            milestone.gates.remove(phase);
        }
        // A second creation is the same document, taken in by two clones; notes and conditions
        // stand in no document.
        Event::MilestoneCreated { .. }
        | Event::MilestoneRenumbered { .. }
        | Event::IdGivenUp { .. }
        | Event::MilestoneNoted { .. }
        | Event::TaskNoted { .. }
        | Event::ConditionSet { .. }
        | Event::ConditionCleared { .. } => {}
    }
}

fn change_task(milestone: &mut Milestone, name: TaskName, change: impl FnOnce(&mut Task)) {
    if let Some(task) = milestone.task_mut(name.number) {
        change(task);
    }
}

fn set_task_status(task: &mut Task, to: TaskStatus, recorded: &Recorded) {
    let goes_on = matches!(to, TaskStatus::InProgress | TaskStatus::Completed);
    if goes_on && task.started_at.is_some() && task.status != TaskStatus::InProgress {
        task.interrupted = Some(true);
    }
    match to {
        TaskStatus::InProgress => {
            task.started_at.get_or_insert(recorded.at);
            task.started_by.get_or_insert_with(|| recorded.by.clone());
            task.completed_at = None;
        }
        TaskStatus::Completed => {
            task.completed_at = Some(recorded.at);
            task.progress = None;
        }
        TaskStatus::Pending => {
            // What was blocked and goes on has not lost what was done of it.
            if task.status != TaskStatus::Blocked {
                task.progress = None;
            }
            task.started_by = None;
            task.completed_at = None;
        }
        TaskStatus::Blocked | TaskStatus::Failed | TaskStatus::Cancelled => {
            task.completed_at = None;
        }
    }
    task.status = to;
}

fn stamp_milestone(milestone: &mut Milestone, recorded: &Recorded) {
    match milestone.status {
        MilestoneStatus::InProgress => {
            milestone.started_at.get_or_insert(recorded.at);
            milestone.completed_at = None;
        }
        MilestoneStatus::Completed => milestone.completed_at = Some(recorded.at),
        _ => milestone.completed_at = None,
    }
}

fn edit(milestone: &mut Milestone, change: &crate::change::FieldChange) {
    let mut tree = milestone.tree();
    put(&mut tree, &change.path, change.after.as_ref());
    if let Ok(edited) = Milestone::from_tree(tree, milestone.archived) {
        *milestone = Milestone { progress: milestone.progress, ..edited };
    }
}

fn add_task(milestone: &mut Milestone, document: &Value) {
    let Ok(task) = serde_json::from_value::<Task>(document.clone()) else { return };
    if milestone.task(task.id.number).is_none() {
        milestone.retired_tasks.retain(|name| name.number != task.id.number);
        milestone.tasks.push(task);
    }
}

fn remove_task(milestone: &mut Milestone, name: TaskName) {
    if milestone.task(name.number).is_some() {
        milestone.tasks.retain(|task| task.id.number != name.number);
        milestone.retired_tasks.push(name);
    }
}
