//! Conditions: project-wide facts that people set, beside those that finished work provides.

use super::{Work, checked_reason, checked_text};
use crate::event::{Event, Stream};
use crate::limits;
use crate::refusal::Refusal;
use crate::snapshot::Outline;

pub(super) fn set(work: &mut Work<'_>, name: &str, reason: Option<String>) -> Result<(), Refusal> {
    checked_text("a condition's name", name, limits::NAME_CHARS_MAX)?;
    checked_reason(reason.as_deref())?;
    if !work.now.conditions.0.contains_key(name) {
        work.record(Stream::Project, Event::ConditionSet { name: name.to_owned(), reason });
    }
    Ok(())
}

pub(super) fn clear(
    work: &mut Work<'_>,
    name: &str,
    reason: Option<String>,
) -> Result<(), Refusal> {
    checked_reason(reason.as_deref())?;
    if work.now.conditions.0.contains_key(name) {
        work.record(Stream::Project, Event::ConditionCleared { name: name.to_owned(), reason });
        return Ok(());
    }
    let mut provisions = work.now.outlines.values().flat_map(Outline::provisions);
    match provisions.find(|(provided, _, holds)| *provided == name && *holds) {
        Some((_, by, _)) => Err(Refusal::ConditionProvided { name: name.to_owned(), by }),
        None => Err(Refusal::ConditionNotSet { name: name.to_owned() }),
    }
}
