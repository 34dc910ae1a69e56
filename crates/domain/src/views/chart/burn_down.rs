//! How much was left at the end of each day, against the pace that the due date asks for.

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::Serialize;

use crate::calendar::Calendar;
use crate::effort::Effort;
use crate::ids::MilestoneId;
use crate::past::{Standing, Trail};
use crate::snapshot::{Outline, Snapshot};
use crate::status::MilestoneStatus;
use crate::views::flow::{By, Span, finished_lately};

/// A line needs two points.
const DAYS_NEEDED: u32 = 2;

/// What lies further back is left out: a clock that was wrong once must not make a chart of ages.
const DAYS_MAX: i32 = 3_660;

/// A burn-down, or how much history one needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "history", rename_all = "snake_case")]
pub enum BurnDown {
    TooShort { days: u32, needed: u32 },
    Known(Burning),
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Burning {
    /// The one milestone that is shown; none where it is several.
    pub milestone: Option<MilestoneId>,
    pub title: Option<String>,
    pub today: Date,
    /// When the last of it is due.
    pub due: Option<Date>,
    /// Every day from the first to today, without a gap.
    pub days: Vec<Day>,
    pub ideal: Option<Ideal>,
    /// The work that would be left today at that pace.
    pub ideal_work_left: Option<Effort>,
    /// What was finished lately, the present day or week last.
    pub finished: Vec<Span>,
    pub by: By,
}

/// How things were at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Day {
    pub day: Date,
    /// All there was to do, done or not.
    pub tasks: u32,
    pub work: Effort,
    pub tasks_left: u32,
    pub work_left: Effort,
    /// Tasks that were blocked or had failed.
    pub stopped: u32,
}

/// An even pace: from all that there is to do now, down to nothing on the due date, by as much on
/// every working day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ideal {
    pub from: Date,
    pub until: Date,
    pub tasks: u32,
    pub work: Effort,
    #[serde(skip)]
    calendar: Calendar,
}

impl Burning {
    pub fn first_day(&self) -> Date {
        self.days.first().map_or(self.today, |day| day.day)
    }

    /// The last day there is anything to draw for.
    pub fn last_day(&self) -> Date {
        self.due.map_or(self.today, |due| due.max(self.today))
    }

    pub fn now(&self) -> Option<&Day> {
        self.days.last()
    }

    /// The most there ever was to do.
    pub fn work_max(&self) -> Effort {
        self.days.iter().map(|day| day.work).max().unwrap_or_default()
    }
}

impl Ideal {
    /// The work that would be left at the end of a day; none before it begins.
    pub fn work_left(&self, day: Date) -> Option<Effort> {
        let all = self.calendar.working_days_after(self.from, self.until).max(1);
        let left = self.calendar.working_days_after(day, self.until);
        let minutes = u64::from(self.work.minutes()) * u64::from(left) / u64::from(all);
        let begun = day >= self.from && day <= self.until;
        begun.then(|| Effort::from_minutes(u32::try_from(minutes).unwrap_or(u32::MAX)))
    }
}

/// The milestones whose trails a burn-down is made of: the one, or all that are worked on.
pub fn burning(snapshot: &Snapshot, only: Option<MilestoneId>) -> Vec<MilestoneId> {
    match only {
        Some(id) => vec![id],
        None => {
            let counts = |outline: &&Outline| outline.status != MilestoneStatus::Cancelled;
            snapshot.open().filter(counts).map(|outline| outline.id).collect()
        }
    }
}

/// The burn-down of all milestones whose trails are given, or of the one that is asked for.
pub fn burn_down(
    snapshot: &Snapshot,
    trails: &BTreeMap<MilestoneId, Trail>,
    only: Option<MilestoneId>,
    today: Date,
) -> BurnDown {
    let of_interest = |id: &MilestoneId| only.is_none_or(|only| only == *id);
    let shown: Vec<&Trail> =
        trails.iter().filter(|(id, _)| of_interest(id)).map(|(_, trail)| trail).collect();
    let days = days(&shown, today);
    let known = u32::try_from(days.len()).unwrap_or(u32::MAX);
    if known < DAYS_NEEDED {
        return BurnDown::TooShort { days: known, needed: DAYS_NEEDED };
    }
    let outline = only.and_then(|id| snapshot.outline(id));
    let open = |id: &&MilestoneId| {
        only.is_some() || snapshot.outline(**id).is_some_and(|o| !o.status.is_closed())
    };
    let dues = trails.keys().filter(|id| of_interest(id)).filter(open);
    let due = dues.filter_map(|id| snapshot.outline(*id)?.due).max();
    let calendar = &snapshot.settings.calendar;
    let ideal = ideal(&days, outline.and_then(|outline| outline.start), due, calendar);
    let (by, finished) = finished_lately(snapshot, only, today);
    BurnDown::Known(Burning {
        milestone: only,
        title: outline.map(|outline| outline.title.clone()),
        today,
        due,
        ideal_work_left: ideal.as_ref().and_then(|ideal| ideal.work_left(today)),
        ideal,
        days,
        finished,
        by,
    })
}

/// Days are those of UTC in a trail and may be ahead of ours: what is known now counts for today.
pub fn days(trails: &[&Trail], today: Date) -> Vec<Day> {
    let begins = trails.iter().filter_map(|trail| trail.0.first()).map(|standing| standing.day);
    let Some(first) = begins.min() else { return Vec::new() };
    let earliest = today.saturating_sub(DAYS_MAX.days());
    let mut day = first.clamp(earliest, today);
    let mut days = Vec::new();
    loop {
        let now = day >= today;
        let standings = trails.iter().filter_map(|trail| match now {
            true => trail.0.last(),
            false => trail.at(day),
        });
        days.push(sum(day, standings));
        match day.tomorrow() {
            Ok(next) if !now => day = next,
            _ => return days,
        }
    }
}

fn sum<'a>(day: Date, standings: impl Iterator<Item = &'a Standing>) -> Day {
    let nothing = Effort::default();
    let empty = Day { day, tasks: 0, work: nothing, tasks_left: 0, work_left: nothing, stopped: 0 };
    standings.fold(empty, |sum, one| {
        let left = one.work.minutes().saturating_sub(one.finished.minutes());
        Day {
            day,
            tasks: sum.tasks.saturating_add(one.tasks),
            work: sum.work.saturating_add(one.work),
            tasks_left: sum.tasks_left.saturating_add(one.tasks.saturating_sub(one.completed)),
            work_left: sum.work_left.saturating_add(Effort::from_minutes(left)),
            stopped: sum.stopped.saturating_add(one.stopped),
        }
    })
}

fn ideal(
    days: &[Day],
    start: Option<Date>,
    due: Option<Date>,
    calendar: &Calendar,
) -> Option<Ideal> {
    let (first, now, until) = (days.first()?, days.last()?, due?);
    let from = start.filter(|start| *start < until).map_or(first.day, |s| s.max(first.day));
    let calendar = calendar.clone();
    (calendar.working_days_after(from, until) > 0).then_some(Ideal {
        from,
        until,
        tasks: now.tasks,
        work: now.work,
        calendar,
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;
    use crate::views::testing::{TODAY, project};

    fn standing(day: Date, tasks: u32, completed: u32) -> Standing {
        let days = |tasks: u32| Effort::from_minutes(tasks * 480);
        let (work, finished) = (days(tasks), days(completed));
        Standing { day, tasks, completed, work, finished, stopped: 0 }
    }

    fn known(burn_down: BurnDown) -> Burning {
        match burn_down {
            BurnDown::Known(burning) => burning,
            BurnDown::TooShort { .. } => panic!("{burn_down:?}"),
        }
    }

    fn two() -> (Snapshot, BTreeMap<MilestoneId, Trail>) {
        let snapshot = project(&[
            json!({"id": "milestone-001", "title": "A", "due": "2026-11-06"}),
            json!({"id": "milestone-002", "title": "B", "due": "2026-11-04"}),
        ]);
        let day = |day| date(2026, 10, day);
        let first = vec![standing(day(29), 4, 0), standing(day(31), 5, 2)];
        let trails = [(MilestoneId(1), first), (MilestoneId(2), vec![standing(day(30), 2, 1)])];
        (snapshot, trails.map(|(id, trail)| (id, Trail(trail))).into())
    }

    #[test]
    fn every_day_has_its_figures_and_a_gap_is_no_change() {
        let (snapshot, trails) = two();
        let view = known(burn_down(&snapshot, &trails, None, TODAY));
        let left: Vec<_> = view.days.iter().map(|day| (day.tasks, day.tasks_left)).collect();
        assert_eq!(left, [(4, 4), (6, 5), (7, 4), (7, 4), (7, 4)]);
        assert_eq!((view.first_day(), view.last_day()), (date(2026, 10, 29), date(2026, 11, 6)));
        assert_eq!(view.now().map(|day| day.work_left.to_string()), Some("4d".into()));
        let one = known(burn_down(&snapshot, &trails, Some(MilestoneId(2)), TODAY));
        assert_eq!((one.days.len(), one.due), (4, Some(date(2026, 11, 4))));
    }

    #[test]
    fn the_even_pace_ends_with_nothing_on_the_due_date() {
        let (snapshot, trails) = two();
        let view = known(burn_down(&snapshot, &trails, None, TODAY));
        let ideal = view.ideal.unwrap();
        let on = |day| ideal.work_left(day).map(Effort::minutes);
        assert_eq!(on(date(2026, 10, 28)), None);
        assert_eq!(on(date(2026, 10, 29)), Some(7 * 480));
        assert_eq!(on(TODAY), Some(7 * 480 * 4 / 6));
        // From Friday to Sunday nothing is asked for.
        let weekend = [date(2026, 10, 30), date(2026, 10, 31), date(2026, 11, 1)];
        assert_eq!(weekend.map(on), [Some(7 * 480 * 5 / 6); 3]);
        assert_eq!((on(date(2026, 11, 6)), on(date(2026, 11, 7))), (Some(0), None));
    }

    #[test]
    fn one_day_is_no_line() {
        let (snapshot, _) = two();
        let today = Trail(vec![standing(TODAY, 3, 1)]);
        let trails = BTreeMap::from([(MilestoneId(1), today), (MilestoneId(2), Trail::default())]);
        for (only, days) in [(None, 1), (Some(MilestoneId(2)), 0)] {
            let short = BurnDown::TooShort { days, needed: 2 };
            assert_eq!(burn_down(&snapshot, &trails, only, TODAY), short);
        }
    }

    #[test]
    fn a_clock_that_was_wrong_makes_no_chart_of_ages() {
        let (snapshot, _) = two();
        let long_ago = Trail(vec![standing(date(1970, 1, 1), 3, 1)]);
        let ahead =
            Trail(vec![standing(date(2026, 11, 1), 1, 0), standing(date(9999, 1, 1), 3, 2)]);
        let trails = BTreeMap::from([(MilestoneId(1), long_ago)]);
        let view = known(burn_down(&snapshot, &trails, None, TODAY));
        assert_eq!(view.days.len(), 3_661);
        let trails = BTreeMap::from([(MilestoneId(1), ahead)]);
        let view = known(burn_down(&snapshot, &trails, None, TODAY));
        assert_eq!(view.days.len(), 2);
        assert_eq!(view.now().map(|day| day.tasks_left), Some(1));
    }
}
