//! What front ends show: plain data, computed once from a snapshot and the date.
//!
//! Nothing here renders, and no front end computes: terminal, web and agents read the same figures.

pub mod advice;
pub mod chart;
pub mod dashboard;
pub mod flow;
pub mod gates;
pub mod impact;
pub mod list;
pub mod load;
pub mod milestone;
pub mod next;
mod pairs;
pub mod plan;
pub mod rehearsal;
pub mod release;
pub mod retrospective;
pub mod scale;
pub mod storage;
pub mod task;
pub mod template;
pub mod upcoming;
pub mod waits;
mod when;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::ids::{Node, Reference, TaskId};
use crate::readiness::Board;
use crate::snapshot::{Claim, Outline, Snapshot, TaskOutline};
use crate::status::Priority;

pub use when::{Pace, When};

/// How much of a project a snapshot holds, and so what can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One document and what it waits for.
    Own,
    /// All open work: dates, slack and everything that waits for it can be told too.
    Project,
}

/// The schema of what is shown without its empty values: the one for readers, who need not be given
/// them. It stands where it is used, because a name means what is written whole.
fn as_read<T: JsonSchema>(_: &mut SchemaGenerator) -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<T>()
}

/// Something that is waited for or waits, and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Related {
    pub id: Node,
    /// `None` where it does not exist or was not read.
    pub title: Option<String>,
    pub status: Option<&'static str>,
}

/// A condition that is waited for.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ConditionState {
    pub name: String,
    pub holds: bool,
    pub provided_by: Vec<Node>,
}

/// A worker's right to a task, as people see it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ClaimState {
    pub by: String,
    pub fence: u64,
    pub attempt: crate::event::AttemptId,
    /// None when the lease is over and anybody may take the task.
    pub seconds_left: Option<u64>,
}

impl Related {
    pub(crate) fn of(snapshot: &Snapshot, id: Node) -> Self {
        let (title, status) = match id {
            Node::Milestone(milestone) => {
                let outline = snapshot.outline(milestone);
                (outline.map(|o| o.title.clone()), outline.map(|o| o.status.word()))
            }
            Node::Task(task) => {
                let outline = snapshot.task(task);
                (outline.map(|t| t.title.clone()), outline.map(|t| t.status.word()))
            }
        };
        Self { id, title, status }
    }

    fn all(snapshot: &Snapshot, references: &[Reference], home: &Outline) -> Vec<Self> {
        let nodes = references.iter().map(|reference| reference.node(home.id));
        nodes.map(|node| Self::of(snapshot, node)).collect()
    }
}

impl From<&Claim> for ClaimState {
    fn from(claim: &Claim) -> Self {
        Self {
            by: claim.actor.clone(),
            fence: claim.fence,
            attempt: claim.attempt,
            seconds_left: claim.seconds_left,
        }
    }
}

fn conditions(board: &Board<'_>, names: &[String]) -> Vec<ConditionState> {
    let state = |name: &String| ConditionState {
        name: name.clone(),
        holds: board.holds(name),
        provided_by: board.providers(name).to_vec(),
    };
    names.iter().map(state).collect()
}

/// A task is as urgent as it says, or else as its milestone.
pub(crate) fn urgency(outline: &Outline, task: &TaskOutline) -> Priority {
    task.priority.or(outline.priority).unwrap_or(Priority::Medium)
}

/// Every task of the open milestones that are not over.
pub(crate) fn open_tasks(
    snapshot: &Snapshot,
) -> impl Iterator<Item = (TaskId, &Outline, &TaskOutline)> {
    let open = snapshot.open().filter(|outline| !outline.status.is_closed());
    open.flat_map(|outline| {
        outline.tasks.iter().map(move |task| (TaskId::new(outline.id, task.number), outline, task))
    })
}

#[cfg(test)]
pub(crate) mod testing {
    //! Small projects, written as the documents that people write.

    use jiff::civil::{Date, date};

    use crate::document::Milestone;
    use crate::event::AttemptId;
    use crate::ids::TaskId;
    use crate::snapshot::{Claim, Snapshot};

    /// A Monday.
    pub const TODAY: Date = date(2026, 11, 2);

    pub fn project(documents: &[serde_json::Value]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for document in documents {
            snapshot.insert(Milestone::from_tree(document.clone(), false).unwrap());
        }
        snapshot
    }

    pub fn claim(snapshot: &mut Snapshot, task: &str, actor: &str, seconds_left: Option<u64>) {
        let task: TaskId = task.parse().unwrap();
        let claim = Claim {
            task,
            attempt: AttemptId(uuid::Uuid::nil()),
            fence: 1,
            actor: actor.to_owned(),
            seconds_left,
            resources: snapshot.task(task).unwrap().resources.clone(),
        };
        snapshot.claims.insert(task, claim);
    }

    pub fn task(number: u32, more: &serde_json::Value) -> serde_json::Value {
        let mut task = serde_json::json!({
            "id": format!("task-{number:03}"),
            "title": format!("Task {number}"),
            "estimate": "1d",
        });
        task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        task
    }
}
