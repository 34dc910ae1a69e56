//! What a decision is made from: documents, outlines, conditions and claims, as they were read.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::fmt::serde::timestamp::second::optional as seconds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::{External, GateDecision, Milestone, Phase, Risk, Task};
use crate::effort::{Effort, Estimate};
use crate::event::AttemptId;
use crate::ids::{MilestoneId, Node, Reference, TaskId, Uid};
use crate::progress::Progress;
use crate::settings::Settings;
use crate::status::{Decision, Level, MilestoneStatus, Priority, TaskStatus};

/// How much of a project a command reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One document, and the state of everything it waits for.
    Milestone(MilestoneId),
    /// Several documents, and the outlines of all open work: for commands on edges.
    Graph(BTreeSet<MilestoneId>),
    /// The outlines of all open work and of this many that were filed away, the newest: for what
    /// the past says about the future. Nothing may be decided on it.
    Past(usize),
    /// Every document, archived ones too.
    All,
}

/// A part of a project whose change makes a decision stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A whole document; where tasks are kept by themselves, the document without them.
    Milestone(MilestoneId),
    Task(TaskId),
    /// All edges, conditions and ids together.
    Graph,
    /// Which files and folders are being worked on.
    Resources,
}

/// What was read, in the store's own words for "unchanged".
pub type Versions = BTreeMap<Part, String>;

/// A consistent reading of a project, as far as its scope goes.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub settings: Settings,
    pub documents: BTreeMap<MilestoneId, Milestone>,
    pub outlines: BTreeMap<MilestoneId, Outline>,
    pub conditions: Conditions,
    pub claims: BTreeMap<TaskId, Claim>,
    /// The highest milestone number ever given.
    pub highest: Option<MilestoneId>,
    /// What is filed away, whether its outline was read or not.
    pub archived: BTreeSet<MilestoneId>,
    pub problems: Vec<Problem>,
    pub versions: Versions,
    pub given: Given,
}

/// What was given away before a backup was put back, and is never given again, whatever the
/// documents of then say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Given {
    /// The highest number of a milestone.
    pub milestone: Option<MilestoneId>,
    /// The highest number of a task of each milestone.
    pub tasks: BTreeMap<MilestoneId, u32>,
    /// The highest fence of each task.
    pub fences: BTreeMap<TaskId, u64>,
}

impl Given {
    pub fn task(&mut self, id: TaskId, fence: u64) {
        self.milestone = self.milestone.max(Some(id.milestone));
        let number = self.tasks.entry(id.milestone).or_default();
        *number = id.number.max(*number);
        let highest = self.fences.entry(id).or_default();
        *highest = fence.max(*highest);
    }

    /// What both know.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.milestone = self.milestone.max(other.milestone);
        for (milestone, number) in &other.tasks {
            let highest = self.tasks.entry(*milestone).or_default();
            *highest = (*highest).max(*number);
        }
        for (task, fence) in &other.fences {
            let highest = self.fences.entry(*task).or_default();
            *highest = (*highest).max(*fence);
        }
        self
    }

    /// What this knows and the other one does not.
    #[must_use]
    pub fn beyond(mut self, other: &Self) -> Self {
        self.tasks.retain(|id, number| other.tasks.get(id).is_none_or(|known| known < number));
        // A task that was never claimed has no fence that could come back.
        self.fences.retain(|id, fence| *fence > other.fences.get(id).copied().unwrap_or(0));
        self.milestone = self.milestone.filter(|_| self.milestone > other.milestone);
        self
    }
}

/// The conditions that people have set, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Conditions(pub BTreeMap<String, ConditionSetBy>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionSetBy {
    pub by: String,
    pub at: Timestamp,
}

/// A worker's right to a task, as the store judges it now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    pub task: TaskId,
    pub attempt: AttemptId,
    pub fence: u64,
    pub actor: String,
    /// Seconds left by the store's own clock; none when the lease is over.
    pub seconds_left: Option<u64>,
    /// What the task touches, so that overlaps are seen without reading its document.
    pub resources: Vec<String>,
}

impl Claim {
    pub fn is_live(&self) -> bool {
        self.seconds_left.is_some()
    }
}

/// Something wrong with what is kept, named so that a person can mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    pub milestone: Option<MilestoneId>,
    /// Relative to the project's folder.
    pub file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    pub kind: ProblemKind,
    pub message: String,
    pub next: String,
}

impl Problem {
    /// What is wrong, with its place in front, as compilers write it.
    pub fn placed(&self) -> String {
        let numbers = [self.line, self.column].into_iter().flatten();
        let place = numbers.fold(self.file.clone(), |place, number| format!("{place}:{number}"));
        format!("{place}: {}", self.message)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// The text is not a document; its last accepted state counts.
    Unreadable,
    /// A hand edit that a rule refuses; it stays in the file and does not count.
    RefusedEdit,
    /// A hand edit of what only the program writes; it is put back.
    ProgramKey,
    /// A key that this program does not know; it is kept.
    UnknownKey,
    /// Its history is there, its document is not.
    MissingDocument,
    /// Two documents, or two tasks, have been given the same id.
    Collision,
    /// A record of the history was changed, reordered or lost.
    BrokenHistory,
    /// An event of a newer program; the milestone can be read and not written.
    NewerEvent,
    /// A requirement that does not exist, or a cycle.
    Graph,
    /// It was filed away on one branch while another one went on with it.
    ArchivedOpen,
    /// Anything else that should not be as it is.
    Other,
}

/// A milestone without its body: what graphs, lists and readiness need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    pub id: MilestoneId,
    pub uid: Option<Uid>,
    pub title: String,
    pub status: MilestoneStatus,
    pub reason: Option<String>,
    pub priority: Option<Priority>,
    pub category: Option<String>,
    pub assignee: Option<String>,
    pub team_size: Option<u32>,
    pub release: Option<String>,
    #[serde(default)]
    pub labels: Vec<String>,
    pub start: Option<Date>,
    pub due: Option<Date>,
    #[serde(with = "seconds")]
    pub started_at: Option<Timestamp>,
    #[serde(with = "seconds")]
    pub completed_at: Option<Timestamp>,
    pub buffer: Option<u32>,
    pub duration: Option<Effort>,
    pub requires: Vec<Reference>,
    pub conditions: Vec<String>,
    /// The external dependencies still waited for.
    pub external: Vec<String>,
    /// Conditions that hold once it is completed.
    pub provides: Vec<String>,
    /// Conditions that its finished deliverables provide already.
    pub delivered: Vec<String>,
    /// In the order in which they follow one another.
    pub phases: Vec<PhaseOutline>,
    pub tasks: Vec<TaskOutline>,
    pub criteria_open: u32,
    pub criteria_met: u32,
    /// How many risks are named, and the worst of them.
    pub risks: u32,
    pub worst_risk: Option<RiskOutline>,
    pub progress: Progress,
    pub archived: bool,
}

/// A risk, as far as a list of them says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RiskOutline {
    pub text: String,
    pub probability: Option<Level>,
    pub impact: Option<Level>,
    pub mitigation: Option<String>,
}

/// A task without its body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskOutline {
    pub number: u32,
    pub title: String,
    pub status: TaskStatus,
    pub reason: Option<String>,
    pub kind: Option<String>,
    pub priority: Option<Priority>,
    pub assignee: Option<String>,
    pub phase: Option<String>,
    pub start: Option<Date>,
    pub due: Option<Date>,
    pub estimate: Option<Estimate>,
    pub weight: Option<u32>,
    /// Percent done, as far as anybody said.
    pub percent: u32,
    pub requires: Vec<Reference>,
    pub conditions: Vec<String>,
    pub provides: Vec<String>,
    pub resources: Vec<String>,
    pub runner: Option<String>,
    pub attempts: u64,
    #[serde(with = "seconds")]
    pub started_at: Option<Timestamp>,
    pub started_by: Option<String>,
    #[serde(with = "seconds")]
    pub completed_at: Option<Timestamp>,
    /// Whether it lay still in between.
    pub interrupted: bool,
}

/// A phase, as far as the ones after it are concerned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseOutline {
    pub name: String,
    /// Whether the phases after it wait for its approval.
    pub approval: bool,
    pub decided: Option<GateDecision>,
    /// Conditions that hold while it is approved; without approval, once the milestone is
    /// completed.
    pub provides: Vec<String>,
    pub weight: Option<u32>,
    /// How many of its activities are checked off, and how many there are.
    pub activities: (u32, u32),
    pub tasks_open: u32,
    /// A task of it was completed after the decision.
    pub worked_on_since: bool,
}

impl PhaseOutline {
    pub fn of(milestone: &Milestone, phase: &Phase) -> Self {
        let tasks: Vec<TaskOutline> =
            milestone.tasks_in(&phase.name).map(TaskOutline::of).collect();
        Self::without_tasks(milestone, phase).with_tasks(&tasks)
    }

    /// As far as the phase itself says it.
    fn without_tasks(milestone: &Milestone, phase: &Phase) -> Self {
        let done = phase.activities.iter().filter(|item| item.done).count();
        Self {
            name: phase.name.clone(),
            approval: phase.approval,
            decided: milestone.gates.get(&phase.name).filter(|_| phase.approval).cloned(),
            provides: phase.provides.clone(),
            weight: phase.weight,
            activities: (count(done), count(phase.activities.len())),
            tasks_open: 0,
            worked_on_since: false,
        }
    }

    /// With what the tasks say about it.
    fn with_tasks(self, tasks: &[TaskOutline]) -> Self {
        let own = || tasks.iter().filter(|task| task.phase.as_ref() == Some(&self.name));
        let completed = own().filter_map(|task| task.completed_at).max();
        let decided = self.decided.as_ref();
        Self {
            tasks_open: count(own().filter(|task| !task.status.is_closed()).count()),
            worked_on_since: decided.is_some_and(|decided| completed > Some(decided.at)),
            ..self
        }
    }

    /// Whether the phases after it need not wait. An approval counts for nothing while the work is
    /// open: two branches may have approved a phase and reopened a task of it.
    pub fn is_passed(&self) -> bool {
        !self.approval || (self.is_approved() && self.tasks_open == 0)
    }

    pub fn is_approved(&self) -> bool {
        self.decided.as_ref().is_some_and(|decided| decided.decision == Decision::Approved)
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Outline {
    pub fn of(milestone: &Milestone) -> Self {
        Self::without_tasks(milestone).with_tasks(milestone.tasks.iter().map(TaskOutline::of))
    }

    /// As far as the document says it beside its tasks.
    pub fn without_tasks(milestone: &Milestone) -> Self {
        let met = milestone.criteria.iter().filter(|criterion| criterion.met.is_some()).count();
        let waiting = |external: &&External| external.status.word() == "waiting";
        let external = milestone.dependencies.external.iter().filter(waiting);
        let promised = |done: bool| {
            let deliverables = milestone.deliverables.iter();
            deliverables.filter(move |item| item.done == done).flat_map(|item| &item.provides)
        };
        Self {
            id: milestone.id,
            uid: milestone.uid,
            title: milestone.title.clone(),
            status: milestone.status,
            reason: milestone.reason.clone(),
            priority: milestone.priority,
            category: milestone.category.clone(),
            assignee: milestone.assignee.clone(),
            team_size: milestone.team_size,
            release: milestone.release.clone(),
            labels: milestone.labels.clone(),
            start: milestone.start,
            due: milestone.due,
            started_at: milestone.started_at,
            completed_at: milestone.completed_at,
            buffer: milestone.buffer,
            duration: milestone.duration,
            requires: milestone.dependencies.requires.clone(),
            conditions: milestone.dependencies.conditions.clone(),
            external: external.map(|external| external.name.clone()).collect(),
            provides: milestone.provides.iter().chain(promised(false)).cloned().collect(),
            delivered: promised(true).cloned().collect(),
            phases: milestone
                .phases
                .iter()
                .map(|phase| PhaseOutline::without_tasks(milestone, phase))
                .collect(),
            tasks: Vec::new(),
            criteria_open: count(milestone.criteria.len() - met),
            criteria_met: count(met),
            risks: count(milestone.risks.len()),
            worst_risk: RiskOutline::worst(&milestone.risks),
            progress: Progress::default(),
            archived: milestone.archived,
        }
    }

    /// With these tasks, and with what follows from them.
    #[must_use]
    pub fn with_tasks(self, tasks: impl IntoIterator<Item = TaskOutline>) -> Self {
        let tasks: Vec<TaskOutline> = tasks.into_iter().collect();
        let phases = self.phases.into_iter().map(|phase| phase.with_tasks(&tasks)).collect();
        let outline = Self { phases, tasks, ..self };
        Self { progress: Progress::of_outline(&outline), ..outline }
    }

    /// Tasks mostly stand in the order of their numbers, so the obvious place is tried first.
    pub fn position(&self, number: u32) -> Option<usize> {
        let guess = number.checked_sub(1)? as usize;
        if self.tasks.get(guess).is_some_and(|task| task.number == number) {
            return Some(guess);
        }
        self.tasks.iter().position(|task| task.number == number)
    }

    pub fn task(&self, number: u32) -> Option<&TaskOutline> {
        self.tasks.get(self.position(number)?)
    }

    /// The first phase before a task's own that is not approved and has to be. A task of no phase
    /// waits for none.
    pub fn closed_gate(&self, task: &TaskOutline) -> Option<&PhaseOutline> {
        let own = task.phase.as_ref()?;
        let own = self.phases.iter().position(|phase| phase.name == *own)?;
        self.phases[..own].iter().find(|phase| !phase.is_passed())
    }

    /// The conditions that it, its phases and its tasks provide: by whom, and whether already.
    pub fn provisions(&self) -> impl Iterator<Item = (&str, Node, bool)> {
        let node = Node::Milestone(self.id);
        let completed = self.status == MilestoneStatus::Completed;
        let own = self.provides.iter().map(move |name| (name.as_str(), node, completed));
        let delivered = self.delivered.iter().map(move |name| (name.as_str(), node, true));
        let tasks = self.tasks.iter().flat_map(|task| {
            let node = Node::Task(TaskId::new(self.id, task.number));
            let done = task.status == TaskStatus::Completed;
            task.provides.iter().map(move |name| (name.as_str(), node, done))
        });
        let phases = self.phases.iter().flat_map(move |phase| {
            let holds = if phase.approval { phase.is_passed() } else { completed };
            phase.provides.iter().map(move |name| (name.as_str(), node, holds))
        });
        own.chain(delivered).chain(phases).chain(tasks)
    }

    /// Whether nothing of it is left to be done, to be shown or to be approved.
    pub fn is_finished(&self) -> bool {
        let tasks = self.tasks.iter().all(|task| task.status.is_closed());
        tasks && self.criteria_open == 0 && self.phases.iter().all(PhaseOutline::is_passed)
    }

    /// Every node that it or one of its tasks waits for.
    pub fn waits_for(&self) -> impl Iterator<Item = Node> + '_ {
        let own = self.requires.iter();
        let tasks = self.tasks.iter().flat_map(|task| &task.requires);
        own.chain(tasks).map(|reference| reference.node(self.id))
    }

    /// The other milestones that it or one of its tasks waits for, or for a task of theirs.
    pub fn required(&self) -> BTreeSet<MilestoneId> {
        self.waits_for().map(Node::milestone).filter(|id| *id != self.id).collect()
    }

    /// Every condition that it or one of its tasks waits for.
    pub fn awaits(&self) -> impl Iterator<Item = &str> {
        let tasks = self.tasks.iter().flat_map(|task| &task.conditions);
        self.conditions.iter().chain(tasks).map(String::as_str)
    }

    pub fn has_conditions(&self) -> bool {
        self.awaits().next().is_some()
    }
}

impl RiskOutline {
    /// Likely and grave comes first, then what comes first in the document; a level that nobody
    /// gave is taken for a medium one.
    fn worst(risks: &[Risk]) -> Option<Self> {
        let outline = |risk: &Risk| Self {
            text: risk.text.clone(),
            probability: risk.probability,
            impact: risk.impact,
            mitigation: risk.mitigation.clone(),
        };
        risks.iter().rev().map(outline).max_by_key(Self::weight)
    }

    pub fn weight(&self) -> u32 {
        let weight = |level: Option<Level>| level.unwrap_or(Level::Medium).weight();
        weight(self.probability) * weight(self.impact)
    }
}

impl TaskOutline {
    pub fn of(task: &Task) -> Self {
        Self {
            number: task.id.number,
            title: task.title.clone(),
            status: task.status,
            reason: task.reason.clone(),
            kind: task.kind.clone(),
            priority: task.priority,
            assignee: task.assignee.clone(),
            phase: task.phase.clone(),
            start: task.start,
            due: task.due,
            estimate: task.estimate,
            weight: task.weight,
            percent: task.progress.unwrap_or(0),
            requires: task.requires.clone(),
            conditions: task.conditions.clone(),
            provides: task.provides.clone(),
            resources: task.resources.clone(),
            runner: task.runner.clone(),
            attempts: task.attempts.unwrap_or(0),
            started_at: task.started_at,
            started_by: task.started_by.clone(),
            completed_at: task.completed_at,
            interrupted: task.interrupted == Some(true),
        }
    }
}

impl Snapshot {
    pub fn outline(&self, id: MilestoneId) -> Option<&Outline> {
        self.outlines.get(&id)
    }

    pub fn task(&self, id: TaskId) -> Option<&TaskOutline> {
        self.outline(id.milestone)?.task(id.number)
    }

    /// Open milestones: those not filed away.
    pub fn open(&self) -> impl Iterator<Item = &Outline> {
        self.outlines.values().filter(|outline| !outline.archived)
    }

    /// The number that the next task of a document gets; one that was ever given is not given
    /// again.
    pub fn next_task_number(&self, milestone: &Milestone) -> u32 {
        let given = self.given.tasks.get(&milestone.id).copied().unwrap_or(0);
        milestone.next_task_number().max(given.saturating_add(1))
    }

    /// Every milestone there is, read or not.
    pub fn known_milestones(&self) -> impl Iterator<Item = MilestoneId> + '_ {
        self.outlines.keys().chain(&self.archived).copied()
    }

    pub fn task_ids(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.outlines.values().flat_map(|outline| {
            outline.tasks.iter().map(|task| TaskId::new(outline.id, task.number))
        })
    }

    /// A document as it now is, put beside the outline made from it.
    pub fn insert(&mut self, milestone: Milestone) {
        self.outlines.insert(milestone.id, Outline::of(&milestone));
        self.documents.insert(milestone.id, milestone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_only_grows() {
        let (m1, m2) = (MilestoneId(1), MilestoneId(2));
        let (mut now, mut then) = (Given::default(), Given::default());
        for (task, fence) in
            [(TaskId::new(m1, 1), 3), (TaskId::new(m1, 2), 1), (TaskId::new(m2, 5), 0)]
        {
            now.task(task, fence);
        }
        then.task(TaskId::new(m1, 1), 1);
        then.task(TaskId::new(m1, 2), 1);
        let beyond = now.clone().beyond(&then);
        assert_eq!(beyond.milestone, Some(m2));
        assert_eq!(beyond.tasks, BTreeMap::from([(m2, 5)]));
        assert_eq!(beyond.fences, BTreeMap::from([(TaskId::new(m1, 1), 3)]));
        assert_eq!(then.clone().with(&beyond).with(&now), now.clone().with(&then));
        assert_eq!(now.clone().beyond(&now), Given::default());
    }
}
