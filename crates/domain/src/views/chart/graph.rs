//! What waits for what, as boxes and arrows: the milestones of a project, or the tasks of one and
//! what stands around them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use super::Stage;
pub use super::layers::Slot;
use super::layers::{layers, order};
use crate::dependencies::{Dependencies, Plan};
use crate::ids::{MilestoneId, Node, Reference, TaskId};
use crate::limits;
use crate::readiness::{Board, Readiness};
use crate::snapshot::{Outline, Snapshot, TaskOutline};
use crate::status::{MilestoneStatus, TaskStatus};
use crate::views::Related;

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GraphView {
    /// The one milestone whose tasks are shown; none where it is the project's milestones.
    pub milestone: Option<MilestoneId>,
    pub title: Option<String>,
    /// In an order in which each stands after all that it waits for.
    pub nodes: Vec<GraphNode>,
    pub edges: Vec<Edge>,
    /// The nodes that have edges, in layers from what waits for nothing on.
    pub layers: Vec<Vec<Slot>>,
    /// Nodes that were too many for one picture.
    pub left_out: usize,
    pub cycle: Option<Vec<Node>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GraphNode {
    pub id: Node,
    pub title: String,
    pub stage: Stage,
    pub status: &'static str,
    pub percent: u32,
    /// Work on it can begin or go on.
    pub ready: bool,
    /// Any delay of it delays everything.
    pub critical: bool,
    /// It belongs to another milestone than the one that is shown.
    pub outside: bool,
    /// Open conditions that nothing in the picture provides.
    pub conditions: Vec<String>,
}

/// The second waits for the first; by their places in `nodes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    /// The condition that the one provides and the other waits for; none for a requirement.
    pub condition: Option<String>,
    /// It holds nobody back any more.
    pub met: bool,
}

/// The milestones of a project, or one milestone's tasks with their direct neighbours.
pub fn graph(snapshot: &Snapshot, only: Option<MilestoneId>, today: Date) -> GraphView {
    let graph = Dependencies::of(snapshot);
    let plan = graph.plan(snapshot, today);
    let board = Board::new(snapshot, today);
    let mut sketch = Sketch { snapshot, board: &board, graph: &graph, links: BTreeMap::new() };
    let shown = match only.and_then(|id| snapshot.outline(id)) {
        Some(outline) => sketch.tasks_of(outline),
        None => sketch.milestones(),
    };
    let title = only.and_then(|id| snapshot.outline(id)).map(|outline| outline.title.clone());
    let (ids, left_out) = sketch.fit(&shown);
    let (ids, edges) = sketch.number(&ids);
    let ends: Vec<(usize, usize)> = edges.iter().map(|edge| (edge.from, edge.to)).collect();
    let layers = layers(ids.len(), &ends);
    let look = Look { snapshot, board: &board, plan: plan.as_ref(), only };
    let nodes = ids.iter().enumerate().map(|(at, id)| {
        let provided = edges.iter().filter(|edge| edge.to == at);
        let provided = provided.filter_map(|edge| edge.condition.as_deref()).collect();
        look.node(*id, &provided)
    });
    let nodes = nodes.collect();
    let cycle = if plan.is_none() { graph.cycle() } else { None };
    GraphView { milestone: only, title, nodes, edges, layers, left_out, cycle }
}

/// What a link from one node to another says.
#[derive(Debug, Clone, Default)]
struct Link {
    condition: Option<String>,
    open: bool,
}

/// Nodes that are shown and links among them, before they are numbered.
struct Sketch<'s, 'b> {
    snapshot: &'s Snapshot,
    board: &'b Board<'s>,
    graph: &'b Dependencies<'s>,
    links: BTreeMap<(Node, Node), Link>,
}

impl Sketch<'_, '_> {
    fn link(&mut self, from: Node, to: Node, condition: Option<&str>) {
        if from == to {
            return;
        }
        let open = condition.map_or_else(|| !self.is_done(from), |name| !self.board.holds(name));
        let condition = condition.map(str::to_owned);
        match self.links.get_mut(&(from, to)) {
            // Of a requirement and a condition between the same two, the requirement is said.
            Some(link) => {
                link.open |= open;
                link.condition = link.condition.take().filter(|_| condition.is_some());
            }
            None => drop(self.links.insert((from, to), Link { condition, open })),
        }
    }

    fn is_done(&self, node: Node) -> bool {
        match node {
            Node::Milestone(id) => {
                let status = self.snapshot.outline(id).map(|outline| outline.status);
                status == Some(MilestoneStatus::Completed)
            }
            Node::Task(id) => {
                let status = self.snapshot.task(id).map(|task| task.status);
                status == Some(TaskStatus::Completed)
            }
        }
    }

    fn exists(&self, node: Node) -> bool {
        match node {
            Node::Milestone(id) => self.snapshot.outline(id).is_some(),
            Node::Task(id) => self.snapshot.task(id).is_some(),
        }
    }

    /// Links milestones, whichever of their tasks waits for which of the other's.
    fn milestones(&mut self) -> Vec<Node> {
        let snapshot = self.snapshot;
        let counted = |outline: &&Outline| outline.status != MilestoneStatus::Cancelled;
        let shown: Vec<&Outline> = snapshot.open().filter(counted).collect();
        let known: BTreeSet<MilestoneId> = shown.iter().map(|outline| outline.id).collect();
        for outline in &shown {
            let to = Node::Milestone(outline.id);
            for node in outline.waits_for().filter(|node| known.contains(&node.milestone())) {
                let from = Node::Milestone(node.milestone());
                let open = !self.is_done(node) && !self.is_done(from);
                if from != to {
                    let link = self.links.entry((from, to)).or_default();
                    (link.open, link.condition) = (link.open || open, None);
                }
            }
            let own = outline.conditions.iter();
            let conditions = own.chain(outline.tasks.iter().flat_map(|task| &task.conditions));
            for name in conditions {
                let by = self.board.providers(name).iter().map(|node| node.milestone());
                let by: Vec<_> = by.filter(|id| known.contains(id)).collect();
                by.into_iter().for_each(|id| self.link(Node::Milestone(id), to, Some(name)));
            }
        }
        shown.into_iter().map(|outline| Node::Milestone(outline.id)).collect()
    }

    /// Links one milestone's tasks, and them with what is around. What the milestone waits for
    /// comes before its first tasks; what waits for the milestone, after its last ones.
    fn tasks_of(&mut self, outline: &Outline) -> Vec<Node> {
        let home = Node::Milestone(outline.id);
        let counted = outline.tasks.iter().filter(|task| task.status != TaskStatus::Cancelled);
        let tasks: Vec<&TaskOutline> = counted.collect();
        let node = |task: &TaskOutline| Node::Task(TaskId::new(outline.id, task.number));
        for task in &tasks {
            self.waits(outline, node(task), &task.requires, &task.conditions);
        }
        let mut own: Vec<Node> = tasks.iter().map(|task| node(task)).collect();
        if own.is_empty() {
            own.push(home);
        }
        let inside: BTreeSet<Node> = own.iter().copied().collect();
        let within =
            self.links.keys().filter(|(from, to)| inside.contains(from) && inside.contains(to));
        let (waited_for, waiting): (BTreeSet<Node>, BTreeSet<Node>) = within.copied().unzip();
        for first in own.iter().filter(|node| !waiting.contains(node)) {
            self.waits(outline, *first, &outline.requires, &outline.conditions);
        }
        for last in own.iter().filter(|node| !waited_for.contains(node)) {
            self.waited_for(home, *last, outline.id);
        }
        for node in own.iter().filter(|node| **node != home) {
            self.waited_for(*node, *node, outline.id);
        }
        let ends = self.links.keys().flat_map(|(from, to)| [*from, *to]);
        let mut around: Vec<Node> = ends.filter(|node| !inside.contains(node)).collect();
        around.sort_unstable();
        around.dedup();
        own.into_iter().chain(around).collect()
    }

    fn waits(&mut self, home: &Outline, to: Node, requires: &[Reference], conditions: &[String]) {
        for reference in requires {
            let from = reference.node(home.id);
            let counts = from.milestone() != home.id || !self.is_cancelled(from);
            if counts && self.exists(from) {
                self.link(from, to, None);
            }
        }
        for name in conditions {
            let by = self.board.providers(name).to_vec();
            let by = by.into_iter().filter(|from| *from != Node::Milestone(home.id));
            by.for_each(|from| self.link(from, to, Some(name)));
        }
    }

    fn is_cancelled(&self, node: Node) -> bool {
        let Node::Task(id) = node else { return false };
        self.snapshot.task(id).is_some_and(|task| task.status == TaskStatus::Cancelled)
    }

    /// Links what waits for `what` in other milestones to the task that it comes after.
    fn waited_for(&mut self, what: Node, from: Node, home: MilestoneId) {
        let dependents = self.graph.dependents(what);
        let outside = dependents.into_iter().filter(|node| node.milestone() != home);
        outside.for_each(|node| self.link(from, node, None));
    }

    /// As many as make a picture, what is done left out first.
    fn fit(&self, shown: &[Node]) -> (Vec<Node>, usize) {
        let left_out = shown.len().saturating_sub(limits::GRAPH_NODES_MAX);
        let done = |node: &&Node| self.is_done(**node);
        let (done, open): (Vec<&Node>, Vec<&Node>) = shown.iter().partition(done);
        let kept: BTreeSet<Node> =
            open.into_iter().chain(done).take(limits::GRAPH_NODES_MAX).copied().collect();
        (shown.iter().filter(|node| kept.contains(node)).copied().collect(), left_out)
    }

    /// Puts the nodes in order, and says the links by their places in it.
    fn number(&self, ids: &[Node]) -> (Vec<Node>, Vec<Edge>) {
        let edges = |ids: &[Node]| -> Vec<Edge> {
            let at: BTreeMap<Node, usize> =
                ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
            let edge = |((from, to), link): (&(Node, Node), &Link)| {
                let (from, to) = (*at.get(from)?, *at.get(to)?);
                Some(Edge { from, to, condition: link.condition.clone(), met: !link.open })
            };
            self.links.iter().filter_map(edge).collect()
        };
        let ends: Vec<_> = edges(ids).iter().map(|edge| (edge.from, edge.to)).collect();
        let ids: Vec<Node> = order(ids.len(), &ends).into_iter().map(|at| ids[at]).collect();
        let edges = edges(&ids);
        (ids, edges)
    }
}

/// What a node looks like.
struct Look<'a> {
    snapshot: &'a Snapshot,
    board: &'a Board<'a>,
    plan: Option<&'a Plan<'a, 'a>>,
    only: Option<MilestoneId>,
}

impl Look<'_> {
    fn node(&self, id: Node, provided: &BTreeSet<&str>) -> GraphNode {
        let milestone = self.snapshot.outline(id.milestone());
        let (stage, status, percent, ready, waits) = match id {
            Node::Milestone(_) => milestone.map(|outline| self.milestone(outline)),
            Node::Task(id) => self.snapshot.task(id).map(|task| self.task(id, task)),
        }
        .unwrap_or((Stage::ToDo, "missing", 0, false, Vec::new()));
        let closed = matches!(stage, Stage::Done | Stage::Cancelled);
        let window = self.plan.and_then(|plan| plan.window(id));
        let missing = |name: &&String| !self.board.holds(name) && !provided.contains(name.as_str());
        let mut conditions: Vec<String> = waits.into_iter().filter(missing).cloned().collect();
        conditions.sort();
        conditions.dedup();
        GraphNode {
            id,
            title: Related::of(self.snapshot, id).title.unwrap_or_default(),
            stage,
            status,
            percent,
            ready,
            critical: !closed && window.is_some_and(|window| window.critical),
            outside: self.only.is_some_and(|only| only != id.milestone()),
            conditions: if closed { Vec::new() } else { conditions },
        }
    }

    fn milestone<'o>(&self, outline: &'o Outline) -> Known<'o> {
        let status = outline.status;
        let waiting = !self.board.milestone_reasons(outline).is_empty();
        let can = |task: &TaskOutline| self.is_ready(TaskId::new(outline.id, task.number));
        let ready = match outline.tasks.is_empty() {
            true => !status.is_closed() && !waiting,
            false => outline.tasks.iter().any(can),
        };
        let own = outline.conditions.iter();
        let waits = own.chain(outline.tasks.iter().flat_map(|task| &task.conditions)).collect();
        (status.into(), status.word(), outline.progress.percentage, ready, waits)
    }

    fn task<'o>(&self, id: TaskId, task: &'o TaskOutline) -> Known<'o> {
        let status = task.status;
        let percent = if status == TaskStatus::Completed { 100 } else { task.percent.min(100) };
        let waits = task.conditions.iter().collect();
        (status.into(), status.word(), percent, self.is_ready(id), waits)
    }

    fn is_ready(&self, id: TaskId) -> bool {
        matches!(self.board.readiness(id), Readiness::Ready { .. })
    }
}

/// Stage, status, percent, whether it is ready, and the conditions it names.
type Known<'o> = (Stage, &'static str, u32, bool, Vec<&'o String>);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::views::testing::{TODAY, project, task};

    fn told(view: &GraphView) -> Vec<String> {
        let edge = |edge: &Edge| {
            let name = |at: usize| view.nodes[at].id.to_string();
            let condition =
                edge.condition.as_deref().map(|c| format!(" ({c})")).unwrap_or_default();
            let met = if edge.met { " met" } else { "" };
            format!("{} -> {}{condition}{met}", name(edge.from), name(edge.to))
        };
        view.edges.iter().map(edge).collect()
    }

    fn programme() -> Snapshot {
        project(&[
            json!({"id": "milestone-001", "title": "A", "status": "completed",
                "provides": ["schema"], "tasks": [task(1, &json!({"status": "completed"}))]}),
            json!({"id": "milestone-002", "title": "B",
                "dependencies": {"requires": ["milestone-001"], "conditions": ["approved"]},
                "tasks": [task(1, &json!({})), task(2, &json!({"requires": ["task-001"]}))]}),
            json!({"id": "milestone-003", "title": "C", "tasks": [
                task(1, &json!({"conditions": ["schema"]})),
                task(2, &json!({"requires": ["task-002-002"]}))]}),
            json!({"id": "milestone-004", "title": "D"}),
            json!({"id": "milestone-005", "title": "E", "status": "cancelled"}),
        ])
    }

    #[test]
    fn milestones_are_linked_by_requirements_and_conditions_of_theirs_and_their_tasks() {
        let view = graph(&programme(), None, TODAY);
        assert_eq!(
            told(&view),
            [
                "milestone-001 -> milestone-002 met",
                "milestone-001 -> milestone-003 (schema) met",
                "milestone-002 -> milestone-003",
            ]
        );
        assert_eq!(view.layers.len(), 3);
        let slots = view.layers.iter().flatten().filter(|slot| matches!(slot, Slot::Node(_)));
        assert_eq!((slots.count(), view.nodes.len()), (3, 4), "what has no edges is in no layer");
        assert_eq!(view.nodes[1].conditions, ["approved"]);
        let ready: Vec<_> = view.nodes.iter().map(|node| node.ready).collect();
        assert_eq!(ready, [false, false, true, true]);
    }

    #[test]
    fn one_milestone_shows_its_tasks_and_their_neighbours() {
        let view = graph(&programme(), Some(MilestoneId(2)), TODAY);
        assert_eq!(
            told(&view),
            [
                "milestone-001 -> task-002-001 met",
                "task-002-001 -> task-002-002",
                "task-002-002 -> task-003-002",
            ]
        );
        let outside: Vec<_> = view.nodes.iter().map(|node| node.outside).collect();
        assert_eq!(outside, [true, false, false, true]);
        let alone = graph(&programme(), Some(MilestoneId(4)), TODAY);
        assert_eq!(alone.nodes.len(), 1);
    }

    #[test]
    fn a_cycle_is_drawn_and_named() {
        let snapshot = project(&[json!({"id": "milestone-001", "title": "A", "tasks": [
            task(1, &json!({"requires": ["task-002"]})), task(2, &json!({"requires": ["task-001"]})),
        ]})]);
        let view = graph(&snapshot, Some(MilestoneId(1)), TODAY);
        assert_eq!((view.nodes.len(), view.edges.len()), (2, 2));
        assert!(view.cycle.is_some());
    }

    #[test]
    fn of_too_many_nodes_the_open_ones_stay() {
        let many: Vec<_> = (1..=100)
            .map(|n| {
                json!({"id": format!("milestone-{n:03}"), "title": "M",
            "status": if n <= 50 { "completed" } else { "planned" }})
            })
            .collect();
        let view = graph(&project(&many), None, TODAY);
        assert_eq!((view.nodes.len(), view.left_out), (80, 20));
        assert_eq!(view.nodes.iter().filter(|node| node.stage == Stage::Done).count(), 30);
        assert_eq!(graph(&Snapshot::default(), None, TODAY).nodes, []);
    }
}
