//! How each kind of agent is started, and how what it prints is understood.
//!
//! Nothing is started here: a runner makes a [`Launch`] of a [`Job`], and a line that was printed
//! changes what was [`Heard`]. What each program expects and prints was seen with the real ones,
//! talking to an endpoint with scripted answers; what they printed then is in `recorded/`.

mod answer;
mod claude;
mod codex;
mod configured;
mod custom;
mod gemini;
mod limits;
mod opencode;
mod reading;
mod shell;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use answer::{Reviewed, Said, reviewed, said};
pub use claude::Claude;
pub use codex::Codex;
pub use configured::{Configured, Preset};
pub use custom::{Custom, CustomError, Json, Reads, Settings, Stdin};
pub use gemini::Gemini;
pub use limits::{Limit, Limited, Wait};
pub use opencode::Opencode;
pub use shell::Shell;

/// Runs the command of a task that is one.
pub const SHELL: &str = shell::NAME;

/// Waits for a person; no process is started.
pub const MANUAL: &str = "manual";

/// The names of the runners that are built in; nobody may give one of them another meaning.
pub const BUILT_IN: [&str; 7] =
    [SHELL, claude::NAME, codex::NAME, gemini::NAME, opencode::NAME, "acp", MANUAL];

/// The agents that are taken without being asked for, in this order.
const PREFERRED: [&str; 4] = [claude::NAME, codex::NAME, gemini::NAME, opencode::NAME];

/// What an attempt is given.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    pub prompt: &'a str,
    /// Where the prompt is put for a program that reads it from a file.
    pub prompt_file: &'a str,
    /// The folder it works in, and is started in.
    pub worktree: &'a str,
    /// Folders outside of the worktree that it must be able to write to, as those that the
    /// `milestone` it calls keeps its data in. Only who shuts an agent in has a use for them.
    pub writable: &'a [&'a str],
    /// The command of a task that is one.
    pub run: Option<&'a str>,
    /// The agent's own name for the session it is to go on with.
    pub resume: Option<&'a str>,
    pub model: Option<&'a str>,
    /// Arguments from the configuration; they come after ours, so that they win.
    pub extra: &'a [String],
}

/// How a process is to be started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Launch {
    pub program: String,
    pub arguments: Vec<String>,
    /// Variables that are set.
    pub environment: Vec<(String, String)>,
    /// What it reads from its standard input; nothing is the same as an empty one.
    pub stdin: Option<String>,
    /// Whether it reads the prompt from [`Job::prompt_file`], which must then be written before.
    pub prompt_file: bool,
    /// Variables that it needs from our own environment, where they are there.
    pub passes_on: Vec<String>,
}

/// Why a job cannot be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    #[error("the task has no command (`run`), and the runner `shell` does nothing else")]
    NoCommand,
    #[error("the runner `{runner}` needs a {what}, and there is none")]
    Missing { runner: String, what: &'static str },
    #[error(
        "the runner `{runner}` was to be given an argument of {length} bytes, and the system takes {most}: use {{prompt_file}}, or the standard input"
    )]
    ArgumentTooLong { runner: String, length: usize, most: usize },
}

/// What was used of what costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Used {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
    /// All that was read, from a cache too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_in: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_out: Option<u64>,
    /// In millionths of a US dollar, as the program figures it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
}

impl Used {
    /// What both used together.
    #[must_use]
    pub fn and(self, more: Self) -> Self {
        let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        let turns = sum(self.turns.map(u64::from), more.turns.map(u64::from));
        Self {
            turns: turns.map(|turns| u32::try_from(turns).unwrap_or(u32::MAX)),
            tokens_in: sum(self.tokens_in, more.tokens_in),
            tokens_out: sum(self.tokens_out, more.tokens_out),
            cost: sum(self.cost, more.cost),
        }
    }
}

/// What was heard from an agent so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// The agent's own name for its session; with it, another attempt can go on in it.
    pub handle: Option<String>,
    /// As the agent counts; [`Runner::used`] says what of it is this attempt's.
    pub used: Used,
    /// What it does at the moment, in one line.
    pub last: Option<String>,
    /// What it said at the end.
    pub answer: Option<String>,
    /// How it ended, in its own words.
    pub ended: Option<Ended>,
    /// What holds it up, until it goes on.
    pub limited: Option<Limited>,
    /// The last line that was not in the form it should have: what a program says that gives up.
    pub complaint: Option<String>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    Succeeded,
    Failed(String),
}

/// One kind of agent.
pub trait Runner: Send + Sync {
    fn name(&self) -> &str;

    /// The program, looked for in `PATH` unless it is a path.
    fn program(&self) -> &str;

    fn launch(&self, job: &Job<'_>) -> Result<Launch, LaunchError>;

    /// Takes in one line of what was printed, to whichever of the two streams.
    fn hear(&self, line: &str, heard: &mut Heard);

    /// Whether it does what a prompt says, so that it can be told to go on with work that is there.
    fn is_told(&self) -> bool {
        true
    }

    /// Whether it can be started in a session of its own that was cut off, and remembers there
    /// what it had done, also in another folder: every attempt has its own. Who cannot is told by
    /// the prompt.
    fn continues(&self) -> bool;

    /// How it ended, when the process has ended with this code (none: by a signal).
    fn ended(&self, heard: &Heard, code: Option<i32>) -> Ended {
        match (&heard.ended, code) {
            (Some(Ended::Failed(reason)), _) => Ended::Failed(reason.clone()),
            // A process that was cut off may well end with 0.
            (None, Some(0)) => Ended::Failed("it stopped before it said how it went".into()),
            (_, code) => by_code(heard, code),
        }
    }

    /// What this attempt used, where its session stood at `before` when the attempt began.
    fn used(&self, heard: Used, _before: Used) -> Used {
        heard
    }
}

/// Who does a task.
pub enum Kind {
    Process(Box<dyn Runner>),
    /// The engine waits for somebody to say that it is done.
    Person,
}

/// A runner that needs no configuration.
fn built_in(name: &str) -> Option<Box<dyn Runner>> {
    Some(match name {
        SHELL => Box::new(Shell),
        claude::NAME => Box::new(Claude),
        codex::NAME => Box::new(Codex),
        gemini::NAME => Box::new(Gemini),
        opencode::NAME => Box::new(Opencode),
        _ => return None,
    })
}

/// The agents that can be started with this `PATH`, the one that is preferred first.
pub fn installed(path: &OsStr) -> Vec<&'static str> {
    let folders: Vec<_> = std::env::split_paths(path).collect();
    let is_there = |name: &&str| folders.iter().any(|folder| is_program(&folder.join(name)));
    PREFERRED.into_iter().filter(is_there).collect()
}

pub(crate) fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// How a process ended of which nothing but its code is to be believed.
fn by_code(heard: &Heard, code: Option<i32>) -> Ended {
    let how = match code {
        Some(0) => return Ended::Succeeded,
        Some(code) => format!("it ended with code {code}"),
        None => "it was ended by a signal".to_owned(),
    };
    let words = heard.complaint.as_ref().or(heard.last.as_ref());
    Ended::Failed(words.map_or_else(|| how.clone(), |words| format!("{how}: {words}")))
}

/// Words or the names of variables, as a launch holds them.
fn named(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// The flags that have a value here, each before its value.
fn flagged(flags: &[(&str, Option<&str>)]) -> Vec<String> {
    let given = flags.iter().filter_map(|(flag, value)| Some(named(&[flag, (*value)?])));
    given.flatten().collect()
}

#[cfg(test)]
mod tests;
