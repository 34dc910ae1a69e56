//! Claims: one worker's right to one task, proved by fence and attempt.

use super::{Work, checked_reason, milestone, task};
use crate::command::Credential;
use crate::event::{AttemptId, Event};
use crate::ids::{TaskId, TaskName};
use crate::limits;
use crate::planted::planted;
use crate::readiness::{Board, Readiness};
use crate::refusal::Refusal;
use crate::snapshot::Claim;
use crate::status::TaskStatus;

pub(super) fn claim(
    work: &mut Work<'_>,
    id: TaskId,
    attempt: AttemptId,
    lease_seconds: u64,
) -> Result<(), Refusal> {
    let (min, max) = (limits::LEASE_SECONDS_MIN, limits::LEASE_SECONDS_MAX);
    if !(min..=max).contains(&lease_seconds) {
        return Err(Refusal::BadLease { seconds: lease_seconds, min, max });
    }
    work.writable(id.milestone)?;
    let task = work.task(id)?;
    let (from, attempts) = (task.status, task.attempts.unwrap_or(0));
    let held = work.now.claims.get(&id);
    match Board::new(&work.now, work.context.today).readiness(id) {
        Readiness::Ready { .. } => {}
        Readiness::Held { .. } if planted("live holder ignored") => {}
        Readiness::Held { by } => return Err(held.map_or_else(|| taken(id, by), self::held)),
        Readiness::Waiting { reasons } => {
            return Err(Refusal::NotReady { task: id, waiting: reasons });
        }
        Readiness::Closed => {
            return Err(task::bad_move(id, from, TaskStatus::InProgress));
        }
    }
    // Higher than any fence that the document, merged or rewound, this clone's claims, or what was
    // there before a backup was put back know.
    let attempts = if planted("fence forgotten") { 0 } else { attempts };
    let given = work.now.given.fences.get(&id).copied().unwrap_or(0);
    let fence = held.map_or(0, |claim| claim.fence).max(attempts).max(given) + 1;
    let task = TaskName::new(id.number);
    work.record_in(id.milestone, Event::TaskClaimed { task, from, attempt, fence, lease_seconds });
    milestone::started(work, id.milestone)
}

pub(super) fn release(
    work: &mut Work<'_>,
    id: TaskId,
    reason: Option<String>,
    credential: Credential,
) -> Result<(), Refusal> {
    checked_reason(reason.as_deref())?;
    work.writable(id.milestone)?;
    let task = work.task(id)?;
    authorize(work, id, credential)?;
    match work.now.claims.get(&id) {
        Some(claim) => {
            let (attempt, fence) = (claim.attempt, claim.fence);
            let task = TaskName::new(id.number);
            work.record_in(id.milestone, Event::TaskReleased { task, attempt, fence, reason });
            Ok(())
        }
        // Started by a person, without a claim: giving it back is a change of status.
        None if task.status == TaskStatus::InProgress => {
            task::change(work, id, TaskStatus::Pending, reason, credential)
        }
        None => Ok(()),
    }
}

/// Whether the credential may write on the task: the live claim's own, or, where none is live,
/// anybody who shows no fence at all.
pub(super) fn authorize(
    work: &Work<'_>,
    id: TaskId,
    credential: Credential,
) -> Result<(), Refusal> {
    if planted("fence unchecked") {
        return Ok(());
    }
    let claim = work.now.claims.get(&id);
    let Some(given) = credential.fence else {
        return match claim {
            Some(claim) if claim.is_live() => Err(held(claim)),
            _ => Ok(()),
        };
    };
    let stale = |current| Refusal::StaleFence { task: id, given, current };
    let Some(claim) = claim else {
        return Err(stale(work.task(id)?.attempts.filter(|attempts| *attempts != given)));
    };
    let same_attempt = credential.attempt.is_none_or(|attempt| attempt == claim.attempt)
        || planted("attempt unchecked");
    if claim.fence != given || !same_attempt {
        return Err(stale(Some(claim.fence)));
    }
    Ok(())
}

pub(super) fn held(claim: &Claim) -> Refusal {
    Refusal::Held {
        task: claim.task,
        by: claim.actor.clone(),
        fence: Some(claim.fence),
        seconds_left: claim.seconds_left,
    }
}

pub(super) fn taken(task: TaskId, by: String) -> Refusal {
    Refusal::Held { task, by, fence: None, seconds_left: None }
}
