//! The smaller parts of a document; most come from long planning forms and are optional.

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text_or_mapping::{or_text, text_or_mapping};
use crate::effort::Effort;
use crate::ids::Reference;
use crate::status::{Decision, ExternalStatus, Level, Priority};

/// What must be there before the milestone can start.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Dependencies {
    /// Milestones and tasks that must be done before.
    pub requires: Vec<Reference>,
    /// Names of project-wide facts.
    pub conditions: Vec<String>,
    /// Things outside the project that must be there.
    pub external: Vec<External>,
}

/// Something outside the project that is waited for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(transform = or_text)]
pub struct External {
    /// What it is.
    pub name: String,
    /// Whether it is there yet.
    #[serde(default = "waiting")]
    pub status: ExternalStatus,
    /// When it is expected.
    #[serde(default, deserialize_with = "super::dates::optional")]
    pub due: Option<Date>,
    /// Whom to ask.
    pub contact: Option<String>,
}

fn waiting() -> ExternalStatus {
    ExternalStatus::Waiting
}

text_or_mapping!(External, name, { status: waiting(), due: None, contact: None });

/// A line of a checklist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(transform = or_text)]
pub struct CheckItem {
    /// What it says.
    pub text: String,
    /// Whether it is ticked off.
    #[serde(default)]
    pub done: bool,
}

text_or_mapping!(CheckItem, text, { done: false });

/// A feature, its product requirements and its stories.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(transform = or_text)]
pub struct Feature {
    /// What it is called.
    pub name: String,
    /// How urgent it is.
    pub priority: Option<Priority>,
    /// Its product requirements: a link, or a file.
    pub prd: Option<String>,
    /// Its user stories.
    #[serde(default)]
    pub stories: Vec<String>,
}

text_or_mapping!(Feature, name, { priority: None, prd: None, stories: Vec::new() });

/// A stretch of work with its own activities and results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(transform = or_text)]
pub struct Phase {
    /// What tasks and commands call it.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// How long it is thought to take.
    pub duration: Option<Effort>,
    /// Its share of the milestone's progress; phases without one share equally.
    pub weight: Option<u32>,
    /// What is to be done in it.
    #[serde(default)]
    pub activities: Vec<CheckItem>,
    /// What it must leave behind.
    #[serde(default)]
    pub deliverables: Vec<String>,
    /// Whether the phases after it wait until somebody has approved what it left behind.
    #[serde(default)]
    pub approval: bool,
    /// Conditions that hold while it is approved.
    #[serde(default)]
    pub provides: Vec<String>,
}

text_or_mapping!(Phase, name, {
    description: None,
    duration: None,
    weight: None,
    activities: Vec::new(),
    deliverables: Vec::new(),
    approval: false,
    provides: Vec::new(),
});

/// The latest word on a phase that asks for approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateDecision {
    /// What was decided.
    pub decision: Decision,
    /// Who decided.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Option<String>,
}

/// A file or result that must be left behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(transform = or_text)]
pub struct Deliverable {
    /// What it is.
    pub name: String,
    /// Where it is.
    pub path: Option<String>,
    /// The phase that leaves it behind.
    pub phase: Option<String>,
    /// Whether it is there.
    #[serde(default)]
    pub done: bool,
    /// Conditions that hold once it is there.
    #[serde(default)]
    pub provides: Vec<String>,
}

text_or_mapping!(Deliverable, name, {
    path: None,
    phase: None,
    done: false,
    provides: Vec::new(),
});

/// What may go wrong, how likely and how bad it is, and what is done about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(transform = or_text)]
pub struct Risk {
    /// What may go wrong; it may also be called `risk` or `description`.
    #[serde(alias = "risk", alias = "description")]
    pub text: String,
    /// How likely it is.
    pub probability: Option<Level>,
    /// How bad it would be.
    pub impact: Option<Level>,
    /// What is done about it.
    pub mitigation: Option<String>,
}

text_or_mapping!(Risk, text, { probability: None, impact: None, mitigation: None });

/// How one will see that a milestone was worth it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SuccessMetrics {
    /// What can be counted.
    pub quantitative: Vec<CheckItem>,
    /// What has to be judged.
    pub qualitative: Vec<CheckItem>,
}

/// What a milestone touches technically.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Technical {
    /// Tables and models.
    pub database_models: Vec<String>,
    /// What others call.
    pub api_endpoints: Vec<String>,
    /// Services that it changes or makes.
    pub services: Vec<String>,
    /// Screens and parts of them.
    pub ui: Vec<String>,
}

/// How those concerned hear of a milestone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Communication {
    /// How often.
    pub frequency: Option<String>,
    /// By which way.
    pub method: Option<String>,
    /// Who hears of it.
    pub stakeholders: Vec<String>,
    /// When it is looked at together.
    pub reviews: Reviews,
}

/// The days on which the milestone is looked at together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Reviews {
    /// Before the work.
    #[serde(deserialize_with = "super::dates::optional")]
    pub planning: Option<Date>,
    /// Half way.
    #[serde(deserialize_with = "super::dates::optional")]
    pub midpoint: Option<Date>,
    /// At the end.
    #[serde(deserialize_with = "super::dates::optional")]
    pub completion: Option<Date>,
}

/// Who and what is needed for a milestone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RequiredResources {
    /// People and agents.
    pub human: Vec<Worker>,
    /// Machines, licences, accounts.
    pub technical: Vec<String>,
    /// What others have to give.
    pub external: Vec<String>,
}

/// A person or agent, and for how long they are needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(transform = or_text)]
pub struct Worker {
    /// Who.
    pub name: String,
    /// As what.
    pub role: Option<String>,
    /// How much of their time.
    pub effort: Option<Effort>,
}

text_or_mapping!(Worker, name, { role: None, effort: None });

/// How a milestone is tested, each kind in words.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Testing {
    /// Its parts.
    pub unit: Option<String>,
    /// Its parts together.
    pub integration: Option<String>,
    /// How fast it is.
    pub performance: Option<String>,
    /// What it is safe against.
    pub security: Option<String>,
}

/// How a milestone is reviewed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ReviewProcess {
    /// What a review asks for.
    pub requirements: Vec<String>,
    /// Who reviews.
    pub reviewers: Vec<String>,
    /// Who has the last word, and how it is given.
    pub approval: Option<String>,
}

/// What is to be written about a milestone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Documentation {
    /// What must be written.
    pub required: Vec<CheckItem>,
    /// In which form.
    pub format: Option<String>,
    /// Where it goes.
    pub location: Option<String>,
    /// Who reads it before.
    pub review: Option<String>,
    /// How often it is looked at again.
    pub frequency: Option<String>,
}

/// What is to be done once a milestone is completed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PostCompletion {
    /// To bring it out.
    pub deployment: Vec<CheckItem>,
    /// To tell others.
    pub knowledge_transfer: Vec<CheckItem>,
    /// To keep it going.
    pub maintenance: Vec<CheckItem>,
}

/// What a milestone taught.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Lessons {
    /// What to do again.
    pub went_well: Vec<String>,
    /// What to do otherwise.
    pub improve: Vec<String>,
    /// What to tell others.
    pub recommendations: Vec<String>,
}
