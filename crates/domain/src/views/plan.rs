//! What a plan came to, and how it came about.

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use super::Reach;
use super::advice::{Advice, advice, quoted};
use super::milestone::{MilestoneView, milestone};
use crate::document::Risk;
use crate::effort::{Effort, Estimate};
use crate::forecast::{Forecast, Question, forecast};
use crate::ids::MilestoneId;
use crate::planning::estimates::spoken;
use crate::planning::related::{Suggestion, suggest};
use crate::planning::scope::Scope;
use crate::planning::{Chosen, Proposal};
use crate::readiness::Readiness;
use crate::snapshot::Snapshot;

/// A plan as it was written, or as it would be.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PlanView {
    /// False for a dry run.
    pub written: bool,
    pub milestone: MilestoneView,
    pub scope: Scope,
    /// None where whoever planned gave the tasks, or wanted none.
    pub template: Option<Chosen>,
    /// What all tasks are expected to take, in a figure that people say.
    pub effort: Effort,
    /// The effort that the tasks were scaled to, where that was asked for.
    pub scaled_to: Option<Effort>,
    /// When it is to be expected, by the estimates, the calendar, what is there already, and what
    /// the past says.
    pub forecast: Forecast,
    /// Dependencies between the tasks.
    pub edges: usize,
    /// Risks that the words bring to mind and that are not in the plan.
    pub risks: Vec<Risk>,
    pub suggestions: Vec<Suggestion>,
    pub next: Vec<Advice>,
}

/// `None` when the snapshot does not hold the milestone that was planned.
pub fn plan(
    snapshot: &Snapshot,
    id: MilestoneId,
    proposal: &Proposal,
    written: bool,
    now: Timestamp,
    today: Date,
) -> Option<PlanView> {
    let question = Question { only: Some(id), ..Question::default() };
    let view = milestone(snapshot, id, Reach::Project, today)?;
    let suggestions = suggest(snapshot, id);
    let next = next(&view, &suggestions, written);
    let estimates = view.tasks.iter().filter_map(|task| task.estimate);
    Some(PlanView {
        written,
        scope: proposal.scope.clone(),
        template: proposal.template.clone(),
        effort: spoken(estimates.map(Estimate::expected).sum()),
        scaled_to: proposal.scaled_to,
        forecast: forecast(snapshot, &question, now, today),
        edges: view.document.tasks.iter().map(|task| task.requires.len()).sum(),
        risks: proposal.risks.clone(),
        suggestions,
        next,
        milestone: view,
    })
}

fn next(view: &MilestoneView, suggestions: &[Suggestion], written: bool) -> Vec<Advice> {
    let number = view.id.0;
    let mut lines: Vec<Advice> =
        suggestions.iter().map(|other| build_on(other, written.then_some(number))).collect();
    if !written {
        let text = "nothing was written: leave out --dry-run to write it".to_owned();
        lines.push(advice(text, None));
        return lines;
    }
    if view.tasks.is_empty() {
        let add = format!("milestone task add {number} \"What is to be done\"");
        lines.push(advice("break it down".into(), add));
        return lines;
    }
    let ready = |readiness: &Readiness| matches!(readiness, Readiness::Ready { .. });
    let can = if view.tasks.iter().any(|task| ready(&task.readiness)) {
        "see what can be started"
    } else {
        "see what it waits for"
    };
    lines.push(advice(can.to_owned(), format!("milestone next {number}")));
    if let Some(phase) = view.document.phases.iter().find(|phase| phase.approval) {
        let text = format!("when the {} is done, have it approved", phase.name);
        lines.push(advice(text, format!("milestone approve {number} {}", quoted(&phase.name))));
    }
    lines.push(advice("change the plan".to_owned(), format!("milestone edit {number}")));
    lines
}

fn build_on(other: &Suggestion, planned: Option<u32>) -> Advice {
    let flag = match &other.condition {
        Some(name) => format!("--condition {}", quoted(name)),
        None => format!("--requires {}", other.milestone.0),
    };
    let text = format!("does it build on {} {}?", other.milestone, other.title);
    match planned {
        Some(number) => advice(text, format!("milestone update {number} {flag}")),
        None => advice(format!("{text} then add {flag}"), None),
    }
}
