//! One task.

use milestone_domain::document::Task;
use milestone_domain::views::ConditionState;
use milestone_domain::views::When;
use milestone_domain::views::task::{TaskSchedule, TaskView};

use super::page::Page;
use super::table::{Facts, Table, cell};
use super::{style, words};

pub fn task(page: &mut Page, view: &TaskView) {
    page.styled(style::ID, view.id).say("  ").styled(style::HEAD, &view.title).end();
    let mut facts = Facts::new();
    let mut fact = |name: &str, style, value: String| facts.say(name, style, value);
    let (status_style, status) = words::task_status(view.status);
    fact("status", status_style, status);
    let (ready_style, ready) = words::readiness(&view.readiness, view.claim.as_ref());
    fact("now", ready_style, ready);
    let milestone = view.milestone.title.as_deref().unwrap_or_default();
    fact("milestone", style::PLAIN, format!("{}  {milestone}", view.milestone.id));
    fact("priority", style::PLAIN, view.priority.to_string());
    for (name, value) in own_facts(&view.document) {
        fact(name, style::PLAIN, value);
    }
    if let Some(claim) = &view.claim {
        fact("claim", style::PLAIN, format!("fence {}, attempt {}", claim.fence, claim.attempt.0));
    }
    facts.print(page);
    if let Some(description) = &view.document.description {
        page.gap().indented(description);
    }
    words::related(page, "Requires", &view.requires);
    conditions(page, &view.conditions);
    list(page, "Verified by", &view.document.verify);
    if let Some(plan) = &view.schedule {
        schedule(page, plan);
    }
}

fn own_facts(task: &Task) -> Vec<(&'static str, String)> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let date = |date: Option<jiff::civil::Date>| date.map(|d| d.to_string()).unwrap_or_default();
    vec![
        ("reason", text(&task.reason)),
        ("assignee", text(&task.assignee)),
        ("estimate", words::estimate(task.estimate)),
        ("progress", task.progress.map(|p| format!("{p}%")).unwrap_or_default()),
        ("start", date(task.start)),
        ("due", date(task.due)),
        ("phase", text(&task.phase)),
        ("labels", task.labels.join(", ")),
        ("resources", task.resources.join(", ")),
        ("provides", task.provides.join(", ")),
        ("runner", text(&task.runner)),
        ("run", text(&task.run)),
    ]
}

pub fn conditions(page: &mut Page, conditions: &[ConditionState]) {
    if conditions.is_empty() {
        return;
    }
    page.heading("Conditions");
    let mut table = Table::new(&["", "", ""]);
    for condition in conditions {
        let by: Vec<_> = condition.provided_by.iter().map(ToString::to_string).collect();
        let by = if by.is_empty() { String::new() } else { format!("from {}", by.join(", ")) };
        let (style, holds) =
            if condition.holds { (style::GOOD, "holds") } else { (style::WARN, "open") };
        table.row(vec![
            cell(style::PLAIN, &condition.name),
            cell(style, holds),
            cell(style::DIM, by),
        ]);
    }
    table.print(page);
}

pub fn list(page: &mut Page, heading: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    page.heading(heading);
    for item in items {
        page.say("- ").lines(item);
    }
}

pub fn when(page: &mut Page, when: &When) {
    page.say("from ")
        .say(when.early_start)
        .say(" to ")
        .say(when.early_finish)
        .say(" at the earliest, ");
    if when.critical {
        page.styled(style::WARN, "critical: any delay moves the end of everything").end();
    } else {
        page.say(words::about(when.slack)).say(" of slack").end();
    }
}

fn schedule(page: &mut Page, schedule: &TaskSchedule) {
    if let Some(when_) = &schedule.when {
        page.heading("Schedule");
        when(page, when_);
        if !schedule.slip.is_empty() {
            page.say("if it takes a day longer, these finish later:").end();
            for slip in &schedule.slip {
                page.say("  ").styled(style::ID, slip.id).say("  +").say(slip.delay).end();
            }
        }
    }
    words::related(page, "Required by", &schedule.required_by);
}
