//! From a title to a plan: what the words say, the template they call for, and the draft that
//! comes of it.
//!
//! Whoever plans returns a [`Draft`]: these rules, a file that somebody wrote, or a model. What
//! becomes of a draft is decided by the same `decide` as everything else.

pub mod draft;
pub mod estimates;
mod expand;
pub mod related;
pub mod scope;
mod subject;
mod surfaces;
pub mod template;
mod verbs;
mod words;
mod workflow;

use schemars::JsonSchema;
use serde::Serialize;

use crate::document::{Milestone, Risk};
use crate::effort::Effort;
use draft::Draft;
use scope::Scope;
use template::Template;

pub use expand::Added;

/// The template for what no other is made for.
pub const GENERAL: &str = "general";

/// What is to be planned, as far as whoever asks has said.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Everything that was said already; what a plan adds comes after it.
    pub said: Milestone,
    pub template: Choice<'a>,
    pub workflow: Option<Workflow>,
}

/// Where the tasks come from.
#[derive(Debug, Clone, Copy)]
pub enum Choice<'a> {
    /// From the template that the words call for.
    ByWords,
    Named(&'a Template),
    /// From whoever asks.
    None,
}

/// Work in phases that leave documents behind: design, spec, task, execute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workflow {
    /// Whether each phase ends with an approval.
    pub approval: bool,
}

/// A plan, and how it came about.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub draft: Draft,
    pub scope: Scope,
    pub template: Option<Chosen>,
    /// The effort that its tasks were scaled to, where that was asked for.
    pub scaled_to: Option<Effort>,
    /// Risks that the words bring to mind and that the draft leaves out: whoever lists their own
    /// tasks is told of them, no more.
    pub risks: Vec<Risk>,
}

/// The template that a plan was made with.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Chosen {
    pub name: String,
    pub title: String,
    pub because: Because,
}

/// Why a template was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Because {
    Named,
    /// The words that spoke for it, the strongest first.
    Words {
        words: Vec<String>,
    },
    /// No word speaks for any template.
    NothingMatched,
}

/// Makes a plan. Pure: the same words and templates always give the same draft.
pub fn propose(request: Request<'_>, templates: &[&Template]) -> Proposal {
    let Request { mut said, template, workflow } = request;
    let tasks_were_listed = !said.tasks.is_empty();
    let scope = Scope::of(&said.title, said.description.as_deref(), templates);
    let chosen = choose(template, &scope, templates);
    let mut risks = scope.risks();
    if let Some((template, _)) = &chosen {
        expand::add(template, &scope, workflow.is_some(), &mut said);
        expand::extend(&mut said.risks, std::mem::take(&mut risks));
    }
    if let Some(workflow) = workflow {
        workflow::surround(&mut said, workflow, &scope);
    }
    let planned = !tasks_were_listed && !said.tasks.is_empty();
    let scaled_to = said.duration.filter(|_| planned);
    if let Some(effort) = scaled_to {
        estimates::scale_to(&mut said.tasks, effort);
    }
    let template = chosen.map(|(template, because)| Chosen {
        name: template.name.clone(),
        title: template.title.clone(),
        because,
    });
    Proposal { draft: Draft { milestone: said }, scope, template, scaled_to, risks }
}

/// Adds a template to a milestone that is there: what it says already is not said twice.
pub fn apply(template: &Template, milestone: &mut Milestone) -> Added {
    let scope = Scope::of(&milestone.title, milestone.description.as_deref(), &[]);
    let was_empty = milestone.tasks.is_empty();
    let added = expand::add(template, &scope, false, milestone);
    if let Some(effort) = milestone.duration.filter(|_| was_empty) {
        estimates::scale_to(&mut milestone.tasks, effort);
    }
    added
}

fn choose<'a>(
    choice: Choice<'a>,
    scope: &Scope,
    templates: &[&'a Template],
) -> Option<(&'a Template, Because)> {
    let named = |name: &str| templates.iter().copied().find(|template| template.name == name);
    match choice {
        Choice::None => None,
        Choice::Named(template) => Some((template, Because::Named)),
        Choice::ByWords => match scope.matches.first() {
            Some(best) => {
                Some((named(&best.template)?, Because::Words { words: best.words.clone() }))
            }
            None => Some((named(GENERAL)?, Because::NothingMatched)),
        },
    }
}

#[cfg(test)]
mod tests;
