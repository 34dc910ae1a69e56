//! One milestone, with everything that can be said about it.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::gates::{PhaseLine, phases};
use super::when::{Clock, Pace, When};
use super::{ClaimState, ConditionState, Reach, Related, as_read, conditions};
use crate::dependencies::Dependencies;
use crate::document::Milestone;
use crate::effort::Estimate;
use crate::ids::{MilestoneId, Node, TaskId};
use crate::progress::Progress;
use crate::readiness::{Board, Readiness, Reason};
use crate::snapshot::{Outline, Problem, Snapshot, TaskOutline};
use crate::status::{MilestoneStatus, Priority, TaskStatus};

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MilestoneView {
    pub id: MilestoneId,
    pub title: String,
    pub status: MilestoneStatus,
    pub archived: bool,
    pub progress: Progress,
    /// What keeps all of its tasks waiting.
    pub waits: Vec<Reason>,
    pub requires: Vec<Related>,
    pub conditions: Vec<ConditionState>,
    pub phases: Vec<PhaseLine>,
    pub tasks: Vec<TaskLine>,
    /// Only with [`Reach::Project`].
    pub schedule: Option<MilestoneSchedule>,
    pub problems: Vec<Problem>,
    /// The whole document, with what is computed.
    #[serde(serialize_with = "whole")]
    #[schemars(schema_with = "as_read::<Milestone>")]
    pub document: Box<Milestone>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MilestoneSchedule {
    pub pace: Pace,
    /// None while there is a cycle.
    pub when: Option<When>,
    pub required_by: Vec<Related>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TaskLine {
    pub id: TaskId,
    pub title: String,
    pub status: TaskStatus,
    pub readiness: Readiness,
    pub percent: u32,
    pub priority: Option<Priority>,
    pub assignee: Option<String>,
    pub estimate: Option<Estimate>,
    pub due: Option<Date>,
    pub claim: Option<ClaimState>,
    pub when: Option<When>,
}

fn whole<S: Serializer>(document: &Milestone, serializer: S) -> Result<S::Ok, S::Error> {
    document.whole_tree().serialize(serializer)
}

/// `None` when the snapshot does not hold the document.
pub fn milestone(
    snapshot: &Snapshot,
    id: MilestoneId,
    reach: Reach,
    today: Date,
) -> Option<MilestoneView> {
    let document = snapshot.documents.get(&id)?;
    let outline = snapshot.outline(id)?;
    let board = Board::new(snapshot, today);
    let graph = (reach == Reach::Project).then(|| Dependencies::of(snapshot));
    let plan = graph.as_ref().and_then(|graph| graph.plan(snapshot, today));
    let clock = Clock { calendar: &snapshot.settings.calendar, today };
    let when = |node| {
        let window = plan.as_ref()?.window(node)?;
        Some(clock.when(window))
    };
    let schedule = graph.as_ref().map(|graph| MilestoneSchedule {
        pace: clock.pace(outline, plan.as_ref()),
        when: when(Node::Milestone(id)).filter(|_| !outline.status.is_closed()),
        required_by: required_by(snapshot, graph, id),
    });
    let tasks = outline.tasks.iter().map(|task| {
        let line = line(snapshot, &board, outline, task);
        let node = Node::Task(line.id);
        TaskLine { when: when(node).filter(|_| !task.status.is_closed()), ..line }
    });
    let problems = snapshot.problems.iter().filter(|problem| problem.milestone == Some(id));
    Some(MilestoneView {
        id,
        title: outline.title.clone(),
        status: outline.status,
        archived: outline.archived,
        progress: outline.progress,
        waits: if outline.status.is_closed() { vec![] } else { board.milestone_reasons(outline) },
        requires: Related::all(snapshot, &outline.requires, outline),
        conditions: conditions(&board, &outline.conditions),
        phases: phases(outline, document),
        tasks: tasks.collect(),
        schedule,
        problems: problems.cloned().collect(),
        document: Box::new(document.clone()),
    })
}

fn required_by(snapshot: &Snapshot, graph: &Dependencies<'_>, id: MilestoneId) -> Vec<Related> {
    let dependents = graph.dependents(Node::Milestone(id)).into_iter();
    dependents.map(|node| Related::of(snapshot, node)).collect()
}

fn line(snapshot: &Snapshot, board: &Board<'_>, outline: &Outline, task: &TaskOutline) -> TaskLine {
    let id = TaskId::new(outline.id, task.number);
    TaskLine {
        id,
        title: task.title.clone(),
        status: task.status,
        readiness: board.readiness(id),
        percent: task.percent,
        priority: task.priority,
        assignee: task.assignee.clone(),
        estimate: task.estimate,
        due: task.due,
        claim: snapshot.claims.get(&id).map(ClaimState::from),
        when: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::views::testing::{TODAY, project, task};

    fn two() -> Snapshot {
        project(&[
            json!({"id": "milestone-001", "title": "Database", "status": "in_progress",
                "tasks": [task(1, &json!({"status": "completed"})),
                    task(2, &json!({"requires": ["task-001"]})),
                    task(3, &json!({"requires": ["task-002"]}))]}),
            json!({"id": "milestone-002", "title": "Login", "due": "2026-11-02",
                "dependencies": {"requires": ["milestone-001"], "conditions": ["schema"]},
                "tasks": [task(1, &json!({}))]}),
        ])
    }

    #[test]
    fn tasks_say_whether_they_are_ready_and_why_not() {
        let view = milestone(&two(), MilestoneId(1), Reach::Own, TODAY).unwrap();
        let states: Vec<_> = view.tasks.iter().map(|task| &task.readiness).collect();
        assert_eq!(states[..2], [&Readiness::Closed, &Readiness::Ready { lapsed: None }]);
        assert!(matches!(states[2], Readiness::Waiting { reasons } if reasons.len() == 1));
        assert_eq!(view.schedule, None);
    }

    #[test]
    fn with_the_whole_project_dates_and_dependents_are_told() {
        let first = milestone(&two(), MilestoneId(1), Reach::Project, TODAY).unwrap();
        let schedule = first.schedule.unwrap();
        assert_eq!(schedule.required_by[0].id, Node::Milestone(MilestoneId(2)));
        assert_eq!(
            schedule.when.unwrap().early_finish,
            TODAY.saturating_add(jiff::Span::new().days(1))
        );
        let second = milestone(&two(), MilestoneId(2), Reach::Project, TODAY).unwrap();
        assert_eq!(second.schedule.unwrap().pace, Pace::Behind { days: 2 });
        assert_eq!(second.waits.len(), 2);
        assert!(!second.conditions[0].holds);
    }

    #[test]
    fn the_whole_document_is_in_the_json() {
        let view = milestone(&two(), MilestoneId(2), Reach::Own, TODAY).unwrap();
        let json = serde_json::to_value(view).unwrap();
        assert_eq!(json["document"]["dependencies"]["requires"][0], "milestone-001");
    }
}
