//! Numbers and fences that were given before a backup was put back: see [`Given`].

use milestone_domain::apply::fold;
use milestone_domain::document::Milestone;
use milestone_domain::event::{Event, Stream};
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::snapshot::Given;

use super::disk::Disk;
use super::{claims, history, text};
use crate::error::StoreError;

pub const PLACE: &str = "data/given";

/// One that cannot be read is an error: without it, an old fence might come back.
pub fn read(disk: &Disk) -> Result<Given, StoreError> {
    let Some(bytes) = disk.read(PLACE)? else { return Ok(Given::default()) };
    serde_json::from_slice(&bytes)
        .map_err(|error| StoreError::Corrupt { path: disk.path(PLACE), message: error.to_string() })
}

/// Everything that a folder shows to have been given. What is damaged shows as much as it can.
pub fn shown(disk: &Disk) -> Given {
    let mut given = read(disk).unwrap_or_default();
    for folder in ["active", "completed"] {
        for name in disk.names(folder).unwrap_or_default() {
            let id = name.strip_suffix(".yaml").and_then(|name| name.parse().ok());
            let Some(id) = id else { continue };
            given.milestone = given.milestone.max(Some(id));
            let bytes = disk.read(&format!("{folder}/{name}")).ok().flatten().unwrap_or_default();
            if let Ok(said) = text::read(&bytes, folder == "completed") {
                document(&mut given, id, &said.milestone);
            }
        }
    }
    for name in disk.names("history").unwrap_or_default() {
        let Ok(id) = name.parse::<MilestoneId>() else { continue };
        given.milestone = given.milestone.max(Some(id));
        recorded(&mut given, disk, id);
    }
    for claim in claims::read_all(disk).unwrap_or_default() {
        given.task(claim.task, claim.fence);
    }
    given
}

fn document(given: &mut Given, id: MilestoneId, milestone: &Milestone) {
    for task in &milestone.tasks {
        given.task(task.id.of(id), task.attempts.unwrap_or(0));
    }
    for retired in &milestone.retired_tasks {
        given.task(retired.of(id), 0);
    }
}

fn recorded(given: &mut Given, disk: &Disk, id: MilestoneId) {
    let Ok(history) = history::read(disk, Stream::Milestone(id), None) else { return };
    if let Some(folded) = fold(&history.events) {
        document(given, id, &folded);
    }
    for recorded in &history.events {
        let fence = match &recorded.event {
            Event::TaskClaimed { fence, .. } => *fence,
            _ => 0,
        };
        if let Some(number) = recorded.event.task() {
            given.task(TaskId::new(id, number), fence);
        }
    }
}
