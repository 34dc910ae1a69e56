//! What a command must read before it can be decided.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::change::FieldChange;
use crate::command::Command;
use crate::ids::{MilestoneId, Node, Reference, TaskId};
use crate::snapshot::{Outline, Part, Scope, Snapshot, Versions};
use crate::status::TaskStatus;

/// Pure and beside `decide`: a store never guesses what a rule will look at.
pub fn needs(command: &Command) -> Scope {
    match command {
        Command::Plan { draft } => Scope::Graph(Outline::of(draft).required()),
        Command::Adopt { document } => {
            Scope::Graph(with(document.id, Outline::of(document).required()))
        }
        Command::Amend { milestone, changes } | Command::TakeIn { milestone, changes } => {
            let mut edges = changes.iter().filter(|change| touches_edges(change)).peekable();
            if edges.peek().is_none() {
                return Scope::Milestone(*milestone);
            }
            Scope::Graph(with(*milestone, edges.flat_map(required)))
        }
        Command::AddTask { milestone, draft } => {
            // A new task without edges can close no cycle.
            if draft.requires.is_empty() && draft.conditions.is_empty() && draft.provides.is_empty()
            {
                return Scope::Milestone(*milestone);
            }
            let required = draft.requires.iter().map(|on| on.node(*milestone).milestone());
            Scope::Graph(with(*milestone, required))
        }
        Command::ChangeMilestone { milestone, .. }
        | Command::NoteMilestone { milestone, .. }
        | Command::AddCriterion { milestone, .. }
        | Command::Archive { milestone, .. }
        | Command::MeetCriterion { milestone, .. }
        | Command::DecideGate { milestone, .. } => Scope::Milestone(*milestone),
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

/// The parts of what was read whose change would make the answer to a command another one.
///
/// Most commands look at all they read. Those of workers look at their task and at what it waits
/// for, so that many of them work in one milestone without disturbing one another.
pub fn rests_on(command: &Command, snapshot: &Snapshot) -> Versions {
    let task = match command {
        Command::ChangeTask { task, .. }
        | Command::Claim { task, .. }
        | Command::Release { task, .. }
        | Command::Progress { task, .. }
        | Command::Note { task, .. } => *task,
        _ => return chosen(snapshot, |part| part != Part::Resources),
    };
    let begins = match command {
        Command::Claim { .. } => true,
        Command::ChangeTask { to, .. } => *to == TaskStatus::InProgress,
        _ => false,
    };
    let parts = parts_of_task(task, begins, snapshot);
    chosen(snapshot, |part| parts.contains(&part))
}

fn chosen(snapshot: &Snapshot, choose: impl Fn(Part) -> bool) -> Versions {
    let versions = snapshot.versions.iter().filter(|(part, _)| choose(**part));
    versions.map(|(part, version)| (*part, version.clone())).collect()
}

fn parts_of_task(id: TaskId, begins: bool, snapshot: &Snapshot) -> BTreeSet<Part> {
    let mut parts = BTreeSet::from([Part::Milestone(id.milestone), Part::Task(id)]);
    let Some(outline) = snapshot.outline(id.milestone) else { return parts };
    let Some(task) = outline.task(id.number) else { return parts };
    for required in outline.requires.iter().chain(&task.requires) {
        let node = required.node(id.milestone);
        parts.insert(Part::Milestone(node.milestone()));
        if let Node::Task(required) = node {
            parts.insert(Part::Task(required));
        }
    }
    // Whether an earlier phase is done is for all its tasks to say.
    if !outline.phases.is_empty() {
        let all = outline.tasks.iter().map(|task| TaskId::new(id.milestone, task.number));
        parts.extend(all.map(Part::Task));
    }
    if outline.has_conditions() {
        parts.insert(Part::Graph);
    }
    if begins && !task.resources.is_empty() {
        parts.insert(Part::Resources);
    }
    parts
}

fn with(
    milestone: MilestoneId,
    others: impl IntoIterator<Item = MilestoneId>,
) -> BTreeSet<MilestoneId> {
    others.into_iter().chain([milestone]).collect()
}

/// What a change newly requires: it may be filed away, where only those look who know of it.
fn required(change: &FieldChange) -> BTreeSet<MilestoneId> {
    let mut found = BTreeSet::new();
    let listed = change.path.steps().iter().any(|step| step == "requires");
    change.after.iter().for_each(|after| collect(after, listed, &mut found));
    found
}

fn collect(value: &Value, listed: bool, found: &mut BTreeSet<MilestoneId>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| collect(value, listed || key == "requires", found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, listed, found)),
        Value::String(text) if listed => match text.parse() {
            Ok(Reference::Milestone(id)) => found.extend([id]),
            Ok(Reference::Task(id)) => found.extend([id.milestone]),
            Ok(Reference::Own(_)) | Err(_) => {}
        },
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a change may close a cycle or break a reference.
pub fn touches_edges(change: &FieldChange) -> bool {
    let steps = change.path.steps();
    let edge = |key: &str| matches!(key, "requires" | "conditions" | "provides" | "phase");
    match steps {
        [] => true,
        [list] | [list, _] if list == "tasks" => true,
        [section, ..] if section == "dependencies" || section == "provides" => true,
        [section, ..] if matches!(section.as_str(), "deliverables" | "phases" | "archived") => true,
        [list, _, key, ..] if list == "tasks" => edge(key),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::change::Path;
    use crate::command::Credential;

    #[test]
    fn a_workers_command_rests_on_its_task_and_what_that_waits_for() {
        let tree = json!({"id": "milestone-001", "title": "M", "tasks": [
            {"id": "task-001", "title": "A"},
            {"id": "task-002", "title": "B", "requires": ["task-001"], "resources": ["src"]},
            {"id": "task-003", "title": "C"}]});
        let home = MilestoneId(1);
        let [a, b, c] = [1, 2, 3].map(|number| TaskId::new(home, number));
        let mut snapshot = Snapshot::default();
        snapshot.insert(serde_json::from_value(tree).unwrap());
        let tasks = [a, b, c].map(Part::Task);
        let read = [Part::Milestone(home), Part::Resources, Part::Graph].into_iter().chain(tasks);
        snapshot.versions = read.map(|part| (part, "1".to_owned())).collect();
        let rests = |command| rests_on(&command, &snapshot).into_keys().collect::<Vec<_>>();
        let credential = Credential::default();
        let note = |task| Command::Note { task, text: "n".into(), credential };
        assert_eq!(rests(note(a)), [Part::Milestone(home), Part::Task(a)]);
        assert_eq!(rests(note(b)), [Part::Milestone(home), Part::Task(a), Part::Task(b)]);
        let attempt = crate::event::AttemptId(uuid::Uuid::nil());
        let claim = Command::Claim { task: b, attempt, lease_seconds: 60 };
        let begun = [Part::Milestone(home), Part::Task(a), Part::Task(b), Part::Resources];
        assert_eq!(rests(claim), begun);
        let all = rests(Command::RemoveTask { task: a });
        assert_eq!(all.len(), 5, "everything but what is being worked on: {all:?}");
    }

    #[test]
    fn what_a_change_newly_requires_is_read() {
        let home = MilestoneId(1);
        let scope = |path: &[&str], after: Value| {
            let path = path.iter().fold(Path::root(), |path, step| path.key(step));
            let changes = vec![FieldChange { path, before: None, after: Some(after) }];
            needs(&Command::Amend { milestone: home, changes })
        };
        let graph = |ids: &[u32]| Scope::Graph(ids.iter().copied().map(MilestoneId).collect());
        let own = ["tasks", "task-001", "requires"];
        assert_eq!(scope(&own, json!(["task-002", "task-007-001"])), graph(&[1, 7]));
        assert_eq!(scope(&["dependencies", "requires"], json!(["milestone-002"])), graph(&[1, 2]));
        let new = json!({"title": "3", "requires": ["4.1"]});
        assert_eq!(scope(&["tasks", "task-002"], new), graph(&[1, 4]));
        assert_eq!(scope(&["title"], json!("milestone-002")), Scope::Milestone(home));
    }
}
