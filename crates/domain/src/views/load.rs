//! Who has how much to do, and what too many want at once.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use super::open_tasks;
use crate::dependencies::remaining;
use crate::effort::Effort;
use crate::ids::TaskId;
use crate::readiness::{Board, Readiness, path_parts};
use crate::snapshot::Snapshot;

/// How far ahead somebody's work is held against their time.
const HORIZON_DAYS: u32 = 10;

/// How many paths are named.
const PATHS_MAX: usize = 20;

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Load {
    /// Working days that a share is held against.
    pub horizon_days: u32,
    /// People and agents, the most loaded first.
    pub people: Vec<Share>,
    /// Open work that is nobody's yet.
    pub unassigned: usize,
    pub unassigned_work: Effort,
    /// Files and folders that several open tasks touch, the most wanted first.
    pub paths: Vec<WantedPath>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Share {
    pub name: String,
    pub held: Vec<TaskId>,
    /// Open tasks that are theirs, held or not.
    pub tasks: usize,
    pub work: Effort,
    /// Of the working time within the horizon, in percent: above 100 it does not fit.
    pub percent: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WantedPath {
    pub path: String,
    pub tasks: Vec<TaskId>,
    pub held_by: Option<TaskId>,
}

pub fn load(snapshot: &Snapshot, today: Date) -> Load {
    let board = Board::new(snapshot, today);
    let day = snapshot.settings.calendar.minutes_per_day();
    let horizon = Effort::from_minutes(HORIZON_DAYS * day);
    let mut people: BTreeMap<String, Share> = BTreeMap::new();
    let mut wishes = Vec::new();
    let (mut unassigned, mut unassigned_work) = (0, Effort::default());
    for (id, outline, task) in open_tasks(snapshot).filter(|(.., task)| !task.status.is_closed()) {
        let work = remaining(outline, task);
        let held = match board.readiness(id) {
            Readiness::Held { by } => Some(by),
            _ => None,
        };
        wishes.extend(task.resources.iter().map(|path| (path.as_str(), id, held.is_some())));
        let assignee = task.assignee.clone().or_else(|| outline.assignee.clone());
        let Some(name) = held.clone().or(assignee) else {
            unassigned += 1;
            unassigned_work = unassigned_work.saturating_add(work);
            continue;
        };
        let share = people.entry(name.clone()).or_insert_with(|| Share::of(name));
        share.held.extend(held.map(|_| id));
        share.tasks += 1;
        share.work = share.work.saturating_add(work);
    }
    let mut people: Vec<Share> = people.into_values().collect();
    for share in &mut people {
        share.percent = share.work.percent_of(horizon);
    }
    people.sort_by(|a, b| b.work.cmp(&a.work).then_with(|| a.name.cmp(&b.name)));
    let paths = wanted(&wishes);
    Load { horizon_days: HORIZON_DAYS, people, unassigned, unassigned_work, paths }
}

impl Share {
    fn of(name: String) -> Self {
        Self { name, held: Vec::new(), tasks: 0, work: Effort::default(), percent: 0 }
    }
}

/// Who wants a folder wants what lies in it.
fn wanted(wishes: &[(&str, TaskId, bool)]) -> Vec<WantedPath> {
    let plain = |path: &str| path_parts(path).collect::<Vec<_>>().join("/");
    let mut paths: BTreeMap<String, WantedPath> = BTreeMap::new();
    for (path, ..) in wishes {
        let path = plain(path);
        let wanted = WantedPath { path: path.clone(), tasks: Vec::new(), held_by: None };
        paths.entry(path).or_insert(wanted);
    }
    for (path, id, held) in wishes {
        let path = plain(path);
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            let Some(wanted) = paths.get_mut(&path[..end]) else { continue };
            if !wanted.tasks.contains(id) {
                wanted.tasks.push(*id);
            }
            if *held {
                wanted.held_by = Some(*id);
            }
        }
    }
    let mut paths: Vec<_> = paths.into_values().filter(|path| path.tasks.len() > 1).collect();
    paths.sort_by_key(|path| std::cmp::Reverse(path.tasks.len()));
    paths.truncate(PATHS_MAX);
    paths
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::views::testing::{TODAY, claim, project, task};

    #[test]
    fn work_is_whose_it_is_and_shared_paths_are_named() {
        let mut snapshot = project(&[json!({"id": "milestone-001", "title": "M", "tasks": [
            task(1, &json!({"assignee": "ben", "estimate": "3 weeks"})),
            task(2, &json!({"assignee": "ben", "status": "in_progress", "resources": ["src/"]})),
            task(3, &json!({"resources": ["./src/a.rs", "docs"]})),
            task(4, &json!({"status": "completed", "assignee": "ben"})),
        ]})]);
        claim(&mut snapshot, "1.2", "ada", Some(60));
        let load = load(&snapshot, TODAY);
        let people: Vec<_> =
            load.people.iter().map(|p| (p.name.as_str(), p.tasks, p.percent)).collect();
        assert_eq!(people, [("ben", 1, 150), ("ada", 1, 10)]);
        assert_eq!((load.unassigned, load.unassigned_work.to_string()), (1, "1d".into()));
        assert_eq!(load.paths.len(), 1);
        assert_eq!((load.paths[0].path.as_str(), load.paths[0].tasks.len()), ("src", 2));
        assert_eq!(load.paths[0].held_by.map(|id| id.number), Some(2));
    }
}
