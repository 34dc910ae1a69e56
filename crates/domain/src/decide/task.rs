//! Tasks: added, worked on, finished, moved and removed.

use super::claim::{authorize, held, taken};
use super::{Work, checked_reason, checked_text, milestone, references};
use crate::command::Credential;
use crate::document::Task;
use crate::event::Event;
use crate::ids::{MilestoneId, Node, TaskId, TaskName};
use crate::limits;
use crate::planted::planted;
use crate::readiness::{Board, Readiness, Reason};
use crate::refusal::Refusal;
use crate::status::TaskStatus;

pub(super) fn add(work: &mut Work<'_>, id: MilestoneId, draft: &Task) -> Result<(), Refusal> {
    checked_text("a title", &draft.title, limits::TITLE_CHARS_MAX)?;
    let milestone = work.writable(id)?;
    let number = work.now.next_task_number(milestone);
    if milestone.tasks.len() >= limits::TASKS_MAX || number > limits::ID_MAX {
        return Err(Refusal::NumbersUsedUp { what: "task" });
    }
    let requires = draft.requires.iter().map(|reference| reference.seen_from(id)).collect();
    let task = Task { id: TaskName::new(number), requires, ..draft.clone() };
    record_added(work, id, &task);
    references::check(work, id)
}

pub(super) fn record_added(work: &mut Work<'_>, id: MilestoneId, task: &Task) {
    let document = serde_json::to_value(task).map(crate::document::pruned).unwrap_or_default();
    work.record_in(id, Event::TaskAdded { task: task.id, document });
}

pub(super) fn change(
    work: &mut Work<'_>,
    id: TaskId,
    to: TaskStatus,
    reason: Option<String>,
    credential: Credential,
) -> Result<(), Refusal> {
    checked_reason(reason.as_deref())?;
    work.writable(id.milestone)?;
    let task = work.task(id)?;
    let from = task.status;
    if already(task, to, credential) && (reason.is_none() || reason == task.reason) {
        return already_so(work, id, to);
    }
    authorize(work, id, credential)?;
    check_move(id, from, to)?;
    match to {
        TaskStatus::InProgress => check_start(work, id)?,
        TaskStatus::Completed => check_prerequisites(work, id, from)?,
        _ => {}
    }
    let fence = credential.fence;
    let task = TaskName::new(id.number);
    work.record_in(id.milestone, Event::TaskStatusChanged { task, from, to, reason, fence });
    if matches!(to, TaskStatus::InProgress | TaskStatus::Completed) {
        milestone::started(work, id.milestone)?;
    }
    Ok(())
}

/// The same request twice, because the first answer was lost: by a person, or by the attempt
/// that the task last had.
fn already(task: &Task, to: TaskStatus, credential: Credential) -> bool {
    task.status == to && credential.fence.is_none_or(|fence| task.attempts == Some(fence))
}

/// Nothing to do, unless "it is in progress" means that somebody else works on it.
fn already_so(work: &Work<'_>, id: TaskId, to: TaskStatus) -> Result<(), Refusal> {
    let task = work.task(id)?;
    match (&task.started_by, work.now.claims.get(&id)) {
        (Some(by), claim) if to == TaskStatus::InProgress && *by != work.context.actor => {
            Err(claim.map_or_else(|| taken(id, by.clone()), held))
        }
        _ => Ok(()),
    }
}

/// Starting needs everything that readiness asks for, except that a failed task may be tried again.
fn check_start(work: &Work<'_>, id: TaskId) -> Result<(), Refusal> {
    match Board::new(&work.now, work.context.today).readiness(id) {
        Readiness::Ready { .. } => Ok(()),
        Readiness::Closed => Err(bad_move(id, work.task(id)?.status, TaskStatus::InProgress)),
        Readiness::Held { by } => Err(taken(id, by)),
        Readiness::Waiting { reasons } => {
            let waiting: Vec<_> =
                reasons.into_iter().filter(|r| !matches!(r, Reason::Failed { .. })).collect();
            if waiting.is_empty() {
                return Ok(());
            }
            Err(Refusal::NotReady { task: id, waiting })
        }
    }
}

/// What was begun may be finished whatever its milestone waits for since; what was not, may not
/// skip its beginning.
pub(super) fn check_prerequisites(
    work: &Work<'_>,
    id: TaskId,
    from: TaskStatus,
) -> Result<(), Refusal> {
    let outline = work.outline(id.milestone)?;
    let Some(task) = outline.task(id.number) else { return Err(work.unknown(Node::Task(id))) };
    let board = Board::new(&work.now, work.context.today);
    let mut waiting = board.prerequisites(outline, task);
    if from == TaskStatus::Pending && task.started_at.is_none() {
        waiting.extend(board.milestone_prerequisites(outline));
    }
    if waiting.is_empty() || planted("prerequisites unchecked") {
        return Ok(());
    }
    Err(Refusal::PrerequisitesOpen { task: id, waiting })
}

pub(super) fn check_move(id: TaskId, from: TaskStatus, to: TaskStatus) -> Result<(), Refusal> {
    use TaskStatus::{Blocked, Cancelled, Completed, Failed, InProgress, Pending};
    let allowed = match from {
        Pending => to != Failed,
        InProgress => true,
        Blocked => matches!(to, Pending | InProgress | Blocked | Cancelled),
        Failed => matches!(to, Pending | InProgress | Failed | Cancelled),
        Completed => matches!(to, Pending | InProgress | Completed),
        Cancelled => matches!(to, Pending | Cancelled),
    };
    if allowed { Ok(()) } else { Err(bad_move(id, from, to)) }
}

pub(super) fn bad_move(id: TaskId, from: TaskStatus, to: TaskStatus) -> Refusal {
    let next = match from {
        TaskStatus::Blocked => format!("when nothing is in its way: `milestone task unblock {id}`"),
        TaskStatus::Pending | TaskStatus::Failed => {
            format!("start it: `milestone task start {id}`")
        }
        TaskStatus::InProgress | TaskStatus::Completed | TaskStatus::Cancelled => {
            format!("if it is to be worked on again: `milestone task reopen {id}`")
        }
    };
    Refusal::BadMove { id: Node::Task(id), from: from.word(), to: to.word(), next }
}

pub(super) fn progress(
    work: &mut Work<'_>,
    id: TaskId,
    percent: u32,
    credential: Credential,
) -> Result<(), Refusal> {
    work.writable(id.milestone)?;
    let task = work.task(id)?;
    if percent > 100 {
        return Err(Refusal::BadField {
            milestone: id.milestone,
            path: "progress".into(),
            message: "a percentage is between 0 and 100".into(),
        });
    }
    authorize(work, id, credential)?;
    if task.status != TaskStatus::InProgress {
        return Err(Refusal::BadMove {
            id: Node::Task(id),
            from: task.status.word(),
            to: "further along",
            next: format!("start it first: `milestone task start {id}`"),
        });
    }
    if task.progress != Some(percent) {
        let task = TaskName::new(id.number);
        work.record_in(id.milestone, Event::TaskProgressed { task, percent });
    }
    Ok(())
}

pub(super) fn note(
    work: &mut Work<'_>,
    id: TaskId,
    text: &str,
    credential: Credential,
) -> Result<(), Refusal> {
    checked_text("a note", text, limits::TEXT_CHARS_MAX)?;
    work.task(id)?;
    // A note without a fence is anybody's; one that claims to speak for an attempt must be its.
    if credential.fence.is_some() {
        authorize(work, id, credential)?;
    }
    let task = TaskName::new(id.number);
    work.record_in(id.milestone, Event::TaskNoted { task, text: text.to_owned() });
    Ok(())
}

pub(super) fn remove(
    work: &mut Work<'_>,
    id: TaskId,
    moved_to: Option<TaskId>,
) -> Result<(), Refusal> {
    work.writable(id.milestone)?;
    let task = work.task(id)?;
    authorize(work, id, Credential::default())?;
    let by = references::referring(&work.now, Node::Task(id));
    if !by.is_empty() {
        return Err(Refusal::NeededBy { node: Node::Task(id), by });
    }
    record_removed(work, id, &task.clone(), moved_to);
    Ok(())
}

pub(super) fn record_removed(work: &mut Work<'_>, id: TaskId, task: &Task, to: Option<TaskId>) {
    let document = serde_json::to_value(task).map(crate::document::pruned).unwrap_or_default();
    let event = Event::TaskRemoved { task: TaskName::new(id.number), document, moved_to: to };
    work.record_in(id.milestone, event);
}

pub(super) fn move_to(work: &mut Work<'_>, id: TaskId, to: MilestoneId) -> Result<(), Refusal> {
    if id.milestone == to {
        work.task(id)?;
        return Ok(());
    }
    let mut task = work.task(id)?.clone();
    let number = work.now.next_task_number(work.writable(to)?);
    // A dead attempt does not come along: its claim stays behind, and nobody holds the task.
    if task.status == TaskStatus::InProgress && work.now.claims.contains_key(&id) {
        task.status = TaskStatus::Pending;
        task.started_by = None;
    }
    remove(work, id, Some(TaskId::new(to, number)))?;
    let home = |reference: &crate::ids::Reference| reference.node(id.milestone).reference(to);
    let requires = task.requires.iter().map(home).collect();
    add(work, to, &Task { requires, ..task })
}
