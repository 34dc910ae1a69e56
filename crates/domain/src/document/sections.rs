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
    pub requires: Vec<Reference>,
    /// Names of project-wide facts.
    pub conditions: Vec<String>,
    pub external: Vec<External>,
}

/// Something outside the project that is waited for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(transform = or_text)]
pub struct External {
    pub name: String,
    #[serde(default = "waiting")]
    pub status: ExternalStatus,
    #[serde(default, deserialize_with = "super::dates::optional")]
    pub due: Option<Date>,
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
    pub text: String,
    #[serde(default)]
    pub done: bool,
}

text_or_mapping!(CheckItem, text, { done: false });

/// A feature, its product requirements and its stories.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(transform = or_text)]
pub struct Feature {
    pub name: String,
    pub priority: Option<Priority>,
    pub prd: Option<String>,
    #[serde(default)]
    pub stories: Vec<String>,
}

text_or_mapping!(Feature, name, { priority: None, prd: None, stories: Vec::new() });

/// A stretch of work with its own activities and results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(transform = or_text)]
pub struct Phase {
    pub name: String,
    pub description: Option<String>,
    pub duration: Option<Effort>,
    /// Its share of the milestone's progress; phases without one share equally.
    pub weight: Option<u32>,
    #[serde(default)]
    pub activities: Vec<CheckItem>,
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
    pub decision: Decision,
    pub by: String,
    pub at: Timestamp,
    pub reason: Option<String>,
}

/// A file or result that must be left behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(transform = or_text)]
pub struct Deliverable {
    pub name: String,
    pub path: Option<String>,
    pub phase: Option<String>,
    #[serde(default)]
    pub done: bool,
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
    #[serde(alias = "risk", alias = "description")]
    pub text: String,
    pub probability: Option<Level>,
    pub impact: Option<Level>,
    pub mitigation: Option<String>,
}

text_or_mapping!(Risk, text, { probability: None, impact: None, mitigation: None });

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SuccessMetrics {
    pub quantitative: Vec<CheckItem>,
    pub qualitative: Vec<CheckItem>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Technical {
    pub database_models: Vec<String>,
    pub api_endpoints: Vec<String>,
    pub services: Vec<String>,
    pub ui: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Communication {
    pub frequency: Option<String>,
    pub method: Option<String>,
    pub stakeholders: Vec<String>,
    pub reviews: Reviews,
}

/// The days on which the milestone is looked at together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Reviews {
    #[serde(deserialize_with = "super::dates::optional")]
    pub planning: Option<Date>,
    #[serde(deserialize_with = "super::dates::optional")]
    pub midpoint: Option<Date>,
    #[serde(deserialize_with = "super::dates::optional")]
    pub completion: Option<Date>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RequiredResources {
    pub human: Vec<Worker>,
    pub technical: Vec<String>,
    pub external: Vec<String>,
}

/// A person or agent, and for how long they are needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(transform = or_text)]
pub struct Worker {
    pub name: String,
    pub role: Option<String>,
    pub effort: Option<Effort>,
}

text_or_mapping!(Worker, name, { role: None, effort: None });

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Testing {
    pub unit: Option<String>,
    pub integration: Option<String>,
    pub performance: Option<String>,
    pub security: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ReviewProcess {
    pub requirements: Vec<String>,
    pub reviewers: Vec<String>,
    pub approval: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Documentation {
    pub required: Vec<CheckItem>,
    pub format: Option<String>,
    pub location: Option<String>,
    pub review: Option<String>,
    pub frequency: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PostCompletion {
    pub deployment: Vec<CheckItem>,
    pub knowledge_transfer: Vec<CheckItem>,
    pub maintenance: Vec<CheckItem>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Lessons {
    pub went_well: Vec<String>,
    pub improve: Vec<String>,
    pub recommendations: Vec<String>,
}
