//! Milestones, a line each.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use super::when::{Clock, Pace};
use crate::dependencies::{Dependencies, Plan};
use crate::ids::{MilestoneId, Node};
use crate::progress::Progress;
use crate::readiness::{Board, Readiness};
use crate::snapshot::{Outline, Snapshot};
use crate::status::{MilestoneStatus, Priority, TaskStatus};

/// Which milestones, and how many of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Any of these; all where none is named.
    pub statuses: Vec<MilestoneStatus>,
    /// Part of the id, the title or a label, in any case.
    pub text: Option<String>,
    /// All of these.
    pub labels: Vec<String>,
    pub assignee: Option<String>,
    /// What was filed away, too.
    pub archived: bool,
    pub limit: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct List {
    pub milestones: Vec<Row>,
    /// How many there are, shown or not.
    pub total: usize,
    /// How many archived ones were not looked at.
    pub filed_away: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Row {
    pub id: MilestoneId,
    pub title: String,
    pub status: MilestoneStatus,
    pub reason: Option<String>,
    pub priority: Option<Priority>,
    pub assignee: Option<String>,
    pub labels: Vec<String>,
    pub due: Option<Date>,
    pub pace: Pace,
    #[serde(flatten)]
    pub progress: Progress,
    /// Tasks that can be taken now.
    pub ready: u32,
    pub in_progress: u32,
    /// Any delay of it delays the whole project.
    pub critical: bool,
    pub archived: bool,
}

pub fn list(snapshot: &Snapshot, filter: &Filter, today: Date) -> List {
    let chosen: Vec<&Outline> =
        snapshot.outlines.values().filter(|outline| filter.takes(outline)).collect();
    let total = chosen.len();
    let shown = filter.limit.unwrap_or(usize::MAX);
    let board = Board::new(snapshot, today);
    let graph = Dependencies::of(snapshot);
    let plan = graph.plan(snapshot, today);
    let clock = Clock { calendar: &snapshot.settings.calendar, today };
    let milestones = rows(chosen.into_iter().take(shown), &board, plan.as_ref(), &clock);
    let filed_away = if filter.archived { 0 } else { snapshot.archived.len() };
    List { milestones, total, filed_away }
}

pub(super) fn rows<'a>(
    outlines: impl Iterator<Item = &'a Outline>,
    board: &Board<'_>,
    plan: Option<&Plan<'_, '_>>,
    clock: &Clock<'_>,
) -> Vec<Row> {
    let row = |outline: &Outline| {
        let window = plan.and_then(|plan| plan.window(Node::Milestone(outline.id)));
        let over = outline.status.is_closed() || outline.archived;
        Row {
            id: outline.id,
            title: outline.title.clone(),
            status: outline.status,
            reason: outline.reason.clone(),
            priority: outline.priority,
            assignee: outline.assignee.clone(),
            labels: outline.labels.clone(),
            due: outline.due,
            pace: clock.pace(outline, plan),
            progress: outline.progress,
            ready: ready(board, outline),
            in_progress: in_progress(outline),
            critical: !over && window.is_some_and(|window| window.critical),
            archived: outline.archived,
        }
    };
    outlines.map(row).collect()
}

fn ready(board: &Board<'_>, outline: &Outline) -> u32 {
    // Nothing in a milestone that itself waits is ready: its tasks need not be asked.
    if outline.status.is_closed() || !board.milestone_reasons(outline).is_empty() {
        return 0;
    }
    let tasks = outline.tasks.iter().filter(|task| !task.status.is_closed());
    let ids = tasks.map(|task| crate::ids::TaskId::new(outline.id, task.number));
    let ready = ids.filter(|id| matches!(board.readiness(*id), Readiness::Ready { .. }));
    u32::try_from(ready.count()).unwrap_or(u32::MAX)
}

fn in_progress(outline: &Outline) -> u32 {
    let working = outline.tasks.iter().filter(|task| task.status == TaskStatus::InProgress);
    u32::try_from(working.count()).unwrap_or(u32::MAX)
}

impl Filter {
    /// Whether a milestone can be left out for what it is.
    pub fn narrows(&self) -> bool {
        let Self { statuses, text, labels, assignee, archived: _, limit: _ } = self;
        !statuses.is_empty() || text.is_some() || !labels.is_empty() || assignee.is_some()
    }

    fn takes(&self, outline: &Outline) -> bool {
        let wanted = self.text.as_deref().map(str::to_lowercase);
        (self.archived || !outline.archived)
            && (self.statuses.is_empty() || self.statuses.contains(&outline.status))
            && self.labels.iter().all(|label| outline.labels.contains(label))
            && self.assignee.as_ref().is_none_or(|wanted| outline.assignee.as_ref() == Some(wanted))
            && wanted.is_none_or(|wanted| mentions(outline, &wanted))
    }
}

fn mentions(outline: &Outline, wanted: &str) -> bool {
    outline.title.to_lowercase().contains(wanted)
        || outline.id.to_string().contains(wanted)
        || outline.labels.iter().any(|label| label.to_lowercase().contains(wanted))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::views::testing::{TODAY, project, task};

    fn three() -> Snapshot {
        let done = json!({"status": "completed"});
        project(&[
            json!({"id": "milestone-001", "title": "Database", "status": "in_progress",
                "labels": ["backend"], "assignee": "ada", "due": "2026-11-02",
                "tasks": [task(1, &done), task(2, &json!({})), task(3, &json!({}))]}),
            json!({"id": "milestone-002", "title": "Login", "due": "2026-11-30",
                "dependencies": {"requires": ["milestone-001"]},
                "tasks": [task(1, &json!({}))]}),
            json!({"id": "milestone-003", "title": "Docs", "labels": ["docs"],
                "status": "cancelled"}),
        ])
    }

    fn ids(filter: &Filter) -> String {
        let rows = list(&three(), filter, TODAY).milestones;
        rows.iter().map(|row| row.id.0.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn filters_narrow() {
        let label = |label: &str| Filter { labels: vec![label.into()], ..Filter::default() };
        let text = |text: &str| Filter { text: Some(text.into()), ..Filter::default() };
        let status = |status| Filter { statuses: vec![status], ..Filter::default() };
        let cases = [
            (Filter::default(), "1 2 3"),
            (label("backend"), "1"),
            (text("LOG"), "2"),
            (text("docs"), "3"),
            (status(MilestoneStatus::Planned), "2"),
            (Filter { assignee: Some("ada".into()), ..Filter::default() }, "1"),
            (Filter { limit: Some(2), ..Filter::default() }, "1 2"),
        ];
        for (filter, expected) in cases {
            assert_eq!(ids(&filter), expected, "{filter:?}");
        }
    }

    #[test]
    fn a_page_says_how_many_there_are() {
        let filter = Filter { limit: Some(1), ..Filter::default() };
        let list = list(&three(), &filter, TODAY);
        assert_eq!((list.milestones.len(), list.total), (1, 3));
    }

    #[test]
    fn rows_say_what_is_ready_and_what_is_critical() {
        let rows = list(&three(), &Filter::default(), TODAY).milestones;
        let seen: Vec<_> = rows.iter().map(|row| (row.ready, row.critical, row.pace)).collect();
        assert_eq!(
            seen,
            [
                (2, true, Pace::OnTrack { days_to_spare: 0 }),
                (0, true, Pace::OnTrack { days_to_spare: 19 }),
                (0, false, Pace::Over),
            ]
        );
    }
}
