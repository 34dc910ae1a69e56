//! The document of a milestone: everything its YAML file may say.
//!
//! Reading one never needs anything but its text. What only makes sense between documents (does
//! `milestone-009` exist, is there a cycle) is judged in `decide`, never here.

mod check;
mod dates;
mod deliverables;
mod sections;
mod text_or_mapping;
mod tree;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use check::DocumentError;
pub use deliverables::PromisedFile;
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
pub(crate) use text_or_mapping::{or_text, text_or_mapping};

/// A goal with tasks, criteria, risks, people and a place in the dependency graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Milestone {
    /// The version of the document's form; left out, it is the newest.
    pub format: Option<u32>,
    /// Its number, as its file is called. The program's.
    pub id: MilestoneId,
    /// What it is told apart by when two branches give one number twice. The program's.
    pub uid: Option<Uid>,
    /// What is to be reached, in a line.
    pub title: String,
    /// What it is about.
    pub description: Option<String>,
    /// How it stands.
    #[serde(default = "planned")]
    pub status: MilestoneStatus,
    /// Why it is blocked, paused or cancelled.
    pub reason: Option<String>,
    /// How urgent it is; its tasks have it too, where they say nothing else.
    pub priority: Option<Priority>,
    /// What kind of work it is; forecasts learn by it where a task has no kind.
    pub category: Option<String>,
    /// The part of the product.
    pub component: Option<String>,
    /// What it belongs to across components.
    pub theme: Option<String>,
    /// The release it belongs to.
    pub release: Option<String>,
    /// Words to find it by.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Who answers for it.
    #[serde(alias = "assigned_agent", alias = "assigned_to")]
    pub assignee: Option<String>,
    /// Whose wish it is.
    pub owner: Option<String>,
    /// Who works on it.
    #[serde(default)]
    pub team: Vec<String>,
    /// How many work on it at once, for its forecast.
    pub team_size: Option<u32>,
    /// The day it was planned.
    #[serde(default, deserialize_with = "dates::optional")]
    pub created: Option<Date>,
    /// Nothing of it begins before this day.
    #[serde(default, deserialize_with = "dates::optional")]
    pub start: Option<Date>,
    /// The day on which it is to be reached.
    #[serde(default, deserialize_with = "dates::optional")]
    #[serde(alias = "due_date", alias = "target", alias = "target_date")]
    pub due: Option<Date>,
    /// How much work it is thought to be; it counts while there are no tasks.
    pub duration: Option<Effort>,
    /// Percent added to what the tasks are estimated at.
    pub buffer: Option<u32>,
    /// What it is for.
    #[serde(default, alias = "objectives")]
    pub goals: Vec<String>,
    /// What is to be found out by it.
    #[serde(default)]
    pub learning_goals: Vec<CheckItem>,
    /// Whom it is for.
    #[serde(default)]
    pub target_users: Vec<String>,
    /// What it concentrates on.
    #[serde(default)]
    pub focus_areas: Vec<String>,
    /// What it is made of, in percent: features, fixes, documentation, debt.
    #[serde(default)]
    pub composition: BTreeMap<String, u32>,
    /// What it brings.
    #[serde(default)]
    pub features: Vec<Feature>,
    /// Product requirements: links, or files.
    #[serde(default)]
    pub prds: Vec<String>,
    /// User stories: links, files, or names.
    #[serde(default)]
    pub stories: Vec<String>,
    /// What must be there before it can start.
    #[serde(default)]
    pub dependencies: Dependencies,
    /// Conditions that hold once this milestone is completed.
    #[serde(default)]
    pub provides: Vec<String>,
    /// Files and folders that its tasks touch.
    #[serde(default)]
    pub resources: Vec<String>,
    /// Its stretches, in the order in which they follow one another.
    #[serde(default)]
    pub phases: Vec<Phase>,
    /// What was decided about the phases that ask for approval, by their names. The program's.
    #[serde(default)]
    pub gates: BTreeMap<String, GateDecision>,
    /// What is to be done.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// What must be true at the end.
    #[serde(default)]
    pub criteria: Vec<Criterion>,
    /// Commands that show that it is reached, run on all of its work together.
    #[serde(default)]
    pub verify: Vec<String>,
    /// What must be left behind.
    #[serde(default)]
    pub deliverables: Vec<Deliverable>,
    /// What may go wrong.
    #[serde(default)]
    pub risks: Vec<Risk>,
    /// How one will see that it was worth it.
    #[serde(default)]
    pub success_metrics: SuccessMetrics,
    /// What it touches technically.
    #[serde(default)]
    pub technical: Technical,
    /// How fast or how large it must be.
    #[serde(default)]
    pub performance_requirements: Vec<String>,
    /// What it must be safe against.
    #[serde(default)]
    pub security_requirements: Vec<String>,
    /// How those concerned hear of it.
    #[serde(default)]
    pub communication: Communication,
    /// Who and what is needed for it.
    #[serde(default)]
    pub required_resources: RequiredResources,
    /// How it is tested.
    #[serde(default)]
    pub testing: Testing,
    /// How it is reviewed.
    #[serde(default)]
    pub review: ReviewProcess,
    /// What is to be written about it.
    #[serde(default)]
    pub documentation: Documentation,
    /// What is to be done once it is completed.
    #[serde(default)]
    pub post_completion: PostCompletion,
    /// What is to follow it.
    #[serde(default)]
    pub next_steps: Vec<CheckItem>,
    /// What it taught; `archive --lesson` adds to them.
    #[serde(default)]
    pub lessons: Lessons,
    /// When its first task began. The program's.
    pub started_at: Option<Timestamp>,
    /// When it was completed. The program's.
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
    /// Its number within the milestone, as `task-002`.
    pub id: TaskName,
    /// What is to be done, in a line.
    pub title: String,
    /// What is to be done, at length.
    pub description: Option<String>,
    /// How it stands.
    #[serde(default = "pending")]
    pub status: TaskStatus,
    /// Why it is blocked, failed or cancelled.
    pub reason: Option<String>,
    /// What kind of work it is; forecasts learn by it.
    pub kind: Option<String>,
    /// How urgent it is; that of its milestone where not said.
    pub priority: Option<Priority>,
    /// Who does it.
    #[serde(alias = "assigned_agent", alias = "assigned_to")]
    pub assignee: Option<String>,
    /// Words to find it by.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The name of the phase it belongs to.
    pub phase: Option<String>,
    /// How much work it is thought to be.
    pub estimate: Option<Estimate>,
    /// Its share of the milestone's progress; 1 where not said.
    pub weight: Option<u32>,
    /// Percent done while it is in progress.
    pub progress: Option<u32>,
    /// It does not begin before this day.
    #[serde(default, deserialize_with = "dates::optional", alias = "not_before")]
    pub start: Option<Date>,
    /// The day on which it is to be done.
    #[serde(default, deserialize_with = "dates::optional", alias = "due_date")]
    pub due: Option<Date>,
    /// Tasks and milestones that must be done before.
    #[serde(default, alias = "depends_on", alias = "dependencies")]
    pub requires: Vec<Reference>,
    /// Conditions that must hold before.
    #[serde(default)]
    pub conditions: Vec<String>,
    /// Conditions that hold once it is done.
    #[serde(default)]
    pub provides: Vec<String>,
    /// Files and folders that it touches.
    #[serde(default)]
    pub resources: Vec<String>,
    /// What does it: `shell`, `claude`, `manual` and so on.
    pub runner: Option<String>,
    /// A command that does it.
    pub run: Option<String>,
    /// Commands that show that it is done.
    #[serde(default)]
    pub verify: Vec<String>,
    /// `none` where no file is to be changed by it.
    pub effect: Option<Effect>,
    /// The user story it belongs to.
    pub story: Option<String>,
    /// How often it was claimed: the highest fence ever given for it. The program's.
    pub attempts: Option<u64>,
    /// When work on it began. The program's.
    pub started_at: Option<Timestamp>,
    /// Who works or worked on it. The program's.
    pub started_by: Option<String>,
    /// When it was completed. The program's.
    pub completed_at: Option<Timestamp>,
    /// Whether it lay still in between: then its two dates do not say how long it took. The
    /// program's.
    pub interrupted: Option<bool>,
}

/// What a task does to the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    None,
}

/// Something that must be true at the end, and how that was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(transform = or_text)]
pub struct Criterion {
    /// Its number; where the document gives none, the lowest one free, in order.
    pub id: Option<u32>,
    /// What must be true.
    pub text: String,
    /// What sort of thing must be true.
    #[serde(default = "success")]
    pub kind: CriterionKind,
    /// A command whose success is the evidence.
    pub check: Option<String>,
    /// How it was seen to hold. The program's.
    pub met: Option<Evidence>,
}

text_or_mapping!(Criterion, text, { id: None, kind: success(), check: None, met: None });

/// How and when a criterion was seen to hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Who saw it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// How it was seen: words, a link, a file's name.
    pub evidence: String,
}

/// Progress as a document shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ShownProgress {
    /// How much is done, by weight.
    pub percentage: u32,
    /// How many tasks are completed.
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
            effect: None,
            story: None,
            attempts: None,
            started_at: None,
            started_by: None,
            completed_at: None,
            interrupted: None,
        }
    }
}
