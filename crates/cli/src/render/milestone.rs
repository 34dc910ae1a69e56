//! One milestone.

use milestone_domain::document::{Criterion, Milestone, Risk};
use milestone_domain::snapshot::Problem;
use milestone_domain::views::milestone::{MilestoneSchedule, MilestoneView, TaskLine};

use super::page::Page;
use super::table::{Facts, Table, cell};
use super::{style, task, words};

pub fn milestone(page: &mut Page, view: &MilestoneView) {
    page.styled(style::ID, view.id).say("  ").styled(style::HEAD, &view.title).end();
    facts(page, view);
    if let Some(description) = &view.document.description {
        page.gap().indented(description);
    }
    task::list(page, "Goals", &view.document.goals);
    super::gates::phases(page, &view.phases);
    tasks(page, &view.tasks);
    criteria(page, &view.document.criteria);
    task::list(page, "Verified by", &view.document.verify);
    risks(page, &view.document.risks);
    words::related(page, "Requires", &view.requires);
    task::conditions(page, &view.conditions);
    if let Some(schedule) = &view.schedule {
        plan(page, schedule);
    }
    lessons(page, view);
    rest(page, &view.document);
    problems(page, &view.problems);
}

fn facts(page: &mut Page, view: &MilestoneView) {
    let document = &view.document;
    let mut facts = Facts::new();
    let mut fact = |name: &str, style, value: String| facts.say(name, style, value);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let date = |date: Option<jiff::civil::Date>| date.map(|d| d.to_string()).unwrap_or_default();
    let (status_style, status) = words::milestone_status(view.status);
    let place = if view.archived { " (archived)" } else { "" };
    fact("status", status_style, format!("{status}{place}"));
    fact("reason", style::PLAIN, text(&document.reason));
    let progress = view.progress;
    let tasks = format!("{} of {} tasks", progress.tasks_completed, progress.tasks_total);
    fact("progress", style::PLAIN, format!("{}%, {tasks}", progress.percentage));
    for (number, line) in words::reasons(&view.waits).into_iter().enumerate() {
        fact(if number == 0 { "now" } else { "" }, style::WARN, line);
    }
    fact("priority", style::PLAIN, document.priority.map(|p| p.to_string()).unwrap_or_default());
    fact("assignee", style::PLAIN, text(&document.assignee));
    fact("start", style::PLAIN, date(document.start));
    fact("due", style::PLAIN, date(document.due));
    fact("duration", style::PLAIN, document.duration.map(|d| d.to_string()).unwrap_or_default());
    fact("release", style::PLAIN, text(&document.release));
    fact("category", style::PLAIN, text(&document.category));
    fact("component", style::PLAIN, text(&document.component));
    fact("labels", style::PLAIN, document.labels.join(", "));
    facts.print(page);
}

fn tasks(page: &mut Page, lines: &[TaskLine]) {
    if lines.is_empty() {
        return;
    }
    page.heading("Tasks");
    let mut table = Table::new(&["ID", "STATE", "ESTIMATE", "FOR", "TITLE"]).sparing(&["FOR"]);
    for line in lines {
        let (state_style, state) = words::state(line);
        let critical = line.when.as_ref().is_some_and(|when| when.critical);
        let mark = if critical { " ◆" } else { "" };
        table.row(vec![
            cell(style::ID, line.id),
            cell(state_style, state),
            cell(style::PLAIN, words::estimate(line.estimate)),
            cell(style::PLAIN, line.assignee.as_deref().unwrap_or_default()),
            cell(style::PLAIN, format!("{}{mark}", line.title)),
        ]);
    }
    table.print(page);
}

fn criteria(page: &mut Page, criteria: &[Criterion]) {
    if criteria.is_empty() {
        return;
    }
    page.heading("Criteria");
    let mut table = Table::new(&["", "", "", ""]);
    for criterion in criteria {
        let (style, met) = match &criterion.met {
            Some(met) => (style::GOOD, format!("met, seen by {}", met.by)),
            None if criterion.check.is_some() => (style::PLAIN, "open, has a check".into()),
            None => (style::PLAIN, "open".into()),
        };
        table.row(vec![
            cell(style::ID, criterion.id.unwrap_or_default()),
            cell(style, met),
            cell(style::DIM, criterion.kind),
            cell(style::PLAIN, &criterion.text),
        ]);
    }
    table.print(page);
}

fn risks(page: &mut Page, risks: &[Risk]) {
    if risks.is_empty() {
        return;
    }
    page.heading("Risks");
    for risk in risks {
        page.say("- ").say(&risk.text);
        let levels = [("probability", risk.probability), ("impact", risk.impact)];
        for (name, level) in levels.into_iter().filter_map(|(name, level)| Some((name, level?))) {
            page.styled(style::DIM, format!("  {name} {level}"));
        }
        page.end();
        if let Some(mitigation) = &risk.mitigation {
            page.say("  ").styled(style::DIM, mitigation).end();
        }
    }
}

fn lessons(page: &mut Page, view: &MilestoneView) {
    let lessons = &view.document.lessons;
    task::list(page, "Went well", &lessons.went_well);
    task::list(page, "To improve", &lessons.improve);
    task::list(page, "For the next time", &lessons.recommendations);
}

fn plan(page: &mut Page, schedule: &MilestoneSchedule) {
    if let Some(when) = &schedule.when {
        page.heading("Schedule");
        task::when(page, when);
        let (style, pace) = words::pace(schedule.pace);
        if !pace.is_empty() {
            page.styled(style, pace).say(" of its due date").end();
        }
    }
    words::related(page, "Required by", &schedule.required_by);
}

/// What keeps a milestone from being completed, and what closes each of it.
pub fn missing(page: &mut Page, milestone: &Milestone) {
    page.say("What is missing in ").styled(style::ID, milestone.id).say(":").end();
    let mut table = Table::new(&["", "", ""]);
    for task in milestone.tasks.iter().filter(|task| !task.status.is_closed()) {
        let id = milestone.task_id(task);
        let (tone, status) = words::task_status(task.status);
        table.row(vec![cell(style::ID, id), cell(tone, status), cell(style::PLAIN, &task.title)]);
    }
    for criterion in milestone.criteria.iter().filter(|criterion| criterion.met.is_none()) {
        let number = criterion.id.unwrap_or_default();
        let close = match criterion.check {
            Some(_) => format!("milestone criterion check {} {number}", milestone.id),
            None => format!("--evidence \"{number}=...\""),
        };
        table.row(vec![
            cell(style::ID, format!("criterion {number}")),
            cell(style::HINT, close),
            cell(style::PLAIN, &criterion.text),
        ]);
    }
    table.print(page);
}

/// The long form's other sections are named, and are read where they stand.
fn rest(page: &mut Page, document: &Milestone) {
    const SHOWN: &[&str] = &[
        "format",
        "id",
        "uid",
        "title",
        "description",
        "status",
        "reason",
        "priority",
        "category",
        "component",
        "release",
        "labels",
        "assignee",
        "created",
        "start",
        "due",
        "duration",
        "goals",
        "dependencies",
        "phases",
        "gates",
        "verify",
        "tasks",
        "criteria",
        "risks",
        "lessons",
        "started_at",
        "completed_at",
        "retired_tasks",
        "progress",
        "archived",
        "buffer",
        "team_size",
    ];
    let tree = document.tree();
    let keys = tree.as_object().into_iter().flat_map(|map| map.keys());
    let others: Vec<&str> = keys.map(String::as_str).filter(|key| !SHOWN.contains(key)).collect();
    if !others.is_empty() {
        page.gap()
            .styled(style::DIM, format!("The document also has: {}.", others.join(", ")))
            .end();
    }
}

pub fn problems(page: &mut Page, problems: &[Problem]) {
    if problems.is_empty() {
        return;
    }
    page.heading("Problems");
    for problem in problems {
        let at = |number: Option<u64>| number.map(|n| format!(":{n}")).unwrap_or_default();
        page.styled(style::BAD, &problem.file)
            .say(at(problem.line))
            .say(at(problem.column))
            .say(": ")
            .lines(&problem.message);
        page.say("  ").styled(style::HINT, "hint").say(": ").say(&problem.next).end();
    }
}
