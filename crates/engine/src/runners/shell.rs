//! A task that is a command: nothing but its exit code is believed.

use super::reading::line;
use super::{Ended, Heard, Job, Launch, LaunchError, Runner, by_code};

pub const NAME: &str = "shell";

/// Runs what stands in the task's `run`.
#[derive(Debug, Clone, Copy)]
pub struct Shell;

impl Runner for Shell {
    fn name(&self) -> &str {
        NAME
    }

    fn program(&self) -> &'static str {
        "sh"
    }

    fn launch(&self, job: &Job<'_>) -> Result<Launch, LaunchError> {
        let run = job.run.filter(|run| !run.trim().is_empty()).ok_or(LaunchError::NoCommand)?;
        // What comes after the command are its own `$0`, `$1` and so on.
        let arguments = ["-c", run, NAME].into_iter().map(str::to_owned);
        Ok(Launch {
            program: self.program().to_owned(),
            arguments: arguments.chain(job.extra.iter().cloned()).collect(),
            ..Launch::default()
        })
    }

    fn hear(&self, text: &str, heard: &mut Heard) {
        let said = line(text);
        if !said.is_empty() {
            heard.last = Some(said);
        }
    }

    fn is_told(&self) -> bool {
        false
    }

    fn continues(&self) -> bool {
        false
    }

    fn ended(&self, heard: &Heard, code: Option<i32>) -> Ended {
        by_code(heard, code)
    }
}
