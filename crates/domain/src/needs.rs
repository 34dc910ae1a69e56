//! What a command must read before it can be decided.

use std::collections::BTreeSet;

use crate::change::FieldChange;
use crate::command::Command;
use crate::snapshot::Scope;

/// Pure and beside `decide`: a store never guesses what a rule will look at.
pub fn needs(command: &Command) -> Scope {
    match command {
        Command::Plan { .. } => Scope::Graph(BTreeSet::new()),
        Command::Adopt { document } => Scope::Graph(BTreeSet::from([document.id])),
        Command::Amend { milestone, changes } | Command::TakeIn { milestone, changes } => {
            if changes.iter().any(touches_edges) {
                return Scope::Graph(BTreeSet::from([*milestone]));
            }
            Scope::Milestone(*milestone)
        }
        Command::AddTask { milestone, draft } => {
            // A new task without edges can close no cycle.
            if draft.requires.is_empty() && draft.conditions.is_empty() && draft.provides.is_empty()
            {
                return Scope::Milestone(*milestone);
            }
            Scope::Graph(BTreeSet::from([*milestone]))
        }
        Command::ChangeMilestone { milestone, .. }
        | Command::AddCriterion { milestone, .. }
        | Command::Archive { milestone, .. }
        | Command::MeetCriterion { milestone, .. } => Scope::Milestone(*milestone),
        Command::ChangeTask { task, .. }
        | Command::Claim { task, .. }
        | Command::Release { task, .. }
        | Command::Progress { task, .. }
        | Command::Note { task, .. } => Scope::Milestone(task.milestone),
        Command::RemoveTask { task } => Scope::Graph(BTreeSet::from([task.milestone])),
        Command::MoveTask { task, to } => Scope::Graph(BTreeSet::from([task.milestone, *to])),
        Command::SetCondition { .. } | Command::ClearCondition { .. } => {
            Scope::Graph(BTreeSet::new())
        }
        Command::Renumber { from, referring, .. } => {
            Scope::Graph(referring.iter().copied().chain([*from]).collect())
        }
    }
}

/// Whether a change may close a cycle or break a reference.
pub fn touches_edges(change: &FieldChange) -> bool {
    let steps = change.path.steps();
    let edge = |key: &str| matches!(key, "requires" | "conditions" | "provides");
    match steps {
        [] => true,
        [list] | [list, _] if list == "tasks" => true,
        [section, ..] if section == "dependencies" || section == "provides" => true,
        [section, ..] if section == "deliverables" || section == "archived" => true,
        [list, _, key, ..] if list == "tasks" => edge(key),
        _ => false,
    }
}
