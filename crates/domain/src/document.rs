//! The document of a milestone: everything its YAML file may say.
//!
//! Reading one never needs anything but its text. What only makes sense between documents (does
//! `milestone-009` exist, is there a cycle) is judged in `decide`, never here.

mod check;
mod dates;
mod sections;
mod text_or_mapping;
mod tree;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use check::DocumentError;
pub use sections::{
    CheckItem, Communication, Deliverable, Dependencies, Documentation, External, Feature,
    GateDecision, Lessons, Phase, PostCompletion, RequiredResources, ReviewProcess, Reviews, Risk,
    SuccessMetrics, Technical, Testing, Worker,
};
pub use tree::{
    CANONICAL_ORDER, KeyOwner, TASK_ORDER, aliases, by_owner, key_owner, pruned, task_key,
};

use crate::effort::{Effort, Estimate};
use crate::ids::{MilestoneId, Reference, TaskId, TaskName, Uid};
use crate::status::{CriterionKind, MilestoneStatus, Priority, TaskStatus};
pub(crate) use text_or_mapping::text_or_mapping;

/// A goal with tasks, criteria, risks, people and a place in the dependency graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Milestone {
    pub format: Option<u32>,
    pub id: MilestoneId,
    pub uid: Option<Uid>,
    pub title: String,
    pub description: Option<String>,
    #[serde(default = "planned")]
    pub status: MilestoneStatus,
    /// Why it is blocked, paused or cancelled.
    pub reason: Option<String>,
    pub priority: Option<Priority>,
    pub category: Option<String>,
    pub component: Option<String>,
    pub theme: Option<String>,
    pub release: Option<String>,
    #[serde(default)]
    pub labels: Vec<String>,
    #[serde(alias = "assigned_agent", alias = "assigned_to")]
    pub assignee: Option<String>,
    pub owner: Option<String>,
    #[serde(default)]
    pub team: Vec<String>,
    pub team_size: Option<u32>,
    #[serde(default, deserialize_with = "dates::optional")]
    pub created: Option<Date>,
    #[serde(default, deserialize_with = "dates::optional")]
    pub start: Option<Date>,
    #[serde(default, deserialize_with = "dates::optional")]
    #[serde(alias = "due_date", alias = "target", alias = "target_date")]
    pub due: Option<Date>,
    pub duration: Option<Effort>,
    /// Percent added to what the tasks are estimated at.
    pub buffer: Option<u32>,
    #[serde(default, alias = "objectives")]
    pub goals: Vec<String>,
    #[serde(default)]
    pub learning_goals: Vec<CheckItem>,
    #[serde(default)]
    pub target_users: Vec<String>,
    #[serde(default)]
    pub focus_areas: Vec<String>,
    /// What it is made of, in percent: features, fixes, documentation, debt.
    #[serde(default)]
    pub composition: BTreeMap<String, u32>,
    #[serde(default)]
    pub features: Vec<Feature>,
    #[serde(default)]
    pub prds: Vec<String>,
    #[serde(default)]
    pub stories: Vec<String>,
    #[serde(default)]
    pub dependencies: Dependencies,
    /// Conditions that hold once this milestone is completed.
    #[serde(default)]
    pub provides: Vec<String>,
    /// Files and folders that its tasks touch.
    #[serde(default)]
    pub resources: Vec<String>,
    #[serde(default)]
    pub phases: Vec<Phase>,
    /// What was decided about the phases that ask for approval, by their names. The program's.
    #[serde(default)]
    pub gates: BTreeMap<String, GateDecision>,
    #[serde(default)]
    pub tasks: Vec<Task>,
    #[serde(default)]
    pub criteria: Vec<Criterion>,
    #[serde(default)]
    pub deliverables: Vec<Deliverable>,
    #[serde(default)]
    pub risks: Vec<Risk>,
    #[serde(default)]
    pub success_metrics: SuccessMetrics,
    #[serde(default)]
    pub technical: Technical,
    #[serde(default)]
    pub performance_requirements: Vec<String>,
    #[serde(default)]
    pub security_requirements: Vec<String>,
    #[serde(default)]
    pub communication: Communication,
    #[serde(default)]
    pub required_resources: RequiredResources,
    #[serde(default)]
    pub testing: Testing,
    #[serde(default)]
    pub review: ReviewProcess,
    #[serde(default)]
    pub documentation: Documentation,
    #[serde(default)]
    pub post_completion: PostCompletion,
    #[serde(default)]
    pub next_steps: Vec<CheckItem>,
    #[serde(default)]
    pub lessons: Lessons,
    /// Written by the program when the first task starts.
    pub started_at: Option<Timestamp>,
    /// Written by the program.
    pub completed_at: Option<Timestamp>,
    /// Numbers of tasks that were removed or moved away; the program never gives them again.
    #[serde(default)]
    pub retired_tasks: Vec<TaskName>,
    /// Computed; kept current where the key is present.
    pub progress: Option<ShownProgress>,
    /// In `completed/`. A place, not a key: the document's folder says it.
    #[serde(skip)]
    pub archived: bool,
}

/// The unit that is claimed, done and verified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    pub id: TaskName,
    pub title: String,
    pub description: Option<String>,
    #[serde(default = "pending")]
    pub status: TaskStatus,
    /// Why it is blocked, failed or cancelled.
    pub reason: Option<String>,
    pub kind: Option<String>,
    pub priority: Option<Priority>,
    #[serde(alias = "assigned_agent", alias = "assigned_to")]
    pub assignee: Option<String>,
    #[serde(default)]
    pub labels: Vec<String>,
    pub phase: Option<String>,
    pub estimate: Option<Estimate>,
    /// Its share of the milestone's progress; 1 where not said.
    pub weight: Option<u32>,
    /// Percent done while it is in progress.
    pub progress: Option<u32>,
    #[serde(default, deserialize_with = "dates::optional", alias = "not_before")]
    pub start: Option<Date>,
    #[serde(default, deserialize_with = "dates::optional", alias = "due_date")]
    pub due: Option<Date>,
    #[serde(default, alias = "depends_on", alias = "dependencies")]
    pub requires: Vec<Reference>,
    #[serde(default)]
    pub conditions: Vec<String>,
    #[serde(default)]
    pub provides: Vec<String>,
    #[serde(default)]
    pub resources: Vec<String>,
    pub runner: Option<String>,
    pub run: Option<String>,
    #[serde(default)]
    pub verify: Vec<String>,
    pub story: Option<String>,
    /// How often it was claimed: the highest fence ever given for it. The program's.
    pub attempts: Option<u64>,
    /// The program's.
    pub started_at: Option<Timestamp>,
    /// Who works or worked on it. The program's.
    pub started_by: Option<String>,
    /// The program's.
    pub completed_at: Option<Timestamp>,
}

/// Something that must be true at the end, and how that was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
pub struct Criterion {
    /// Its number; where the document gives none, the lowest one free, in order.
    pub id: Option<u32>,
    pub text: String,
    #[serde(default = "success")]
    pub kind: CriterionKind,
    /// A command whose success is the evidence.
    pub check: Option<String>,
    /// The program's.
    pub met: Option<Evidence>,
}

text_or_mapping!(Criterion, text, { id: None, kind: success(), check: None, met: None });

/// How and when a criterion was seen to hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    pub by: String,
    pub at: Timestamp,
    pub evidence: String,
}

/// Progress as a document shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ShownProgress {
    pub percentage: u32,
    pub tasks_completed: u32,
}

fn planned() -> MilestoneStatus {
    MilestoneStatus::Planned
}

fn pending() -> TaskStatus {
    TaskStatus::Pending
}

fn success() -> CriterionKind {
    CriterionKind::Success
}

impl Milestone {
    /// A document with nothing but a name.
    pub fn new(id: MilestoneId, title: &str) -> Self {
        Self::from_tree(serde_json::json!({ "id": id, "title": title }), false)
            .unwrap_or_else(|_| unreachable!("an id and a title are a whole document"))
    }

    /// Makes every reference that names one of these name what it is called now.
    pub fn rename_references(&mut self, renamed: &BTreeMap<MilestoneId, MilestoneId>) {
        let own = self.dependencies.requires.iter_mut();
        for reference in own.chain(self.tasks.iter_mut().flat_map(|task| &mut task.requires)) {
            let named = match reference {
                Reference::Milestone(named) => named,
                Reference::Task(task) => &mut task.milestone,
                Reference::Own(_) => continue,
            };
            *named = renamed.get(named).copied().unwrap_or(*named);
        }
    }

    pub fn task(&self, number: u32) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id.number == number)
    }

    pub fn task_mut(&mut self, number: u32) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| task.id.number == number)
    }

    pub fn task_id(&self, task: &Task) -> TaskId {
        task.id.of(self.id)
    }

    pub fn criterion(&self, number: u32) -> Option<&Criterion> {
        self.criteria.iter().find(|criterion| criterion.id == Some(number))
    }

    pub fn criterion_mut(&mut self, number: u32) -> Option<&mut Criterion> {
        self.criteria.iter_mut().find(|criterion| criterion.id == Some(number))
    }

    pub fn phase(&self, name: &str) -> Option<&Phase> {
        self.phases.iter().find(|phase| phase.name == name)
    }

    /// The phase that a person means, however its letters are written if that leaves only one.
    pub fn phase_meant(&self, text: &str) -> Option<&Phase> {
        let lower = text.trim().to_lowercase();
        let mut alike = self.phases.iter().filter(|phase| phase.name.to_lowercase() == lower);
        let only = alike.next().filter(|_| alike.next().is_none());
        self.phase(text).or(only)
    }

    /// The tasks of a phase.
    pub fn tasks_in(&self, phase: &str) -> impl Iterator<Item = &Task> {
        self.tasks.iter().filter(move |task| task.phase.as_deref() == Some(phase))
    }

    /// The number that the next task gets; one that was ever given is not given again.
    pub fn next_task_number(&self) -> u32 {
        let given = self.tasks.iter().map(|task| task.id.number);
        let retired = self.retired_tasks.iter().map(|name| name.number);
        given.chain(retired).max().unwrap_or(0).saturating_add(1)
    }

    pub fn next_criterion_number(&self) -> u32 {
        self.criteria.iter().filter_map(|criterion| criterion.id).max().unwrap_or(0) + 1
    }
}

impl Task {
    pub fn new(number: u32, title: &str) -> Self {
        Self {
            id: TaskName::new(number),
            title: title.to_owned(),
            description: None,
            status: TaskStatus::Pending,
            reason: None,
            kind: None,
            priority: None,
            assignee: None,
            labels: Vec::new(),
            phase: None,
            estimate: None,
            weight: None,
            progress: None,
            start: None,
            due: None,
            requires: Vec::new(),
            conditions: Vec::new(),
            provides: Vec::new(),
            resources: Vec::new(),
            runner: None,
            run: None,
            verify: Vec::new(),
            story: None,
            attempts: None,
            started_at: None,
            started_by: None,
            completed_at: None,
        }
    }
}
