//! Criteria: what must be true at the end, and the evidence that it is.

use super::{Work, checked_text};
use crate::change::{FieldChange, Path};
use crate::document::{Criterion, Evidence};
use crate::event::Event;
use crate::ids::MilestoneId;
use crate::limits;
use crate::refusal::Refusal;

pub(super) fn add(work: &mut Work<'_>, id: MilestoneId, draft: &Criterion) -> Result<(), Refusal> {
    checked_text("a criterion", &draft.text, limits::TEXT_CHARS_MAX)?;
    let milestone = work.writable(id)?;
    let number = milestone.next_criterion_number();
    let criterion = Criterion { id: Some(number), met: None, ..draft.clone() };
    let path = Path::root().key("criteria").key(&number.to_string());
    let after = serde_json::to_value(criterion).map(crate::document::pruned).ok();
    work.record_in(id, Event::Edited { change: FieldChange { path, before: None, after } });
    Ok(())
}

pub(super) fn meet(
    work: &mut Work<'_>,
    id: MilestoneId,
    number: u32,
    evidence: &str,
) -> Result<(), Refusal> {
    checked_text("evidence", evidence, limits::TEXT_CHARS_MAX)?;
    let milestone = work.writable(id)?;
    if milestone.criterion(number).is_none() {
        let known = u32::try_from(milestone.criteria.len()).unwrap_or(u32::MAX);
        return Err(Refusal::UnknownCriterion { milestone: id, number, known });
    }
    let met = Evidence {
        by: work.context.actor.clone(),
        at: work.context.now,
        evidence: evidence.to_owned(),
    };
    work.record_in(id, Event::CriterionMet { criterion: number, met });
    Ok(())
}
