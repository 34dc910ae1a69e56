//! Being started by an attempt of a session: an agent that does a task types commands as well.
//!
//! This holds those to their task who mean well. What an agent may do to the machine, and to the
//! project's files, is for the box to say.

use std::env;

use milestone_domain::command::{Command, Others};
use milestone_domain::ids::TaskId;

use crate::errors::Failure;

/// The task of the attempt, in one that a session has started.
fn task() -> Option<TaskId> {
    env::var_os("MILESTONE_SESSION")?;
    env::var_os("MILESTONE_ATTEMPT")?;
    env::var("MILESTONE_TASK").ok()?.parse().ok()
}

/// Refuses what an attempt may not ask for.
pub fn check(command: &Command) -> Result<(), Failure> {
    let Some(task) = task() else { return Ok(()) };
    command.check_attempt(task).map_err(|whose| match whose {
        Others::Sessions => Failure::usage(
            format!(
                "this is an attempt at {task}: its session verifies what it leaves, and completes it"
            ),
            format!(
                "leave the work in this folder and end; what cannot be done: `milestone task block \
                 {task} --reason TEXT`"
            ),
        ),
        Others::Peoples => Failure::usage(
            format!(
                "this is an attempt at {task}, which does that task and does not change the plan"
            ),
            format!("say what should be changed: `milestone task note {task} TEXT`"),
        ),
    })
}

/// Refuses an attempt what is for people, and says what it does not do.
pub fn check_is_none(does_not: &str) -> Result<(), Failure> {
    if env::var_os("MILESTONE_ATTEMPT").is_none() || env::var_os("MILESTONE_SESSION").is_none() {
        return Ok(());
    }
    Err(Failure::usage(
        format!("this is an attempt of a session, which {does_not}"),
        "do the task that was given, and end",
    ))
}
