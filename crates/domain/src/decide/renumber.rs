//! Two branches gave the same id to two milestones; one of them gets another.

use serde_json::Value;

use super::{Work, milestone};
use crate::change::difference;
use crate::document::Milestone;
use crate::event::Event;
use crate::ids::{MilestoneId, Reference, Uid};
use crate::limits;
use crate::refusal::Refusal;

/// The document that keeps the id records that the other one has left; the other one begins its
/// history again under its new number, with everything it said.
pub(super) fn renumber(
    work: &mut Work<'_>,
    from: MilestoneId,
    uid: Uid,
    tree: &Value,
    referring: &[MilestoneId],
) -> Result<(), Refusal> {
    let number = work.now.highest.map_or(1, |id| id.0 + 1);
    if number > limits::ID_MAX {
        return Err(Refusal::NumbersUsedUp { what: "milestone" });
    }
    let said = milestone::from_tree(from, tree)?;
    let document = Milestone { id: MilestoneId(number), uid: Some(uid), ..said };
    let event = Event::MilestoneRenumbered { uid, from, document: document.tree() };
    let to = document.id;
    work.record_in(to, event);
    if work.now.documents.contains_key(&from) {
        work.record_in(from, Event::IdGivenUp { uid, to });
    }
    for id in referring.iter().filter(|id| **id != from && **id != to) {
        refer(work, *id, from, to)?;
    }
    Ok(())
}

/// Makes every reference of one document that names `from` name `to`.
fn refer(
    work: &mut Work<'_>,
    id: MilestoneId,
    from: MilestoneId,
    to: MilestoneId,
) -> Result<(), Refusal> {
    let before = work.writable(id)?.clone();
    let mut after = before.clone();
    let own = after.dependencies.requires.iter_mut();
    for reference in own.chain(after.tasks.iter_mut().flat_map(|task| &mut task.requires)) {
        match reference {
            Reference::Milestone(named) if *named == from => *named = to,
            Reference::Task(named) if named.milestone == from => named.milestone = to,
            _ => {}
        }
    }
    for change in difference(&before.tree(), &after.tree()) {
        work.record_in(id, Event::Edited { change });
    }
    Ok(())
}
