//! What waits on what: the edges between milestones, and what holds up the most.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use super::when::effort;
use super::{ConditionState, Related, conditions, open_tasks};
use crate::dependencies::Dependencies;
use crate::effort::Effort;
use crate::ids::{MilestoneId, Node};
use crate::readiness::{Board, Readiness, Reason};
use crate::snapshot::Snapshot;

/// How many of the tasks that hold up the most are named.
const HOLDING_MAX: usize = 10;

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Waits {
    pub milestones: Vec<Links>,
    /// Open tasks that somebody could work on, and what waits behind them, the most first.
    pub holding: Vec<Holding>,
    /// Tasks that wait for nothing that is under way: only a person can free them.
    pub stuck: Vec<Stuck>,
    pub stuck_total: usize,
    /// Each waits for the next, the last for the first.
    pub cycle: Option<Vec<Node>>,
}

/// A milestone among the others.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Links {
    #[serde(flatten)]
    pub what: Related,
    pub requires: Vec<Related>,
    pub conditions: Vec<ConditionState>,
    pub required_by: Vec<Related>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Holding {
    #[serde(flatten)]
    pub what: Related,
    /// Things that wait for it directly.
    pub waiting: usize,
    /// The longest chain of work behind it.
    pub downstream: Effort,
    pub critical: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Stuck {
    #[serde(flatten)]
    pub what: Related,
    pub reasons: Vec<Reason>,
}

impl Waits {
    /// Only what concerns one milestone, if one is named.
    #[must_use]
    pub fn of(mut self, only: Option<MilestoneId>) -> Self {
        let Some(only) = only else { return self };
        let concerns = |what: &Related| what.id.milestone() == only;
        self.milestones.retain(|links| {
            let near = links.requires.iter().chain(&links.required_by);
            concerns(&links.what) || near.into_iter().any(concerns)
        });
        self.holding.retain(|holding| concerns(&holding.what));
        self.stuck.retain(|stuck| concerns(&stuck.what));
        self.stuck_total = self.stuck.len();
        self
    }
}

pub fn waits(snapshot: &Snapshot, today: Date) -> Waits {
    let graph = Dependencies::of(snapshot);
    let board = Board::new(snapshot, today);
    let open = snapshot.open().filter(|outline| !outline.status.is_closed());
    let milestones = open.map(|outline| {
        let dependents = graph.dependents(Node::Milestone(outline.id)).into_iter();
        Links {
            what: Related::of(snapshot, Node::Milestone(outline.id)),
            requires: Related::all(snapshot, &outline.requires, outline),
            conditions: conditions(&board, &outline.conditions),
            required_by: dependents.map(|node| Related::of(snapshot, node)).collect(),
        }
    });
    let (stuck, stuck_total) = stuck(snapshot, &board);
    Waits {
        milestones: milestones.collect(),
        holding: holding(snapshot, &graph, &board, today),
        stuck,
        stuck_total,
        cycle: graph.cycle(),
    }
}

fn holding(
    snapshot: &Snapshot,
    graph: &Dependencies<'_>,
    board: &Board<'_>,
    today: Date,
) -> Vec<Holding> {
    let Some(plan) = graph.plan(snapshot, today) else { return Vec::new() };
    let mut holding: Vec<Holding> = open_tasks(snapshot)
        .filter(|(id, ..)| {
            matches!(board.readiness(*id), Readiness::Ready { .. } | Readiness::Held { .. })
        })
        .filter_map(|(id, ..)| {
            let node = Node::Task(id);
            let waiting = graph.dependents(node).len();
            (waiting > 0).then(|| Holding {
                what: Related::of(snapshot, node),
                waiting,
                downstream: effort(plan.downstream(id)),
                critical: plan.window(node).is_some_and(|window| window.critical),
            })
        })
        .collect();
    holding.sort_by_key(|held| (std::cmp::Reverse((held.downstream, held.waiting)), held.what.id));
    holding.truncate(HOLDING_MAX);
    holding
}

fn stuck(snapshot: &Snapshot, board: &Board<'_>) -> (Vec<Stuck>, usize) {
    let for_a_person = |reason: &Reason| match reason {
        Reason::Requires { .. } | Reason::NotBefore { .. } | Reason::Resource { .. } => false,
        Reason::Condition { provided_by, .. } => provided_by.is_empty(),
        _ => true,
    };
    let mut stuck: Vec<Stuck> = open_tasks(snapshot)
        .filter_map(|(id, ..)| match board.readiness(id) {
            Readiness::Waiting { mut reasons } => {
                reasons.retain(for_a_person);
                let what = Related::of(snapshot, Node::Task(id));
                (!reasons.is_empty()).then_some(Stuck { what, reasons })
            }
            _ => None,
        })
        .collect();
    let total = stuck.len();
    stuck.truncate(HOLDING_MAX);
    (stuck, total)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::views::testing::{TODAY, project, task};

    #[test]
    fn what_holds_up_the_most_comes_first() {
        let snapshot = project(&[
            json!({"id": "milestone-001", "title": "A", "tasks": [
                task(1, &json!({})), task(2, &json!({"requires": ["task-001"]})), task(3, &json!({})),
            ]}),
            json!({"id": "milestone-002", "title": "B",
                "dependencies": {"requires": ["milestone-001"], "conditions": ["approved"]},
                "tasks": [task(1, &json!({}))]}),
        ]);
        let view = waits(&snapshot, TODAY);
        let first = &view.holding[0];
        assert_eq!((first.what.id.to_string(), first.critical), ("task-001-001".into(), true));
        assert_eq!(view.milestones[0].required_by.len(), 1);
        assert_eq!(view.stuck[0].what.id.to_string(), "task-002-001");
        assert_eq!(view.stuck[0].reasons.len(), 1, "the condition, and not what is under way");
    }
}
