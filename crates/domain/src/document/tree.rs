//! A document as a tree of values, for everything that works on "the field at this path":
//! differences, hand edits, merges, and the edits of the YAML text.
//!
//! In the tree, tasks and criteria are mappings from their id, so that a path keeps its meaning
//! when the list around it changes. Empty values are left out: `labels: []` says what no key says.

use serde_json::{Map, Value};

use super::{DocumentError, Milestone};
use crate::change::{FieldChange, Path, difference};
use crate::ids::MilestoneId;

/// Whose word a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOwner {
    /// Taken from the document, by the same rules as any command.
    Person,
    /// Comes from events only; a hand edit of one is shown and put back.
    Program,
}

/// The lists whose items have an identity of their own.
const IDENTIFIED: [&str; 2] = ["tasks", "criteria"];

/// The order in which a new document writes its keys, and where a new key of an old one goes.
pub const CANONICAL_ORDER: &[&str] = &[
    "format",
    "id",
    "uid",
    "title",
    "description",
    "status",
    "reason",
    "priority",
    "category",
    "component",
    "theme",
    "release",
    "labels",
    "assignee",
    "owner",
    "team",
    "team_size",
    "created",
    "start",
    "due",
    "duration",
    "buffer",
    "goals",
    "learning_goals",
    "target_users",
    "focus_areas",
    "composition",
    "features",
    "prds",
    "stories",
    "dependencies",
    "provides",
    "resources",
    "phases",
    "gates",
    "tasks",
    "criteria",
    "verify",
    "deliverables",
    "risks",
    "success_metrics",
    "technical",
    "performance_requirements",
    "security_requirements",
    "communication",
    "required_resources",
    "testing",
    "review",
    "documentation",
    "post_completion",
    "next_steps",
    "lessons",
    "started_at",
    "completed_at",
    "retired_tasks",
    "progress",
];

/// The same for the keys of a task.
pub const TASK_ORDER: &[&str] = &[
    "id",
    "title",
    "description",
    "status",
    "reason",
    "kind",
    "priority",
    "assignee",
    "labels",
    "phase",
    "estimate",
    "weight",
    "progress",
    "start",
    "due",
    "requires",
    "conditions",
    "provides",
    "resources",
    "runner",
    "run",
    "verify",
    "effect",
    "story",
    "attempts",
    "started_at",
    "started_by",
    "completed_at",
    "interrupted",
];

/// Other names under which a key may stand in a document; the program edits the one it finds.
pub fn aliases(key: &str, in_task: bool) -> &'static [&'static str] {
    match (key, in_task) {
        ("assignee", _) => &["assigned_agent", "assigned_to"],
        ("due", false) => &["due_date", "target", "target_date"],
        ("due", true) => &["due_date"],
        ("start", true) => &["not_before"],
        ("requires", true) => &["depends_on", "dependencies"],
        ("goals", false) => &["objectives"],
        _ => &[],
    }
}

pub fn key_owner(path: &Path) -> KeyOwner {
    let program = match path.steps() {
        [section, ..] if section == "gates" => true,
        [key] => matches!(
            key.as_str(),
            "id" | "uid" | "format" | "started_at" | "completed_at" | "retired_tasks"
        ),
        [list, _, key, ..] if list == "tasks" => {
            let key = key.as_str();
            matches!(key, "attempts" | "started_at" | "started_by" | "completed_at" | "interrupted")
        }
        [list, _, key, ..] if list == "criteria" => key == "met",
        _ => false,
    };
    if program { KeyOwner::Program } else { KeyOwner::Person }
}

impl Milestone {
    /// What the document says, without what is computed.
    pub fn tree(&self) -> Value {
        let mut tree = self.whole_tree();
        if let Value::Object(map) = &mut tree {
            map.shift_remove("progress");
            if self.archived {
                map.insert("archived".to_owned(), Value::Bool(true));
            }
            for list in IDENTIFIED {
                // There even when empty, so that a change is always one of an item.
                let items = map.entry(list).or_insert_with(|| Value::Array(Vec::new()));
                *items = by_identity(items.take());
            }
        }
        tree
    }

    /// The document as people and scripts read it: lists are lists, computed keys are there.
    pub fn whole_tree(&self) -> Value {
        // Every key is a field's name and every value serializes, so there is nothing to fail.
        pruned(serde_json::to_value(self).unwrap_or_default())
    }

    /// The smallest set of field changes that makes this document say what the other one does.
    pub fn changes_to(&self, other: &Self) -> Vec<FieldChange> {
        // Trees of all tasks cost much more than to see that most are the same.
        let both = self.tasks.iter().zip(&other.tasks);
        let same: Vec<bool> = both.map(|(one, other)| one == other).collect();
        difference(&self.without(&same).tree(), &other.without(&same).tree())
    }

    /// Without the tasks at the places that are marked.
    fn without(&self, marked: &[bool]) -> Self {
        let mut rest = self.clone();
        let mut marked = marked.iter().copied();
        rest.tasks.retain(|_| !marked.next().unwrap_or(false));
        rest
    }

    pub fn from_tree(mut tree: Value, archived: bool) -> Result<Self, DocumentError> {
        if let Value::Object(map) = &mut tree {
            map.shift_remove("archived");
            for list in IDENTIFIED {
                if let Some(Value::Object(items)) = map.get_mut(list) {
                    let items = std::mem::take(items).into_iter().map(|(_, item)| item).collect();
                    map.insert(list.to_owned(), Value::Array(items));
                }
            }
        }
        let milestone: Self = serde_json::from_value(tree)
            .map_err(|error| DocumentError { path: Path::root(), message: error.to_string() })?;
        Self { archived, ..milestone }.checked()
    }
}

/// Without nulls, empty lists and empty mappings.
pub fn pruned(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| (key, pruned(value)))
                .filter(|(_, value)| !is_empty(value))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(pruned).collect()),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => value,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn by_identity(items: Value) -> Value {
    let Value::Array(items) = items else { return items };
    let keyed = items.into_iter().map(|item| {
        let id = match &item["id"] {
            Value::String(id) => id.clone(),
            other => other.to_string(),
        };
        (id, item)
    });
    Value::Object(keyed.collect::<Map<_, _>>())
}

/// The id under which a task of a document stands in its tree.
pub fn task_key(number: u32) -> String {
    crate::ids::TaskName::new(number).to_string()
}

/// Splits changes into those of a person's keys and those of the program's. An item that a person
/// added keeps what is theirs of it.
pub fn by_owner(changes: Vec<FieldChange>) -> (Vec<FieldChange>, Vec<FieldChange>) {
    let (mut person, mut program) = (Vec::new(), Vec::new());
    for mut change in changes {
        if key_owner(&change.path) == KeyOwner::Program {
            program.push(change);
            continue;
        }
        if let (None, Some(Value::Object(item))) = (&change.before, &mut change.after) {
            let path = change.path.clone();
            item.retain(|key, _| key == "id" || key_owner(&path.key(key)) == KeyOwner::Person);
        }
        person.push(change);
    }
    (person, program)
}

impl MilestoneId {
    /// The name of the document's file.
    pub fn file_name(self) -> String {
        format!("{self}.yaml")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn document() -> impl Strategy<Value = Milestone> {
        let tasks = proptest::collection::btree_map(1..8_u32, (0..3_u8, any::<bool>()), 0..6);
        (tasks, any::<bool>(), 0..2_u8).prop_map(|(tasks, archived, title)| {
            let task = |(number, (title, urgent)): (u32, (u8, bool))| {
                let priority = if urgent { "high" } else { "low" };
                json!({"id": task_key(number), "title": title.to_string(), "priority": priority})
            };
            let tasks: Vec<Value> = tasks.into_iter().map(task).collect();
            let tree = json!({"id": "milestone-001", "title": title.to_string(), "tasks": tasks});
            Milestone::from_tree(tree, archived).unwrap()
        })
    }

    proptest! {
        #[test]
        fn changes_are_the_difference_of_the_trees(one in document(), other in document()) {
            let by_path = |mut changes: Vec<FieldChange>| {
                changes.sort_by(|one, other| one.path.cmp(&other.path));
                changes
            };
            let all = difference(&one.tree(), &other.tree());
            prop_assert_eq!(by_path(one.changes_to(&other)), by_path(all));
        }
    }
}
