//! What it costs the rest when something does not go on.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::dependencies::{Dependencies, Plan};
use crate::effort::Effort;
use crate::ids::Node;
use crate::snapshot::Snapshot;

/// A day more of waiting.
const A_DAY: Effort = Effort::from_minutes(8 * 60);

/// What moves with one thing that waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Impact {
    /// Other tasks that finish later for every day that it lasts longer.
    pub tasks: usize,
    /// Other milestones that do, beside its own.
    pub milestones: usize,
    /// Every such day moves the finish of everything.
    pub critical: bool,
}

impl Impact {
    pub fn of(node: Node, plan: Option<&Plan<'_, '_>>) -> Self {
        let moved = plan.map(|plan| plan.slip(node, A_DAY)).unwrap_or_default();
        let own = [node, Node::Milestone(node.milestone())];
        let moved = || moved.iter().map(|(node, _)| *node).filter(|node| !own.contains(node));
        Self {
            tasks: moved().filter(|node| matches!(node, Node::Task(_))).count(),
            milestones: moved().filter(|node| matches!(node, Node::Milestone(_))).count(),
            critical: plan.and_then(|plan| plan.window(node)).is_some_and(|window| window.critical),
        }
    }
}

/// Of each of these.
pub fn impacts(snapshot: &Snapshot, of: &[Node], today: Date) -> BTreeMap<Node, Impact> {
    if of.is_empty() {
        return BTreeMap::new();
    }
    let graph = Dependencies::of(snapshot);
    let plan = graph.plan(snapshot, today);
    of.iter().map(|node| (*node, Impact::of(*node, plan.as_ref()))).collect()
}
