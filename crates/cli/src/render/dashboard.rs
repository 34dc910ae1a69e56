//! The whole project at a glance.

use milestone_domain::ids::Node;
use milestone_domain::readiness::spoken;
use milestone_domain::status::MilestoneStatus;
use milestone_domain::views::dashboard::{Blocked, Dashboard, Line, Pair, Step};
use milestone_domain::views::flow::{Flow, Known};
use milestone_domain::views::next::HeldTask;

use super::chart::bars::bar;
use super::chart::spark::spark;
use super::glyphs::Glyphs;
use super::page::Page;
use super::table::{Cell, Facts, Table, cell};
use super::{milestone, style, words};

/// How much of a long section is printed; JSON has all of it.
pub const LINES_MAX: usize = 15;

/// What comes first on the critical path is what can be hurried now.
const STEPS_MAX: usize = 6;

/// Risks are many, and the worst come first.
const RISKS_MAX: usize = 5;

pub fn dashboard(page: &mut Page, view: &Dashboard) {
    summary(page, view);
    if !view.milestones.is_empty() {
        page.gap();
        let mut table = Table::new(&HEAD).sparing(&["READY", "TASKS", "PACE", "ODDS"]);
        view.milestones.iter().for_each(|line| table.row(line_of(page.glyphs(), line)));
        table.print(page);
    }
    critical_path(page, view);
    held(page, "Being worked on", &view.held);
    held(page, "Claims that have ended", &view.lapsed);
    blocked(page, view);
    due(page, view);
    risks(page, view);
    conditions(page, view);
    if !view.conflicts.is_empty() {
        page.heading("In each other's way");
        pairs(page, &view.conflicts);
    }
    if let Some(cycle) = &view.cycle {
        let path: Vec<_> = cycle.iter().map(ToString::to_string).collect();
        page.heading("Cycle").styled(style::BAD, path.join(" → ")).end();
    }
    milestone::problems(page, &view.problems);
    advice(page, view);
}

const HEAD: [&str; 9] = ["ID", "DONE", "TASKS", "READY", "DUE", "PACE", "P80", "ODDS", "TITLE"];

fn line_of(glyphs: Glyphs, line: &Line) -> Vec<Cell> {
    let row = &line.row;
    let (pace_style, pace) = words::pace(row.pace);
    let (status_style, status) = words::milestone_status(row.status);
    // What runs needs no word for that; everything else does.
    let state = match row.status {
        MilestoneStatus::InProgress | MilestoneStatus::Planned => String::new(),
        _ => format!("{status}: "),
    };
    let critical = if row.critical { " ◆" } else { "" };
    let odds = line.chance.map(|chance| format!("{chance}%")).unwrap_or_default();
    let progress = row.progress;
    let tasks = match progress.tasks_total {
        0 => String::new(),
        total => format!("{}/{total}", progress.tasks_completed),
    };
    let ready = if row.ready == 0 { String::new() } else { row.ready.to_string() };
    vec![
        cell(style::ID, row.id),
        cell(
            status_style,
            format!("{} {:>3}%", bar(glyphs, progress.percentage, 8), progress.percentage),
        ),
        cell(style::PLAIN, tasks),
        cell(style::GOOD, ready),
        cell(style::PLAIN, row.due.map(|due| due.to_string()).unwrap_or_default()),
        cell(pace_style, pace),
        cell(style::PLAIN, line.expected.map(|date| date.to_string()).unwrap_or_default()),
        cell(pace_style, odds),
        cell(style::PLAIN, format!("{state}{}{critical}", row.title)),
    ]
}

fn summary(page: &mut Page, view: &Dashboard) {
    let progress = view.overall;
    if progress.tasks_total > 0 {
        page.styled(style::GOOD, bar(page.glyphs(), progress.percentage, 30))
            .styled(style::HEAD, format!(" {}%", progress.percentage))
            .say("  ")
            .say(format!("{} of {} tasks done", progress.tasks_completed, progress.tasks_total))
            .end();
    }
    counts(page, view);
    let mut facts = Facts::new();
    let mut fact = |name: &str, said: String| facts.say(name, style::PLAIN, said);
    let left = view.overall.tasks_completed < view.overall.tasks_total;
    if let Some(finish) = view.finish.filter(|_| left || !view.critical_path.is_empty()) {
        fact("earliest", format!("{finish}, if everything ready is worked on at once"));
    }
    if let Some(finish) = view.forecast.finish.filter(|_| left) {
        let workers = super::forecast::workers(&view.forecast);
        fact(
            "expected",
            format!("{} (P50)  {} (P80)  {} (P95)", finish.p50, finish.p80, finish.p95),
        );
        fact("", workers);
    }
    if view.overall.tasks_completed > 0 {
        fact("velocity", velocity(page.glyphs(), &view.flow));
    }
    if view.burn_down.len() > 1 {
        let left: Vec<u32> = view.burn_down.iter().map(|day| day.tasks_left).collect();
        let last = left.last().copied().unwrap_or(0);
        fact(
            "left",
            format!("{}  {}", spark(page.glyphs(), &left), words::count(last as usize, "task")),
        );
    }
    if let Some(scope) = view.scope.filter(|scope| scope.tasks_then != scope.tasks_now) {
        let (then, now) = (scope.tasks_then, scope.tasks_now);
        let sign = if now > then { '+' } else { '-' };
        let change = words::count(now.abs_diff(then) as usize, "task");
        fact("scope", format!("{sign}{change} since the work began ({then} then, {now} now)"));
    }
    facts.print(page);
}

/// What is usually finished, or how much has to be before that can be said.
pub fn velocity(glyphs: Glyphs, flow: &Flow) -> String {
    let unit = flow.by.word();
    let done: Vec<u32> = flow.spans.iter().map(|span| span.completed).collect();
    match &flow.velocity {
        Known::Known { value } => {
            format!(
                "{}  {} tasks a {unit}, {} of work",
                spark(glyphs, &done),
                value.tasks,
                words::about(value.work)
            )
        }
        Known::TooLittle { have, needed } => {
            let so_far = words::count(*have, "whole day");
            format!("known after {needed} whole days since the first task was done ({so_far} yet)")
        }
    }
}

fn counts(page: &mut Page, view: &Dashboard) {
    let totals = &view.totals;
    page.styled(style::HEAD, words::count(totals.milestones, "milestone"));
    let statuses = totals.milestones_by_status.iter();
    let statuses: Vec<_> =
        statuses.map(|(status, count)| format!("{count} {}", spoken(status.word()))).collect();
    if !statuses.is_empty() {
        page.say(": ").say(statuses.join(", "));
    }
    if totals.archived > 0 {
        page.styled(style::DIM, format!(" ({} archived)", totals.archived));
    }
    page.end().styled(style::HEAD, words::count(totals.tasks, "task"));
    let tasks = totals.tasks_by_status.iter();
    let mut tasks: Vec<_> =
        tasks.map(|(status, count)| format!("{count} {}", spoken(status.word()))).collect();
    if totals.ready > 0 {
        tasks.push(format!("{} ready to be taken", totals.ready));
    }
    if !tasks.is_empty() {
        page.say(": ").say(tasks.join(", "));
    }
    page.end();
}

fn critical_path(page: &mut Page, view: &Dashboard) {
    if view.critical_path.is_empty() {
        return;
    }
    page.heading("Critical path");
    path(page, &view.critical_path, STEPS_MAX);
    words::more_with(page, view.critical_path.len(), STEPS_MAX, "--dependencies");
}

/// The first steps of a path, so many at most.
pub fn path(page: &mut Page, steps: &[Step], most: usize) {
    let mut table = Table::new(&["", "", "", ""]);
    for step in steps.iter().take(most) {
        table.row(vec![
            cell(style::ID, step.id),
            cell(style::PLAIN, step.start),
            cell(style::PLAIN, format!("to {}", step.finish)),
            cell(style::PLAIN, step.title.as_deref().unwrap_or_default()),
        ]);
    }
    table.print(page);
}

fn held(page: &mut Page, heading: &str, tasks: &[HeldTask]) {
    if tasks.is_empty() {
        return;
    }
    page.heading(heading);
    let mut table = Table::new(&["", "", "", ""]);
    for task in tasks.iter().take(LINES_MAX) {
        let left = task.claim.as_ref().and_then(|claim| claim.seconds_left);
        let left = left.map(|left| format!("{} left", words::seconds(left))).unwrap_or_default();
        table.row(vec![
            cell(style::ID, task.id),
            cell(style::PLAIN, &task.by),
            cell(style::DIM, left),
            cell(style::PLAIN, &task.title),
        ]);
    }
    table.print(page);
    words::more(page, tasks.len(), LINES_MAX);
}

fn blocked(page: &mut Page, view: &Dashboard) {
    if view.blocked.is_empty() {
        return;
    }
    page.heading("Stopped");
    for blocked in view.blocked.iter().take(LINES_MAX) {
        page.styled(style::ID, blocked.id)
            .say("  ")
            .styled(style::WARN, blocked.status)
            .say("  ")
            .say(&blocked.title)
            .end();
        if let Some(reason) = &blocked.reason {
            page.say("  ").say(reason).end();
        }
        if let Some(cost) = cost(blocked) {
            page.say("  ").styled(style::WARN, cost).end();
        }
    }
    words::more(page, view.blocked.len(), LINES_MAX);
}

/// What it does to everything else that something is stopped.
fn cost(blocked: &Blocked) -> Option<String> {
    let held = [(blocked.holds_up, "task"), (blocked.holds_up_milestones, "milestone")];
    let held = held.iter().filter(|(held, _)| *held > 0);
    let held: Vec<_> = held.map(|(held, what)| words::count(*held, what)).collect();
    let held = held.join(" and ");
    match (held.is_empty(), blocked.critical) {
        (true, false) => None,
        (true, true) => Some("every day it lasts moves the finish of everything".to_owned()),
        (false, false) => Some(format!("holds up {held}")),
        (false, true) => {
            Some(format!("holds up {held}; every day it lasts moves the finish of everything"))
        }
    }
}

fn due(page: &mut Page, view: &Dashboard) {
    if view.due.is_empty() {
        return;
    }
    page.heading("Due");
    super::reports::due(page, &view.due, view.due.len(), view.today);
}

fn risks(page: &mut Page, view: &Dashboard) {
    if view.risks.is_empty() {
        return;
    }
    page.heading("Risks");
    for risk in view.risks.iter().take(RISKS_MAX) {
        let worst = &risk.worst;
        page.styled(style::ID, risk.milestone).say("  ").say(&worst.text);
        if risk.others > 0 {
            page.styled(style::DIM, format!("  (and {} more there)", risk.others));
        }
        page.end();
        if let Some(mitigation) = &worst.mitigation {
            page.say("  ").styled(style::DIM, mitigation).end();
        }
    }
    words::more(page, view.risks.len(), RISKS_MAX);
}

fn conditions(page: &mut Page, view: &Dashboard) {
    if view.conditions.is_empty() {
        return;
    }
    let names =
        |nodes: &[Node]| nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    page.heading("Open conditions");
    let mut table = Table::new(&["", "", ""]);
    for open in view.conditions.iter().take(LINES_MAX) {
        let by = match open.condition.provided_by.as_slice() {
            [] => "nothing provides it".to_owned(),
            nodes => format!("from {}", names(nodes)),
        };
        table.row(vec![
            cell(style::PLAIN, &open.condition.name),
            cell(style::DIM, by),
            cell(style::PLAIN, format!("waited for by {}", names(&open.waited_for_by))),
        ]);
    }
    table.print(page);
    words::more(page, view.conditions.len(), LINES_MAX);
}

pub fn pairs(page: &mut Page, pairs: &[Pair]) {
    pairs.iter().take(LINES_MAX).for_each(|pair| conflict(page, pair));
    words::more(page, pairs.len(), LINES_MAX);
}

fn conflict(page: &mut Page, pair: &Pair) {
    match pair {
        Pair::Resource { first, second, path } => {
            page.styled(style::ID, first).say(" and ").styled(style::ID, second);
            page.say(" both touch ").say(path).end();
        }
        Pair::DueOrder { first, first_due, second, second_due } => {
            page.styled(style::ID, second).say(" is due ").say(second_due).say(", before ");
            page.styled(style::ID, first)
                .say(", which it requires (")
                .say(first_due)
                .say(")")
                .end();
        }
        Pair::StartOrder { first, first_due, second, second_start } => {
            page.styled(style::ID, second).say(" starts ").say(second_start).say(", before ");
            page.styled(style::ID, first)
                .say(", which it requires, is due (")
                .say(first_due)
                .say(")");
            page.end();
        }
        Pair::TaskAfterMilestone { first, first_due, second, second_due } => {
            page.styled(style::ID, second).say(" is due ").say(second_due).say(", after ");
            page.styled(style::ID, first).say(" (").say(first_due).say(")").end();
        }
    }
}

fn advice(page: &mut Page, view: &Dashboard) {
    if view.advice.is_empty() {
        return;
    }
    page.heading("What to do about it");
    for advice in &view.advice {
        page.say("- ").say(&advice.text).end();
        if let Some(command) = &advice.command {
            page.say("    ").styled(style::HINT, command).end();
        }
    }
}

#[cfg(test)]
mod tests {
    use milestone_domain::ids::MilestoneId;

    use super::*;

    #[test]
    fn what_a_stop_costs_is_said_as_people_would() {
        let cases = [
            ((0, 0, false), None),
            ((0, 0, true), Some("every day it lasts moves the finish of everything")),
            ((2, 1, false), Some("holds up 2 tasks and 1 milestone")),
            (
                (1, 0, true),
                Some("holds up 1 task; every day it lasts moves the finish of everything"),
            ),
        ];
        for ((holds_up, holds_up_milestones, critical), expected) in cases {
            let blocked = Blocked {
                id: Node::Milestone(MilestoneId(1)),
                title: "M".into(),
                status: "blocked",
                reason: None,
                holds_up,
                holds_up_milestones,
                critical,
            };
            assert_eq!(cost(&blocked).as_deref(), expected);
        }
    }
}
