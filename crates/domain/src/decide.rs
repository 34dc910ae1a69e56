//! Every rule of the product stands behind this one function.

mod amend;
mod claim;
mod condition;
mod criterion;
mod gate;
mod milestone;
mod references;
mod renumber;
mod task;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::apply::apply;
use crate::command::{Command, Context};
use crate::document::{Milestone, Task};
use crate::event::{EVENT_VERSION, Event, Recorded, Stream};
use crate::ids::{MilestoneId, Node, TaskId, Uid, nearest};
use crate::limits;
use crate::needs::touches_edges;
use crate::refusal::Refusal;
use crate::snapshot::{Outline, ProblemKind, Snapshot};

/// What happens when `command` is carried out on `snapshot`, or why it may not be.
///
/// Pure: the same three arguments always give the same answer. No event means that what was asked
/// for already is so.
pub fn decide(
    snapshot: &Snapshot,
    command: &Command,
    context: &Context,
) -> Result<Vec<Recorded>, Refusal> {
    let mut work = Work { before: snapshot, now: snapshot.clone(), context, events: Vec::new() };
    match command {
        Command::Plan { draft } => milestone::plan(&mut work, draft)?,
        Command::Adopt { document } => milestone::adopt(&mut work, document)?,
        Command::Amend { milestone, changes } | Command::TakeIn { milestone, changes } => {
            amend::amend(&mut work, *milestone, changes)?;
        }
        Command::ChangeMilestone { milestone, to, reason } => {
            milestone::change(&mut work, *milestone, *to, reason.clone())?;
        }
        Command::Archive { milestone, closing } => {
            milestone::archive(&mut work, *milestone, closing)?;
        }
        Command::AddTask { milestone, draft } => task::add(&mut work, *milestone, draft)?,
        Command::ChangeTask { task, to, reason, credential } => {
            task::change(&mut work, *task, *to, reason.clone(), *credential)?;
        }
        Command::Progress { task, percent, credential } => {
            task::progress(&mut work, *task, *percent, *credential)?;
        }
        Command::Note { task, text, credential } => {
            task::note(&mut work, *task, text, *credential)?;
        }
        Command::NoteMilestone { milestone, text } => {
            milestone::note(&mut work, *milestone, text)?;
        }
        Command::RemoveTask { task } => task::remove(&mut work, *task, None)?,
        Command::MoveTask { task, to } => task::move_to(&mut work, *task, *to)?,
        Command::Claim { task, attempt, lease_seconds } => {
            claim::claim(&mut work, *task, *attempt, *lease_seconds)?;
        }
        Command::Release { task, reason, credential } => {
            claim::release(&mut work, *task, reason.clone(), *credential)?;
        }
        Command::AddCriterion { milestone, draft } => {
            criterion::add(&mut work, *milestone, draft)?;
        }
        Command::MeetCriterion { milestone, number, evidence } => {
            criterion::meet(&mut work, *milestone, *number, evidence)?;
        }
        Command::DecideGate { milestone, task, phase, decision, reason } => {
            let asked = gate::Asked { task: *task, phase, decision: *decision, reason };
            gate::decide(&mut work, *milestone, &asked)?;
        }
        Command::SetCondition { name, reason } => condition::set(&mut work, name, reason.clone())?,
        Command::ClearCondition { name, reason } => {
            condition::clear(&mut work, name, reason.clone())?;
        }
        Command::Renumber { from, uid, tree, means, referring } => {
            let to = renumber::renumber(&mut work, *from, *uid, tree, means)?;
            renumber::refer_all(&mut work, referring, *from, to)?;
        }
    }
    let noticed = matches!(command, Command::TakeIn { .. } | Command::Adopt { .. });
    Ok(work.events.into_iter().map(|event| Recorded { noticed, ..event }).collect())
}

/// A decision in the making: what was read, and what it has become so far.
struct Work<'a> {
    before: &'a Snapshot,
    now: Snapshot,
    context: &'a Context,
    events: Vec<Recorded>,
}

impl Work<'_> {
    /// Lets something happen, and sees its effect at once.
    fn record(&mut self, stream: Stream, event: Event) {
        let index = u16::try_from(self.events.len()).unwrap_or(u16::MAX);
        let recorded = Recorded {
            v: EVENT_VERSION,
            id: self.context.change.event(index),
            at: self.context.now,
            by: self.context.actor.clone(),
            noticed: false,
            stream,
            refers: BTreeMap::new(),
            event,
        };
        let Stream::Milestone(id) = stream else { return self.events.push(recorded) };
        let document = self.now.documents.remove(&id);
        let gated = document.as_ref().filter(|document| !document.gates.is_empty()).cloned();
        let mut lost = Vec::new();
        if let Some(document) = apply(document, &recorded) {
            lost.extend(gated.into_iter().flat_map(|before| gate::lost(&before, &document)));
            self.now.insert(document);
        }
        let refers = self.refers(id, &recorded.event);
        self.events.push(Recorded { refers, ..recorded });
        for phase in lost {
            self.record(stream, Event::GateReopened { phase });
        }
    }

    /// The uids of the other milestones that a document refers to, where its references change.
    fn refers(&self, id: MilestoneId, event: &Event) -> BTreeMap<MilestoneId, Uid> {
        let changes = match event {
            Event::Edited { change } => touches_edges(change),
            Event::MilestoneCreated { .. }
            | Event::MilestoneRenumbered { .. }
            | Event::TaskAdded { .. } => true,
            _ => false,
        };
        let Some(outline) = self.now.outline(id).filter(|_| changes) else {
            return BTreeMap::new();
        };
        let others = outline.waits_for().map(Node::milestone).filter(|other| *other != id);
        others.filter_map(|other| Some((other, self.now.outline(other)?.uid?))).collect()
    }

    fn record_in(&mut self, milestone: MilestoneId, event: Event) {
        self.record(Stream::Milestone(milestone), event);
    }

    /// A document that may be written.
    fn writable(&self, id: MilestoneId) -> Result<&Milestone, Refusal> {
        let document = self.document(id)?;
        if document.archived {
            return Err(Refusal::Archived { milestone: id });
        }
        Ok(document)
    }

    fn document(&self, id: MilestoneId) -> Result<&Milestone, Refusal> {
        let unwritable = |kind| matches!(kind, ProblemKind::Unreadable | ProblemKind::NewerEvent);
        let problem = self
            .now
            .problems
            .iter()
            .find(|problem| problem.milestone == Some(id) && unwritable(problem.kind));
        if let Some(problem) = problem {
            return Err(Refusal::Unreadable { milestone: id, message: problem.placed() });
        }
        self.now.documents.get(&id).ok_or_else(|| self.unknown(Node::Milestone(id)))
    }

    fn task(&self, id: TaskId) -> Result<&Task, Refusal> {
        let document = self.document(id.milestone)?;
        document.task(id.number).ok_or_else(|| self.unknown(Node::Task(id)))
    }

    fn outline(&self, id: MilestoneId) -> Result<&Outline, Refusal> {
        self.now.outline(id).ok_or_else(|| self.unknown(Node::Milestone(id)))
    }

    fn unknown(&self, node: Node) -> Refusal {
        let candidate = match node {
            Node::Milestone(id) => nearest(id, self.now.known_milestones()).map(Node::Milestone),
            Node::Task(id) => nearest(id, self.now.task_ids()).map(Node::Task).or_else(|| {
                nearest(id.milestone, self.now.known_milestones()).map(Node::Milestone)
            }),
        };
        Refusal::Unknown { node, nearest: candidate.filter(|candidate| *candidate != node) }
    }
}

/// A text that people give: not empty, not endless.
fn checked_text(what: &'static str, text: &str, max: usize) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::Empty { what });
    }
    let length = text.chars().count();
    if length > max {
        return Err(Refusal::TooLong { what, max, length });
    }
    Ok(())
}

fn checked_reason(reason: Option<&str>) -> Result<(), Refusal> {
    reason.map_or(Ok(()), |reason| checked_text("a reason", reason, limits::TEXT_CHARS_MAX))
}
