//! What a milestone taught.

use anstyle::Style;
use milestone_domain::effort::{Effort, Estimate};
use milestone_domain::views::retrospective::Retrospective;

use super::page::Page;
use super::table::{Table, cell};
use super::{style, words};

pub fn retrospective(page: &mut Page, view: &Retrospective) {
    if let Some(percent) = view.percent {
        page.say(words::count(view.measured, "task"))
            .say(format!(" measured: {} estimated, {} taken (", view.estimated, view.actual))
            .styled(tone(percent), format!("{percent}%"))
            .say(").")
            .end();
        tasks(page, view);
    } else if view.too_short > 0 {
        let tasks = words::count(view.too_short, "task");
        let text = format!("{tasks} started and done within a minute: too short to measure.");
        page.styled(style::DIM, text).end();
    } else if !view.tasks.is_empty() {
        page.styled(
            style::DIM,
            "No task was both estimated and measured: estimates learn from `task start` and \
             `task done`.",
        );
        page.end();
    }
    lessons(page, "Went well", &view.insights.went_well);
    lessons(page, "To improve", &view.insights.improve);
    lessons(page, "For the next time", &view.insights.recommendations);
}

fn tasks(page: &mut Page, view: &Retrospective) {
    page.heading("Estimated and taken");
    let mut table = Table::new(&["TASK", "KIND", "ESTIMATED", "TAKEN", "", "TITLE"]);
    for task in view.tasks.iter().filter(|task| task.percent.is_some()) {
        let percent = task.percent.unwrap_or(0);
        table.row(vec![
            cell(style::ID, task.id),
            cell(style::DIM, task.kind.as_deref().unwrap_or_default()),
            cell(style::PLAIN, said(task.estimate.map(Estimate::expected))),
            cell(style::PLAIN, said(task.actual)),
            cell(tone(percent), format!("{percent}%")),
            cell(style::PLAIN, &task.title),
        ]);
    }
    table.print(page);
}

fn lessons(page: &mut Page, heading: &str, lessons: &[String]) {
    if lessons.is_empty() {
        return;
    }
    page.heading(heading);
    lessons.iter().for_each(|lesson| {
        page.say("- ").lines(lesson);
    });
}

fn said(effort: Option<Effort>) -> String {
    effort.map(|effort| words::about(effort).to_string()).unwrap_or_default()
}

fn tone(percent: u32) -> Style {
    if percent > 120 { style::WARN } else { style::GOOD }
}
