//! What whoever plans returns: a milestone as it might be, before any rule has judged it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::change::Path;
use crate::command::Command;
use crate::document::{
    CANONICAL_ORDER, DocumentError, KeyOwner, Milestone, TASK_ORDER, Task, aliases, key_owner,
    task_key,
};
use crate::ids::MilestoneId;

/// A milestone that nobody has decided on. Its id says nothing: the next free one is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub milestone: Milestone,
}

impl Draft {
    /// Any title: whether it may be one is judged with the rest.
    pub fn new(title: &str) -> Self {
        let mut milestone = Milestone::new(MilestoneId(0), "-");
        title.clone_into(&mut milestone.title);
        Self { milestone }
    }

    /// Reads a draft as people and models write it: a document without ids. Its tasks are numbered
    /// as they stand; a task may be no more than its title.
    pub fn read(tree: Value, title: Option<&str>) -> Result<Self, DocumentError> {
        let error = |message: &str| DocumentError { path: Path::root(), message: message.into() };
        let Value::Object(mut map) = tree else {
            return Err(error("a draft is a mapping of keys"));
        };
        map.insert("id".into(), json!(MilestoneId(0)));
        map.shift_remove("uid");
        if let Some(title) = title {
            map.insert("title".into(), title.into());
        }
        if !map.contains_key("title") {
            return Err(error("a draft has a `title`"));
        }
        if let Some(Value::Array(tasks)) = map.get_mut("tasks") {
            number(tasks);
        }
        known(&map, &Path::root(), CANONICAL_ORDER)?;
        let tasks = map.get("tasks").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (number, task) in tasks.iter().enumerate() {
            if let Value::Object(task) = task {
                let place = Path::root().key("tasks").key(&number.to_string());
                known(task, &place, TASK_ORDER)?;
            }
        }
        let read = Milestone::from_tree(Value::Object(map.clone()), false);
        match read {
            Ok(milestone) => Ok(Self { milestone: without_history(milestone) }),
            Err(error) => Err(blamed(&map).unwrap_or(error)),
        }
    }

    /// The command that makes a milestone of it, if the rules allow.
    pub fn command(&self) -> Command {
        Command::Plan { draft: Box::new(self.milestone.clone()) }
    }
}

/// A document keeps a key that nobody knows. A draft becomes a document and would lose it, so it is
/// refused: most are slips of whoever wrote it.
fn known(map: &Map<String, Value>, place: &Path, keys: &[&str]) -> Result<(), DocumentError> {
    let in_task = place != &Path::root();
    let is = |key: &str, name: &str| key == name || aliases(name, in_task).contains(&key);
    match map.keys().find(|key| !keys.iter().any(|name| is(key, name))) {
        None => Ok(()),
        Some(key) => {
            let what = if in_task { "a task" } else { "a draft" };
            let message = format!("{what} has no key `{key}`");
            Err(DocumentError { path: place.key(key), message })
        }
    }
}

fn number(tasks: &mut [Value]) {
    for (number, task) in (1..).zip(tasks) {
        if let Value::String(title) = task {
            *task = json!({ "title": title });
        }
        if let Value::Object(map) = task {
            map.entry("id").or_insert_with(|| task_key(number).into());
        }
    }
}

/// The key of a draft that cannot be read even by itself, and in a list the number of its item.
fn blamed(map: &Map<String, Value>) -> Option<DocumentError> {
    let alone = |key: &str, value: Value| {
        let mut tree = json!({ "id": MilestoneId(0), "title": "-" });
        tree[key] = value;
        Milestone::from_tree(tree, false).err()
    };
    map.iter().find_map(|(key, value)| {
        let path = Path::root().key(key);
        let error = alone(key, value.clone())?;
        let items = value.as_array().map_or(&[][..], Vec::as_slice);
        let item = items.iter().enumerate().find_map(|(number, item)| {
            let error = alone(key, json!([item]))?;
            Some(DocumentError { path: path.key(&number.to_string()), ..error })
        });
        Some(item.unwrap_or(DocumentError { path, ..error }))
    })
}

/// What the program writes tells of another document's life.
fn without_history(mut draft: Milestone) -> Milestone {
    draft.started_at = None;
    draft.completed_at = None;
    draft.retired_tasks.clear();
    for task in &mut draft.tasks {
        (task.attempts, task.started_at) = (None, None);
        (task.started_by, task.completed_at, task.interrupted) = (None, None, None);
    }
    for criterion in &mut draft.criteria {
        criterion.met = None;
    }
    draft
}

impl JsonSchema for Draft {
    fn schema_name() -> Cow<'static, str> {
        "Draft".into()
    }

    /// The schema of a document without what the program gives and writes.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut milestone = Milestone::json_schema(generator);
        let mut task = Task::json_schema(generator);
        keep_what_is_a_persons(&mut milestone, &Path::root());
        keep_what_is_a_persons(&mut task, &Path::root().key("tasks").key("task-001"));
        if let Some(Value::Object(properties)) = milestone.get_mut("properties") {
            let items = json!({ "anyOf": [{ "type": "string" }, task] });
            properties.insert("tasks".into(), json!({ "type": "array", "items": items }));
        }
        milestone.insert(
            "description".into(),
            "A milestone as it might be: a document without ids. Tasks are numbered as they \
             stand, and require one another as `task-001`."
                .into(),
        );
        milestone
    }
}

fn keep_what_is_a_persons(schema: &mut Schema, place: &Path) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.retain(|key, _| {
            key == "id" && place != &Path::root()
                || key != "progress" && key_owner(&place.key(key)) == KeyOwner::Person
        });
    }
    schema.insert("required".into(), json!(["title"]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_a_document_without_ids_and_without_a_past() {
        let draft = Draft::read(
            json!({"id": "milestone-044", "uid": "x", "title": "T", "completed_at": "2026-11-02T09:00:00Z",
                "tasks": ["One", {"title": "Two", "requires": ["task-001"], "attempts": 3}]}),
            None,
        );
        let milestone = draft.unwrap().milestone;
        assert_eq!(
            (milestone.id, milestone.uid, milestone.completed_at),
            (MilestoneId(0), None, None)
        );
        assert_eq!(milestone.tasks[1].id.to_string(), "task-002");
        assert_eq!(milestone.tasks[1].attempts, None);
    }

    #[test]
    fn an_error_names_the_key_and_the_item() {
        let error = |tree: Value| Draft::read(tree, None).unwrap_err().to_string();
        assert!(error(json!({"title": "T", "due": "soon"})).starts_with("due: `soon`"));
        let tasks = json!({"title": "T", "tasks": ["A", {"title": "B", "estimate": "soon"}]});
        assert!(error(tasks).starts_with("tasks/1: "));
        assert_eq!(error(json!({"title": "T", "task": []})), "task: a draft has no key `task`");
        let tasks = json!({"title": "T", "tasks": [{"title": "B", "colour": "red", "due_date": "2026-01-01"}]});
        assert_eq!(error(tasks), "tasks/0/colour: a task has no key `colour`");
        assert_eq!(error(json!([])), "a draft is a mapping of keys");
        assert_eq!(error(json!({"due": "2026-01-01"})), "a draft has a `title`");
    }

    #[test]
    fn the_schema_has_what_a_planner_may_say() {
        let schema = schemars::schema_for!(Draft).to_value();
        let properties = schema["properties"].as_object().unwrap();
        assert!(properties.contains_key("risks") && !properties.contains_key("uid"));
        assert_eq!(schema["required"], json!(["title"]));
        let task = &properties["tasks"]["items"]["anyOf"][1];
        assert!(task["properties"].get("attempts").is_none(), "{task}");
    }
}
