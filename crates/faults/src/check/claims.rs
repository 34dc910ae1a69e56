//! Fences only grow, and the claims that are kept are the ones that history says are held.

use std::collections::BTreeMap;
use std::fs;

use milestone_domain::event::{Event, Stream};
use milestone_domain::ids::TaskId;
use serde_json::Value;

use super::{Project, names};

pub(super) fn check(project: &Project<'_>, wrong: &mut Vec<String>) {
    let mut highest: BTreeMap<TaskId, u64> = BTreeMap::new();
    let mut held: BTreeMap<TaskId, (u64, String)> = BTreeMap::new();
    for recorded in project.streams.values().flat_map(|stream| &stream.events) {
        let Stream::Milestone(milestone) = recorded.stream else { continue };
        match &recorded.event {
            Event::TaskClaimed { task, fence, attempt, .. } => {
                let id = task.of(milestone);
                if highest.insert(id, *fence).is_some_and(|before| before >= *fence) {
                    wrong.push(format!("{id}: fence {fence} came after a higher one"));
                }
                held.insert(id, (*fence, attempt.0.to_string()));
            }
            Event::TaskReleased { task, .. }
            | Event::TaskRemoved { task, .. }
            | Event::TaskStatusChanged { task, .. } => {
                held.remove(&task.of(milestone));
            }
            _ => {}
        }
    }
    let kept = match &project.rows {
        Some((_, rows)) => rows.claims.clone(),
        None => in_files(project, wrong),
    };
    if kept != held {
        wrong.push(format!("claims: history says {held:?}, kept are {kept:?}"));
    }
}

fn in_files(project: &Project<'_>, wrong: &mut Vec<String>) -> BTreeMap<TaskId, (u64, String)> {
    let folder = project.folder.join("data/claims");
    let mut kept = BTreeMap::new();
    for name in names(&folder) {
        let bytes = fs::read(folder.join(&name)).unwrap_or_default();
        let value = serde_json::from_slice::<Value>(&bytes).ok();
        let id = name.strip_suffix(".json").and_then(|id| id.parse::<TaskId>().ok());
        match (id, value) {
            (Some(id), Some(value)) => {
                let attempt = value["attempt"].as_str().unwrap_or_default().to_owned();
                kept.insert(id, (value["fence"].as_u64().unwrap_or(0), attempt));
            }
            _ => wrong.push(format!("data/claims/{name}: it cannot be read")),
        }
    }
    kept
}
