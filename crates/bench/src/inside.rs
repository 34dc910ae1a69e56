//! What the store and the rules take without a process around them.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Instant;

use milestone_domain::command::{Command, Credential};
use milestone_domain::document::Task;
use milestone_domain::event::AttemptId;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::readiness::{Board, Readiness};
use milestone_domain::snapshot::Scope;
use milestone_domain::status::TaskStatus;
use milestone_store::Project;
use uuid::Uuid;

use crate::Result;
use crate::measure::{Times, milliseconds};
use crate::report::Row;
use crate::sample::Sample;

pub const ACTOR: &str = "bench";

/// Tasks that can be worked on now, of different milestones first.
pub fn ready(sample: &Sample) -> Result<Vec<TaskId>> {
    let project = sample.project()?;
    let snapshot = project.read(&Scope::Graph(BTreeSet::new()), ACTOR)?;
    let board = Board::new(&snapshot, project.context(ACTOR).today);
    let ready = |id: &TaskId| matches!(board.readiness(*id), Readiness::Ready { .. });
    let mut ids: Vec<TaskId> = snapshot.task_ids().filter(ready).collect();
    ids.sort_by_key(|id| (id.number, id.milestone));
    if ids.is_empty() { Err("nothing in the generated project is ready".into()) } else { Ok(ids) }
}

pub fn change(project: &Project, task: TaskId, to: TaskStatus) -> Result<()> {
    let credential = Credential::default();
    let command = Command::ChangeTask { task, to, reason: None, credential };
    project.execute(&command, ACTOR)?;
    Ok(())
}

pub fn measure(sample: &Sample, runs: usize) -> Result<Vec<Row>> {
    let ready = ready(sample)?;
    let project = &sample.project()?;
    let mut rows = Vec::new();
    let mut add = |name: &str, mut work: Box<dyn FnMut(TaskId) -> Result<()> + '_>| -> Result<()> {
        let mut times = Times::default();
        for run in 0..runs {
            let task = ready[run % ready.len()];
            let started = Instant::now();
            work(task)?;
            times.push(milliseconds(started));
        }
        rows.push(sample.row(&format!("inside: {name}"), times.median()));
        Ok(())
    };
    add("read one", Box::new(|task| read(project, &Scope::Milestone(task.milestone))))?;
    add("read graph", Box::new(|_| read(project, &Scope::Graph(BTreeSet::new()))))?;
    add("read all", Box::new(|_| read(project, &Scope::All)))?;
    add("claim + release", Box::new(|task| claim_and_release(project, task)))?;
    add(
        "done + reopen",
        Box::new(|task| {
            change(project, task, TaskStatus::Completed)?;
            change(project, task, TaskStatus::Pending)
        }),
    )?;
    add("add + remove", Box::new(|task| add_and_remove(project, task.milestone)))?;
    Ok(rows)
}

fn read(project: &Project, scope: &Scope) -> Result<()> {
    black_box(project.read(scope, ACTOR)?);
    Ok(())
}

fn claim_and_release(project: &Project, task: TaskId) -> Result<()> {
    let attempt = AttemptId(Uuid::now_v7());
    project.execute(&Command::Claim { task, attempt, lease_seconds: 600 }, ACTOR)?;
    release(project, task)
}

/// Gives back whatever is claimed.
pub fn release_all(project: &Project) -> Result<()> {
    // Claims are read with every scope, so the smallest will do.
    let claims = project.read(&Scope::Milestone(MilestoneId(1)), ACTOR)?.claims;
    claims.keys().try_for_each(|task| release(project, *task))
}

fn release(project: &Project, task: TaskId) -> Result<()> {
    let snapshot = project.read(&Scope::Milestone(task.milestone), ACTOR)?;
    let fence = snapshot.claims.get(&task).map(|claim| claim.fence);
    let credential = Credential { fence, attempt: None };
    project.execute(&Command::Release { task, reason: None, credential }, ACTOR)?;
    Ok(())
}

pub fn remove_last(project: &Project, milestone: MilestoneId) -> Result<()> {
    let snapshot = project.read(&Scope::Milestone(milestone), ACTOR)?;
    let last = snapshot.documents.get(&milestone).and_then(|document| document.tasks.last());
    let task = TaskId::new(milestone, last.map_or(1, |task| task.id.number));
    project.execute(&Command::RemoveTask { task }, ACTOR)?;
    Ok(())
}

fn add_and_remove(project: &Project, milestone: MilestoneId) -> Result<()> {
    let draft = Box::new(Task::new(1, "One more thing"));
    project.execute(&Command::AddTask { milestone, draft }, ACTOR)?;
    remove_last(project, milestone)
}
