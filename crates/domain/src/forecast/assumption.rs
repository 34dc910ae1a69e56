//! What a forecast takes for granted, because nobody can lay it out in time.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::network::{Known, Network};
use crate::effort::Effort;
use crate::ids::{Node, TaskId};
use crate::limits;
use crate::readiness::{Board, Readiness, Reason, spoken};

/// Something that a forecast takes for granted.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Assumption {
    /// What holds these back has no known end; it is counted as over from today on.
    Over { reason: Reason, nodes: Vec<Node> },
    /// Nobody estimated these tasks; each is counted as this much.
    Unestimated { tasks: Vec<TaskId>, each: Effort },
    /// It has neither tasks nor a duration; it is counted as nothing.
    NothingPlanned { milestone: Node },
}

impl fmt::Display for Assumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Over { reason, nodes } => {
                named(f, nodes)?;
                match (reason, nodes.first()) {
                    (Reason::Milestone { status, .. }, Some(Node::Milestone(_))) => {
                        write!(f, ": {}", spoken(status.word()))?;
                    }
                    _ => write!(f, ": {}", reason.to_string().trim_end_matches('.'))?,
                }
                let again = matches!(reason, Reason::Failed { .. });
                f.write_str(if again {
                    "; counted as to be redone"
                } else {
                    "; counted as over today"
                })
            }
            Self::Unestimated { tasks, each } => {
                let nodes: Vec<Node> = tasks.iter().copied().map(Node::Task).collect();
                named(f, &nodes)?;
                write!(f, ": not estimated; counted as {each} each")
            }
            Self::NothingPlanned { milestone } => {
                write!(f, "{milestone}: neither tasks nor a duration; counted as nothing")
            }
        }
    }
}

/// The first of them by name, and how many others.
fn named(f: &mut fmt::Formatter<'_>, nodes: &[Node]) -> fmt::Result {
    match nodes {
        [] => f.write_str("nothing"),
        [one] => write!(f, "{one}"),
        [first, second] => write!(f, "{first} and {second}"),
        [first, rest @ ..] => write!(f, "{first} and {} others", rest.len()),
    }
}

/// Everything that is taken for granted about the work in a network.
pub(super) fn assumptions(known: &Known<'_>, network: &Network) -> Vec<Assumption> {
    let board = Board::new(known.snapshot, known.today);
    let mut over: Vec<(Reason, Vec<Node>)> = Vec::new();
    let mut unestimated = Vec::new();
    for item in network.nodes.iter().filter(|item| item.work.is_some()) {
        for reason in reasons(known, &board, item.node) {
            if has_an_end(known, network, &reason) {
                continue;
            }
            match over.iter_mut().find(|(other, _)| *other == reason) {
                Some((_, nodes)) => nodes.push(item.node),
                None => over.push((reason, vec![item.node])),
            }
        }
        if let Node::Task(id) = item.node
            && known.snapshot.task(id).is_some_and(|task| task.estimate.is_none())
        {
            unestimated.push(id);
        }
    }
    let mut found: Vec<Assumption> =
        over.into_iter().map(|(reason, nodes)| Assumption::Over { reason, nodes }).collect();
    if !unestimated.is_empty() {
        found.push(Assumption::Unestimated { tasks: unestimated, each: limits::ASSUMED_EFFORT });
    }
    let empty = network.milestones.iter().filter(|group| !group.planned);
    found.extend(
        empty.map(|group| Assumption::NothingPlanned { milestone: Node::Milestone(group.id) }),
    );
    found
}

fn reasons(known: &Known<'_>, board: &Board<'_>, node: Node) -> Vec<Reason> {
    match node {
        Node::Task(id) => match board.readiness(id) {
            Readiness::Waiting { reasons } => reasons,
            Readiness::Ready { .. } | Readiness::Held { .. } | Readiness::Closed => Vec::new(),
        },
        Node::Milestone(id) => known
            .snapshot
            .outline(id)
            .map_or(Vec::new(), |outline| board.milestone_reasons(outline)),
    }
}

/// Whether the simulation itself knows when this is over.
fn has_an_end(known: &Known<'_>, network: &Network, reason: &Reason) -> bool {
    let in_network = |node: &Node| network.nodes.iter().any(|item| item.node == *node);
    match reason {
        // Whoever uses its files is at work; how long they stay in use is not simulated.
        Reason::Requires { .. } | Reason::NotBefore { .. } | Reason::Resource { .. } => true,
        Reason::Condition { provided_by, .. } => match provided_by.as_slice() {
            [only] => known.graph.done(*only).is_some() && in_network(only),
            _ => false,
        },
        Reason::Missing { .. }
        | Reason::Cancelled { .. }
        | Reason::External { .. }
        | Reason::Milestone { .. }
        | Reason::Archived
        | Reason::Blocked { .. }
        | Reason::Failed { .. }
        // Nobody knows how long an approval takes.
        | Reason::Gate { .. } => false,
    }
}
