//! Milestones, a line each.

use milestone_domain::views::Pace;
use milestone_domain::views::list::{List, Row};

use super::page::Page;
use super::table::{Cell, Table, cell};
use super::{style, words};

pub fn list(page: &mut Page, list: &List) {
    if list.milestones.is_empty() {
        page.say("No milestones here yet. Plan one: ")
            .styled(style::HINT, "milestone plan \"What is to be reached\"")
            .end();
        return;
    }
    let mut table = Table::new(&HEAD).sparing(&["READY", "TASKS", "PACE"]);
    list.milestones.iter().for_each(|line| table.row(row(line)));
    table.print(page);
    let more = list.total - list.milestones.len();
    if more > 0 {
        page.styled(style::DIM, format!("{more} more; show them with --all")).end();
    }
}

const HEAD: [&str; 8] = ["ID", "STATUS", "DONE", "TASKS", "READY", "DUE", "PACE", "TITLE"];

fn row(row: &Row) -> Vec<Cell> {
    let (status_style, status) = words::milestone_status(row.status);
    // Only a forecast can say that there is time to spare; what is late is late without one.
    let (pace_style, pace) = match row.pace {
        Pace::OnTrack { .. } => (style::PLAIN, String::new()),
        pace => words::pace(pace),
    };
    let progress = row.progress;
    let archived = if row.archived { " (archived)" } else { "" };
    let critical = if row.critical { " ◆" } else { "" };
    let tasks = match progress.tasks_total {
        0 => String::new(),
        total => format!("{}/{total}", progress.tasks_completed),
    };
    let ready = if row.ready == 0 { String::new() } else { row.ready.to_string() };
    vec![
        cell(style::ID, row.id),
        cell(status_style, format!("{status}{archived}")),
        cell(style::PLAIN, format!("{}%", progress.percentage)),
        cell(style::PLAIN, tasks),
        cell(style::GOOD, ready),
        cell(style::PLAIN, row.due.map(|due| due.to_string()).unwrap_or_default()),
        cell(pace_style, pace),
        cell(style::PLAIN, format!("{}{critical}", row.title)),
    ]
}
