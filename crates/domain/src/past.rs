//! What the past says: how long work took against what was thought, and how far things were at
//! the end of each day.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::apply::apply;
use crate::document::Milestone;
use crate::effort::{self, Effort, Estimate};
use crate::event::Recorded;
use crate::ids::TaskId;
use crate::limits;
use crate::snapshot::{Outline, Snapshot, TaskOutline};
use crate::status::TaskStatus;

/// A task that is done, what was thought of it and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub task: TaskId,
    pub kind: Option<String>,
    pub estimate: Estimate,
    /// Working time between its start and its completion.
    pub actual: Effort,
    pub completed_at: Timestamp,
}

/// Every completed task of the snapshot that was estimated and whose work was measured, the
/// latest last.
///
/// A task that was marked done in the moment it was started, or never started, was not measured:
/// it says when somebody wrote it down, not how long it took. Nor does one that lay still in
/// between, blocked or given back.
pub fn samples(snapshot: &Snapshot) -> Vec<Sample> {
    let outlines = snapshot.outlines.values();
    let mut samples: Vec<Sample> = outlines
        .flat_map(|outline| outline.tasks.iter().map(move |task| (outline, task)))
        .filter_map(|(outline, task)| sample(snapshot, outline, task))
        .collect();
    samples.sort_by_key(|sample| (sample.completed_at, sample.task));
    samples
}

fn sample(snapshot: &Snapshot, outline: &Outline, task: &TaskOutline) -> Option<Sample> {
    let (estimate, completed_at) = (task.estimate?, task.completed_at?);
    let actual = worked(snapshot, task)?;
    (task.status == TaskStatus::Completed).then(|| Sample {
        task: TaskId::new(outline.id, task.number),
        kind: task.kind.clone().or_else(|| outline.category.clone()),
        estimate,
        actual,
        completed_at,
    })
}

/// The working time that a completed task took, if that was measured.
pub fn worked(snapshot: &Snapshot, task: &TaskOutline) -> Option<Effort> {
    let (start, end) = (task.started_at?, task.completed_at?);
    if task.interrupted {
        return None;
    }
    let worked = snapshot.settings.worked(start, end);
    (worked >= limits::MEASURED_EFFORT_MIN).then_some(worked)
}

/// How far a milestone was at the end of each day on which anything happened to it, the earliest
/// day first. Days are those of UTC, so that every clone counts alike.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trail(pub Vec<Standing>);

/// How far a milestone is. What is cancelled does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub day: Date,
    pub tasks: u32,
    pub completed: u32,
    /// What all of its tasks are expected to take.
    pub work: Effort,
    /// What the completed ones were expected to take.
    pub finished: Effort,
    /// Tasks that were blocked or had failed.
    pub stopped: u32,
}

impl Standing {
    pub fn of(milestone: &Milestone, day: Date) -> Self {
        let mut standing = Self {
            day,
            tasks: 0,
            completed: 0,
            work: Effort::default(),
            finished: Effort::default(),
            stopped: 0,
        };
        for task in milestone.tasks.iter().filter(|task| task.status != TaskStatus::Cancelled) {
            let effort = effort::expected(task.estimate);
            standing.tasks += 1;
            standing.work = standing.work.saturating_add(effort);
            match task.status {
                TaskStatus::Completed => {
                    standing.completed += 1;
                    standing.finished = standing.finished.saturating_add(effort);
                }
                TaskStatus::Blocked | TaskStatus::Failed => standing.stopped += 1,
                _ => {}
            }
        }
        standing
    }
}

impl Trail {
    /// The trail of a history.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Recorded>) -> Self {
        let mut trail = Self::default();
        let mut document = None;
        for recorded in events {
            document = apply(document, recorded);
            if let Some(milestone) = &document {
                trail.note(recorded.at, milestone);
            }
        }
        trail
    }

    /// Notes how far the milestone is after something happened to it. What a merge brings in late
    /// counts for the day that was reached already.
    pub fn note(&mut self, at: Timestamp, milestone: &Milestone) {
        let day = at.to_zoned(TimeZone::UTC).date();
        match self.0.last_mut() {
            Some(last) if last.day >= day => *last = Standing::of(milestone, last.day),
            _ => self.0.push(Standing::of(milestone, day)),
        }
    }

    /// How far it was at the end of a day; `None` before there was anything.
    pub fn at(&self, day: Date) -> Option<&Standing> {
        self.0[..self.0.partition_point(|standing| standing.day <= day)].last()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;
    use crate::views::testing::project;

    #[test]
    fn only_measured_and_estimated_work_is_a_sample() {
        let task = |number: u32, more: serde_json::Value| {
            let mut task = json!({"id": format!("task-{number:03}"), "title": "T",
                "status": "completed", "estimate": "1d"});
            task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            task
        };
        let measured = json!({"started_at": "2026-11-02T09:00:00Z",
            "completed_at": "2026-11-02T12:00:00Z", "kind": "test"});
        let snapshot = project(&[json!({"id": "milestone-001", "title": "M", "category": "api",
        "tasks": [
            task(1, measured),
            task(2, json!({"completed_at": "2026-11-02T12:00:00Z"})),
            task(3, json!({"started_at": "2026-11-02T12:00:00Z",
                "completed_at": "2026-11-02T12:00:20Z"})),
            task(4, json!({"started_at": "2026-11-02T10:00:00Z", "status": "in_progress"})),
            task(5, json!({"started_at": "2026-10-30T15:00:00Z",
                "completed_at": "2026-11-02T10:00:00Z"})),
        ]})]);
        let found: Vec<_> = samples(&snapshot)
            .into_iter()
            .map(|s| (s.task.number, s.kind.unwrap(), s.actual.to_string()))
            .collect();
        // From Friday afternoon to Monday morning.
        assert_eq!(found, [(5, "api".into(), "3h".into()), (1, "test".into(), "3h".into())]);
    }

    #[test]
    fn a_trail_has_one_standing_a_day() {
        let mut milestone = Milestone::new(crate::ids::MilestoneId(1), "M");
        milestone.tasks = vec![crate::document::Task::new(1, "A")];
        let mut trail = Trail::default();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        trail.note(at("2026-11-02T08:00:00Z"), &milestone);
        milestone.tasks[0].status = TaskStatus::Completed;
        trail.note(at("2026-11-02T18:00:00Z"), &milestone);
        milestone.tasks.push(crate::document::Task::new(2, "B"));
        trail.note(at("2026-11-04T08:00:00Z"), &milestone);
        // Came in late, by a merge.
        trail.note(at("2026-11-01T08:00:00Z"), &milestone);
        let seen = |day| trail.at(day).map(|s| (s.tasks, s.completed, s.work.to_string()));
        assert_eq!(seen(date(2026, 11, 1)), None);
        assert_eq!(seen(date(2026, 11, 2)), Some((1, 1, "4h".into())));
        assert_eq!(seen(date(2026, 11, 3)), Some((1, 1, "4h".into())));
        assert_eq!(seen(date(2026, 11, 9)), Some((2, 1, "1d".into())));
    }
}
