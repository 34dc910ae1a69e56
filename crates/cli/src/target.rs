//! What a person means by an id.

use std::str::FromStr;

use milestone_domain::ids::{IdError, MilestoneId, Node, TaskId, TaskName};
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::status::MilestoneStatus;

use crate::app::App;
use crate::errors::Failure;

/// An id as it was written: a milestone, a task, or the current milestone or a task of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Node(Node),
    Current,
    CurrentTask(u32),
}

impl FromStr for Target {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if let Some(task) = in_milestone(text) {
            return Ok(task);
        }
        let rest = text.strip_prefix("milestone-").unwrap_or(text);
        let Some(rest) = rest.strip_prefix("current") else {
            return text.trim().parse().map(Self::Node);
        };
        let number = rest.strip_prefix('.').and_then(|number| number.parse().ok());
        match (rest, number) {
            ("", _) => Ok(Self::Current),
            (_, Some(number)) => Ok(Self::CurrentTask(number)),
            _ => text.parse().map(Self::Node),
        }
    }
}

/// A task behind its milestone: `milestone-001/task-003`, `1/3`, `current/3`.
fn in_milestone(text: &str) -> Option<Target> {
    let (milestone, task) = text.split_once('/')?;
    let name = task.parse().or_else(|_| format!("task-{task}").parse::<TaskName>());
    let TaskName { milestone: None, number } = name.ok()? else { return None };
    match milestone.parse().ok()? {
        Target::Node(Node::Milestone(id)) => {
            Some(Target::Node(Node::Task(TaskId::new(id, number))))
        }
        Target::Current => Some(Target::CurrentTask(number)),
        Target::Node(Node::Task(_)) | Target::CurrentTask(_) => None,
    }
}

impl Target {
    pub fn node(self, app: &App) -> Result<Node, Failure> {
        match self {
            Self::Node(node) => Ok(node),
            Self::Current => current(app).map(Node::Milestone),
            Self::CurrentTask(number) => Ok(Node::Task(TaskId::new(current(app)?, number))),
        }
    }

    /// A milestone's id; a task's is no milestone.
    pub fn milestone(self, app: &App) -> Result<MilestoneId, Failure> {
        match self.node(app)? {
            Node::Milestone(id) => Ok(id),
            Node::Task(id) => Err(Failure::usage(
                format!("{id} is a task; this is about a milestone"),
                format!("name the milestone: {}", id.milestone),
            )),
        }
    }

    pub fn task(self, app: &App) -> Result<TaskId, Failure> {
        match self.node(app)? {
            Node::Task(id) => Ok(id),
            Node::Milestone(id) => Err(Failure::usage(
                format!("{id} is a milestone; this is about a task"),
                format!("see its tasks: `milestone show {id}`"),
            )),
        }
    }
}

/// The milestone in progress; of several, the one this actor last worked on.
fn current(app: &App) -> Result<MilestoneId, Failure> {
    let graph = app.read(&Scope::Graph(std::collections::BTreeSet::new()))?;
    let running = graph.open().filter(|outline| outline.status == MilestoneStatus::InProgress);
    let running: Vec<MilestoneId> = running.map(|outline| outline.id).collect();
    if let [only] = running.as_slice() {
        return Ok(*only);
    }
    let documents = app.read(&Scope::Graph(running.iter().copied().collect()))?;
    let worked = running.iter().filter_map(|id| Some((last_worked(&documents, *id, app)?, *id)));
    worked.max().map(|(_, id)| id).ok_or(Failure::NoCurrent { candidates: running })
}

fn last_worked(snapshot: &Snapshot, id: MilestoneId, app: &App) -> Option<jiff::Timestamp> {
    let tasks = snapshot.documents.get(&id)?.tasks.iter();
    let mine = tasks.filter(|task| task.started_by.as_deref() == Some(app.actor()));
    mine.filter_map(|task| task.completed_at.max(task.started_at)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_in_every_unambiguous_form() {
        let read = |text: &str| text.parse::<Target>();
        let task = Target::Node(Node::Task(TaskId::new(MilestoneId(1), 3)));
        let milestone = Target::Node(Node::Milestone(MilestoneId(1)));
        for text in ["milestone-001/task-003", "1/3", "001/task-3"] {
            assert_eq!(read(text), Ok(task), "{text}");
        }
        assert_eq!(read("current/3"), Ok(Target::CurrentTask(3)));
        for text in ["milestone-001", "001", "1", "milestone-1"] {
            assert_eq!(read(text), Ok(milestone), "{text}");
        }
        for text in ["task-001-003", "1.3", "001.003", "task-1-3"] {
            assert_eq!(read(text), Ok(task), "{text}");
        }
        assert_eq!(read("milestone-current"), Ok(Target::Current));
        assert_eq!(read("current"), Ok(Target::Current));
        assert_eq!(read("current.3"), Ok(Target::CurrentTask(3)));
        for text in [
            "",
            "x",
            "currently",
            "current.",
            "1.2.3",
            "-1",
            "../1",
            "1/",
            "/3",
            "1/2/3",
            "1.2/3",
            "1/1-3",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
