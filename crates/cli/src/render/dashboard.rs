//! The whole project at a glance.

use milestone_domain::ids::Node;
use milestone_domain::readiness::spoken;
use milestone_domain::views::dashboard::{Dashboard, Pair};
use milestone_domain::views::next::HeldTask;

use super::page::Page;
use super::table::{Table, cell};
use super::{list, milestone, style, words};

/// How much of a long section is printed; JSON has all of it.
const LINES_MAX: usize = 15;

pub fn dashboard(page: &mut Page, view: &Dashboard) {
    totals(page, view);
    if !view.milestones.is_empty() {
        page.gap();
        let mut table = Table::new(&list::HEAD);
        view.milestones.iter().for_each(|line| table.row(list::row(&line.row)));
        table.print(page);
    }
    critical_path(page, view);
    held(page, "Being worked on", &view.held);
    held(page, "Claims that have ended", &view.lapsed);
    blocked(page, view);
    conditions(page, view);
    if !view.conflicts.is_empty() {
        page.heading("In each other's way");
        view.conflicts.iter().take(LINES_MAX).for_each(|pair| conflict(page, pair));
        more(page, view.conflicts.len());
    }
    if let Some(cycle) = &view.cycle {
        let path: Vec<_> = cycle.iter().map(ToString::to_string).collect();
        page.heading("Cycle").styled(style::BAD, path.join(" → ")).end();
    }
    milestone::problems(page, &view.problems);
    advice(page, view);
}

fn totals(page: &mut Page, view: &Dashboard) {
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
    if let Some(finish) = view.finish.filter(|_| !view.critical_path.is_empty()) {
        page.say("Everything can be done by ")
            .styled(style::HEAD, finish)
            .say(" at the earliest.")
            .end();
    }
}

fn critical_path(page: &mut Page, view: &Dashboard) {
    if view.critical_path.is_empty() {
        return;
    }
    page.heading("Critical path");
    let mut table = Table::new(&["", "", "", ""]);
    for step in view.critical_path.iter().take(LINES_MAX) {
        table.row(vec![
            cell(style::ID, step.id),
            cell(style::PLAIN, step.start),
            cell(style::PLAIN, format!("to {}", step.finish)),
            cell(style::PLAIN, step.title.as_deref().unwrap_or_default()),
        ]);
    }
    table.print(page);
    more(page, view.critical_path.len());
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
    more(page, tasks.len());
}

fn blocked(page: &mut Page, view: &Dashboard) {
    if view.blocked.is_empty() {
        return;
    }
    page.heading("Stopped");
    let mut table = Table::new(&["", "", "", ""]);
    for blocked in view.blocked.iter().take(LINES_MAX) {
        table.row(vec![
            cell(style::ID, blocked.id),
            cell(style::WARN, blocked.status),
            cell(style::PLAIN, &blocked.title),
            cell(style::PLAIN, blocked.reason.as_deref().unwrap_or_default()),
        ]);
    }
    table.print(page);
    more(page, view.blocked.len());
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
    more(page, view.conditions.len());
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

fn more(page: &mut Page, all: usize) {
    if all > LINES_MAX {
        page.styled(style::DIM, format!("and {} more", all - LINES_MAX)).end();
    }
}
