//! What happened, a line each.

use milestone_domain::change::FieldChange;
use milestone_domain::event::{Event, Recorded, Stream};
use milestone_domain::ids::{MilestoneId, TaskName};
use milestone_domain::readiness::spoken;
use serde_json::Value;

use super::page::Page;
use super::style;

pub fn event(page: &mut Page, recorded: &Recorded) {
    let at = recorded.at.strftime("%Y-%m-%d %H:%M:%SZ");
    page.styled(style::DIM, at).say("  ").say(&recorded.by).say("  ");
    let milestone = match recorded.stream {
        Stream::Milestone(id) => Some(id),
        Stream::Project => None,
    };
    page.say(sentence(milestone, &recorded.event));
    if recorded.noticed {
        page.styled(style::DIM, " (by hand)");
    }
    page.end();
}

fn sentence(milestone: Option<MilestoneId>, event: &Event) -> String {
    let home = milestone.map(|id| id.to_string()).unwrap_or_default();
    let id =
        |task: &TaskName| milestone.map_or_else(|| task.to_string(), |m| task.of(m).to_string());
    let because =
        |reason: &Option<String>| reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
    match event {
        Event::MilestoneCreated { document } => format!("planned {home}: {}", title(document)),
        Event::MilestoneStatusChanged { to, reason, .. } => {
            format!("{home} is {}{}", spoken(to.word()), because(reason))
        }
        Event::MilestoneArchived { forced } => format!("filed {home} away{}", because(forced)),
        Event::MilestoneNoted { text } => format!("on {home}: {text}"),
        Event::MilestoneReturned => format!("brought {home} back"),
        Event::MilestoneRenumbered { from, .. } => format!("{from} is {home} now"),
        Event::IdGivenUp { to, .. } => format!("another document that was {home} is {to} now"),
        Event::Edited { change } => edited(&home, change),
        Event::TaskAdded { task, document } => format!("added {}: {}", id(task), title(document)),
        Event::TaskRemoved { task, moved_to: Some(to), .. } => {
            format!("moved {} to {to}", id(task))
        }
        Event::TaskRemoved { task, .. } => format!("removed {}", id(task)),
        Event::TaskStatusChanged { task, to, reason, .. } => {
            format!("{} is {}{}", id(task), spoken(to.word()), because(reason))
        }
        Event::TaskClaimed { task, fence, .. } => format!("claimed {} (fence {fence})", id(task)),
        Event::TaskReleased { task, reason, .. } => {
            format!("released {}{}", id(task), because(reason))
        }
        Event::TaskProgressed { task, percent } => format!("{} is {percent}% done", id(task)),
        Event::TaskNoted { task, text } => format!("on {}: {text}", id(task)),
        Event::CriterionMet { criterion, met } => {
            format!("{home}: criterion {criterion} is met: {}", met.evidence)
        }
        Event::CriterionReopened { criterion } => {
            format!("{home}: criterion {criterion} is open again")
        }
        Event::GateDecided { phase, decision, reason } => {
            format!("{home}: phase {phase}: {}{}", spoken(decision.word()), because(reason))
        }
        Event::GateReopened { phase } => {
            format!("{home}: what was decided about phase {phase} no longer holds")
        }
        Event::ConditionSet { name, reason } => format!("{name} holds{}", because(reason)),
        Event::ConditionCleared { name, reason } => {
            format!("{name} no longer holds{}", because(reason))
        }
    }
}

fn title(document: &Value) -> &str {
    document.get("title").and_then(Value::as_str).unwrap_or_default()
}

fn edited(home: &str, change: &FieldChange) -> String {
    match (&change.before, &change.after) {
        (_, Some(after)) => format!("{home}: {} is {}", change.path, short(after)),
        (_, None) => format!("{home}: removed {}", change.path),
    }
}

/// A field as a difference: what it was, and what it is.
pub fn difference(page: &mut Page, change: &FieldChange) {
    page.say("  ").say(&change.path).say(": ");
    if let Some(before) = &change.before {
        page.styled(style::BAD, short(before));
    }
    if change.before.is_some() && change.after.is_some() {
        page.say(" → ");
    }
    if let Some(after) = &change.after {
        page.styled(style::GOOD, short(after));
    }
    page.end();
}

fn short(value: &Value) -> String {
    const SHOWN: usize = 120;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
