//! Milestones, a line each.

use milestone_domain::views::Pace;
use milestone_domain::views::list::{List, Row};

use super::page::Page;
use super::table::{Cell, Table, cell};
use super::{style, words};

/// `narrowed` is whether only some milestones were asked for.
pub fn list(page: &mut Page, list: &List, narrowed: bool) {
    if list.milestones.is_empty() {
        return nothing(page, list.filed_away, narrowed);
    }
    let mut table = Table::new(&HEAD).sparing(&["READY", "TASKS"]);
    list.milestones.iter().for_each(|line| table.row(row(line)));
    table.print(page);
    words::more_with(page, list.total, list.milestones.len(), "--all");
}

fn nothing(page: &mut Page, filed_away: usize, narrowed: bool) {
    if filed_away > 0 {
        let are = if filed_away == 1 { "is" } else { "are" };
        page.say(if narrowed { "No open milestone matches; " } else { "Nothing is open; " })
            .say(words::count(filed_away, "milestone"))
            .say(format!(" {are} filed away. To see those, too: "))
            .styled(style::HINT, "milestone list --archived")
            .end();
    } else if narrowed {
        page.say("No milestone matches.").end();
    } else {
        page.say("No milestones here yet. Plan one: ")
            .styled(style::HINT, "milestone plan \"What is to be reached\"")
            .end();
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
        cell(pace_style, row.due.map(|due| due.to_string()).unwrap_or_default()),
        cell(pace_style, pace),
        cell(style::PLAIN, format!("{}{critical}", row.title)),
    ]
}
