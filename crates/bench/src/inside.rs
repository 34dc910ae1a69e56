//! What the store and the rules take without a process around them.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Instant;

use milestone_domain::command::{Command, Credential};
use milestone_domain::document::Task;
use milestone_domain::event::AttemptId;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::readiness::{Board, Readiness};
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::status::TaskStatus;
use uuid::Uuid;

use crate::measure::Times;
use crate::report::{Row, Target};
use crate::{Result, Sample};

pub const ACTOR: &str = "bench";

impl Sample {
    pub fn graph(&self) -> Result<Snapshot> {
        Ok(self.project.read(&Scope::Graph(BTreeSet::new()), ACTOR)?)
    }

    /// Tasks that can be worked on now, of different milestones first.
    pub fn ready(&self) -> Result<Vec<TaskId>> {
        let snapshot = self.graph()?;
        let board = Board::new(&snapshot, self.project.context(ACTOR).today);
        let ready = |id: &TaskId| matches!(board.readiness(*id), Readiness::Ready { .. });
        let mut ids: Vec<TaskId> = snapshot.task_ids().filter(ready).collect();
        ids.sort_by_key(|id| (id.number, id.milestone));
        Ok(ids)
    }

    pub fn change(&self, task: TaskId, to: TaskStatus) -> Result<()> {
        let credential = Credential::default();
        let command = Command::ChangeTask { task, to, reason: None, credential };
        self.project.execute(&command, ACTOR)?;
        Ok(())
    }
}

/// Taking in every document of a project at once; also what makes a sample usable.
pub fn import(sample: &Sample) -> Result<Row> {
    let started = Instant::now();
    let snapshot = sample.project.read(&Scope::All, ACTOR)?;
    let figure = started.elapsed().as_secs_f64() * 1000.0;
    if let Some(problem) = snapshot.problems.first() {
        return Err(format!("the generated project has a problem: {problem:?}").into());
    }
    let target = match sample.tasks {
        10_000 => Target::Milliseconds(1000.0),
        _ => Target::None,
    };
    Ok(row("import", sample, figure, target))
}

fn row(operation: &str, sample: &Sample, figure: f64, target: Target) -> Row {
    let (operation, tasks) = (operation.to_owned(), sample.tasks);
    Row { operation, tasks, figure, floor: None, processor: None, target, memory: None }
}

pub fn measure(sample: &Sample, runs: usize) -> Result<Vec<Row>> {
    let ready = sample.ready()?;
    let mut rows = Vec::new();
    let mut add = |name: &str, mut work: Box<dyn FnMut(TaskId) -> Result<()> + '_>| -> Result<()> {
        let mut times = Times::default();
        for run in 0..runs {
            let task = ready[run % ready.len()];
            let started = Instant::now();
            work(task)?;
            times.push(started.elapsed().as_secs_f64() * 1000.0);
        }
        rows.push(row(&format!("inside: {name}"), sample, times.median(), Target::None));
        Ok(())
    };
    add("read one", Box::new(|task| read(sample, &Scope::Milestone(task.milestone))))?;
    add("read graph", Box::new(|_| read(sample, &Scope::Graph(BTreeSet::new()))))?;
    add("read all", Box::new(|_| read(sample, &Scope::All)))?;
    add("claim + release", Box::new(|task| claim_and_release(sample, task)))?;
    add(
        "done + reopen",
        Box::new(|task| {
            sample.change(task, TaskStatus::Completed)?;
            sample.change(task, TaskStatus::Pending)
        }),
    )?;
    add("add + remove", Box::new(|task| add_and_remove(sample, task.milestone)))?;
    Ok(rows)
}

fn read(sample: &Sample, scope: &Scope) -> Result<()> {
    black_box(sample.project.read(scope, ACTOR)?);
    Ok(())
}

fn claim_and_release(sample: &Sample, task: TaskId) -> Result<()> {
    let attempt = AttemptId(Uuid::now_v7());
    sample.project.execute(&Command::Claim { task, attempt, lease_seconds: 600 }, ACTOR)?;
    release(sample, task)
}

/// Gives back whatever is claimed.
pub fn release_all(sample: &Sample) -> Result<()> {
    // Claims are read with every scope, so the smallest will do.
    let claims = sample.project.read(&Scope::Milestone(MilestoneId(1)), ACTOR)?.claims;
    claims.keys().try_for_each(|task| release(sample, *task))
}

fn release(sample: &Sample, task: TaskId) -> Result<()> {
    let snapshot = sample.project.read(&Scope::Milestone(task.milestone), ACTOR)?;
    let fence = snapshot.claims.get(&task).map(|claim| claim.fence);
    let credential = Credential { fence, attempt: None };
    sample.project.execute(&Command::Release { task, reason: None, credential }, ACTOR)?;
    Ok(())
}

pub fn remove_last(sample: &Sample, milestone: MilestoneId) -> Result<()> {
    let snapshot = sample.project.read(&Scope::Milestone(milestone), ACTOR)?;
    let last = snapshot.documents.get(&milestone).and_then(|document| document.tasks.last());
    let task = TaskId::new(milestone, last.map_or(1, |task| task.id.number));
    sample.project.execute(&Command::RemoveTask { task }, ACTOR)?;
    Ok(())
}

fn add_and_remove(sample: &Sample, milestone: MilestoneId) -> Result<()> {
    let draft = Box::new(Task::new(1, "One more thing"));
    sample.project.execute(&Command::AddTask { milestone, draft }, ACTOR)?;
    remove_last(sample, milestone)
}
