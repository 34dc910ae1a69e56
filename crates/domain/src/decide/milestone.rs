//! Milestones: made, taken in, moved from status to status, filed away.

use serde_json::Value;

use super::{Work, checked_reason, checked_text, criterion, references};
use crate::change::difference;
use crate::command::Closing;
use crate::document::{Lessons, Milestone};
use crate::event::{Event, Stream};
use crate::ids::{MilestoneId, Node};
use crate::limits;
use crate::refusal::Refusal;
use crate::snapshot::{Outline, PhaseOutline};
use crate::status::MilestoneStatus;

pub(super) fn plan(work: &mut Work<'_>, draft: &Milestone) -> Result<(), Refusal> {
    checked_text("a title", &draft.title, limits::TITLE_CHARS_MAX)?;
    check_dates(draft)?;
    let number = work.now.highest.map_or(1, |id| id.0 + 1);
    if number > limits::ID_MAX {
        return Err(Refusal::NumbersUsedUp { what: "milestone" });
    }
    let document = Milestone {
        id: MilestoneId(number),
        uid: Some(work.context.change.uid()),
        created: Some(draft.created.unwrap_or(work.context.today)),
        progress: None,
        gates: std::collections::BTreeMap::new(),
        ..draft.clone()
    };
    create(work, &document)?;
    references::check(work, document.id)
}

/// What was written by hand or by another program comes in as it is: a requirement that does not
/// exist is a problem that `doctor` and every waiting task name, not a reason to hide the document.
pub(super) fn adopt(work: &mut Work<'_>, document: &Milestone) -> Result<(), Refusal> {
    let uid = document.uid.unwrap_or_else(|| work.context.change.uid());
    create(work, &Milestone { uid: Some(uid), ..document.clone() })
}

fn create(work: &mut Work<'_>, document: &Milestone) -> Result<(), Refusal> {
    let document = document.clone().checked().map_err(|error| Refusal::BadField {
        milestone: document.id,
        path: error.path.to_string(),
        message: error.message,
    })?;
    let id = document.id;
    work.record(Stream::Milestone(id), Event::MilestoneCreated { document: document.tree() });
    Ok(())
}

pub(super) fn check_dates(milestone: &Milestone) -> Result<(), Refusal> {
    match (milestone.start, milestone.due) {
        (Some(start), Some(due)) if due < start => Err(Refusal::DueBeforeStart { start, due }),
        _ => Ok(()),
    }
}

pub(super) fn note(work: &mut Work<'_>, id: MilestoneId, text: &str) -> Result<(), Refusal> {
    checked_text("a note", text, limits::TEXT_CHARS_MAX)?;
    work.writable(id)?;
    work.record_in(id, Event::MilestoneNoted { text: text.to_owned() });
    Ok(())
}

pub(super) fn change(
    work: &mut Work<'_>,
    id: MilestoneId,
    to: MilestoneStatus,
    reason: Option<String>,
) -> Result<(), Refusal> {
    checked_reason(reason.as_deref())?;
    let milestone = work.document(id)?;
    let from = milestone.status;
    let same = from == to && (reason.is_none() || reason == milestone.reason);
    if milestone.archived {
        if to.is_closed() {
            return Err(Refusal::Archived { milestone: id });
        }
        work.record_in(id, Event::MilestoneReturned);
    }
    if same {
        return Ok(());
    }
    check_move(id, from, to)?;
    if to == MilestoneStatus::Completed {
        check_complete(work.document(id)?)?;
    }
    work.record_in(id, Event::MilestoneStatusChanged { from, to, reason });
    Ok(())
}

/// The first task that starts moves a planned milestone along; nothing else does so silently.
pub(super) fn started(work: &mut Work<'_>, id: MilestoneId) -> Result<(), Refusal> {
    if work.document(id)?.status == MilestoneStatus::Planned {
        let (from, to) = (MilestoneStatus::Planned, MilestoneStatus::InProgress);
        work.record_in(id, Event::MilestoneStatusChanged { from, to, reason: None });
    }
    Ok(())
}

pub(super) fn check_move(
    id: MilestoneId,
    from: MilestoneStatus,
    to: MilestoneStatus,
) -> Result<(), Refusal> {
    use MilestoneStatus::{Blocked, Cancelled, Completed, InProgress, Paused, Planned};
    let allowed = match from {
        Planned | InProgress | Paused | Blocked => true,
        Completed => matches!(to, InProgress | Completed),
        Cancelled => matches!(to, Planned | InProgress | Cancelled),
    };
    if allowed {
        return Ok(());
    }
    Err(Refusal::BadMove {
        id: Node::Milestone(id),
        from: from.word(),
        to: to.word(),
        next: format!("reopen it first: `milestone update {id} --status in_progress`"),
    })
}

pub(super) fn check_complete(milestone: &Milestone) -> Result<(), Refusal> {
    if Outline::of(milestone).is_finished() {
        return Ok(());
    }
    let open = milestone.tasks.iter().filter(|task| !task.status.is_closed());
    let tasks: Vec<_> = open.map(|task| milestone.task_id(task)).collect();
    let unmet = milestone.criteria.iter().filter(|criterion| criterion.met.is_none());
    let criteria: Vec<_> = unmet.filter_map(|criterion| criterion.id).collect();
    let phases = milestone.phases.iter().map(|phase| PhaseOutline::of(milestone, phase));
    let gates: Vec<_> = phases.filter(|phase| !phase.is_passed()).map(|phase| phase.name).collect();
    Err(Refusal::Incomplete { milestone: milestone.id, tasks, criteria, gates })
}

pub(super) fn archive(
    work: &mut Work<'_>,
    id: MilestoneId,
    closing: &Closing,
) -> Result<(), Refusal> {
    checked_reason(closing.force.as_deref())?;
    if work.document(id)?.archived {
        return Ok(());
    }
    if let Some(held) = held_task(work, id) {
        return Err(held);
    }
    for (number, evidence) in &closing.evidence {
        criterion::meet(work, id, *number, evidence)?;
    }
    say(work, id, closing)?;
    let milestone = work.document(id)?;
    let status = milestone.status;
    if closing.force.is_none() && status != MilestoneStatus::Cancelled {
        check_complete(milestone)?;
    }
    if closing.force.is_none() && !status.is_closed() {
        let to = MilestoneStatus::Completed;
        work.record_in(id, Event::MilestoneStatusChanged { from: status, to, reason: None });
    }
    work.record_in(id, Event::MilestoneArchived { forced: closing.force.clone() });
    Ok(())
}

/// Lessons are added to those that are there; the release is set.
fn say(work: &mut Work<'_>, id: MilestoneId, closing: &Closing) -> Result<(), Refusal> {
    let before = work.document(id)?.clone();
    let mut after = before.clone();
    let Lessons { went_well, improve, recommendations } = &closing.lessons;
    let said = &mut after.lessons;
    let lists = [
        (&mut said.went_well, went_well),
        (&mut said.improve, improve),
        (&mut said.recommendations, recommendations),
    ];
    for (there, new) in lists {
        for lesson in new {
            checked_text("a lesson", lesson, limits::TEXT_CHARS_MAX)?;
            if !there.contains(lesson) {
                there.push(lesson.clone());
            }
        }
    }
    if let Some(release) = &closing.release {
        checked_text("a release", release, limits::NAME_CHARS_MAX)?;
        after.release = Some(release.clone());
    }
    for change in difference(&before.tree(), &after.tree()) {
        work.record_in(id, Event::Edited { change });
    }
    Ok(())
}

/// Work in progress is not filed away under its worker's feet, forced or not.
fn held_task(work: &Work<'_>, id: MilestoneId) -> Option<Refusal> {
    let mut claims = work.now.claims.values();
    let claim = claims.find(|claim| claim.task.milestone == id && claim.is_live())?;
    Some(super::claim::held(claim))
}

/// What a creation event says, as a document again.
pub(super) fn from_tree(id: MilestoneId, tree: &Value) -> Result<Milestone, Refusal> {
    let archived = tree.get("archived") == Some(&Value::Bool(true));
    Milestone::from_tree(tree.clone(), archived).map_err(|error| Refusal::BadField {
        milestone: id,
        path: error.path.to_string(),
        message: error.message,
    })
}
