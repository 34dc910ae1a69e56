//! Templates, as they are listed and shown.

use schemars::JsonSchema;
use serde::Serialize;

use crate::effort::Effort;
use crate::ids::MilestoneId;
use crate::planning::Added;
use crate::planning::estimates::spoken;
use crate::planning::template::Template;

/// A template in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TemplateLine {
    pub name: String,
    pub about: String,
    pub tasks: usize,
    /// What its tasks are expected to take, for work of normal size in one part.
    pub effort: Effort,
    /// Whether it is the project's own.
    pub own: bool,
}

/// A template with all it holds.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TemplateView {
    pub own: bool,
    pub effort: Effort,
    pub template: Template,
}

/// What adding a template to a milestone came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AppliedView {
    pub milestone: MilestoneId,
    pub template: String,
    pub added: Added,
}

impl TemplateLine {
    pub fn of(template: &Template, own: bool) -> Self {
        Self {
            name: template.name.clone(),
            about: template.about.clone(),
            tasks: template.tasks.len(),
            effort: spoken(template.effort()),
            own,
        }
    }
}

impl TemplateView {
    pub fn of(template: &Template, own: bool) -> Self {
        Self { own, effort: spoken(template.effort()), template: template.clone() }
    }
}
