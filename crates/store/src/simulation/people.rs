//! The people around the workers: they plan, edit, reopen, pause, and in the end see to it that
//! nothing stays in the way.

use milestone_domain::change::{FieldChange, Path};
use milestone_domain::command::{Command, Credential};
use milestone_domain::document::{Milestone, Task, task_key};
use milestone_domain::ids::{MilestoneId, Reference, TaskId};
use milestone_domain::snapshot::{Outline, Snapshot};
use milestone_domain::status::{MilestoneStatus, TaskStatus};
use serde_json::json;

use super::{Sent, World};
use crate::{Result, Store};

const NAME: &str = "ada";

/// Two or three milestones whose tasks wait for earlier ones, and touch the same files.
pub(super) fn plan(world: &mut World) -> Result<()> {
    for milestone in 1..=2 + world.dice.count(2) {
        let mut draft = Milestone::new(MilestoneId(0), "Work");
        for number in 1..=2 + world.dice.count(3) {
            let mut task = Task::new(number, "Task");
            if number > 1 && world.dice.percent(40) {
                task.requires.push(Reference::Own(1 + world.dice.count(number - 1)));
            }
            if milestone > 1 && world.dice.percent(30) {
                let other = MilestoneId(1 + world.dice.count(milestone - 1));
                task.requires.push(Reference::Task(TaskId::new(other, 1 + world.dice.count(2))));
            }
            if world.dice.percent(20) {
                task.resources.push("src/shared".into());
            }
            draft.tasks.push(task);
        }
        ask(world, &Command::Plan { draft: Box::new(draft) })?;
    }
    Ok(())
}

/// One thing that somebody does.
pub(super) fn step(world: &mut World) -> Result<()> {
    let snapshot = world.all()?;
    if world.calm {
        return match in_the_way(&snapshot) {
            Some(command) => ask(world, &command),
            None => Ok(()),
        };
    }
    let tasks: Vec<TaskId> = snapshot.task_ids().collect();
    let milestones: Vec<MilestoneId> = snapshot.outlines.keys().copied().collect();
    let (Some(task), Some(milestone)) =
        (world.dice.pick(&tasks).copied(), world.dice.pick(&milestones).copied())
    else {
        return Ok(());
    };
    let change = |to| to_status(task, to);
    let command = match world.dice.below(12) {
        0 | 1 => change(TaskStatus::Pending),
        2 => change(TaskStatus::Completed),
        3 => change(TaskStatus::Blocked),
        4 => Command::RemoveTask { task },
        5 => Command::MoveTask { task, to: milestone },
        6 => add(world, milestone, &tasks),
        7 => require(world, task, &tasks),
        8 => to_milestone_status(milestone, MilestoneStatus::Paused),
        9 | 10 => to_milestone_status(milestone, MilestoneStatus::InProgress),
        _ => {
            let path = Path::root().key("title");
            let after = Some(json!(world.dice.word()));
            let changes = vec![FieldChange { path, before: None, after }];
            Command::Amend { milestone, changes }
        }
    };
    ask(world, &command)
}

fn to_status(task: TaskId, to: TaskStatus) -> Command {
    Command::ChangeTask { task, to, reason: None, credential: Credential::default() }
}

fn to_milestone_status(milestone: MilestoneId, to: MilestoneStatus) -> Command {
    Command::ChangeMilestone { milestone, to, reason: None }
}

fn add(world: &mut World, milestone: MilestoneId, tasks: &[TaskId]) -> Command {
    let mut draft = Task::new(1, "More");
    let on = world.dice.pick(tasks).copied().filter(|_| tasks.len() < 16);
    draft.requires.extend(on.map(Reference::Task));
    Command::AddTask { milestone, draft: Box::new(draft) }
}

fn require(world: &mut World, task: TaskId, tasks: &[TaskId]) -> Command {
    let path = Path::root().key("tasks").key(&task_key(task.number)).key("requires");
    let on = world.dice.pick(tasks).copied().filter(|_| world.dice.percent(80));
    let after = on.map(|on| json!([Reference::Task(on).seen_from(task.milestone).to_string()]));
    let changes = vec![FieldChange { path, before: None, after }];
    Command::Amend { milestone: task.milestone, changes }
}

/// The first thing that only a person can clear away.
fn in_the_way(snapshot: &Snapshot) -> Option<Command> {
    snapshot.outlines.values().find_map(|outline| in_the_way_of(snapshot, outline))
}

fn in_the_way_of(snapshot: &Snapshot, outline: &Outline) -> Option<Command> {
    if !matches!(outline.status, MilestoneStatus::Planned | MilestoneStatus::InProgress) {
        return Some(to_milestone_status(outline.id, MilestoneStatus::InProgress));
    }
    outline.tasks.iter().find_map(|task| {
        let id = TaskId::new(outline.id, task.number);
        let stuck = match task.status {
            TaskStatus::Failed | TaskStatus::Blocked | TaskStatus::Cancelled => true,
            // Moved while its worker was dead: nobody's claim any more.
            TaskStatus::InProgress => !snapshot.claims.contains_key(&id),
            TaskStatus::Pending | TaskStatus::Completed => false,
        };
        stuck.then(|| to_status(id, TaskStatus::Pending))
    })
}

/// People do not insist: what is refused or stale is left as it is, and an answer that was lost
/// is asked for once more.
fn ask(world: &mut World, command: &Command) -> Result<()> {
    let context = world.context(NAME);
    let Ok(change) = world.decide(command, &context)? else { return Ok(()) };
    if change.events.is_empty() {
        return Ok(());
    }
    if matches!(world.send(&change)?, Sent::NoAnswer) {
        world.store.commit(&change)?;
    }
    Ok(())
}
