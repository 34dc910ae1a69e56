//! What `decide` says to every kind of command, and what it never says.

mod gates;
#[cfg(feature = "planted-bugs")]
mod planted;
mod property;
mod table;

use jiff::Timestamp;
use jiff::civil::date;
use uuid::Uuid;

use super::decide;
use crate::apply::apply;
use crate::command::{Command, Context};
use crate::event::{ChangeId, Event, Recorded, Stream};
use crate::needs::needs;
use crate::refusal::Refusal;
use crate::snapshot::{Claim, ConditionSetBy, Scope, Snapshot};

fn context(change: u128) -> Context {
    let change = ChangeId(Uuid::from_u128(change));
    let now = Timestamp::from_second(1_793_696_400).unwrap();
    Context { change, actor: "ada".to_owned(), now, today: date(2026, 11, 3) }
}

/// What a store would have after these events.
fn keep(snapshot: &mut Snapshot, events: &[Recorded]) {
    for recorded in events {
        match recorded.stream {
            Stream::Milestone(id) => {
                let document = snapshot.documents.remove(&id);
                apply(document, recorded).into_iter().for_each(|m| snapshot.insert(m));
                snapshot.highest = snapshot.highest.max(Some(id));
                keep_claim(snapshot, recorded);
            }
            Stream::Project => keep_condition(snapshot, recorded),
        }
    }
    let archived = snapshot.documents.values().filter(|milestone| milestone.archived);
    snapshot.archived = archived.map(|milestone| milestone.id).collect();
}

fn keep_claim(snapshot: &mut Snapshot, recorded: &Recorded) {
    let Stream::Milestone(milestone) = recorded.stream else { return };
    match &recorded.event {
        Event::TaskClaimed { task, attempt, fence, lease_seconds, .. } => {
            let document = snapshot.documents[&milestone].task(task.number);
            let claim = Claim {
                task: task.of(milestone),
                attempt: *attempt,
                fence: *fence,
                actor: recorded.by.clone(),
                seconds_left: Some(*lease_seconds),
                resources: document.map(|task| task.resources.clone()).unwrap_or_default(),
            };
            snapshot.claims.insert(claim.task, claim);
        }
        Event::TaskReleased { task, .. }
        | Event::TaskRemoved { task, .. }
        | Event::TaskStatusChanged { task, .. } => {
            snapshot.claims.remove(&task.of(milestone));
        }
        _ => {}
    }
}

fn keep_condition(snapshot: &mut Snapshot, recorded: &Recorded) {
    match &recorded.event {
        Event::ConditionSet { name, .. } => {
            let by = ConditionSetBy { by: recorded.by.clone(), at: recorded.at };
            snapshot.conditions.0.insert(name.clone(), by);
        }
        Event::ConditionCleared { name, .. } => {
            snapshot.conditions.0.remove(name);
        }
        _ => {}
    }
}

/// The part of a project that a command would read of it, as a store reads it.
fn read(whole: &Snapshot, command: &Command) -> Snapshot {
    let mut part = whole.clone();
    let (documents, outlines) = match needs(command) {
        Scope::All | Scope::Past(_) => return part,
        Scope::Graph(ids) => (ids, None),
        Scope::Milestone(id) => {
            let outline = whole.outlines.get(&id);
            let required = outline.map(crate::snapshot::Outline::required).unwrap_or_default();
            let read: std::collections::BTreeSet<_> = required.into_iter().chain([id]).collect();
            let narrow = outline.is_some_and(|outline| !outline.has_conditions());
            (read.clone(), narrow.then_some(read))
        }
    };
    part.documents.retain(|id, _| documents.contains(id));
    if let Some(outlines) = outlines {
        part.outlines.retain(|id, _| outlines.contains(id));
    }
    part
}

fn answer(whole: &Snapshot, command: &Command, change: u128) -> Result<Vec<Recorded>, Refusal> {
    decide(&read(whole, command), command, &context(change))
}

/// The kinds of events, in order.
fn kinds(events: &[Recorded]) -> String {
    let kind = |recorded: &Recorded| {
        let value = serde_json::to_value(&recorded.event).unwrap();
        value["kind"].as_str().unwrap().to_owned()
    };
    events.iter().map(kind).collect::<Vec<_>>().join(" ")
}
