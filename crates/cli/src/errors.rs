//! Everything that can go wrong, and for each: exit code, stable code, and one safe next step.

mod executing;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use milestone_domain::ids::{MilestoneId, Node, TaskId};
use milestone_domain::refusal::{Refusal, RefusalClass};
use milestone_engine::error::EngineError;
use milestone_engine::git::GitError;
use milestone_store::{Error, StoreError, StoreErrorClass};
use schemars::JsonSchema;
use serde::Serialize;

pub use executing::Executing;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub enum Failure {
    Refused(Refusal),
    Store(StoreError),
    /// The claim is in the same name, and no fence or another one was shown.
    HeldUnderYourName(Refusal),
    Usage {
        message: String,
        next: String,
    },
    NoCurrent {
        candidates: Vec<MilestoneId>,
    },
    /// Nothing can be taken; this many tasks are ready for others.
    NothingReady {
        others: usize,
    },
    /// Nothing belongs to it; these are the releases that there are.
    NoRelease {
        name: String,
        known: Vec<String>,
    },
    NoTemplate {
        name: String,
        nearest: Option<String>,
    },
    TemplateThere {
        name: String,
    },
    /// The claim is somebody else's by now, or nobody's.
    ClaimLost {
        task: TaskId,
    },
    Untrusted {
        command: String,
        retry: String,
    },
    /// Files would be changed, and nobody was there to agree to it.
    NotAgreed {
        command: String,
    },
    CheckFailed {
        command: String,
        output: String,
    },
    NoCheck {
        milestone: MilestoneId,
        number: u32,
    },
    /// An edit that does not count yet; what was written is kept.
    EditKept {
        because: Box<Failure>,
        kept: PathBuf,
        again: String,
    },
    /// A merge that only a person can finish.
    LeftToPerson {
        path: String,
    },
    Unhealthy {
        problems: usize,
    },
    /// An execution that did not end with everything done.
    Executing(Executing),
    /// Git could not do what was needed of it, and says why.
    Git(GitError),
    /// What was taken in says that something failed; that has been said.
    ReportFailed {
        on: Node,
    },
    /// A release that is asked about is not complete; what is missing has been said.
    NotReady,
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Whoever read our output stopped reading.
    Closed,
}

/// What a process says about itself when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "u8")]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    Conflict = 4,
    Rule = 5,
    Unreachable = 6,
    Unreadable = 7,
    Interrupted = 130,
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        exit as Self
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(u8::from(exit))
    }
}

/// One line of the table.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Entry {
    pub code: &'static str,
    pub exit: Exit,
    pub message: String,
    pub next: String,
}

impl Failure {
    pub fn usage(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), next: next.into() }
    }

    /// Nobody can agree to anything where that cannot be remembered.
    pub fn no_place_for_trust() -> Self {
        Self::usage(
            "there is no folder of yours to remember in what you agree to",
            "set HOME, or XDG_STATE_HOME",
        )
    }

    /// The table. Every next step is safe: none removes, overwrites or forces anything.
    pub fn entry(&self) -> Entry {
        match self {
            Self::Refused(refusal) => Entry {
                code: refusal.code(),
                exit: of_refusal(refusal.class()),
                message: refusal.to_string(),
                next: refusal.next(),
            },
            Self::Store(error) => Entry {
                code: error.code(),
                exit: of_store(error.class()),
                message: error.to_string(),
                next: error.next(),
            },
            Self::HeldUnderYourName(refusal) => Entry {
                code: refusal.code(),
                exit: of_refusal(refusal.class()),
                message: refusal.to_string(),
                next: "if this is your claim, show the fence that `milestone task claim` printed \
                       (`--fence N`); if not, take other work: `milestone next`"
                    .into(),
            },
            Self::EditKept { because, kept, again } => Entry {
                message: format!("the edit does not count yet: {}", because.entry().message),
                next: format!("it is kept in {}; go on with it: `{again}`", kept.display()),
                ..because.entry()
            },
            Self::Executing(executing) => executing.entry(),
            Self::NoRelease { name, known } => Entry {
                code: "no_release",
                exit: Exit::NotFound,
                message: format!("no milestone belongs to release {name}"),
                next: match known.as_slice() {
                    [] => "say which belong to it: `milestone update ID --release NAME`".into(),
                    known => format!("there is {}", known.join(", ")),
                },
            },
            Self::NoTemplate { name, nearest } => Entry {
                code: "no_template",
                exit: Exit::NotFound,
                message: format!("there is no template `{name}`"),
                next: match nearest {
                    Some(nearest) => format!("did you mean `milestone template show {nearest}`?"),
                    None => "see those there are: `milestone template list`".into(),
                },
            },
            Self::TemplateThere { name } => Entry {
                code: "template_there",
                exit: Exit::Conflict,
                message: format!(
                    "the project has a template `{name}` already; it is left as it is"
                ),
                next: format!("edit .milestones/templates/{name}.yaml, or choose another name"),
            },
            own => own.own_entry(),
        }
    }

    fn own_entry(&self) -> Entry {
        let (code, exit, next) = match self {
            Self::Usage { next, .. } => ("usage", Exit::Usage, next.clone()),
            Self::NoCurrent { candidates } if candidates.is_empty() => {
                ("no_current", Exit::NotFound, "start one: `milestone next`".to_owned())
            }
            Self::NoCurrent { .. } => ("no_current", Exit::NotFound, "name one of them".to_owned()),
            Self::NothingReady { .. } => {
                ("nothing_ready", Exit::NotFound, "see what is waited for: `milestone next`".into())
            }
            Self::ClaimLost { task } => {
                let next =
                    format!("stop working on it; see who took over: `milestone task log {task}`");
                ("claim_lost", Exit::Conflict, next)
            }
            Self::Untrusted { retry, .. } => (
                "untrusted",
                Exit::Rule,
                format!("read it; if you agree to run it, say so in a terminal: `{retry}`"),
            ),
            Self::NotAgreed { command } => {
                ("not_agreed", Exit::Rule, format!("see the difference: `{command} --dry-run`"))
            }
            Self::CheckFailed { .. } => (
                "check_failed",
                Exit::Failed,
                "nothing was recorded; mend it and check again".into(),
            ),
            Self::NoCheck { milestone, number } => {
                let next = format!(
                    "give the evidence: `milestone criterion met {milestone} {number} --evidence TEXT`"
                );
                ("no_check", Exit::Usage, next)
            }
            Self::LeftToPerson { .. } => (
                "left_to_person",
                Exit::Failed,
                "before you commit the merge, `milestone doctor --fix` resolves what history explains"
                    .into(),
            ),
            Self::Unhealthy { .. } => {
                ("unhealthy", Exit::Failed, "each problem above says what to do about it".into())
            }
            Self::Git(_) => ("git", Exit::Failed, "see how git stands there: `git status`".into()),
            Self::ReportFailed { on } => {
                let next = match on {
                    Node::Task(task) => format!("mend it; what was kept: `milestone task log {task}`"),
                    Node::Milestone(_) => "mend it, and report again".to_owned(),
                };
                ("report_failed", Exit::Failed, next)
            }
            Self::NotReady => {
                ("not_ready", Exit::Failed, "finish what is listed, and ask again".into())
            }
            Self::Io { .. } => {
                ("io", Exit::Failed, "see that the file can be read and written".into())
            }
            Self::Closed => ("output_closed", Exit::Done, String::new()),
            Self::Refused(_)
            | Self::Store(_)
            | Self::HeldUnderYourName(_)
            | Self::Executing(_)
            | Self::NoRelease { .. }
            | Self::NoTemplate { .. }
            | Self::TemplateThere { .. }
            | Self::EditKept { .. } => return self.entry(),
        };
        Entry { code, exit, message: self.message(), next }
    }

    fn message(&self) -> String {
        match self {
            Self::Usage { message, .. } => message.clone(),
            Self::NoCurrent { candidates } if candidates.is_empty() => {
                "no milestone is in progress".into()
            }
            Self::NoCurrent { candidates } => {
                let names: Vec<_> = candidates.iter().map(ToString::to_string).collect();
                format!("several milestones are in progress: {}", names.join(", "))
            }
            Self::NothingReady { others: 0 } => "no task is ready to be taken".into(),
            Self::NothingReady { others: 1 } => {
                "no task is ready to be taken, but one that is assigned to somebody else".into()
            }
            Self::NothingReady { others } => {
                format!("no task is ready to be taken, but {others} that are assigned to others")
            }
            Self::ClaimLost { task } => format!("the claim on {task} is no longer yours"),
            Self::Untrusted { command, .. } if command.contains('\n') => {
                format!("these came with the document and were never agreed to:\n{command}")
            }
            Self::Untrusted { command, .. } => {
                format!("this command came with the document and was never agreed to: {command}")
            }
            Self::NotAgreed { .. } => {
                "nothing was changed, because nobody agreed to it; `--yes` agrees beforehand".into()
            }
            Self::CheckFailed { command, output } if output.is_empty() => {
                format!("the check failed: {command}")
            }
            Self::CheckFailed { command, output } => {
                format!("the check failed: {command}\n{output}")
            }
            Self::NoCheck { milestone, number } => {
                format!("criterion {number} of {milestone} has no check to run")
            }
            Self::LeftToPerson { path } => format!("{path} is left to a person"),
            Self::Unhealthy { problems: 1 } => "1 problem was found".into(),
            Self::Unhealthy { problems } => format!("{problems} problems were found"),
            Self::Git(error) => error.to_string(),
            Self::ReportFailed { on } => {
                format!("something in it failed, which is kept in the history of {on}")
            }
            Self::NotReady => "not everything for the release is done".into(),
            Self::Io { doing, path, source } => {
                format!("cannot {doing} {}: {source}", path.display())
            }
            Self::Closed => "nobody reads the output".into(),
            Self::Refused(_)
            | Self::Store(_)
            | Self::HeldUnderYourName(_)
            | Self::Executing(_)
            | Self::NoRelease { .. }
            | Self::NoTemplate { .. }
            | Self::TemplateThere { .. }
            | Self::EditKept { .. } => self.entry().message,
        }
    }
}

fn of_refusal(class: RefusalClass) -> Exit {
    match class {
        RefusalClass::Usage => Exit::Usage,
        RefusalClass::NotFound => Exit::NotFound,
        RefusalClass::Conflict => Exit::Conflict,
        RefusalClass::Rule => Exit::Rule,
        RefusalClass::Unreadable => Exit::Unreadable,
    }
}

fn of_store(class: StoreErrorClass) -> Exit {
    match class {
        StoreErrorClass::NotFound => Exit::NotFound,
        StoreErrorClass::Conflict => Exit::Conflict,
        StoreErrorClass::Unreachable => Exit::Unreachable,
        StoreErrorClass::Unreadable => Exit::Unreadable,
        StoreErrorClass::Usage => Exit::Usage,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => Self::Refused(refusal),
            Error::Store(error) => Self::Store(error),
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => Self::Store(error),
            EngineError::Io { doing, path, source } => Self::Io { doing, path, source },
            EngineError::Running { milestone, by } => {
                Self::Executing(Executing::Running { milestone, by })
            }
            error @ EngineError::Form { .. } => {
                Self::Executing(Executing::Failed(error.to_string()))
            }
        }
    }
}

impl From<GitError> for Failure {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

#[cfg(test)]
mod tests;
