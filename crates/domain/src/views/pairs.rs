//! Things that get in each other's way, always named as the pair they are.

use std::collections::BTreeSet;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use crate::ids::{MilestoneId, Node, TaskId};
use crate::readiness::path_parts;
use crate::snapshot::{Outline, Snapshot};

/// How many pairs are named; a list that nobody can read to its end helps nobody.
const PAIRS_MAX: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Pair {
    /// Both may be worked on now, and touch the same files.
    Resource { first: TaskId, second: TaskId, path: String },
    /// The second is due before the first, which it requires.
    DueOrder { first: Node, first_due: Date, second: Node, second_due: Date },
    /// The second is to start before the first, which it requires, is due.
    StartOrder { first: Node, first_due: Date, second: Node, second_start: Date },
    /// The task is due after its milestone.
    TaskAfterMilestone { first: Node, first_due: Date, second: Node, second_due: Date },
}

impl Pair {
    pub(super) fn concerns(&self, id: MilestoneId) -> bool {
        let (first, second) = match self {
            Self::Resource { first, second, .. } => (Node::Task(*first), Node::Task(*second)),
            Self::DueOrder { first, second, .. }
            | Self::StartOrder { first, second, .. }
            | Self::TaskAfterMilestone { first, second, .. } => (*first, *second),
        };
        first.milestone() == id || second.milestone() == id
    }
}

/// Overlapping resources among tasks that could be worked on at the same time.
///
/// Sorted by their steps, a folder stands right before what lies in it, so each path is compared
/// with the one it lies in and not with all.
pub(super) fn overlaps(active: &[(TaskId, &[String])]) -> Vec<Pair> {
    let mut paths: Vec<(Vec<&str>, TaskId, &str)> = active
        .iter()
        .flat_map(|(id, resources)| {
            resources.iter().map(|path| (path_parts(path).collect(), *id, path.as_str()))
        })
        .collect();
    paths.sort_unstable();
    let mut named = BTreeSet::new();
    let mut pairs = Vec::new();
    let mut around: Vec<&(Vec<&str>, TaskId, &str)> = Vec::new();
    for inner in &paths {
        while around.last().is_some_and(|outer| !inner.0.starts_with(&outer.0)) {
            around.pop();
        }
        if let Some(outer) = around.last().filter(|outer| outer.1 != inner.1) {
            let (first, second) = (outer.1.min(inner.1), outer.1.max(inner.1));
            if pairs.len() < PAIRS_MAX && named.insert((first, second)) {
                pairs.push(Pair::Resource { first, second, path: inner.2.to_owned() });
            }
        }
        around.push(inner);
    }
    pairs
}

/// Dates of open milestones that contradict each other.
pub(super) fn dates(snapshot: &Snapshot) -> Vec<Pair> {
    let open = snapshot.open().filter(|outline| !outline.status.is_closed());
    open.flat_map(|outline| required(snapshot, outline).chain(own_tasks(outline)))
        .take(PAIRS_MAX)
        .collect()
}

fn required<'a>(snapshot: &'a Snapshot, outline: &'a Outline) -> impl Iterator<Item = Pair> + 'a {
    let second = Node::Milestone(outline.id);
    outline.requires.iter().filter_map(move |reference| {
        let first = reference.node(outline.id);
        let first_due = match first {
            Node::Milestone(id) => {
                snapshot.outline(id).filter(|other| !other.status.is_closed())?.due?
            }
            Node::Task(id) => snapshot.task(id).filter(|task| !task.status.is_closed())?.due?,
        };
        if let Some(second_due) = outline.due.filter(|due| *due < first_due) {
            return Some(Pair::DueOrder { first, first_due, second, second_due });
        }
        let second_start = outline.start.filter(|start| *start < first_due)?;
        Some(Pair::StartOrder { first, first_due, second, second_start })
    })
}

fn own_tasks(outline: &Outline) -> impl Iterator<Item = Pair> + '_ {
    let open = outline.tasks.iter().filter(|task| !task.status.is_closed());
    open.filter_map(|task| {
        let (first_due, second_due) = (outline.due?, task.due?);
        (second_due > first_due).then(|| Pair::TaskAfterMilestone {
            first: Node::Milestone(outline.id),
            first_due,
            second: Node::Task(TaskId::new(outline.id, task.number)),
            second_due,
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::views::testing::{project, task};

    #[test]
    fn a_folder_and_what_lies_in_it_are_a_pair() {
        let paths = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let id = |number| TaskId::new(MilestoneId(1), number);
        let cases = [
            ("src/auth", "src/auth/login.rs", vec!["src/auth/login.rs"]),
            ("src/authz", "src/auth", vec![]),
            ("a ./src", "src/x src/y", vec!["src/x"]),
            ("src", "src", vec!["src"]),
        ];
        for (ours, theirs, expected) in cases {
            let (ours, theirs) = (paths(ours), paths(theirs));
            let pairs = overlaps(&[(id(1), &ours), (id(2), &theirs)]);
            let named = pairs.iter().map(|pair| match pair {
                Pair::Resource { path, .. } => path.as_str(),
                _ => "",
            });
            assert_eq!(named.collect::<Vec<_>>(), expected, "{ours:?} {theirs:?}");
        }
    }

    #[test]
    fn dates_that_contradict_each_other_are_named() {
        let snapshot = project(&[
            json!({"id": "milestone-001", "title": "A", "due": "2026-12-20",
                "tasks": [task(1, &json!({"due": "2026-12-24"}))]}),
            json!({"id": "milestone-002", "title": "B", "due": "2026-12-10",
                "dependencies": {"requires": ["milestone-001"]}}),
            json!({"id": "milestone-003", "title": "C", "start": "2026-12-10",
                "dependencies": {"requires": ["milestone-001"]}}),
        ]);
        let pairs = dates(&snapshot);
        assert!(matches!(pairs[0], Pair::TaskAfterMilestone { .. }));
        assert!(matches!(pairs[1], Pair::DueOrder { .. }));
        assert!(matches!(pairs[2], Pair::StartOrder { .. }));
        assert_eq!(pairs.len(), 3);
    }
}
