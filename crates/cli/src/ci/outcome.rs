//! How the tasks of a milestone stand after a session, for those who report it.

use milestone_domain::document::{Milestone, Task};
use milestone_domain::ids::TaskId;
use milestone_domain::status::TaskStatus;
use milestone_engine::core::FailureKind;
use milestone_engine::session::{Session, Tried};

/// One task, as a report has it. What was cancelled is in no report.
#[derive(Debug)]
pub struct Outcome {
    pub id: TaskId,
    pub title: String,
    pub came_to: CameTo,
    /// How long agents of the session worked on it.
    pub seconds: f64,
    /// Each attempt in a line.
    pub attempts: Vec<String>,
}

#[derive(Debug, PartialEq)]
pub enum CameTo {
    Done,
    /// It is left to a person, for something that the task's work came to.
    Failed(String),
    /// It is left to a person, for something around it.
    Error(String),
    /// It was not finished, and this is why.
    NotDone(String),
}

pub fn outcomes(document: &Milestone, session: Option<&Session>) -> Vec<Outcome> {
    let tasks = document.tasks.iter().filter(|task| task.status != TaskStatus::Cancelled);
    tasks.map(|task| outcome(document, task, session)).collect()
}

fn outcome(document: &Milestone, task: &Task, session: Option<&Session>) -> Outcome {
    let id = document.task_id(task);
    let tried = session.iter().flat_map(|session| &session.attempts);
    let tried: Vec<&Tried> = tried.filter(|tried| tried.task == id).collect();
    Outcome {
        id,
        title: task.title.clone(),
        came_to: came_to(id, task, session, &tried),
        seconds: tried.iter().map(|tried| seconds(tried)).sum(),
        attempts: tried.iter().map(|tried| line(tried)).collect(),
    }
}

fn came_to(id: TaskId, task: &Task, session: Option<&Session>, tried: &[&Tried]) -> CameTo {
    match task.status {
        TaskStatus::Completed => CameTo::Done,
        TaskStatus::Blocked | TaskStatus::Failed => {
            let reason = task.reason.clone().unwrap_or_else(|| task.status.word().to_owned());
            let last = tried.last().and_then(|tried| tried.failure.as_ref());
            match last.map(|failure| failure.kind) {
                Some(FailureKind::World) => CameTo::Error(reason),
                _ => CameTo::Failed(reason),
            }
        }
        _ => {
            let before = format!("{id} ");
            let mut because = session.iter().flat_map(|session| &session.because);
            let said = because.find_map(|line| line.strip_prefix(&before));
            CameTo::NotDone(said.unwrap_or("was not finished").to_owned())
        }
    }
}

fn seconds(tried: &Tried) -> f64 {
    let ended = tried.ended.unwrap_or(tried.started);
    ended.duration_since(tried.started).as_secs_f64().max(0.0)
}

fn line(tried: &Tried) -> String {
    let mut said = format!("{} by {}", tried.state, tried.runner);
    if let Some(commit) = &tried.commit {
        said = format!("{said}, commit {commit}");
    }
    if let Some(failure) = &tried.failure {
        said = format!("{said}: {}", failure.reason);
    }
    format!("{said} (log: {})", tried.log.display())
}

#[cfg(test)]
pub mod testing {
    use super::*;

    /// Done, failed, and never begun; what they are called and why is `said`.
    pub fn outcomes_that_say(said: &str) -> Vec<Outcome> {
        let home = milestone_domain::ids::MilestoneId(1);
        let all = [
            CameTo::Done,
            CameTo::Failed(said.to_owned()),
            CameTo::Error(said.to_owned()),
            CameTo::NotDone(said.to_owned()),
        ];
        (1..)
            .zip(all)
            .map(|(number, came_to)| Outcome {
                id: TaskId::new(home, number),
                title: said.to_owned(),
                came_to,
                seconds: 1.5,
                attempts: vec![said.to_owned()],
            })
            .collect()
    }
}
