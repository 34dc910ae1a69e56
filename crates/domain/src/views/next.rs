//! What to work on: ready tasks best first, and why every other one waits.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use super::when::effort;
use super::{ClaimState, open_tasks};
use crate::dependencies::{Dependencies, Plan};
use crate::effort::{Effort, Estimate};
use crate::ids::{MilestoneId, Node, TaskId};
use crate::offers::Rank;
use crate::readiness::{Board, Readiness, Reason};
use crate::snapshot::{Outline, Snapshot, TaskOutline};
use crate::status::Priority;

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Next {
    pub ready: Vec<ReadyTask>,
    pub ready_total: usize,
    pub held: Vec<HeldTask>,
    pub waiting: Vec<WaitingTask>,
    pub waiting_total: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ReadyTask {
    pub id: TaskId,
    pub title: String,
    pub milestone: MilestoneId,
    pub milestone_title: String,
    pub priority: Priority,
    pub due: Option<Date>,
    pub estimate: Option<Estimate>,
    /// The longest chain of work from here to the end of everything that waits for it.
    pub downstream: Effort,
    /// How many things wait for it directly.
    pub unblocks: usize,
    pub critical: bool,
    pub assignee: Option<String>,
    pub runner: Option<String>,
    /// Whose attempt before this one died.
    pub lapsed: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct HeldTask {
    pub id: TaskId,
    pub title: String,
    pub by: String,
    /// None for a task that somebody started by hand.
    pub claim: Option<ClaimState>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WaitingTask {
    pub id: TaskId,
    pub title: String,
    pub reasons: Vec<Reason>,
}

/// For whom and among what work is looked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// Only in this milestone.
    pub milestone: Option<MilestoneId>,
    /// Only what is ready for this worker: what nobody else was chosen for.
    pub worker: Option<&'a str>,
    /// At most so many of each kind.
    pub limit: usize,
}

impl Asked<'_> {
    fn concerns(&self, task: &TaskOutline) -> bool {
        let chosen = self.worker.zip(task.assignee.as_deref());
        chosen.is_none_or(|(worker, assignee)| worker == assignee)
    }
}

/// Looks at everything, or at one milestone.
pub fn next(snapshot: &Snapshot, asked: Asked<'_>, today: Date) -> Next {
    let board = Board::new(snapshot, today);
    let graph = Dependencies::of(snapshot);
    let plan = graph.plan(snapshot, today);
    let pressing = plan.as_ref().map(|plan| plan.pressing(snapshot, today)).unwrap_or_default();
    let mut ranked: Vec<(Rank, &Outline, &TaskOutline, Option<String>)> = Vec::new();
    let (mut held, mut waiting, mut waiting_total) = (Vec::new(), Vec::new(), 0);
    for (id, outline, task) in open_tasks(snapshot) {
        if asked.milestone.is_some_and(|only| only != id.milestone) {
            continue;
        }
        let title = || task.title.clone();
        match board.readiness(id) {
            Readiness::Ready { .. } if !asked.concerns(task) => {}
            Readiness::Ready { lapsed } => {
                let begin_by = pressing.get(&id).copied();
                let rank = Rank::of(plan.as_ref(), id, (outline, task), begin_by);
                ranked.push((rank, outline, task, lapsed));
            }
            Readiness::Held { by } => {
                let claim = snapshot.claims.get(&id).map(ClaimState::from);
                held.push(HeldTask { id, title: title(), by, claim });
            }
            Readiness::Waiting { reasons } => {
                waiting_total += 1;
                if waiting.len() < asked.limit {
                    waiting.push(WaitingTask { id, title: title(), reasons });
                }
            }
            Readiness::Closed => {}
        }
    }
    ranked.sort_unstable_by_key(|(rank, ..)| *rank);
    let ready_total = ranked.len();
    let best = ranked.into_iter().take(asked.limit);
    let ready = best.map(|(rank, outline, task, lapsed)| {
        ready(&graph, plan.as_ref(), &rank, (outline, task), lapsed)
    });
    Next { ready: ready.collect(), ready_total, held, waiting, waiting_total }
}

fn ready(
    graph: &Dependencies<'_>,
    plan: Option<&Plan<'_, '_>>,
    rank: &Rank,
    (outline, task): (&Outline, &TaskOutline),
    lapsed: Option<String>,
) -> ReadyTask {
    let node = Node::Task(rank.id);
    ReadyTask {
        id: rank.id,
        title: task.title.clone(),
        milestone: outline.id,
        milestone_title: outline.title.clone(),
        priority: rank.priority,
        due: task.due.or(outline.due),
        estimate: task.estimate,
        downstream: effort(rank.downstream()),
        unblocks: graph.dependents(node).len(),
        critical: plan.and_then(|plan| plan.window(node)).is_some_and(|window| window.critical),
        assignee: task.assignee.clone(),
        runner: task.runner.clone(),
        lapsed,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::views::testing::{TODAY, claim, project, task};

    const TEN: Asked<'_> = Asked { milestone: None, worker: None, limit: 10 };

    fn order(tasks: &[serde_json::Value]) -> Vec<u32> {
        let document = json!({"id": "milestone-001", "title": "M", "due": "2026-12-01",
            "tasks": tasks});
        let next = next(&project(&[document]), TEN, TODAY);
        next.ready.iter().map(|task| task.id.number).collect()
    }

    #[test]
    fn the_best_task_is_the_most_urgent_then_the_longest_chain_then_the_first_due() {
        let plain = || json!({});
        let cases = [
            (vec![task(1, &plain()), task(2, &json!({"priority": "high"}))], vec![2, 1]),
            (vec![task(1, &plain()), task(2, &json!({"estimate": "3d"}))], vec![2, 1]),
            (
                vec![
                    task(1, &plain()),
                    task(2, &plain()),
                    task(3, &json!({"requires": ["task-002"]})),
                ],
                vec![2, 1],
            ),
            (vec![task(1, &plain()), task(2, &json!({"due": "2026-11-05"}))], vec![2, 1]),
            (vec![task(2, &plain()), task(1, &plain())], vec![1, 2]),
        ];
        for (tasks, expected) in cases {
            assert_eq!(order(&tasks), expected, "{tasks:?}");
        }
    }

    #[test]
    fn what_a_long_chain_would_make_late_goes_before_it() {
        let order = |due: &str| {
            let snapshot = project(&[
                json!({"id": "milestone-001", "title": "Long", "tasks": [
                    task(1, &json!({"estimate": "20d"}))]}),
                json!({"id": "milestone-002", "title": "Due", "due": due, "tasks": [
                    task(1, &json!({"estimate": "1d"})),
                    task(2, &json!({"estimate": "2d"}))]}),
            ]);
            let next = next(&snapshot, TEN, TODAY);
            next.ready.iter().map(|task| task.id.to_string()).collect::<Vec<_>>().join(" ")
        };
        let pressing = "task-002-002 task-002-001 task-001-001";
        assert_eq!(order("2026-11-06"), pressing);
        assert_eq!(order("2026-10-01"), pressing);
        assert_eq!(order("2027-06-01"), "task-001-001 task-002-002 task-002-001");
    }

    #[test]
    fn every_waiting_task_says_why_and_every_held_one_by_whom() {
        let mut snapshot = project(&[json!({"id": "milestone-001", "title": "M", "tasks": [
            task(1, &json!({"status": "in_progress"})),
            task(2, &json!({"requires": ["task-001"]})),
            task(3, &json!({"status": "in_progress", "started_by": "bo"})),
            task(4, &json!({"status": "in_progress"})),
        ]})]);
        claim(&mut snapshot, "1.1", "ada", Some(60));
        claim(&mut snapshot, "1.4", "gone", None);
        let next = next(&snapshot, TEN, TODAY);
        let held: Vec<_> = next.held.iter().map(|task| task.by.as_str()).collect();
        assert_eq!(held, ["ada", "bo"]);
        assert_eq!(next.waiting[0].reasons[0].to_string(), "waits for task-001-001 (in progress)");
        assert_eq!(next.ready[0].lapsed.as_deref(), Some("gone"));
    }

    #[test]
    fn the_limit_cuts_the_lists_and_not_the_totals() {
        let tasks: Vec<_> = (1..=5).map(|number| task(number, &json!({}))).collect();
        let snapshot = project(&[json!({"id": "milestone-001", "title": "M", "tasks": tasks})]);
        let next = next(&snapshot, Asked { limit: 2, ..TEN }, TODAY);
        assert_eq!((next.ready.len(), next.ready_total), (2, 5));
    }

    #[test]
    fn a_worker_is_not_offered_what_is_assigned_to_another() {
        let tasks = [
            task(1, &json!({"assignee": "ada", "priority": "high"})),
            task(2, &json!({"assignee": "bo"})),
            task(3, &json!({})),
        ];
        let document = json!({"id": "milestone-001", "title": "M", "assignee": "ada",
            "tasks": tasks});
        let snapshot = project(&[document]);
        let offered = |worker| -> Vec<u32> {
            let next = next(&snapshot, Asked { worker, ..TEN }, TODAY);
            assert_eq!(next.ready.len(), next.ready_total);
            next.ready.iter().map(|task| task.id.number).collect()
        };
        assert_eq!(offered(None), [1, 2, 3]);
        assert_eq!(offered(Some("bo")), [2, 3]);
        assert_eq!(offered(Some("agent")), [3]);
    }
}
