//! States as people say them, each in its colour.

use anstyle::Style;
use milestone_domain::readiness::{Readiness, spoken};
use milestone_domain::status::{MilestoneStatus, TaskStatus};
use milestone_domain::views::{ClaimState, Pace, Related};

use super::page::Page;
use super::style;

pub fn count(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

pub fn milestone_status(status: MilestoneStatus) -> (Style, String) {
    let style = match status {
        MilestoneStatus::Completed => style::GOOD,
        MilestoneStatus::InProgress => style::ID,
        MilestoneStatus::Blocked | MilestoneStatus::Paused => style::WARN,
        MilestoneStatus::Planned => style::PLAIN,
        MilestoneStatus::Cancelled => style::DIM,
    };
    (style, spoken(status.word()))
}

pub fn task_status(status: TaskStatus) -> (Style, String) {
    let style = match status {
        TaskStatus::Completed => style::GOOD,
        TaskStatus::InProgress => style::ID,
        TaskStatus::Blocked => style::WARN,
        TaskStatus::Failed => style::BAD,
        TaskStatus::Pending => style::PLAIN,
        TaskStatus::Cancelled => style::DIM,
    };
    (style, spoken(status.word()))
}

pub fn pace(pace: Pace) -> (Style, String) {
    let days = |days: u32| format!("{days}d");
    match pace {
        Pace::Over | Pace::NoDue => (style::PLAIN, String::new()),
        Pace::OnTrack { days_to_spare: 0 } => (style::PLAIN, "just in time".into()),
        Pace::OnTrack { days_to_spare } => {
            (style::DIM, format!("{} to spare", days(days_to_spare)))
        }
        Pace::Behind { days: late } => (style::WARN, format!("{} behind", days(late))),
        Pace::Overdue { days: 0 } => (style::BAD, "overdue".into()),
        Pace::Overdue { days: late } => (style::BAD, format!("{} overdue", days(late))),
        Pace::Unknown => (style::WARN, "unknown: cycle".into()),
    }
}

/// What a task's readiness adds to its status, if anything.
pub fn readiness(readiness: &Readiness, claim: Option<&ClaimState>) -> (Style, String) {
    match readiness {
        Readiness::Ready { lapsed: None } => (style::GOOD, "ready".into()),
        Readiness::Ready { lapsed: Some(by) } => {
            (style::WARN, format!("ready again: the claim of {by} has ended"))
        }
        Readiness::Held { by } => {
            let left = claim.and_then(|claim| claim.seconds_left).map(seconds);
            let left = left.map(|left| format!(", {left} left")).unwrap_or_default();
            (style::ID, format!("held by {by}{left}"))
        }
        Readiness::Waiting { reasons } => {
            let first = reasons.first().map(ToString::to_string).unwrap_or_default();
            let more = match reasons.len() {
                0 | 1 => String::new(),
                more => format!(" (and {} more)", more - 1),
            };
            (style::DIM, format!("{first}{more}"))
        }
        Readiness::Closed => (style::PLAIN, String::new()),
    }
}

pub fn seconds(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// An amount of storage, as people say it.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let mut whole = bytes;
    let mut unit = 0;
    while whole >= 10_000 && unit + 1 < UNITS.len() {
        whole /= 1024;
        unit += 1;
    }
    format!("{whole} {}", UNITS[unit])
}

pub fn related(page: &mut Page, heading: &str, all: &[Related]) {
    if all.is_empty() {
        return;
    }
    page.heading(heading);
    let mut table = super::table::Table::new(&["", "", ""]);
    for related in all {
        table.row(vec![
            super::table::cell(style::ID, related.id),
            super::table::cell(style::PLAIN, related.status.map_or("missing".into(), spoken)),
            super::table::cell(style::PLAIN, related.title.as_deref().unwrap_or_default()),
        ]);
    }
    table.print(page);
}
