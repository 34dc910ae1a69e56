//! One task, with everything that can be said about it.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::when::{Clock, When, effort};
use super::{ClaimState, ConditionState, Reach, Related, as_read, conditions, urgency};
use crate::dependencies::Dependencies;
use crate::document::{Task, pruned};
use crate::effort::Effort;
use crate::ids::{Node, TaskId};
use crate::readiness::{Board, Readiness};
use crate::snapshot::Snapshot;
use crate::status::{Priority, TaskStatus};

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TaskView {
    pub id: TaskId,
    pub title: String,
    pub status: TaskStatus,
    pub milestone: Related,
    pub readiness: Readiness,
    /// Its own, or else its milestone's.
    pub priority: Priority,
    pub claim: Option<ClaimState>,
    pub requires: Vec<Related>,
    pub conditions: Vec<ConditionState>,
    /// Only with [`Reach::Project`].
    pub schedule: Option<TaskSchedule>,
    #[serde(serialize_with = "pruned_task")]
    #[schemars(schema_with = "as_read::<Task>")]
    pub document: Box<Task>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TaskSchedule {
    /// None while there is a cycle, and when it is over.
    pub when: Option<When>,
    pub required_by: Vec<Related>,
    /// What finishes later if this takes a working day longer.
    pub slip: Vec<Slip>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Slip {
    pub id: Node,
    pub delay: Effort,
}

fn pruned_task<S: Serializer>(task: &Task, serializer: S) -> Result<S::Ok, S::Error> {
    // Every key is a field's name and every value serializes, so there is nothing to fail.
    pruned(serde_json::to_value(task).unwrap_or_default()).serialize(serializer)
}

/// `None` when the snapshot does not hold the task's document.
pub fn task(snapshot: &Snapshot, id: TaskId, reach: Reach, today: Date) -> Option<TaskView> {
    let document = snapshot.documents.get(&id.milestone)?.task(id.number)?;
    let home = snapshot.outline(id.milestone)?;
    let outline = home.task(id.number)?;
    let board = Board::new(snapshot, today);
    Some(TaskView {
        id,
        title: document.title.clone(),
        status: document.status,
        milestone: Related::of(snapshot, Node::Milestone(id.milestone)),
        readiness: board.readiness(id),
        priority: urgency(home, outline),
        claim: snapshot.claims.get(&id).map(ClaimState::from),
        requires: Related::all(snapshot, &outline.requires, home),
        conditions: conditions(&board, &outline.conditions),
        schedule: (reach == Reach::Project).then(|| schedule(snapshot, id, outline.status, today)),
        document: Box::new(document.clone()),
    })
}

fn schedule(snapshot: &Snapshot, id: TaskId, status: TaskStatus, today: Date) -> TaskSchedule {
    let node = Node::Task(id);
    let graph = Dependencies::of(snapshot);
    let required_by = graph.dependents(node).into_iter();
    let required_by = required_by.map(|node| Related::of(snapshot, node)).collect();
    let plan = graph.plan(snapshot, today).filter(|_| !status.is_closed());
    let clock = Clock { calendar: &snapshot.settings.calendar, today };
    let window = plan.as_ref().and_then(|plan| plan.window(node));
    let day = Effort::from_minutes(clock.calendar.minutes_per_day());
    let moved = plan.as_ref().map(|plan| plan.slip(node, day)).unwrap_or_default();
    let moved = moved.into_iter().filter(|(other, _)| *other != node);
    TaskSchedule {
        when: window.map(|window| clock.when(window)),
        required_by,
        slip: moved.map(|(id, delay)| Slip { id, delay: effort(delay) }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::views::testing::{TODAY, claim, project, task as document};

    fn chain() -> Snapshot {
        let mut snapshot = project(&[json!({"id": "milestone-001", "title": "M", "tasks": [
            document(1, &json!({"status": "in_progress"})),
            document(2, &json!({"requires": ["task-001"]})),
            document(3, &json!({"estimate": "4d"})),
        ]})]);
        claim(&mut snapshot, "1.1", "ada", Some(90));
        snapshot
    }

    #[test]
    fn a_claim_says_by_whom_and_for_how_long() {
        let view = task(&chain(), "1.1".parse().unwrap(), Reach::Own, TODAY).unwrap();
        assert_eq!(view.readiness, Readiness::Held { by: "ada".into() });
        assert_eq!(view.claim.unwrap().seconds_left, Some(90));
        assert_eq!(view.schedule, None);
    }

    #[test]
    fn a_slip_moves_what_waits_and_nothing_that_has_time() {
        let view = task(&chain(), "1.1".parse().unwrap(), Reach::Project, TODAY).unwrap();
        let schedule = view.schedule.unwrap();
        let moved: Vec<_> = schedule.slip.iter().map(|slip| slip.id.to_string()).collect();
        assert_eq!(moved, ["task-001-002"]);
        assert_eq!(schedule.required_by[0].id.to_string(), "task-001-002");
        assert_eq!(schedule.when.unwrap().slack.to_string(), "2d");
    }

    #[test]
    fn a_task_that_is_not_there_is_none() {
        assert_eq!(task(&chain(), "1.9".parse().unwrap(), Reach::Own, TODAY), None);
    }
}
