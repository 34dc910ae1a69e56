//! Starting what is run for an attempt, and listening to it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Shared, trouble};
use crate::boxed::{Inside, Wrapped};
use crate::core::{Attempt, Failure, FailureKind, Input};
use crate::keeper;
use crate::log::Log;
use crate::process::{self, Lifeline, Start};
use crate::runners::{Heard, Runner, Used};
use crate::session::Flight;

/// What every program may know of ours: enough to find itself, its settings and its language.
const PASSED_ON: [&str; 10] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
];

/// How often it is told that a runner says something.
const TOLD_EVERY: Duration = Duration::from_millis(250);

/// How many lines of a failed command are told.
const TAIL_LINES: usize = 20;

/// How much of each.
const TAIL_CHARS: usize = 500;

impl Shared {
    /// Runs it and listens.
    pub(super) fn hear(
        &self,
        attempt: Attempt,
        runner: &dyn Runner,
        start: &Start<'_>,
        before: Used,
    ) -> Result<(i32, Heard), Failure> {
        let mut heard = Heard::default();
        let mut told: Option<Instant> = None;
        let code = self.start(attempt, start, &mut |line| {
            runner.hear(line, &mut heard);
            let used = runner.used(heard.used, before);
            self.notice(attempt, &heard, used);
            // Some print thousands of lines a second.
            if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
                told = Some(Instant::now());
                self.tell_heard(attempt, &heard, used);
            }
        })?;
        self.tell_heard(attempt, &heard, runner.used(heard.used, before));
        Ok((code, heard))
    }

    fn tell_heard(&self, attempt: Attempt, heard: &Heard, used: Used) {
        let _ = self.inputs.send(Input::Heard(attempt, Some(used)));
        self.tell(attempt.id, |tried| {
            tried.heard = Some(Timestamp::now());
            tried.last.clone_from(&heard.last);
            tried.handle.clone_from(&heard.handle);
            (tried.used, tried.counted) = (used, heard.used);
        });
    }

    /// Starts a process that `Stop` ends.
    pub(super) fn start(
        &self,
        attempt: Attempt,
        start: &Start<'_>,
        hear: &mut (dyn FnMut(&str) + Send),
    ) -> Result<i32, Failure> {
        let lifeline = Lifeline::default();
        let stopped = self.with(attempt, |flying| {
            flying.lifeline = lifeline.clone();
            flying.stopped
        });
        if stopped.unwrap_or(true) {
            return Err(Failure::new(FailureKind::Stopped, "stopped"));
        }
        let log = self.sessions.create_log(attempt.id).map_err(trouble)?;
        let mut log = Log::of(log, self.setup.log_limit).map_err(trouble)?;
        let wrapped = self.boxed(attempt, start)?;
        let start = match &wrapped {
            Some(Wrapped { program, arguments }) => &Start { program, arguments, ..*start },
            None => start,
        };
        let ended = process::run(start, &lifeline, &mut log, hear);
        let stopped = self.with(attempt, |flying| flying.stopped).unwrap_or(true);
        match ended {
            _ if stopped => Err(Failure::new(FailureKind::Stopped, "stopped")),
            Ok(Some(code)) => Ok(code),
            Ok(None) => {
                keeper::end_all_of(attempt.id);
                let reason = "the process that keeps the runner was killed";
                Err(Failure::new(FailureKind::Run, reason))
            }
            Err(error) => Err(trouble(error)),
        }
    }

    /// The command in a box, where one is wanted.
    fn boxed(&self, attempt: Attempt, start: &Start<'_>) -> Result<Option<Wrapped>, Failure> {
        let Some(boxes) = &self.setup.boxes else { return Ok(None) };
        let flight = self.flown(attempt)?;
        let repository = self.setup.repository.as_ref();
        let inside = Inside {
            runner: &flight.runner,
            folder: start.folder,
            root: &self.setup.root,
            project: &self.setup.project,
            git: repository.map(|repository| (repository.common(), attempt.branch())),
        };
        Ok(Some(boxes.around(start, &inside)))
    }

    /// What of our own environment is passed on.
    pub(super) fn usual_environment(&self, more: &[String]) -> BTreeMap<OsString, OsString> {
        let names = PASSED_ON.iter().copied().chain(more.iter().map(String::as_str));
        let names = names.chain(self.setup.execution.environment.iter().map(String::as_str));
        names.filter_map(|name| Some((name.into(), std::env::var_os(name)?))).collect()
    }

    pub(super) fn environment(
        &self,
        attempt: Attempt,
        more: &[String],
    ) -> BTreeMap<OsString, OsString> {
        let mut environment = self.usual_environment(more);
        let own = [
            ("MILESTONE_ROOT", self.setup.project.clone().into_os_string()),
            ("MILESTONE_TASK", attempt.task.to_string().into()),
            ("MILESTONE_FENCE", attempt.fence.to_string().into()),
            ("MILESTONE_ATTEMPT", attempt.id.0.to_string().into()),
            ("MILESTONE_SESSION", self.session().id.clone().into()),
        ];
        environment.extend(own.map(|(name, value)| (name.into(), value)));
        environment
    }

    /// Runs a command that must succeed, in what the attempt works in.
    pub(super) fn shell(
        &self,
        attempt: Attempt,
        flight: &Flight,
        command: &str,
        kind: FailureKind,
    ) -> Result<(), Failure> {
        let arguments = ["-c".to_owned(), command.to_owned()];
        let environment = self.environment(attempt, &[]);
        let start = Start {
            keeper: &self.setup.keeper,
            program: "sh",
            arguments: &arguments,
            environment: &environment,
            folder: &flight.worktree,
            stdin: "",
        };
        let mut tail = Vec::new();
        let mut told: Option<Instant> = None;
        let code = self.start(attempt, &start, &mut |line| {
            keep_tail(&mut tail, line);
            if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
                told = Some(Instant::now());
                let _ = self.inputs.send(Input::Heard(attempt, None));
            }
        })?;
        if code == 0 {
            return Ok(());
        }
        let reason = format!("`{command}` ended with {code}:\n{}", tail.join("\n"));
        Err(Failure::new(kind, reason))
    }
}

fn keep_tail(tail: &mut Vec<String>, line: &str) {
    if tail.len() == TAIL_LINES {
        tail.remove(0);
    }
    tail.push(line.chars().take(TAIL_CHARS).collect());
}
