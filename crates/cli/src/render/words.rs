//! States as people say them, each in its colour.

use anstyle::Style;
use milestone_domain::effort::{Effort, Estimate};
use milestone_domain::ids::Node;
use milestone_domain::planning::estimates;
use milestone_domain::readiness::{Readiness, Reason, spoken};
use milestone_domain::status::{MilestoneStatus, TaskStatus};
use milestone_domain::views::milestone::TaskLine;
use milestone_domain::views::{ClaimState, Pace, Related};

use super::chart::short;
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
        Readiness::Waiting { reasons } => (style::DIM, self::reasons(reasons).join("; ")),
        Readiness::Closed => (style::PLAIN, String::new()),
    }
}

/// What something waits for, a line each; what it waits for in the same way shares one.
pub fn reasons(reasons: &[Reason]) -> Vec<String> {
    lines(reasons, |id| id.to_string(), |status| format!(" ({status})"))
}

fn lines(
    reasons: &[Reason],
    name: impl Fn(Node) -> String,
    standing: impl Fn(&str) -> String,
) -> Vec<String> {
    let required = |reason: &Reason| match reason {
        Reason::Requires { on, status } => Some((*on, standing(status))),
        _ => None,
    };
    let alike = |one: &Reason, other: &Reason| {
        required(one).zip(required(other)).is_some_and(|(one, other)| one.1 == other.1)
    };
    let line = |alike: &[Reason]| {
        let on: Vec<_> = alike.iter().filter_map(required).collect();
        match on.first() {
            Some((_, standing)) => {
                let names: Vec<String> = on.iter().map(|(on, _)| name(*on)).collect();
                format!("waits for {}{standing}", names.join(", "))
            }
            None => alike.first().map(ToString::to_string).unwrap_or_default(),
        }
    };
    reasons.chunk_by(alike).map(line).collect()
}

/// Where a task of a list stands: its status, and in few words what else counts about it.
pub fn state(line: &TaskLine) -> (Style, String) {
    let (tone, status) = task_status(line.status);
    let percent = if line.percent > 0 { format!(" {}%", line.percent) } else { String::new() };
    match (line.status, &line.readiness) {
        (TaskStatus::Pending, Readiness::Waiting { reasons }) => (style::DIM, brief(reasons)),
        (TaskStatus::Pending, other) => readiness(other, line.claim.as_ref()),
        (TaskStatus::Blocked | TaskStatus::Failed, Readiness::Waiting { reasons }) => {
            (tone, brief(reasons))
        }
        (_, Readiness::Held { by }) => (tone, format!("{status}{percent}, {by}")),
        _ => (tone, format!("{status}{percent}")),
    }
}

/// The first thing that something waits for, and how many more there are.
fn brief(reasons: &[Reason]) -> String {
    let name = |node: Node| match node {
        Node::Milestone(id) => id.to_string(),
        Node::Task(_) => short(node),
    };
    let lines = lines(reasons, name, |_| String::new());
    match lines.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first, others @ ..] => format!("{first} (and {} more)", others.len()),
    }
}

pub fn seconds(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// An amount of storage, in at most three digits and one behind the point.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut whole, mut unit) = (bytes, 0);
    while whole >= 1_000_000 && unit + 1 < UNITS.len() {
        (whole, unit) = (whole / 1000, unit + 1);
    }
    match (whole / 1000, whole % 1000 / 100) {
        (whole, 0) | (whole @ 100.., _) => format!("{whole} {}", UNITS[unit]),
        (whole, tenths) => format!("{whole}.{tenths} {}", UNITS[unit]),
    }
}

/// About so much work, for a figure that was computed: nobody plans the minutes of a week.
pub fn about(effort: Effort) -> Effort {
    const HOUR: u32 = 60;
    const DAY: u32 = 8 * HOUR;
    const WEEK: u32 = 5 * DAY;
    let minutes = effort.minutes();
    let step = match minutes {
        0..HOUR => 1,
        HOUR..DAY => HOUR / 4,
        DAY..WEEK => HOUR,
        _ => DAY,
    };
    Effort::from_minutes(minutes.saturating_add(step / 2) / step * step)
}

/// What a task is expected to take, if anybody said.
pub fn estimate(estimate: Option<Estimate>) -> String {
    estimate.map_or_else(String::new, |estimate| estimates::said(estimate).to_string())
}

/// How many of all are not among those that are shown, if any.
pub fn more(page: &mut Page, all: usize, shown: usize) {
    if all > shown {
        page.styled(style::DIM, format!("and {} more", all - shown)).end();
    }
}

/// The same, with the option that shows the rest.
pub fn more_with(page: &mut Page, all: usize, shown: usize, option: &str) {
    if all > shown {
        let text = format!("and {} more; show them with {option}", all - shown);
        page.styled(style::DIM, text).end();
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_computed_effort_is_said_in_two_units_at_most() {
        for (minutes, said) in [
            (0, "0h"),
            (21, "21m"),
            (65, "1h"),
            (293, "5h"),
            (476, "1d"),
            (633, "1d 3h"),
            (2399, "1w"),
            (3561, "1w 2d"),
            (u32::MAX, "1789569w 3d"),
        ] {
            assert_eq!(about(Effort::from_minutes(minutes)).to_string(), said, "{minutes}");
        }
    }

    #[test]
    fn storage_is_said_in_few_digits() {
        for (amount, said) in [
            (999, "999 B"),
            (1000, "1 KB"),
            (13_740, "13.7 KB"),
            (180_200, "180 KB"),
            (999_999, "999 KB"),
            (59_000_000_000, "59 GB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(bytes(amount), said);
        }
    }
}
