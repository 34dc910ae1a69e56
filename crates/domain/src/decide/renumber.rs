//! Two branches gave the same id to two milestones; one of them gets another.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Work, milestone};
use crate::change::difference;
use crate::document::Milestone;
use crate::event::Event;
use crate::ids::{MilestoneId, Uid};
use crate::limits;
use crate::refusal::Refusal;

/// The document that keeps the id records that the other one has left; the other one begins its
/// history again under its new number, with everything it said.
pub(super) fn renumber(
    work: &mut Work<'_>,
    from: MilestoneId,
    uid: Uid,
    tree: &Value,
    means: &BTreeMap<MilestoneId, Uid>,
) -> Result<MilestoneId, Refusal> {
    let number = work.now.highest.map_or(1, |id| id.0 + 1);
    if number > limits::ID_MAX {
        return Err(Refusal::NumbersUsedUp { what: "milestone" });
    }
    let said = milestone::from_tree(from, tree)?;
    let document = Milestone { id: MilestoneId(number), uid: Some(uid), ..said };
    let event = Event::MilestoneRenumbered { uid, from, document: document.tree() };
    let to = document.id;
    work.record_in(to, event);
    // Who has an id that it refers to is not always whom it means.
    if let Some(renumbered) = work.events.last_mut() {
        renumbered.refers.extend(means);
    }
    if work.now.documents.contains_key(&from) {
        work.record_in(from, Event::IdGivenUp { uid, to });
    }
    Ok(to)
}

/// Makes every reference of these documents that names `from` name `to`.
pub(super) fn refer_all(
    work: &mut Work<'_>,
    referring: &[MilestoneId],
    from: MilestoneId,
    to: MilestoneId,
) -> Result<(), Refusal> {
    for id in referring.iter().filter(|id| **id != from && **id != to) {
        let before = work.document(*id)?.clone();
        let mut after = before.clone();
        after.rename_references(&BTreeMap::from([(from, to)]));
        for change in difference(&before.tree(), &after.tree()) {
            work.record_in(*id, Event::Edited { change });
        }
    }
    Ok(())
}
