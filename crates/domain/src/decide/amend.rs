//! Fields that people set: by a command, in an editor, or in a branch that was merged.
//!
//! A field is a field, whoever sets it: a status written by hand passes the same rule as
//! `task done`.

use serde_json::Value;

use super::{Work, claim, milestone, references, task};
use crate::change::{FieldChange, put};
use crate::document::{KeyOwner, Milestone, key_owner};
use crate::event::Event;
use crate::ids::{MilestoneId, TaskId, TaskName};
use crate::needs::touches_edges;
use crate::refusal::Refusal;
use crate::status::{MilestoneStatus, TaskStatus};

pub(super) fn amend(
    work: &mut Work<'_>,
    id: MilestoneId,
    changes: &[FieldChange],
) -> Result<(), Refusal> {
    let before = work.document(id)?.clone();
    if before.archived && !changes.iter().any(|change| is(change, &["archived"])) {
        return Err(Refusal::Archived { milestone: id });
    }
    for change in changes {
        if let [list, name, _, ..] = change.path.steps()
            && list == "tasks"
            && let Ok(name) = name.parse::<TaskName>()
        {
            // Removed or moved since whoever asks has seen it.
            work.task(TaskId::new(id, name.number))?;
        }
    }
    let after = amended(&before, changes)?;
    milestone::check_dates(&after)?;
    let mut statuses = Vec::new();
    for change in changes {
        match kind(change, &before, &after)? {
            Kind::Field => work.record_in(id, Event::Edited { change: change.clone() }),
            Kind::Added(number) => {
                added(work, id, &after, number);
                // A task that comes in as finished passes the rule of every finished one.
                let task = after.task(number);
                if let Some(status) = task.map(|task| task.status).filter(|s| s.is_closed()) {
                    statuses.push(Kind::TaskStatus(number, status, status));
                }
            }
            Kind::Removed(number) => removed(work, id, number)?,
            Kind::Evidence(criterion) => {
                work.record_in(id, Event::CriterionReopened { criterion });
                work.record_in(id, Event::Edited { change: change.clone() });
            }
            status => statuses.push(status),
        }
    }
    record_statuses(work, id, &after, &statuses)?;
    if changes.iter().any(touches_edges) {
        references::check(work, id)?;
    }
    Ok(())
}

/// What one changed field means.
enum Kind {
    Field,
    Added(u32),
    Removed(u32),
    TaskStatus(u32, TaskStatus, TaskStatus),
    MilestoneStatus(MilestoneStatus, MilestoneStatus),
    Archived(bool),
    /// A criterion whose text changed lost what its evidence was about.
    Evidence(u32),
}

fn is(change: &FieldChange, steps: &[&str]) -> bool {
    change.path.steps() == steps
}

fn kind(change: &FieldChange, before: &Milestone, after: &Milestone) -> Result<Kind, Refusal> {
    let number = |name: &str| name.parse::<TaskName>().ok().map(|name| name.number);
    let steps: Vec<&str> = change.path.steps().iter().map(String::as_str).collect();
    Ok(match steps.as_slice() {
        ["status"] => Kind::MilestoneStatus(before.status, after.status),
        ["archived"] => Kind::Archived(after.archived),
        ["tasks" | "criteria"] => {
            let (milestone, path) = (before.id, change.path.to_string());
            let message = "name one of its items".into();
            return Err(Refusal::BadField { milestone, path, message });
        }
        ["tasks", name] => match (number(name), &change.after) {
            (Some(number), Some(_)) if before.task(number).is_some() => {
                let (milestone, path) = (before.id, change.path.to_string());
                let message = "it is there already; change its fields".into();
                return Err(Refusal::BadField { milestone, path, message });
            }
            (Some(number), Some(_)) => Kind::Added(number),
            (Some(number), None) => Kind::Removed(number),
            (None, _) => Kind::Field,
        },
        ["tasks", name, "status"] => {
            let number = number(name).unwrap_or_default();
            let status = |milestone: &Milestone| milestone.task(number).map(|task| task.status);
            match (status(before), status(after)) {
                (Some(from), Some(to)) => Kind::TaskStatus(number, from, to),
                _ => Kind::Field,
            }
        }
        ["criteria", number, "text" | "check"] => {
            let number = number.parse().unwrap_or_default();
            let met = before.criterion(number).is_some_and(|criterion| criterion.met.is_some());
            if met { Kind::Evidence(number) } else { Kind::Field }
        }
        _ if key_owner(&change.path) == KeyOwner::Program => {
            let (milestone, path) = (before.id, change.path.to_string());
            return Err(Refusal::ProgramKey { milestone, path });
        }
        _ => Kind::Field,
    })
}

fn amended(before: &Milestone, changes: &[FieldChange]) -> Result<Milestone, Refusal> {
    let mut tree = before.tree();
    for change in changes {
        put(&mut tree, &change.path, change.after.as_ref());
    }
    check_items(before.id, &tree)?;
    milestone::from_tree(before.id, &tree)
}

/// An item stands under its own id: otherwise a change of a criterion that is not there would
/// make one of another number, and a task could take another's name past every rule.
fn check_items(milestone: MilestoneId, tree: &Value) -> Result<(), Refusal> {
    for list in ["tasks", "criteria"] {
        let bad = |path: String, message: &str| Refusal::BadField {
            milestone,
            path,
            message: message.to_owned(),
        };
        let Some(Value::Object(items)) = tree.get(list) else {
            return Err(bad(list.to_owned(), "name one of its items"));
        };
        for (key, item) in items {
            let id = match item.get("id") {
                Some(Value::String(id)) => id.clone(),
                Some(id) => id.to_string(),
                None => String::new(),
            };
            if id != *key {
                return Err(bad(format!("{list}/{key}"), "there is no item of this id"));
            }
        }
    }
    Ok(())
}

fn added(work: &mut Work<'_>, id: MilestoneId, after: &Milestone, number: u32) {
    if let Some(new) = after.task(number) {
        task::record_added(work, id, &new.clone());
    }
}

fn removed(work: &mut Work<'_>, id: MilestoneId, number: u32) -> Result<(), Refusal> {
    let task_id = TaskId::new(id, number);
    let gone = work.task(task_id)?.clone();
    claim::authorize(work, task_id, crate::command::Credential::default())?;
    task::record_removed(work, task_id, &gone, None);
    Ok(())
}

/// Statuses are judged by what the whole document says afterwards: two tasks that were finished
/// in one edit do not hold each other up.
fn record_statuses(
    work: &mut Work<'_>,
    id: MilestoneId,
    after: &Milestone,
    statuses: &[Kind],
) -> Result<(), Refusal> {
    for status in statuses {
        match *status {
            Kind::TaskStatus(_, from, to) if from == to => {}
            Kind::TaskStatus(number, from, to) => {
                let task_id = TaskId::new(id, number);
                claim::authorize(work, task_id, crate::command::Credential::default())?;
                task::check_move(task_id, from, to)?;
                let reason = after.task(number).and_then(|task| task.reason.clone());
                let task = TaskName::new(number);
                let event = Event::TaskStatusChanged { task, from, to, reason, fence: None };
                work.record_in(id, event);
            }
            Kind::MilestoneStatus(from, to) => {
                milestone::check_move(id, from, to)?;
                let reason = after.reason.clone();
                work.record_in(id, Event::MilestoneStatusChanged { from, to, reason });
            }
            Kind::Archived(true) => work.record_in(id, Event::MilestoneArchived { forced: None }),
            Kind::Archived(false) => work.record_in(id, Event::MilestoneReturned),
            Kind::Field | Kind::Added(_) | Kind::Removed(_) | Kind::Evidence(_) => {}
        }
    }
    check_statuses(work, id, statuses)
}

fn check_statuses(work: &mut Work<'_>, id: MilestoneId, statuses: &[Kind]) -> Result<(), Refusal> {
    let mut started = false;
    for status in statuses {
        match *status {
            Kind::TaskStatus(number, from, TaskStatus::Completed) => {
                task::check_prerequisites(work, TaskId::new(id, number), from)?;
                started = true;
            }
            Kind::TaskStatus(_, _, TaskStatus::InProgress) => started = true,
            Kind::MilestoneStatus(_, MilestoneStatus::Completed) => {
                milestone::check_complete(work.document(id)?)?;
            }
            Kind::Archived(true) if !work.document(id)?.status.is_closed() => {
                return Err(Refusal::NotClosed { milestone: id });
            }
            _ => {}
        }
    }
    if started {
        milestone::started(work, id)?;
    }
    Ok(())
}
