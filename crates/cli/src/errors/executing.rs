//! How an execution can end that did not do everything.

use milestone_domain::ids::MilestoneId;
use milestone_engine::verdicts;

use super::{Entry, Exit};

/// How many of the things that are waited for are told.
const WAITING_TOLD: usize = 5;

#[derive(Debug)]
pub enum Executing {
    /// All tasks are done, and the milestone is not completed.
    TasksDone {
        milestone: MilestoneId,
        why: String,
    },
    /// Only people can go on, and this is what is waited for.
    Stuck {
        milestone: MilestoneId,
        waiting: Vec<String>,
    },
    /// All tasks are done, and these streams are not in the milestone's branch.
    StreamsOut {
        milestone: MilestoneId,
        out: Vec<String>,
    },
    Interrupted {
        milestone: MilestoneId,
    },
    /// It has used what it may use.
    Spent {
        milestone: MilestoneId,
        what: String,
    },
    Running {
        milestone: MilestoneId,
        by: String,
    },
    /// Something around it.
    Failed(String),
}

impl Executing {
    pub fn entry(&self) -> Entry {
        let (code, exit, next) = match self {
            Self::TasksDone { milestone, .. } => {
                let next = format!(
                    "see what is missing: `milestone update {milestone}`; put it right, then \
                     `milestone execute {milestone} --resume`"
                );
                ("tasks_done", Exit::Rule, next)
            }
            Self::StreamsOut { milestone, .. } => {
                ("streams_out", Exit::Rule, verdicts::next(*milestone))
            }
            Self::Stuck { milestone, .. } => {
                let next = format!(
                    "do what is waited for (`milestone task unblock TASK` lets a task be tried \
                     again), then `milestone execute {milestone} --resume`"
                );
                ("stuck", Exit::Rule, next)
            }
            Self::Interrupted { milestone } => {
                let next = format!("go on: `milestone execute {milestone} --resume`");
                ("interrupted", Exit::Interrupted, next)
            }
            Self::Spent { milestone, .. } => {
                let next = format!(
                    "see what it did: `milestone session show`; go on with more: `milestone \
                     execute {milestone} --resume --budget USD`, or raise `execute.session_*` in \
                     the settings"
                );
                ("spent", Exit::Rule, next)
            }
            Self::Running { .. } => {
                ("running", Exit::Conflict, "see how far it is: `milestone session show`".into())
            }
            Self::Failed(_) => {
                let next = "nothing is lost: see `milestone session show`";
                ("execution_failed", Exit::Failed, next.to_owned())
            }
        };
        Entry { code, exit, message: self.message(), next }
    }

    fn message(&self) -> String {
        match self {
            Self::TasksDone { milestone, why } => {
                format!("every task of {milestone} is done, but it is not completed: {why}")
            }
            Self::StreamsOut { milestone, out } => {
                let head = format!("every task of {milestone} is done, and streams stay out:");
                listed(&head, out)
            }
            Self::Stuck { milestone, waiting } => {
                listed(&format!("nothing more of {milestone} can be begun:"), waiting)
            }
            Self::Interrupted { milestone } => format!("the execution of {milestone} was stopped"),
            Self::Spent { milestone, what } => {
                format!("nothing more of {milestone} is begun in this session: {what}")
            }
            Self::Running { milestone, by } => {
                format!("{milestone} is being executed already, by {by}")
            }
            Self::Failed(message) => message.clone(),
        }
    }
}

fn listed(head: &str, waiting: &[String]) -> String {
    let told = waiting.iter().take(WAITING_TOLD);
    let mut told = told.cloned().collect::<Vec<_>>().join("\n  ");
    if waiting.len() > WAITING_TOLD {
        told = format!("{told}\n  and {} more", waiting.len() - WAITING_TOLD);
    }
    format!("{head}\n  {told}")
}
