//! What a task needs to be done: a runner, and commands that somebody has agreed to.
//!
//! One place says it, so that what is asked for before an execution is what is asked for in it.

use milestone_domain::document::Task;
use milestone_domain::ids::TaskId;

use crate::runners::{Configured, MANUAL, SHELL};

/// What there is to do tasks with.
#[derive(Debug, Clone, Copy)]
pub struct Needs<'a> {
    /// What does the tasks that say nothing.
    pub chosen: Option<&'a str>,
    pub runners: &'a Configured,
    /// What is run in a new worktree before anything else.
    pub set_up: &'a [String],
}

impl Needs<'_> {
    /// What does a task: what it names, the shell for a command, or what was chosen for the rest.
    /// Empty where nothing was.
    pub fn runner(&self, task: &Task) -> String {
        let run = task.run.as_ref().map(|_| SHELL);
        task.runner.as_deref().or(run).or(self.chosen).unwrap_or_default().to_owned()
    }

    pub fn is_for_a_person(&self, task: &Task) -> bool {
        self.runner(task) == MANUAL
    }

    /// Whether a runner has to be chosen for a task.
    pub fn has_no_runner(task: &Task) -> bool {
        task.runner.is_none() && task.run.is_none()
    }

    /// Why no session can do a task, whatever is agreed to.
    pub fn obstacle(&self, id: TaskId, task: &Task) -> Option<String> {
        let runner = self.runner(task);
        if self.is_for_a_person(task) {
            return Some(format!("is for a person: do it, then `milestone task done {id}`"));
        }
        if runner.is_empty() {
            return Some("no runner is chosen for it: `--runner NAME`".to_owned());
        }
        if self.runners.runner(&runner).is_none() {
            return Some(format!("there is no runner called {runner}: give the task another one"));
        }
        if runner == SHELL && task.run.is_none() {
            return Some("has no command for the shell: give it `run`".to_owned());
        }
        None
    }

    /// What there is to agree to before this runner may be started; none where it starts nothing.
    pub fn to_agree(&self, runner: &str) -> Option<(&'static str, String)> {
        (runner != MANUAL).then(|| ("runner", self.runners.trusted_as(runner)))
    }

    /// All that a task would have run, as kind and text. What no session can do has nothing run.
    pub fn commands(&self, id: TaskId, task: &Task) -> Vec<(&'static str, String)> {
        if self.obstacle(id, task).is_some() {
            return Vec::new();
        }
        let runner = self.runner(task);
        let first = match &task.run {
            Some(run) if runner == SHELL => ("run", run.clone()),
            _ => ("runner", self.runners.trusted_as(&runner)),
        };
        let verify = task.verify.iter().map(|verify| ("verify", verify.clone()));
        let set_up = self.set_up.iter().map(|command| ("setup", command.clone()));
        std::iter::once(first).chain(verify).chain(set_up).collect()
    }
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
        let runners = Configured::default();
        let needs = Needs { chosen: Some("claude"), runners: &runners, set_up: &[] };
        for (more, by, needed) in cases {
            let task = task(&more);
            assert_eq!(needs.runner(&task), by, "{more}");
            assert_eq!(needs.commands(id, &task), needed, "{more}");
            assert_eq!(needs.obstacle(id, &task).is_some(), needed.is_empty(), "{more}");
        }
        let needs = Needs { chosen: None, ..needs };
        assert!(needs.commands(id, &task(&json!({}))).is_empty());
        assert!(needs.obstacle(id, &task(&json!({}))).unwrap().contains("--runner"));
    }
}
