//! How fast work goes: what was finished when, how long it took, and how that compares with what
//! was thought.
//!
//! Every figure comes from when tasks were really started and completed. Where that is too little
//! to say anything, the view says so, and how much it needs.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Timestamp, ToSpan as _};
use schemars::JsonSchema;
use serde::Serialize;

use crate::calendar::Calendar;
use crate::effort::{self, Effort};
use crate::ids::MilestoneId;
use crate::past::{self, Sample};
use crate::snapshot::{Outline, Snapshot, TaskOutline};
use crate::status::TaskStatus;

/// How many weeks are shown.
const WEEKS_MAX: usize = 12;

/// From so many weeks of history on, work is counted by weeks; before that by days, and all of
/// them are shown.
const WEEKS_MIN: i32 = 3;
const DAYS_MAX: usize = WEEKS_MIN.unsigned_abs() as usize * 7;

/// Whole spans with work finished in them that it takes to speak of a velocity.
const VELOCITY_SPANS_MIN: usize = 2;

/// Completed tasks that it takes to speak of what is usual.
const USUAL_MIN: usize = 5;

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Flow {
    /// Oldest first; the last is the present one and not over yet. Those in which nobody works and
    /// nothing was done are left out.
    pub spans: Vec<Span>,
    pub by: By,
    pub velocity: Known<Velocity>,
    /// From a task's start to its completion, in working time.
    pub cycle: Known<Usual>,
    /// What tasks took of what was thought, in percent: 100 is exact, 150 half as much again.
    pub accuracy: Known<Accuracy>,
    /// In how much of the working time since the first span somebody worked, in percent.
    pub busy: Known<u32>,
    /// Completed tasks that were estimated and measured.
    pub measured: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    Day,
    Week,
}

/// What was finished in a day or a week.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Span {
    pub starts: Date,
    pub completed: u32,
    /// What the finished tasks were estimated at.
    pub work: Effort,
}

/// A figure, or how much more has to happen before there is one.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Known<T> {
    Known { value: T },
    TooLittle { have: usize, needed: usize },
}

impl<T> Known<T> {
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Known { value } => Some(value),
            Self::TooLittle { .. } => None,
        }
    }

    fn after(have: usize, needed: usize, value: impl FnOnce() -> T) -> Self {
        if have < needed {
            return Self::TooLittle { have, needed };
        }
        Self::Known { value: value() }
    }
}

/// Per day or week, over the whole spans that are shown.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Velocity {
    pub tasks: f64,
    pub work: Effort,
    pub spans: u32,
}

/// What is usual: half took less than the median, and four of five less than `p80`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Usual {
    pub median: Effort,
    pub p80: Effort,
    pub tasks: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Accuracy {
    pub median_percent: u32,
    /// Tasks that took no more than was thought.
    pub within: usize,
    pub tasks: usize,
}

impl By {
    pub fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
        }
    }
}

/// What was finished in each of the last days or weeks, the present one last; empty where nothing
/// ever was.
pub fn finished_lately(
    snapshot: &Snapshot,
    only: Option<MilestoneId>,
    today: Date,
) -> (By, Vec<Span>) {
    lately(&finished(snapshot, only), today, &snapshot.settings.calendar)
}

fn lately(finished: &[Finished], today: Date, calendar: &Calendar) -> (By, Vec<Span>) {
    let by = by(finished, today);
    (by, spans(finished, by, today, calendar))
}

/// Of everything that was done, or of what was done in one milestone.
pub fn flow(snapshot: &Snapshot, only: Option<MilestoneId>, now: Timestamp, today: Date) -> Flow {
    let finished = finished(snapshot, only);
    let (by, spans) = lately(&finished, today, &snapshot.settings.calendar);
    let mut samples = past::samples(snapshot);
    samples.retain(|sample| only.is_none_or(|only| sample.task.milestone == only));
    let times: Vec<Effort> = finished.iter().filter_map(|done| done.worked).collect();
    Flow {
        velocity: velocity(&spans),
        busy: Known::after(times.len(), USUAL_MIN, || busy(snapshot, only, &spans, now)),
        spans,
        by,
        cycle: Known::after(times.len(), USUAL_MIN, || usual(times)),
        accuracy: Known::after(samples.len(), USUAL_MIN, || accuracy(&samples)),
        measured: samples.len(),
    }
}

/// A task that is done.
struct Finished {
    on: Date,
    estimate: Effort,
    worked: Option<Effort>,
}

/// The latest last.
fn finished(snapshot: &Snapshot, only: Option<MilestoneId>) -> Vec<Finished> {
    let all = shown(snapshot, only).flat_map(|outline: &Outline| &outline.tasks);
    let done = all.filter(|task| task.status == TaskStatus::Completed);
    let mut finished: Vec<Finished> = done
        .filter_map(|task: &TaskOutline| {
            Some(Finished {
                on: snapshot.settings.date(task.completed_at?),
                estimate: effort::expected(task.estimate),
                worked: past::worked(snapshot, task),
            })
        })
        .collect();
    finished.sort_by_key(|done| done.on);
    finished
}

fn shown(snapshot: &Snapshot, only: Option<MilestoneId>) -> impl Iterator<Item = &Outline> {
    snapshot.outlines.values().filter(move |outline| only.is_none_or(|only| outline.id == only))
}

fn by(finished: &[Finished], today: Date) -> By {
    let first = finished.first().map_or(today, |done| done.on);
    let days = first.until(today).map_or(0, |span| span.get_days());
    if days >= WEEKS_MIN * 7 { By::Week } else { By::Day }
}

fn spans(finished: &[Finished], by: By, today: Date, calendar: &Calendar) -> Vec<Span> {
    let Some(first) = finished.first() else { return Vec::new() };
    let (length, most) = match by {
        By::Day => (1, DAYS_MAX),
        By::Week => (7, WEEKS_MAX),
    };
    let begin = match by {
        By::Day => today,
        By::Week => back(today, i64::from(today.weekday().to_monday_zero_offset())),
    };
    let mut spans: Vec<Span> = (0..most)
        .map(|number| back(begin, i64::try_from(number).unwrap_or(0) * length))
        .take_while(|starts| first.on < back(*starts, -length))
        .map(|starts| {
            let in_it = |done: &&Finished| done.on >= starts && done.on < back(starts, -length);
            let (completed, work) = finished
                .iter()
                .filter(in_it)
                .fold((0, Effort::default()), |(count, work), done| {
                    (count + 1, work.saturating_add(done.estimate))
                });
            Span { starts, completed, work }
        })
        .filter(|span| {
            let worked = calendar.working_days_between(span.starts, back(span.starts, -length));
            span.completed > 0 || worked > 0 || span.starts == begin
        })
        .collect();
    spans.reverse();
    spans
}

fn back(date: Date, days: i64) -> Date {
    date.saturating_sub(days.days())
}

fn velocity(spans: &[Span]) -> Known<Velocity> {
    // The present span is not over; what is in it would only lower the figure.
    let whole = &spans[..spans.len().saturating_sub(1)];
    Known::after(whole.len(), VELOCITY_SPANS_MIN, || {
        let spans = u32::try_from(whole.len()).unwrap_or(u32::MAX);
        let tasks: u32 = whole.iter().map(|span| span.completed).sum();
        let work: u64 = whole.iter().map(|span| u64::from(span.work.minutes())).sum();
        let mean = work / u64::from(spans);
        Velocity {
            tasks: (f64::from(tasks * 10) / f64::from(spans)).round() / 10.0,
            work: Effort::from_minutes(u32::try_from(mean).unwrap_or(u32::MAX)),
            spans,
        }
    })
}

/// Of all working time since the first of the spans, that in which any task was in progress.
fn busy(snapshot: &Snapshot, only: Option<MilestoneId>, spans: &[Span], now: Timestamp) -> u32 {
    let Some(first) = spans.first() else { return 0 };
    let local = |at| snapshot.settings.local(at);
    let (begin, now) = (first.starts.to_datetime(Time::midnight()), local(now));
    let tasks = shown(snapshot, only).flat_map(|outline| &outline.tasks);
    let mut worked: Vec<(DateTime, DateTime)> = tasks
        .filter_map(|task| {
            let over = task.status != TaskStatus::InProgress;
            let end = if over { local(task.completed_at?) } else { now };
            Some((local(task.started_at?).max(begin), end))
        })
        .filter(|(start, end)| start < end)
        .collect();
    worked.sort_unstable();
    let calendar = &snapshot.settings.calendar;
    let (mut active, mut until) = (0_u64, begin);
    for (start, end) in worked {
        if end > until {
            active += u64::from(calendar.worked(start.max(until), end).minutes());
            until = end;
        }
    }
    let all = u64::from(calendar.worked(begin, now).minutes()).max(1);
    u32::try_from((active * 100 / all).min(100)).unwrap_or(100)
}

fn usual(mut times: Vec<Effort>) -> Usual {
    times.sort_unstable();
    let at = |percent: usize| times[((times.len() - 1) * percent).div_ceil(100)];
    Usual { median: at(50), p80: at(80), tasks: times.len() }
}

fn accuracy(samples: &[Sample]) -> Accuracy {
    let percent = |sample: &Sample| sample.actual.percent_of(sample.estimate.expected());
    let mut percents: Vec<u32> = samples.iter().map(percent).collect();
    Accuracy {
        within: percents.iter().filter(|percent| **percent <= 100).count(),
        median_percent: median(&mut percents),
        tasks: samples.len(),
    }
}

fn median(values: &mut [u32]) -> u32 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::views::testing::{TODAY, project, task};

    /// The day `days` before [`TODAY`], which is a Monday.
    fn done(number: u32, days: i64, hours: i64) -> serde_json::Value {
        let day = back(TODAY, days);
        task(
            number,
            &json!({"status": "completed", "started_at": format!("{day}T08:00:00Z"),
            "completed_at": format!("{day}T{:02}:00:00Z", 8 + hours)}),
        )
    }

    fn seen(tasks: &[serde_json::Value]) -> Flow {
        let snapshot = project(&[json!({"id": "milestone-001", "title": "M", "tasks": tasks})]);
        flow(&snapshot, None, "2026-11-02T18:00:00Z".parse().unwrap(), TODAY)
    }

    #[test]
    fn with_nothing_done_nothing_is_said() {
        let flow = seen(&[task(1, &json!({}))]);
        assert_eq!((flow.spans.len(), flow.measured), (0, 0));
        assert_eq!(flow.velocity, Known::TooLittle { have: 0, needed: VELOCITY_SPANS_MIN });
        assert_eq!(flow.cycle, Known::TooLittle { have: 0, needed: USUAL_MIN });
    }

    #[test]
    fn a_young_project_counts_days_and_an_older_one_weeks() {
        let young = seen(&[done(1, 5, 4), done(2, 3, 8), done(3, 0, 2)]);
        let counts: Vec<_> = young.spans.iter().map(|span| span.completed).collect();
        assert_eq!((young.by, counts), (By::Day, vec![1, 0, 1, 1]));
        assert!((young.velocity.value().unwrap().tasks - 0.7).abs() < 0.01);
        let older = seen(&[done(1, 21, 4), done(2, 14, 8), done(3, 11, 8), done(4, 0, 2)]);
        let counts: Vec<_> = older.spans.iter().map(|span| span.completed).collect();
        assert_eq!((older.by, counts), (By::Week, vec![1, 2, 0, 1]));
        assert!((older.velocity.value().unwrap().tasks - 1.0).abs() < 0.01);
    }

    #[test]
    fn days_nobody_works_slow_nothing_down() {
        let a_week: Vec<_> = (1..).zip(3..8).map(|(n, days)| done(n, days, 4)).collect();
        let flow = seen(&a_week);
        let counts: Vec<_> = flow.spans.iter().map(|span| span.completed).collect();
        assert_eq!(counts, [1, 1, 1, 1, 1, 0]);
        assert!((flow.velocity.value().unwrap().tasks - 1.0).abs() < 0.01);
        // Who did work on a Sunday, did.
        let counts: Vec<_> =
            seen(&[done(1, 1, 4)]).spans.iter().map(|span| span.completed).collect();
        assert_eq!(counts, [1, 0]);
    }

    #[test]
    fn the_first_days_of_a_young_project_count() {
        let flow = seen(&[done(1, 20, 4), done(2, 3, 4)]);
        assert_eq!((flow.by, flow.spans.len()), (By::Day, 15));
        assert_eq!(flow.spans.iter().map(|span| span.completed).sum::<u32>(), 2);
    }

    #[test]
    fn what_is_usual_is_the_median_and_four_of_five() {
        let tasks: Vec<_> = (1..).zip([2, 4, 6, 8, 4]).map(|(n, h)| done(n, 3, h)).collect();
        let flow = seen(&tasks);
        let usual = flow.cycle.value().unwrap();
        assert_eq!((usual.median.to_string(), usual.p80.to_string()), ("4h".into(), "1d".into()));
        let accuracy = flow.accuracy.value().unwrap();
        assert_eq!((accuracy.median_percent, accuracy.within), (50, 5));
        // A Friday of eight hours, and nothing on the Monday that is half over.
        assert_eq!(flow.busy, Known::Known { value: 50 });
    }
}
