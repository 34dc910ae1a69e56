//! Being started by an attempt of a session: an agent that does a task types commands as well.
//!
//! This holds those to their task who mean well. What an agent may do to the machine, and to the
//! project's files, is for the box to say.

use std::env;

use milestone_domain::command::{Command, Others};
use milestone_domain::ids::TaskId;

use crate::errors::Failure;

/// Whether a session has started this; whoever claims by hand shows an attempt as well.
fn is_of_a_session() -> bool {
    is_one() && env::var_os("MILESTONE_SESSION").is_some()
}

fn is_one() -> bool {
    env::var_os("MILESTONE_ATTEMPT").is_some()
}

/// The task of the attempt, in one that a session has started.
fn task() -> Option<TaskId> {
    env::var("MILESTONE_TASK").ok().filter(|_| is_of_a_session())?.parse().ok()
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

/// Refuses an attempt of a session what is for people, and says what it does not do.
pub fn check_is_none(does_not: &str) -> Result<(), Failure> {
    if is_of_a_session() { Err(refused(does_not)) } else { Ok(()) }
}

/// Refuses whoever works on a task already, by whatever claim, to start a session.
pub fn check_starts_no_session() -> Result<(), Failure> {
    if is_one() { Err(refused("starts no sessions")) } else { Ok(()) }
}

fn refused(does_not: &str) -> Failure {
    Failure::usage(
        format!("this is an attempt of a session, which {does_not}"),
        "do the task that was given, and end",
    )
}
