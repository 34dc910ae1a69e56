//! The whole project at a glance, and what to do about it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use super::advice::{Advice, advise};
use super::list::{Row, rows};
use super::next::HeldTask;
pub use super::pairs::Pair;
use super::when::Clock;
use super::{ClaimState, ConditionState, open_tasks, pairs};
use crate::dependencies::{Dependencies, Plan};
use crate::ids::{MilestoneId, Node, TaskId};
use crate::readiness::{Board, Readiness};
use crate::snapshot::{Outline, Problem, Snapshot};
use crate::status::{MilestoneStatus, TaskStatus};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dashboard {
    pub today: Date,
    pub totals: Totals,
    pub milestones: Vec<Line>,
    /// When everything open can be done at the earliest; none while there is a cycle.
    pub finish: Option<Date>,
    pub critical_path: Vec<Step>,
    pub held: Vec<HeldTask>,
    pub lapsed: Vec<HeldTask>,
    pub blocked: Vec<Blocked>,
    pub conditions: Vec<OpenCondition>,
    pub conflicts: Vec<Pair>,
    /// Each waits for the next, the last for the first.
    pub cycle: Option<Vec<Node>>,
    pub problems: Vec<Problem>,
    pub advice: Vec<Advice>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub milestones: usize,
    pub milestones_by_status: BTreeMap<MilestoneStatus, usize>,
    pub archived: usize,
    pub tasks: usize,
    pub tasks_by_status: BTreeMap<TaskStatus, usize>,
    pub ready: usize,
    pub waiting: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    #[serde(flatten)]
    pub row: Row,
    /// When its work can be done at the earliest.
    pub finish: Option<Date>,
    pub criteria_open: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    pub id: Node,
    pub title: Option<String>,
    pub start: Date,
    pub finish: Date,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Blocked {
    pub id: Node,
    pub title: String,
    /// `blocked`, `failed` or `paused`.
    pub status: &'static str,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenCondition {
    #[serde(flatten)]
    pub condition: ConditionState,
    pub waited_for_by: Vec<Node>,
}

/// Of the whole project, or of one milestone of it.
pub fn dashboard(snapshot: &Snapshot, only: Option<MilestoneId>, today: Date) -> Dashboard {
    let board = Board::new(snapshot, today);
    let graph = Dependencies::of(snapshot);
    let plan = graph.plan(snapshot, today);
    let clock = Clock { calendar: &snapshot.settings.calendar, today };
    let of_interest = |id: MilestoneId| only.is_none_or(|only| only == id);
    let shown = || snapshot.open().filter(|outline| of_interest(outline.id));
    let tasks = gather(snapshot, &board, only);
    let mut conflicts = pairs::overlaps(&tasks.active);
    conflicts.extend(pairs::dates(snapshot));
    conflicts.retain(|pair| only.is_none_or(|only| pair.concerns(only)));
    let problems = snapshot.problems.iter();
    let problems = problems.filter(|p| only.is_none() || p.milestone.is_none_or(of_interest));
    let mut dashboard = Dashboard {
        today,
        totals: totals(snapshot, shown(), &tasks),
        milestones: lines(snapshot, shown(), plan.as_ref(), &clock),
        finish: plan.as_ref().map(|plan| clock.finish(plan.total().minutes().into())),
        critical_path: plan.as_ref().map(|p| steps(snapshot, p, &clock, only)).unwrap_or_default(),
        held: tasks.held,
        lapsed: tasks.lapsed,
        blocked: shown().flat_map(blocked).collect(),
        conditions: open_conditions(&board, shown()),
        conflicts,
        cycle: graph.cycle(),
        problems: problems.cloned().collect(),
        advice: Vec::new(),
    };
    dashboard.advice = advise(&dashboard);
    dashboard
}

/// What one walk over all tasks finds.
#[derive(Default)]
struct Gathered<'a> {
    held: Vec<HeldTask>,
    lapsed: Vec<HeldTask>,
    ready: usize,
    waiting: usize,
    /// What may be worked on now, with what it touches.
    active: Vec<(TaskId, &'a [String])>,
}

fn gather<'a>(
    snapshot: &'a Snapshot,
    board: &Board<'_>,
    only: Option<MilestoneId>,
) -> Gathered<'a> {
    let mut found = Gathered::default();
    for (id, _, task) in open_tasks(snapshot) {
        let counts = only.is_none_or(|only| only == id.milestone);
        let readiness = board.readiness(id);
        let claim = snapshot.claims.get(&id).map(ClaimState::from);
        let entry = |by| HeldTask { id, title: task.title.clone(), by, claim };
        if matches!(readiness, Readiness::Held { .. } | Readiness::Ready { .. }) {
            found.active.push((id, &task.resources));
        }
        match readiness {
            _ if !counts => {}
            Readiness::Held { by } => found.held.push(entry(by)),
            Readiness::Ready { lapsed } => {
                found.ready += 1;
                let running = task.status == TaskStatus::InProgress;
                found.lapsed.extend(lapsed.filter(|_| running).map(entry));
            }
            Readiness::Waiting { .. } => found.waiting += 1,
            Readiness::Closed => {}
        }
    }
    found
}

fn totals<'a>(
    snapshot: &Snapshot,
    shown: impl Iterator<Item = &'a Outline>,
    tasks: &Gathered<'_>,
) -> Totals {
    let mut totals = Totals {
        archived: snapshot.archived.len(),
        ready: tasks.ready,
        waiting: tasks.waiting,
        ..Totals::default()
    };
    for outline in shown {
        totals.milestones += 1;
        *totals.milestones_by_status.entry(outline.status).or_default() += 1;
        totals.tasks += outline.tasks.len();
        for task in &outline.tasks {
            *totals.tasks_by_status.entry(task.status).or_default() += 1;
        }
    }
    totals
}

fn lines<'a>(
    snapshot: &'a Snapshot,
    shown: impl Iterator<Item = &'a Outline>,
    plan: Option<&Plan<'_, '_>>,
    clock: &Clock<'_>,
) -> Vec<Line> {
    let line = |row: Row| {
        let window = plan.and_then(|plan| plan.window(Node::Milestone(row.id)));
        let criteria_open = snapshot.outline(row.id).map_or(0, |outline| outline.criteria_open);
        let finish =
            window.filter(|_| !row.status.is_closed()).map(|w| clock.finish(w.early_finish));
        Line { row, finish, criteria_open }
    };
    rows(snapshot, shown, clock.today).into_iter().map(line).collect()
}

fn steps(
    snapshot: &Snapshot,
    plan: &Plan<'_, '_>,
    clock: &Clock<'_>,
    only: Option<MilestoneId>,
) -> Vec<Step> {
    let path = plan.critical_path().into_iter();
    path.filter(|node| only.is_none_or(|only| node.milestone() == only))
        .filter_map(|id| {
            let window = plan.window(id)?;
            Some(Step {
                id,
                title: super::Related::of(snapshot, id).title,
                start: clock.start(window.early_start),
                finish: clock.finish(window.early_finish),
            })
        })
        .collect()
}

fn blocked(outline: &Outline) -> Vec<Blocked> {
    let stopped = matches!(outline.status, MilestoneStatus::Blocked | MilestoneStatus::Paused)
        .then(|| Blocked {
            id: Node::Milestone(outline.id),
            title: outline.title.clone(),
            status: outline.status.word(),
            reason: outline.reason.clone(),
        });
    let failed = |status| matches!(status, TaskStatus::Blocked | TaskStatus::Failed);
    let open = outline.tasks.iter().filter(|_| !outline.status.is_closed());
    let tasks = open.filter(|task| failed(task.status)).map(|task| Blocked {
        id: Node::Task(TaskId::new(outline.id, task.number)),
        title: task.title.clone(),
        status: task.status.word(),
        reason: task.reason.clone(),
    });
    stopped.into_iter().chain(tasks).collect()
}

fn open_conditions<'a>(
    board: &Board<'_>,
    shown: impl Iterator<Item = &'a Outline>,
) -> Vec<OpenCondition> {
    let mut waiting: BTreeMap<&str, Vec<Node>> = BTreeMap::new();
    for outline in shown.filter(|outline| !outline.status.is_closed()) {
        for name in &outline.conditions {
            waiting.entry(name).or_default().push(Node::Milestone(outline.id));
        }
        for task in outline.tasks.iter().filter(|task| !task.status.is_closed()) {
            let node = Node::Task(TaskId::new(outline.id, task.number));
            task.conditions.iter().for_each(|name| waiting.entry(name).or_default().push(node));
        }
    }
    let open = waiting.into_iter().filter(|(name, _)| !board.holds(name));
    open.map(|(name, waited_for_by)| OpenCondition {
        condition: ConditionState {
            name: name.to_owned(),
            holds: false,
            provided_by: board.providers(name).to_vec(),
        },
        waited_for_by,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::views::Pace;
    use crate::views::testing::{TODAY, claim, project, task};

    fn busy() -> Snapshot {
        let mut snapshot = project(&[
            json!({"id": "milestone-001", "title": "A", "status": "in_progress",
            "due": "2026-11-02", "tasks": [
                task(1, &json!({"status": "in_progress", "resources": ["src"]})),
                task(2, &json!({"requires": ["task-001"]})),
                task(3, &json!({"status": "in_progress"})),
                task(4, &json!({"status": "blocked", "reason": "no key"})),
            ]}),
            json!({"id": "milestone-002", "title": "B", "tasks": [
                task(1, &json!({"conditions": ["approved"]})),
                task(2, &json!({"resources": ["src/b"], "status": "in_progress"})),
            ]}),
        ]);
        claim(&mut snapshot, "1.1", "ada", Some(60));
        claim(&mut snapshot, "1.3", "gone", None);
        snapshot
    }

    #[test]
    fn everything_that_needs_a_person_is_there() {
        let view = dashboard(&busy(), None, TODAY);
        assert_eq!((view.totals.ready, view.totals.waiting, view.totals.tasks), (1, 3, 6));
        assert_eq!(
            view.held.iter().map(|held| held.by.as_str()).collect::<Vec<_>>(),
            ["ada", "somebody"]
        );
        assert_eq!(view.lapsed[0].by, "gone");
        assert_eq!(view.blocked[0].reason.as_deref(), Some("no key"));
        assert_eq!(view.conditions[0].condition.name, "approved");
        assert_eq!(view.conflicts.len(), 1);
        assert_eq!(view.milestones[0].row.pace, Pace::Behind { days: 1 });
        let path: Vec<_> = view.critical_path.iter().map(|step| step.id.to_string()).collect();
        assert_eq!(path, ["task-001-001", "task-001-002"]);
    }

    #[test]
    fn one_milestone_shows_only_what_concerns_it() {
        let view = dashboard(&busy(), Some(MilestoneId(2)), TODAY);
        assert_eq!((view.milestones.len(), view.lapsed.len(), view.blocked.len()), (1, 0, 0));
        assert_eq!(view.conflicts.len(), 1, "the conflict is with the other one");
    }

    #[test]
    fn a_cycle_is_shown_and_nothing_is_laid_out_in_time() {
        let snapshot = project(&[json!({"id": "milestone-001", "title": "A", "tasks": [
            task(1, &json!({"requires": ["task-002"]})), task(2, &json!({"requires": ["task-001"]})),
        ]})]);
        let view = dashboard(&snapshot, None, TODAY);
        assert_eq!(view.cycle.unwrap().len(), 3);
        assert_eq!(view.finish, None);
    }

    #[test]
    fn ten_thousand_tasks_are_counted() {
        let documents: Vec<_> = (1..=500).map(|number| {
            let tasks: Vec<_> = (1..=20).map(|n| {
                let requires: Vec<String> = (n > 10).then(|| format!("task-{:03}", n - 10)).into_iter().collect();
                task(n, &json!({"requires": requires, "resources": [format!("src/{number}/{n}")]}))
            }).collect();
            json!({"id": format!("milestone-{number:03}"), "title": "M", "tasks": tasks})
        }).collect();
        let snapshot = project(&documents);
        let view = dashboard(&snapshot, None, TODAY);
        assert_eq!(view.totals.ready, 5000);
    }
}
