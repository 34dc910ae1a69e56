//! What to work on.

use milestone_domain::views::next::{Next, ReadyTask};

use super::page::Page;
use super::table::{Cell, Table, cell};
use super::{style, words};

pub fn next(page: &mut Page, next: &Next) {
    if next.ready.is_empty() {
        page.say("Nothing is ready to be taken.").end();
    } else {
        page.styled(style::HEAD, "Ready, best first").end();
        let mut table = Table::new(&["ID", "PRIORITY", "ESTIMATE", "CHAIN", "DUE", "FOR", "TITLE"])
            .sparing(&["CHAIN", "FOR", "PRIORITY", "DUE"]);
        next.ready.iter().for_each(|task| table.row(ready(task)));
        table.print(page);
        words::more_with(page, next.ready_total, next.ready.len(), "--limit N");
    }
    if !next.held.is_empty() {
        page.heading("Being worked on");
        let mut table = Table::new(&["", "", ""]);
        for task in &next.held {
            let left = task.claim.as_ref().and_then(|claim| claim.seconds_left);
            let left = left.map(|left| format!(" ({} left)", words::seconds(left)));
            table.row(vec![
                cell(style::ID, task.id),
                cell(style::PLAIN, format!("{}{}", task.by, left.unwrap_or_default())),
                cell(style::PLAIN, &task.title),
            ]);
        }
        table.print(page);
    }
    if !next.waiting.is_empty() {
        page.heading("Waiting");
        for task in &next.waiting {
            page.styled(style::ID, task.id).say("  ").say(&task.title).end();
            for reason in words::reasons(&task.reasons) {
                page.say("  ").styled(style::DIM, reason).end();
            }
        }
        words::more_with(page, next.waiting_total, next.waiting.len(), "--limit N");
    }
}

fn ready(task: &ReadyTask) -> Vec<Cell> {
    let lapsed = task.lapsed.as_ref().map(|by| format!(" (the claim of {by} has ended)"));
    vec![
        cell(style::ID, task.id),
        cell(style::PLAIN, task.priority),
        cell(style::PLAIN, words::estimate(task.estimate)),
        cell(style::PLAIN, words::about(task.downstream)),
        cell(style::PLAIN, task.due.map(|due| due.to_string()).unwrap_or_default()),
        cell(style::PLAIN, task.assignee.as_deref().unwrap_or_default()),
        cell(style::PLAIN, format!("{}{}", task.title, lapsed.unwrap_or_default())),
    ]
}
