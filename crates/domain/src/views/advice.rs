//! What to do about it: the few lines that end a dashboard.

use schemars::JsonSchema;
use serde::Serialize;

use super::Pace;
use super::dashboard::{Dashboard, Line};
use super::gates::GateState;
use crate::status::{MilestoneStatus, TaskStatus};

/// How many lines of one sort; the rest is in the sections above them.
const OF_ONE_SORT_MAX: usize = 5;

/// Something worth doing, and the command that does it or shows more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Advice {
    pub text: String,
    pub command: Option<String>,
}

pub(super) fn advice(text: String, command: impl Into<Option<String>>) -> Advice {
    Advice { text, command: command.into() }
}

/// The most pressing first. Nothing here removes, overwrites or forces anything.
pub(super) fn advise(view: &Dashboard) -> Vec<Advice> {
    let mut lines = Vec::new();
    if let Some(cycle) = &view.cycle {
        let path: Vec<_> = cycle.iter().map(ToString::to_string).collect();
        let text =
            format!("break the cycle {}: leave out one of these dependencies", path.join(" → "));
        let edit = cycle.first().map(|node| format!("milestone edit {}", node.milestone()));
        lines.push(advice(text, edit));
    }
    lines.extend(view.problems.iter().take(OF_ONE_SORT_MAX).map(|problem| {
        advice(format!("{}: {}", problem.file, problem.next), "milestone doctor".to_owned())
    }));
    lines.extend(view.lapsed.iter().take(OF_ONE_SORT_MAX).map(|task| {
        let text = format!("the claim of {} on {} has ended: take it over", task.by, task.id);
        advice(text, format!("milestone task claim {}", task.id))
    }));
    lines.extend(view.gates.iter().filter_map(GateState::advice).take(OF_ONE_SORT_MAX));
    lines.extend(view.milestones.iter().filter_map(late).take(OF_ONE_SORT_MAX));
    lines.extend(view.milestones.iter().filter_map(finished).take(OF_ONE_SORT_MAX));
    lines.extend(view.blocked.iter().take(OF_ONE_SORT_MAX).map(|blocked| {
        let is = if blocked.status == TaskStatus::Failed.word() { "has" } else { "is" };
        let text =
            format!("{} {is} {}: clear the way, or decide without it", blocked.id, blocked.status);
        advice(text, format!("milestone show {}", blocked.id))
    }));
    let unprovided = view.conditions.iter().filter(|open| open.condition.provided_by.is_empty());
    lines.extend(unprovided.take(OF_ONE_SORT_MAX).map(|open| {
        let name = &open.condition.name;
        let text = format!("nothing in the project provides {name}: set it when it holds");
        advice(text, format!("milestone condition set {}", quoted(name)))
    }));
    if view.totals.ready > 0 {
        let (tasks, are) = if view.totals.ready == 1 { ("task", "is") } else { ("tasks", "are") };
        let text = format!("{} {tasks} {are} ready to be taken", view.totals.ready);
        lines.push(advice(text, "milestone next".to_owned()));
    }
    lines
}

fn late(line: &Line) -> Option<Advice> {
    let id = line.row.id;
    let text = match line.row.pace {
        Pace::Overdue { days: 0 } => format!("{id} is overdue: finish it or move its date"),
        Pace::Overdue { days } => {
            format!("{id} is overdue by {}: finish it or move its date", working_days(days))
        }
        Pace::Behind { days } => match (line.row.due, line.chance) {
            (Some(due), Some(chance)) => format!(
                "{id} is due {due}, with a chance of {chance}% to be done by then: \
                 start it first, do less, or move its date"
            ),
            _ => {
                let days = working_days(days);
                format!("{id} will be {days} late: do less, do it differently, or move its date")
            }
        },
        _ => return None,
    };
    Some(advice(text, format!("milestone show {id} --schedule")))
}

fn working_days(days: u32) -> String {
    format!("{days} working day{}", if days == 1 { "" } else { "s" })
}

/// All of its work is done, and somebody has to say that it is over.
fn finished(line: &Line) -> Option<Advice> {
    let row = &line.row;
    let all =
        row.progress.tasks_total > 0 && row.progress.tasks_completed == row.progress.tasks_total;
    let running = matches!(row.status, MilestoneStatus::Planned | MilestoneStatus::InProgress);
    if row.status == MilestoneStatus::Completed {
        return Some(advice(
            format!("{} is completed: file it away", row.id),
            format!("milestone archive {}", row.id),
        ));
    }
    if !all || !running {
        return None;
    }
    if line.criteria_open > 0 {
        let text = format!("all tasks of {} are done: give the evidence for its criteria", row.id);
        return Some(advice(text, format!("milestone show {}", row.id)));
    }
    // What else is missing is an approval, which has its own line.
    if !line.finished {
        return None;
    }
    let command = format!("milestone update {} --status completed", row.id);
    Some(advice(format!("everything in {} is done: complete it", row.id), command))
}

/// A name as a shell takes it for one word, whatever it holds.
pub fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    if !name.is_empty() && !name.starts_with('-') && name.chars().all(plain) {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::views::dashboard::testing::seen;
    use crate::views::testing::{claim, project, task};

    #[test]
    fn each_state_has_its_line() {
        let done = || task(1, &json!({"status": "completed"}));
        let cases = [
            (json!({"tasks": [task(1, &json!({}))]}), "milestone next"),
            (json!({"tasks": [done()]}), "milestone update milestone-001 --status completed"),
            (json!({"tasks": [done()], "criteria": ["it works"]}), "milestone show milestone-001"),
            (json!({"status": "completed"}), "milestone archive milestone-001"),
            (json!({"due": "2026-10-01"}), "milestone show milestone-001 --schedule"),
            (
                json!({"dependencies": {"conditions": ["it's approved"]}}),
                r"milestone condition set 'it'\''s approved'",
            ),
            (
                json!({"tasks": [task(1, &json!({"status": "failed"}))]}),
                "milestone show task-001-001",
            ),
        ];
        for (more, expected) in cases {
            let mut document = json!({"id": "milestone-001", "title": "M"});
            document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let view = seen(&project(&[document]), None);
            let commands: Vec<_> =
                view.advice.iter().filter_map(|a| a.command.as_deref()).collect();
            assert_eq!(commands, [expected], "{more}");
        }
    }

    #[test]
    fn an_ended_claim_is_to_be_taken_over() {
        let running = task(1, &json!({"status": "in_progress"}));
        let document = json!({"id": "milestone-001", "title": "M", "tasks": [running]});
        let mut snapshot = project(&[document]);
        claim(&mut snapshot, "1.1", "gone", None);
        let view = seen(&snapshot, None);
        assert_eq!(view.advice[0].command.as_deref(), Some("milestone task claim task-001-001"));
    }
}
