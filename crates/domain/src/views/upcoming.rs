//! What comes next: what is due, and what becomes ready once something else is done.

use jiff::ToSpan as _;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use super::when::Clock;
use super::{Related, open_tasks};
use crate::dependencies::{Dependencies, Plan};
use crate::ids::Node;
use crate::readiness::{Board, Readiness, Reason};
use crate::snapshot::Snapshot;

/// How far ahead is looked, in days.
const AHEAD_DAYS: i64 = 14;

/// How many of each sort.
const LINES_MAX: usize = 20;

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Upcoming {
    pub until: Date,
    /// Milestones and tasks that are not done and due by then, overdue ones first.
    pub due: Vec<Due>,
    pub due_total: usize,
    /// Waiting tasks that only wait for work that is going on or ready now, the earliest first.
    pub ready_next: Vec<ReadyNext>,
    pub ready_next_total: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Due {
    #[serde(flatten)]
    pub what: Related,
    pub due: Date,
    /// When the plan has it done at the earliest.
    pub finish: Option<Date>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ReadyNext {
    #[serde(flatten)]
    pub what: Related,
    pub after: Vec<Reason>,
    /// When the plan has it begin at the earliest.
    pub start: Option<Date>,
}

pub fn upcoming(snapshot: &Snapshot, today: Date) -> Upcoming {
    let until = today.saturating_add(AHEAD_DAYS.days());
    let graph = Dependencies::of(snapshot);
    let plan = graph.plan(snapshot, today);
    let clock = Clock { calendar: &snapshot.settings.calendar, today };
    let window = |node| plan.as_ref().and_then(|plan| plan.window(node));
    let mut due = due(snapshot, plan.as_ref(), &clock);
    let board = Board::new(snapshot, today);
    let mut ready_next: Vec<ReadyNext> = open_tasks(snapshot)
        .filter_map(|(id, ..)| match board.readiness(id) {
            Readiness::Waiting { reasons } => Some((id, reasons)),
            _ => None,
        })
        .filter(|(_, reasons)| reasons.iter().all(|reason| is_under_way(&board, reason)))
        .map(|(id, after)| ReadyNext {
            what: Related::of(snapshot, Node::Task(id)),
            after,
            start: window(Node::Task(id)).map(|window| clock.start(window.early_start)),
        })
        .collect();
    ready_next.sort_by_key(|next| (next.start.is_none(), next.start, next.what.id));
    let (due_total, ready_next_total) = (due.len(), ready_next.len());
    due.truncate(LINES_MAX);
    ready_next.truncate(LINES_MAX);
    Upcoming { until, due, due_total, ready_next, ready_next_total }
}

/// What is due by then and not done, overdue things first.
pub(super) fn due(snapshot: &Snapshot, plan: Option<&Plan<'_, '_>>, clock: &Clock<'_>) -> Vec<Due> {
    let until = clock.today.saturating_add(AHEAD_DAYS.days());
    let finish = |node| {
        let window = plan.and_then(|plan| plan.window(node))?;
        Some(clock.finish(window.early_finish))
    };
    let mut due: Vec<Due> = deadlines(snapshot)
        .filter(|(_, due)| *due <= until)
        .map(|(node, due)| Due { what: Related::of(snapshot, node), due, finish: finish(node) })
        .collect();
    due.sort_by_key(|due| (due.due, due.what.id));
    due
}

/// Every date that something open has to keep.
fn deadlines(snapshot: &Snapshot) -> impl Iterator<Item = (Node, Date)> {
    let open = snapshot.open().filter(|outline| !outline.status.is_closed());
    let milestones = open.filter_map(|outline| Some((Node::Milestone(outline.id), outline.due?)));
    let tasks = open_tasks(snapshot).filter(|(.., task)| !task.status.is_closed());
    milestones.chain(tasks.filter_map(|(id, _, task)| Some((Node::Task(id), task.due?))))
}

/// Whether what is waited for needs nothing but that somebody goes on.
fn is_under_way(board: &Board<'_>, reason: &Reason) -> bool {
    match reason {
        Reason::Requires { on: Node::Task(id), .. } => {
            matches!(board.readiness(*id), Readiness::Held { .. } | Readiness::Ready { .. })
        }
        Reason::NotBefore { .. } | Reason::Resource { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::views::testing::{TODAY, project, task};

    #[test]
    fn the_next_step_and_the_next_dates_are_seen_and_nothing_behind_them() {
        let snapshot = project(&[
            json!({"id": "milestone-001", "title": "A", "due": "2026-11-06", "tasks": [
                task(1, &json!({"due": "2026-11-01"})),
                task(2, &json!({"requires": ["task-001"]})),
                task(3, &json!({"requires": ["task-002"]})),
                task(4, &json!({"status": "completed", "due": "2026-11-01"})),
            ]}),
            json!({"id": "milestone-002", "title": "B", "due": "2027-01-01", "tasks": [
                task(1, &json!({"requires": ["milestone-001"]})),
                task(2, &json!({"start": "2026-11-09"})),
            ]}),
        ]);
        let view = upcoming(&snapshot, TODAY);
        let due: Vec<_> = view.due.iter().map(|due| due.what.id.to_string()).collect();
        assert_eq!(due, ["task-001-001", "milestone-001"]);
        let next: Vec<_> = view.ready_next.iter().map(|next| next.what.id.to_string()).collect();
        assert_eq!(next, ["task-001-002", "task-002-002"]);
        assert_eq!(view.ready_next[0].start.unwrap().to_string(), "2026-11-03");
    }
}
