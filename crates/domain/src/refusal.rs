//! Why a rule says no: the thing, the rule, and one step that is safe to take next.

use jiff::civil::Date;

use crate::ids::{MilestoneId, Node, TaskId};
use crate::readiness::Reason;

/// A rule's refusal. Nothing was changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("{node} does not exist")]
    Unknown { node: Node, nearest: Option<Node> },
    #[error("{milestone} has no criterion {number}")]
    UnknownCriterion { milestone: MilestoneId, number: u32, known: u32 },
    #[error("{milestone} has no phase {phase}: {}", phases_there_are(.known))]
    UnknownPhase { milestone: MilestoneId, phase: String, known: Vec<String> },
    #[error("{milestone}: {path}: {message}")]
    BadField { milestone: MilestoneId, path: String, message: String },
    #[error("{path} of {milestone} is written by the program only")]
    ProgramKey { milestone: MilestoneId, path: String },
    #[error("{what} has at most {max} characters, this one has {length}")]
    TooLong { what: &'static str, max: usize, length: usize },
    #[error("{what} must say something")]
    Empty { what: &'static str },
    #[error("{id} is {from}; it cannot become {to}")]
    BadMove { id: Node, from: &'static str, to: &'static str, next: String },
    #[error("{task} cannot be completed: {}", reasons(.waiting))]
    PrerequisitesOpen { task: TaskId, waiting: Vec<Reason> },
    #[error("{task} cannot be started: {}", reasons(.waiting))]
    NotReady { task: TaskId, waiting: Vec<Reason> },
    #[error("{milestone} cannot be completed: {}", open(.tasks, .criteria, .gates))]
    Incomplete {
        milestone: MilestoneId,
        tasks: Vec<TaskId>,
        criteria: Vec<u32>,
        /// The phases that wait for approval.
        gates: Vec<String>,
    },
    #[error("phase {phase} of {milestone} asks for no approval; there is nothing to decide")]
    NoGate { milestone: MilestoneId, phase: String },
    #[error("{task} is {}, not of phase {phase}", of_phase(.own.as_deref()))]
    NotInPhase { task: TaskId, phase: String, own: Option<String> },
    #[error("phase {phase} of {milestone} cannot be approved: {}", open(.tasks, &[], .gates))]
    PhaseOpen {
        milestone: MilestoneId,
        phase: String,
        tasks: Vec<TaskId>,
        /// The phases before it that wait for approval.
        gates: Vec<String>,
    },
    #[error("{milestone} is {status}; its phases are decided about while it is open")]
    Closed { milestone: MilestoneId, status: &'static str },
    #[error("{milestone} is not completed or cancelled; only then is it archived")]
    NotClosed { milestone: MilestoneId },
    #[error("{task} is held by {by}")]
    Held { task: TaskId, by: String, fence: Option<u64>, seconds_left: Option<u64> },
    #[error("fence {given} for {task} is stale; the task has moved on{}", fence_now(*.current))]
    StaleFence { task: TaskId, given: u64, current: Option<u64> },
    #[error("these dependencies form a cycle, each waiting for the next: {}", chain(.path))]
    Cycle { path: Vec<Node> },
    #[error("{node} is needed by {}", list(.by))]
    NeededBy { node: Node, by: Vec<Node> },
    #[error("{milestone} is archived")]
    Archived { milestone: MilestoneId },
    #[error("the condition {name} is provided by {by}, which is completed")]
    ConditionProvided { name: String, by: Node },
    #[error("the condition {name} is not set")]
    ConditionNotSet { name: String },
    #[error("a lease of {seconds} s is not between {min} s and {max} s")]
    BadLease { seconds: u64, min: u64, max: u64 },
    #[error("the due date {due} is before the start {start}")]
    DueBeforeStart { start: Date, due: Date },
    #[error("no number is left for another {what}")]
    NumbersUsedUp { what: &'static str },
    #[error("{milestone} cannot be read: {message}")]
    Unreadable { milestone: MilestoneId, message: String },
}

/// The class of a refusal, which is also what its exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalClass {
    Usage,
    NotFound,
    Conflict,
    Rule,
    Unreadable,
}

impl Refusal {
    /// A stable name for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "unknown_id",
            Self::UnknownCriterion { .. } => "unknown_criterion",
            Self::UnknownPhase { .. } => "unknown_phase",
            Self::BadField { .. } => "bad_field",
            Self::ProgramKey { .. } => "program_key",
            Self::TooLong { .. } => "too_long",
            Self::Empty { .. } => "empty",
            Self::BadMove { .. } => "bad_move",
            Self::PrerequisitesOpen { .. } => "prerequisites_open",
            Self::NotReady { .. } => "not_ready",
            Self::Incomplete { .. } => "incomplete",
            Self::NoGate { .. } => "no_gate",
            Self::NotInPhase { .. } => "not_in_phase",
            Self::PhaseOpen { .. } => "phase_open",
            Self::Closed { .. } => "closed",
            Self::NotClosed { .. } => "not_closed",
            Self::Held { .. } => "held",
            Self::StaleFence { .. } => "stale_fence",
            Self::Cycle { .. } => "cycle",
            Self::NeededBy { .. } => "needed_by",
            Self::Archived { .. } => "archived",
            Self::ConditionProvided { .. } => "condition_provided",
            Self::ConditionNotSet { .. } => "condition_not_set",
            Self::BadLease { .. } => "bad_lease",
            Self::DueBeforeStart { .. } => "due_before_start",
            Self::NumbersUsedUp { .. } => "numbers_used_up",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    pub fn class(&self) -> RefusalClass {
        match self {
            Self::Unknown { .. } | Self::UnknownCriterion { .. } | Self::UnknownPhase { .. } => {
                RefusalClass::NotFound
            }
            Self::BadField { .. }
            | Self::ProgramKey { .. }
            | Self::TooLong { .. }
            | Self::Empty { .. }
            | Self::NotInPhase { .. }
            | Self::BadLease { .. } => RefusalClass::Usage,
            Self::Held { .. } | Self::StaleFence { .. } => RefusalClass::Conflict,
            Self::Unreadable { .. } => RefusalClass::Unreadable,
            Self::BadMove { .. }
            | Self::PrerequisitesOpen { .. }
            | Self::NotReady { .. }
            | Self::Incomplete { .. }
            | Self::NoGate { .. }
            | Self::PhaseOpen { .. }
            | Self::Closed { .. }
            | Self::NotClosed { .. }
            | Self::Cycle { .. }
            | Self::NeededBy { .. }
            | Self::Archived { .. }
            | Self::ConditionProvided { .. }
            | Self::ConditionNotSet { .. }
            | Self::DueBeforeStart { .. }
            | Self::NumbersUsedUp { .. } => RefusalClass::Rule,
        }
    }

    /// One step that is safe to take. None of them removes, overwrites or forces anything.
    pub fn next(&self) -> String {
        match self {
            Self::Unknown { nearest: Some(nearest), .. } => {
                format!("did you mean {nearest}? see `milestone list`")
            }
            Self::Unknown { nearest: None, .. } => "see `milestone list`".into(),
            Self::UnknownCriterion { milestone, .. }
            | Self::UnknownPhase { milestone, .. }
            | Self::ProgramKey { milestone, .. } => format!("see `milestone show {milestone}`"),
            Self::BadField { .. } => {
                "see what each field may say: `milestone schema milestone`".into()
            }
            Self::Empty { .. } => "say it in a few words".into(),
            Self::TooLong { .. } => "say it in fewer words, and the rest in a description".into(),
            Self::BadMove { next, .. } => next.clone(),
            Self::PrerequisitesOpen { .. } | Self::NotReady { .. } => {
                "see `milestone next` for what can be done now".into()
            }
            Self::Incomplete { milestone, tasks, gates, .. }
                if tasks.is_empty() && gates.is_empty() =>
            {
                format!(
                    "give the evidence: `milestone criterion met {milestone} N --evidence TEXT`"
                )
            }
            Self::Incomplete { milestone, .. } | Self::PhaseOpen { milestone, .. } => {
                format!("see what is open: `milestone show {milestone}`")
            }
            Self::NoGate { milestone, .. } => {
                format!(
                    "to ask for one, write `approval: true` there: `milestone edit {milestone}`"
                )
            }
            Self::NotInPhase { task, .. } => {
                format!("see its phases: `milestone show {}`", task.milestone)
            }
            Self::Closed { milestone, .. } => {
                format!("reopen it first: `milestone update {milestone} --status in_progress`")
            }
            Self::NotClosed { milestone } => {
                format!("complete it first: `milestone update {milestone} --status completed`")
            }
            Self::Held { task, fence, seconds_left, .. } => {
                other_work(*task, *fence, *seconds_left)
            }
            Self::StaleFence { task, .. } => {
                format!("stop working on it; see who took over: `milestone task log {task}`")
            }
            Self::Cycle { .. } => "leave out one of these dependencies".into(),
            Self::NeededBy { by, .. } => match by.first() {
                Some(node) => format!("change what requires it first: `milestone show {node}`"),
                None => "change what requires it first".into(),
            },
            Self::Archived { milestone } => {
                format!(
                    "bring it back with `milestone update {milestone} --status in_progress`, or \
                     plan new work"
                )
            }
            Self::ConditionProvided { by, .. } => {
                format!("if it no longer holds, reopen {by}")
            }
            Self::ConditionNotSet { .. } => "see `milestone condition list`".into(),
            Self::BadLease { .. } => "ask for a lease within the bounds, and renew it".into(),
            Self::DueBeforeStart { .. } => "move one of the two dates".into(),
            Self::NumbersUsedUp { .. } => "use another milestone for further work".into(),
            Self::Unreadable { .. } => "see what is wrong: `milestone doctor`".into(),
        }
    }
}

/// What to do about a task that somebody else has.
fn other_work(task: TaskId, fence: Option<u64>, seconds_left: Option<u64>) -> String {
    match (fence, seconds_left) {
        (_, Some(seconds)) => format!(
            "take other work (`milestone next`); this claim ends in {seconds} s unless renewed"
        ),
        (Some(_), None) => {
            format!("the lease of that claim has ended; take over: `milestone task claim {task}`")
        }
        (None, None) => {
            format!("take other work (`milestone next`), or see `milestone task log {task}`")
        }
    }
}

fn reasons(reasons: &[Reason]) -> String {
    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(", and ")
}

fn list<T: std::fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn chain(nodes: &[Node]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → ")
}

fn fence_now(fence: Option<u64>) -> String {
    fence.map(|fence| format!(" (its fence is {fence})")).unwrap_or_default()
}

fn phases_there_are(known: &[String]) -> String {
    if known.is_empty() { "it has none".into() } else { format!("it has {}", list(known)) }
}

fn of_phase(phase: Option<&str>) -> String {
    phase.map_or_else(|| "of no phase".into(), |phase| format!("of phase {phase}"))
}

/// Long lists are cut: the first few say enough, `show` says the rest.
fn open(tasks: &[TaskId], criteria: &[u32], gates: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut parts = Vec::new();
    let cut = |count: usize| match count.checked_sub(SHOWN) {
        Some(more) if more > 0 => format!(" and {more} more"),
        _ => String::new(),
    };
    if !tasks.is_empty() {
        let shown = list(&tasks[..tasks.len().min(SHOWN)]);
        parts.push(format!("open tasks: {shown}{}", cut(tasks.len())));
    }
    if !criteria.is_empty() {
        let shown = list(&criteria[..criteria.len().min(SHOWN)]);
        parts.push(format!("criteria without evidence: {shown}{}", cut(criteria.len())));
    }
    if !gates.is_empty() {
        let shown = list(&gates[..gates.len().min(SHOWN)]);
        parts.push(format!("phases without approval: {shown}{}", cut(gates.len())));
    }
    parts.join("; ")
}
