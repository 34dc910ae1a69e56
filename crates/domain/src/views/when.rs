//! Working minutes of a plan as dates.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use crate::calendar::Calendar;
use crate::dependencies::{Plan, Window};
use crate::effort::Effort;
use crate::ids::Node;
use crate::snapshot::Outline;

/// When something can and must happen for everything to be done as early as possible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct When {
    pub early_start: Date,
    pub early_finish: Date,
    pub late_start: Date,
    pub late_finish: Date,
    /// How much working time it may lose without moving the end of everything.
    pub slack: Effort,
    pub critical: bool,
}

/// Whether a milestone will be done in time: by its forecast on a dashboard, elsewhere if everything
/// ready were worked on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Pace {
    /// Completed or cancelled.
    Over,
    NoDue,
    OnTrack {
        days_to_spare: u32,
    },
    /// The work that is left ends after the due date.
    Behind {
        days: u32,
    },
    /// The due date is past; by no working day yet where nobody has worked since.
    Overdue {
        days: u32,
    },
    /// There is a cycle, so nothing can be laid out in time.
    Unknown,
}

/// Turns a plan's minutes into dates, from today on.
pub(super) struct Clock<'a> {
    pub calendar: &'a Calendar,
    pub today: Date,
}

impl Clock<'_> {
    pub fn finish(&self, minutes: u64) -> Date {
        self.calendar.add(self.today, effort(minutes))
    }

    /// The day of the first minute of work, which is the day on which that minute is over.
    pub fn start(&self, minutes: u64) -> Date {
        self.calendar.add(self.today, effort(minutes.saturating_add(1)))
    }

    pub fn when(&self, window: Window) -> When {
        When {
            early_start: self.start(window.early_start),
            early_finish: self.finish(window.early_finish),
            late_start: self.start(window.late_start),
            late_finish: self.finish(window.late_finish),
            slack: effort(window.slack),
            critical: window.critical,
        }
    }

    pub fn pace(&self, outline: &Outline, plan: Option<&Plan<'_, '_>>) -> Pace {
        if outline.status.is_closed() || outline.archived {
            return Pace::Over;
        }
        let Some(due) = outline.due else { return Pace::NoDue };
        if due < self.today {
            return Pace::Overdue { days: self.calendar.working_days_after(due, self.today) };
        }
        let window = plan.and_then(|plan| plan.window(Node::Milestone(outline.id)));
        let Some(window) = window else { return Pace::Unknown };
        self.pace_to(self.finish(window.early_finish), due)
    }

    /// Of what is done on `finish`.
    pub fn pace_to(&self, finish: Date, due: Date) -> Pace {
        if finish > due {
            return Pace::Behind { days: self.calendar.working_days_after(due, finish).max(1) };
        }
        Pace::OnTrack { days_to_spare: self.calendar.working_days_after(finish, due) }
    }
}

pub(super) fn effort(minutes: u64) -> Effort {
    Effort::from_minutes(u32::try_from(minutes).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;
    use crate::views::testing::project;

    #[test]
    fn a_weekend_makes_nothing_later() {
        let friday = date(2026, 11, 13);
        for (today, days) in [(14, 0), (15, 0), (16, 1), (20, 5), (21, 5)] {
            let clock = Clock { calendar: &Calendar::default(), today: date(2026, 11, today) };
            let outline = project(&[json!({"id": "milestone-001", "title": "M", "due": friday})]);
            let outline = outline.outlines.values().next().unwrap();
            assert_eq!(clock.pace(outline, None), Pace::Overdue { days }, "{today}");
        }
        let clock = Clock { calendar: &Calendar::default(), today: friday };
        let monday = date(2026, 11, 16);
        assert_eq!(clock.pace_to(monday, date(2026, 11, 14)), Pace::Behind { days: 1 });
        assert_eq!(clock.pace_to(friday, date(2026, 11, 15)), Pace::OnTrack { days_to_spare: 0 });
    }

    #[test]
    fn a_day_of_work_begins_and_ends_on_the_same_day() {
        let clock = Clock { calendar: &Calendar::default(), today: date(2026, 11, 6) };
        // A Friday: the second day of work is the Monday after.
        assert_eq!((clock.start(0), clock.finish(480)), (date(2026, 11, 6), date(2026, 11, 6)));
        assert_eq!((clock.start(480), clock.finish(960)), (date(2026, 11, 9), date(2026, 11, 9)));
    }
}
