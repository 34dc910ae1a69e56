//! What a task needs to be done: a runner, and commands that somebody has agreed to.
//!
//! One place says it, so that what is asked for before an execution is what is asked for in it.

use std::collections::BTreeMap;

use milestone_domain::document::Task;
use milestone_domain::ids::TaskId;

use crate::runners::{self, MANUAL, SHELL};

/// What does a task: what it names, the shell for a command, or what was chosen for the rest. Empty
/// where nothing was.
pub fn runner(task: &Task, chosen: Option<&str>) -> String {
    let run = task.run.as_ref().map(|_| SHELL);
    task.runner.as_deref().or(run).or(chosen).unwrap_or_default().to_owned()
}

/// Whether a runner has to be chosen for a task.
pub fn has_no_runner(task: &Task) -> bool {
    task.runner.is_none() && task.run.is_none()
}

/// Why no session can do a task, whatever is agreed to.
pub fn obstacle(id: TaskId, task: &Task, chosen: Option<&str>) -> Option<String> {
    let runner = runner(task, chosen);
    if runner == MANUAL {
        return Some(format!("is for a person: do it, then `milestone task done {id}`"));
    }
    if runner.is_empty() {
        return Some("no runner is chosen for it: `--runner NAME`".to_owned());
    }
    if runners::of(&runner, &BTreeMap::new()).is_none() {
        return Some(format!("there is no runner called {runner}: give the task another one"));
    }
    if runner == SHELL && task.run.is_none() {
        return Some("has no command for the shell: give it `run`".to_owned());
    }
    None
}

/// All that a task would have run, as kind and text. What no session can do has nothing run.
pub fn commands(id: TaskId, task: &Task, chosen: Option<&str>) -> Vec<(&'static str, String)> {
    if obstacle(id, task, chosen).is_some() {
        return Vec::new();
    }
    let runner = runner(task, chosen);
    let first = match &task.run {
        Some(run) if runner == SHELL => ("run", run.clone()),
        _ => ("runner", runner),
    };
    let verify = task.verify.iter().map(|verify| ("verify", verify.clone()));
    std::iter::once(first).chain(verify).collect()
}

#[cfg(test)]
mod tests {
    use milestone_domain::ids::MilestoneId;
    use serde_json::{Value, json};

    use super::*;

    fn task(more: &Value) -> Task {
        let mut tree = json!({"id": "task-001", "title": "T"});
        tree.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(tree).unwrap()
    }

    #[test]
    fn a_task_needs_its_runner_its_command_and_its_checks() {
        let id = TaskId::new(MilestoneId(1), 1);
        let run = ("run", "make".to_owned());
        let verify = ("verify", "make test".to_owned());
        let agent = |name: &str| ("runner", name.to_owned());
        let cases = [
            (json!({"run": "make", "verify": ["make test"]}), "shell", vec![run, verify.clone()]),
            (json!({"run": "make", "runner": "codex"}), "codex", vec![agent("codex")]),
            (json!({"verify": ["make test"]}), "claude", vec![agent("claude"), verify]),
            (json!({"runner": "manual", "verify": ["make test"]}), "manual", vec![]),
            (json!({"runner": "shell", "verify": ["make test"]}), "shell", vec![]),
            (json!({"runner": "nobody", "run": "make"}), "nobody", vec![]),
        ];
        for (more, by, needed) in cases {
            let task = task(&more);
            assert_eq!(runner(&task, Some("claude")), by, "{more}");
            assert_eq!(commands(id, &task, Some("claude")), needed, "{more}");
            assert_eq!(obstacle(id, &task, Some("claude")).is_some(), needed.is_empty(), "{more}");
        }
        assert!(commands(id, &task(&json!({})), None).is_empty());
        assert!(obstacle(id, &task(&json!({})), None).unwrap().contains("--runner"));
    }
}
