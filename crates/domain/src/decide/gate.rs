//! Gates: what is decided about the phases that ask for approval, and when that no longer holds.

use super::{Work, checked_reason, checked_text};
use crate::document::{Deliverable, Milestone, Phase};
use crate::event::Event;
use crate::ids::MilestoneId;
use crate::limits;
use crate::refusal::Refusal;
use crate::snapshot::PhaseOutline;
use crate::status::Decision;

/// What somebody wants decided.
pub(super) struct Asked<'a> {
    pub task: Option<u32>,
    pub phase: &'a str,
    pub decision: Decision,
    pub reason: &'a Option<String>,
}

pub(super) fn decide(
    work: &mut Work<'_>,
    id: MilestoneId,
    asked: &Asked<'_>,
) -> Result<(), Refusal> {
    let (decision, reason) = (asked.decision, asked.reason);
    checked_reason(reason.as_deref())?;
    if decision != Decision::Approved {
        // Whoever is to do it over must know what was wrong.
        let reason = reason.as_deref().unwrap_or_default();
        checked_text("a reason", reason, limits::TEXT_CHARS_MAX)?;
    }
    let milestone = work.writable(id)?;
    let phase = named(milestone, asked.phase)?;
    check_task(work, id, phase, asked.task)?;
    if !phase.approval {
        return Err(Refusal::NoGate { milestone: id, phase: phase.name.clone() });
    }
    if milestone.status.is_closed() {
        return Err(Refusal::Closed { milestone: id, status: milestone.status.word() });
    }
    if let Some(decided) = milestone.gates.get(&phase.name)
        && decided.decision == decision
        && (reason.is_none() || *reason == decided.reason)
    {
        return Ok(());
    }
    if decision == Decision::Approved {
        check_finished(milestone, phase)?;
    }
    let (phase, reason) = (phase.name.clone(), reason.clone());
    work.record_in(id, Event::GateDecided { phase, decision, reason });
    Ok(())
}

fn named<'a>(milestone: &'a Milestone, name: &str) -> Result<&'a Phase, Refusal> {
    milestone.phase_meant(name).ok_or_else(|| Refusal::UnknownPhase {
        milestone: milestone.id,
        phase: name.to_owned(),
        known: milestone.phases.iter().map(|phase| phase.name.clone()).collect(),
    })
}

/// Whoever names a task means the phase that it is in.
fn check_task(
    work: &Work<'_>,
    id: MilestoneId,
    phase: &Phase,
    task: Option<u32>,
) -> Result<(), Refusal> {
    let Some(number) = task else { return Ok(()) };
    let task = crate::ids::TaskId::new(id, number);
    let own = &work.task(task)?.phase;
    if own.as_ref() == Some(&phase.name) {
        return Ok(());
    }
    Err(Refusal::NotInPhase { task, phase: phase.name.clone(), own: own.clone() })
}

/// A phase is approved when its work is done, and after the phases that it was built on.
fn check_finished(milestone: &Milestone, phase: &Phase) -> Result<(), Refusal> {
    let open = milestone.tasks_in(&phase.name).filter(|task| !task.status.is_closed());
    let tasks: Vec<_> = open.map(|task| milestone.task_id(task)).collect();
    let before = milestone.phases.iter().take_while(|before| before.name != phase.name);
    let before = before.map(|before| PhaseOutline::of(milestone, before));
    let gates: Vec<_> = before.filter(|b| !b.is_passed()).map(|before| before.name).collect();
    if tasks.is_empty() && gates.is_empty() {
        return Ok(());
    }
    let (milestone, phase) = (milestone.id, phase.name.clone());
    Err(Refusal::PhaseOpen { milestone, phase, tasks, gates })
}

/// The phases about which what was decided no longer holds after something happened: they are
/// gone, or are not what somebody approved.
pub(super) fn lost(before: &Milestone, after: &Milestone) -> Vec<String> {
    let gone = |(name, decided): &(&String, &crate::document::GateDecision)| {
        if !after.phase(name).is_some_and(|phase| phase.approval) {
            return true;
        }
        let same = before.gates.get(*name) == Some(*decided);
        same && decided.decision == Decision::Approved && is_another(before, after, name)
    };
    after.gates.iter().filter(gone).map(|(name, _)| name.clone()).collect()
}

/// Whether a phase has work that is not done, or that was not there, or is described otherwise.
/// Work that is open before something happens came from a branch that knew of no approval.
fn is_another(before: &Milestone, after: &Milestone, name: &str) -> bool {
    let open =
        |milestone: &Milestone| milestone.tasks_in(name).any(|task| !task.status.is_closed());
    let was_in = |number: u32| before.tasks_in(name).any(|task| task.id.number == number);
    let joined = after.tasks_in(name).any(|task| !was_in(task.id.number));
    open(before) || open(after) || joined || promised(before, name) != promised(after, name)
}

/// What a phase is to do and to leave behind, without how far it is and how long it takes.
fn promised(milestone: &Milestone, name: &str) -> (Option<Phase>, Vec<Deliverable>) {
    let phase = milestone.phase(name).map(|phase| {
        let mut activities = phase.activities.clone();
        activities.iter_mut().for_each(|activity| activity.done = false);
        Phase { duration: None, weight: None, provides: Vec::new(), activities, ..phase.clone() }
    });
    let deliverables = milestone.deliverables.iter();
    let own = deliverables.filter(|item| item.phase.as_deref() == Some(name));
    (phase, own.map(|item| Deliverable { done: false, ..item.clone() }).collect())
}
