//! Whether a release can be made, and what it holds.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use crate::document::Milestone;
use crate::ids::{MilestoneId, TaskId};
use crate::progress::Progress;
use crate::settings::Settings;
use crate::snapshot::{Outline, Snapshot};
use crate::status::{MilestoneStatus, TaskStatus};

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ReleaseReady {
    pub ready: bool,
    /// By release; milestones that name none stand last, under none.
    pub releases: Vec<Candidate>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Candidate {
    pub release: Option<String>,
    pub ready: bool,
    pub milestones: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Part {
    pub id: MilestoneId,
    pub title: String,
    pub status: MilestoneStatus,
    pub progress: Progress,
    pub open_tasks: Vec<TaskId>,
    pub criteria_open: u32,
    /// Phases whose approval is missing.
    pub gates: Vec<String>,
    pub ready: bool,
}

/// Of every open milestone, or of those of one release.
pub fn release_ready(snapshot: &Snapshot, release: Option<&str>) -> ReleaseReady {
    let wanted = |outline: &&Outline| release.is_none_or(|r| outline.release.as_deref() == Some(r));
    let counted = |outline: &&Outline| outline.status != MilestoneStatus::Cancelled;
    let mut releases: BTreeMap<(bool, Option<String>), Vec<Part>> = BTreeMap::new();
    for outline in snapshot.open().filter(counted).filter(wanted) {
        let key = (outline.release.is_none(), outline.release.clone());
        releases.entry(key).or_default().push(part(outline));
    }
    let candidate = |((_, release), milestones): ((bool, _), Vec<Part>)| Candidate {
        release,
        ready: milestones.iter().all(|part| part.ready),
        milestones,
    };
    let releases: Vec<Candidate> = releases.into_iter().map(candidate).collect();
    ReleaseReady { ready: releases.iter().all(|release| release.ready), releases }
}

fn part(outline: &Outline) -> Part {
    let open = outline.tasks.iter().filter(|task| !task.status.is_closed());
    let open_tasks: Vec<_> = open.map(|task| TaskId::new(outline.id, task.number)).collect();
    let gates = outline.phases.iter().filter(|phase| !phase.is_passed());
    Part {
        id: outline.id,
        title: outline.title.clone(),
        status: outline.status,
        progress: outline.progress,
        ready: outline.is_finished(),
        criteria_open: outline.criteria_open,
        gates: gates.map(|phase| phase.name.clone()).collect(),
        open_tasks,
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ReleaseNotes {
    pub release: Option<String>,
    /// When the last of it was completed.
    pub date: Option<Date>,
    pub milestones: Vec<Note>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Note {
    pub id: MilestoneId,
    pub title: String,
    pub description: Option<String>,
    pub goals: Vec<String>,
    pub done: Vec<Done>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Done {
    pub id: TaskId,
    pub title: String,
    pub kind: Option<String>,
}

/// What was completed for a release; where none is named, for the one that was last worked on,
/// and where milestones name none, everything that is completed.
pub fn release_notes(
    documents: &BTreeMap<MilestoneId, Milestone>,
    settings: &Settings,
    release: Option<&str>,
) -> ReleaseNotes {
    let completed = documents.values().filter(|m| m.status == MilestoneStatus::Completed);
    let latest = completed.clone().filter(|m| m.release.is_some()).max_by_key(|m| m.completed_at);
    let latest = latest.and_then(|milestone| milestone.release.as_deref());
    let release = release.or(latest);
    let of_it: Vec<&Milestone> = completed
        .filter(|milestone| release.is_none() || milestone.release.as_deref() == release)
        .collect();
    let last = of_it.iter().filter_map(|milestone| milestone.completed_at).max();
    ReleaseNotes {
        release: release.map(str::to_owned),
        date: last.map(|at| settings.date(at)),
        milestones: of_it.into_iter().map(note).collect(),
    }
}

fn note(milestone: &Milestone) -> Note {
    let done = milestone.tasks.iter().filter(|task| task.status == TaskStatus::Completed);
    Note {
        id: milestone.id,
        title: milestone.title.clone(),
        description: milestone.description.clone(),
        goals: milestone.goals.clone(),
        done: done
            .map(|task| Done {
                id: milestone.task_id(task),
                title: task.title.clone(),
                kind: task.kind.clone(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::views::testing::{project, task};

    #[test]
    fn a_release_is_ready_when_all_of_it_is() {
        let done = json!({"status": "completed"});
        let snapshot = project(&[
            json!({"id": "milestone-001", "title": "A", "release": "v1", "tasks": [task(1, &done)]}),
            json!({"id": "milestone-002", "title": "B", "release": "v1", "criteria": ["it works"]}),
            json!({"id": "milestone-003", "title": "C", "release": "v2", "status": "cancelled",
                "tasks": [task(1, &json!({}))]}),
            json!({"id": "milestone-004", "title": "D", "tasks": [task(1, &done)]}),
        ]);
        let view = release_ready(&snapshot, None);
        let seen: Vec<_> = view.releases.iter().map(|r| (r.release.as_deref(), r.ready)).collect();
        assert_eq!(seen, [(Some("v1"), false), (None, true)]);
        assert!(!view.ready && release_ready(&snapshot, Some("v2")).ready);
    }

    #[test]
    fn notes_are_of_the_release_that_was_last_completed() {
        let milestone = |id: u32, release: &str, day: u32| {
            json!({"id": format!("milestone-{id:03}"), "title": "M", "status": "completed",
                "release": release, "completed_at": format!("2026-11-0{day}T08:00:00Z"),
                "tasks": [task(1, &json!({"status": "completed", "kind": "fix"})),
                    task(2, &json!({"status": "cancelled"}))]})
        };
        let documents =
            project(&[milestone(1, "v1", 1), milestone(2, "v2", 3), milestone(3, "v2", 2)])
                .documents;
        let notes = release_notes(&documents, &Settings::default(), None);
        assert_eq!((notes.release.as_deref(), notes.milestones.len()), (Some("v2"), 2));
        assert_eq!(notes.date.unwrap().to_string(), "2026-11-03");
        assert_eq!(notes.milestones[0].done.len(), 1);
        assert_eq!(release_notes(&documents, &Settings::default(), Some("v1")).milestones.len(), 1);
    }
}
