//! What is required must exist, and must not in the end require itself.

use std::collections::BTreeSet;

use super::Work;
use crate::dependencies::Dependencies;
use crate::ids::{MilestoneId, Node, TaskId};
use crate::planted::planted;
use crate::refusal::Refusal;
use crate::snapshot::Snapshot;

/// Judges the edges that a decision adds to one milestone. Edges that were there before are not
/// judged again: a cycle that a merge brought in must not stand in the way of mending it.
pub(super) fn check(work: &Work<'_>, id: MilestoneId) -> Result<(), Refusal> {
    let before: BTreeSet<Node> =
        work.before.outline(id).map(|outline| outline.waits_for().collect()).unwrap_or_default();
    let now: BTreeSet<Node> = work.outline(id)?.waits_for().collect();
    for node in now.difference(&before) {
        if !exists(&work.now, *node) {
            return Err(work.unknown(*node));
        }
    }
    let (old, new) = (Dependencies::of(work.before), Dependencies::of(&work.now));
    match new.cycle_not_in(&old, id) {
        Some(_) if planted("cycle unchecked") => Ok(()),
        Some(path) => Err(Refusal::Cycle { path }),
        None => Ok(()),
    }
}

fn exists(snapshot: &Snapshot, node: Node) -> bool {
    match node {
        Node::Milestone(id) => {
            snapshot.outlines.contains_key(&id) || snapshot.archived.contains(&id)
        }
        Node::Task(id) => snapshot.task(id).is_some(),
    }
}

/// The open nodes that wait for this one.
pub(super) fn referring(snapshot: &Snapshot, wanted: Node) -> Vec<Node> {
    let mut by = Vec::new();
    for outline in snapshot.outlines.values().filter(|outline| !outline.archived) {
        let requires = |references: &[crate::ids::Reference]| {
            references.iter().any(|reference| reference.node(outline.id) == wanted)
        };
        if requires(&outline.requires) {
            by.push(Node::Milestone(outline.id));
        }
        let tasks = outline.tasks.iter().filter(|task| requires(&task.requires));
        by.extend(tasks.map(|task| Node::Task(TaskId::new(outline.id, task.number))));
    }
    by
}
