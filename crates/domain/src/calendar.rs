//! Which days are worked, and on what day an amount of work is done.
//!
//! Dates here are whole days: work starts in the morning of one and ends some time in another.
//! Nothing fails at the edge of the calendar; dates stop at [`Date::MIN`] and [`Date::MAX`].

use std::collections::BTreeSet;
use std::ops::{RangeBounds, RangeInclusive};

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time, Weekday};
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::effort::Effort;

const HOURS: RangeInclusive<u64> = 1..=24;

/// Says on what days and for how many hours people work; Monday to Friday, 8 hours by default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Calendar {
    /// The days of the week that are worked.
    working_days: WorkingDays,
    /// How many hours are worked on a working day.
    #[serde(deserialize_with = "read_hours")]
    #[schemars(range(min = 1, max = 24))]
    hours_per_day: u8,
    /// Days on which nobody works.
    holidays: BTreeSet<Date>,
}

impl Default for Calendar {
    fn default() -> Self {
        let monday_to_friday = WorkingDays(0b001_1111);
        Self { working_days: monday_to_friday, hours_per_day: 8, holidays: BTreeSet::new() }
    }
}

/// Why no work could ever be done by a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// The week has no working day.
    #[error("`working_days` is empty; name at least one of mon, tue, wed, thu, fri, sat, sun")]
    NoWorkingDay,
    /// The day has no hour, or more than there are.
    #[error("`hours_per_day` is {0}; a working day has 1 to 24 hours")]
    Hours(u64),
}

/// Whether a search for working days goes to later or to earlier dates.
#[derive(Clone, Copy)]
enum Towards {
    Later,
    Earlier,
}

impl Calendar {
    /// Makes a calendar by which work can be done at all.
    pub fn new(
        working_days: impl IntoIterator<Item = Weekday>,
        hours_per_day: u8,
        holidays: BTreeSet<Date>,
    ) -> Result<Self, CalendarError> {
        Ok(Self {
            working_days: WorkingDays::new(working_days)?,
            hours_per_day: checked_hours(hours_per_day.into())?,
            holidays,
        })
    }

    /// Tells whether people work on `date`.
    pub fn is_working(&self, date: Date) -> bool {
        self.working_days.contains(date) && !self.holidays.contains(&date)
    }

    /// Counts the minutes of work that fit in a working day.
    pub fn minutes_per_day(&self) -> u32 {
        u32::from(self.hours_per_day) * 60
    }

    /// Finds the day on which `effort` is done if it is begun in the morning of `date`.
    ///
    /// No effort is done on `date` itself, even if that is a holiday: a mark on the calendar does
    /// not wait for an office to open.
    #[must_use]
    pub fn add(&self, date: Date, effort: Effort) -> Date {
        self.last_worked(date, effort, Towards::Later)
    }

    /// Finds the last day in whose morning `effort` may be begun to be done by the end of `date`.
    #[must_use]
    pub fn subtract(&self, date: Date, effort: Effort) -> Date {
        self.last_worked(date, effort, Towards::Earlier)
    }

    /// Counts the working days from `from` on and before `until`; none if that is earlier.
    pub fn working_days_between(&self, from: Date, until: Date) -> u32 {
        let Ok(days @ 1..) = u32::try_from(days_from(from, until)) else { return 0 };
        let rest = (0..days % 7).filter(|&n| self.working_days.contains(shifted(from, n.into())));
        let weekdays = days / 7 * self.working_days.per_week() + count(rest);
        weekdays - self.holidays_lost(from..until)
    }

    /// Counts the working days after `from`, up to and with `until`: how late `until` is for what
    /// was to be done by the end of `from`.
    pub fn working_days_after(&self, from: Date, until: Date) -> u32 {
        let next = |date: Date| date.tomorrow().unwrap_or(Date::MAX);
        self.working_days_between(next(from), next(until))
    }

    /// Measures the working time between two moments.
    ///
    /// What is no longer than a working day may have been one stretch, at whatever hours, and
    /// counts as it is. For anything longer, nobody says at which hours people work: they are taken
    /// to lie around one in the afternoon, so that an evening and a night are not counted as work.
    pub fn worked(&self, from: DateTime, until: DateTime) -> Effort {
        let elapsed = u32::try_from(until.duration_since(from).as_mins()).unwrap_or(0);
        let (first, last) = (from.date(), until.date());
        if first >= last || elapsed <= self.minutes_per_day() {
            return Effort::from_minutes(elapsed.min(self.minutes_per_day()));
        }
        let on = |date: Date, worked: u32| if self.is_working(date) { worked } else { 0 };
        let next = first.tomorrow().unwrap_or(last);
        let between = self.working_days_between(next, last).saturating_mul(self.minutes_per_day());
        let begun = self.minutes_per_day() - self.worked_by(from.time());
        let ends = on(first, begun) + on(last, self.worked_by(until.time()));
        Effort::from_minutes(between.saturating_add(ends))
    }

    /// How much of a working day is over at an hour of it.
    fn worked_by(&self, hour: Time) -> u32 {
        const MIDDLE: u32 = 13 * 60;
        const LAST_HOUR: u32 = 24 * 60;
        let day = self.minutes_per_day();
        let morning = MIDDLE.saturating_sub(day / 2).min(LAST_HOUR - day);
        let minute =
            u32::from(hour.hour().unsigned_abs()) * 60 + u32::from(hour.minute().unsigned_abs());
        minute.saturating_sub(morning).min(day)
    }

    fn last_worked(&self, date: Date, effort: Effort, towards: Towards) -> Date {
        let mut left = effort.minutes().div_ceil(self.minutes_per_day());
        let mut next = Some(date);
        let mut last = date;
        // Each round makes up for the holidays that the one before ran into, so there are never
        // more rounds than holidays, however long the way.
        while let (Some(first), 1..) = (next, left) {
            last = self.working_days.nth(first, left, towards);
            left = self.holidays_lost(first.min(last)..=first.max(last));
            next = towards.step(last);
        }
        last
    }

    /// Counts the holidays that fall on what would be working days.
    fn holidays_lost(&self, dates: impl RangeBounds<Date>) -> u32 {
        count(self.holidays.range(dates).filter(|date| self.working_days.contains(**date)))
    }
}

impl Towards {
    fn step(self, date: Date) -> Option<Date> {
        match self {
            Self::Later => date.tomorrow().ok(),
            Self::Earlier => date.yesterday().ok(),
        }
    }
}

// Bit 0 is Monday.
/// Days of the week, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "BTreeSet<Day>", into = "BTreeSet<Day>")]
#[schemars(extend("minItems" = 1))]
struct WorkingDays(u8);

impl WorkingDays {
    fn new(days: impl IntoIterator<Item = Weekday>) -> Result<Self, CalendarError> {
        let bits = days.into_iter().fold(0, |bits, day| bits | bit(day));
        if bits == 0 { Err(CalendarError::NoWorkingDay) } else { Ok(Self(bits)) }
    }

    fn contains(self, date: Date) -> bool {
        self.0 & bit(date.weekday()) != 0
    }

    fn per_week(self) -> u32 {
        self.0.count_ones()
    }

    /// Finds the `n`th of these days, counting from `date` itself if it is one; `n` is not 0.
    fn nth(self, date: Date, n: u32, towards: Towards) -> Date {
        let weeks = i64::from((n - 1) / self.per_week());
        let mut left = (n - 1) % self.per_week();
        let mut date = match towards {
            Towards::Later => shifted(date, weeks * 7),
            Towards::Earlier => shifted(date, -weeks * 7),
        };
        loop {
            if self.contains(date) {
                if left == 0 {
                    return date;
                }
                left -= 1;
            }
            match towards.step(date) {
                Some(next) => date = next,
                None => return date,
            }
        }
    }
}

/// A day of the week as it is written.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

const DAYS: [(Day, Weekday); 7] = [
    (Day::Mon, Weekday::Monday),
    (Day::Tue, Weekday::Tuesday),
    (Day::Wed, Weekday::Wednesday),
    (Day::Thu, Weekday::Thursday),
    (Day::Fri, Weekday::Friday),
    (Day::Sat, Weekday::Saturday),
    (Day::Sun, Weekday::Sunday),
];

impl TryFrom<BTreeSet<Day>> for WorkingDays {
    type Error = CalendarError;

    fn try_from(written: BTreeSet<Day>) -> Result<Self, CalendarError> {
        Self::new(DAYS.into_iter().filter(|(day, _)| written.contains(day)).map(|(_, day)| day))
    }
}

impl From<WorkingDays> for BTreeSet<Day> {
    fn from(days: WorkingDays) -> Self {
        let worked = |(day, weekday)| (days.0 & bit(weekday) != 0).then_some(day);
        DAYS.into_iter().filter_map(worked).collect()
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

fn checked_hours(hours: u64) -> Result<u8, CalendarError> {
    let valid = Some(hours).filter(|hours| HOURS.contains(hours));
    valid.and_then(|hours| u8::try_from(hours).ok()).ok_or(CalendarError::Hours(hours))
}

fn read_hours<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    // Wider than what is kept, so that 300 gets our message and not one about integer types.
    u64::deserialize(deserializer).and_then(|hours| checked_hours(hours).map_err(D::Error::custom))
}

fn days_from(from: Date, until: Date) -> i64 {
    until.duration_since(from).as_hours() / 24
}

fn shifted(date: Date, days: i64) -> Date {
    date.saturating_add(SignedDuration::from_hours(24 * days))
}

/// Counts within one span of dates, which has far fewer days than a `u32` has values.
fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    items.fold(0, |count, _| count + 1)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    // 2026-12-21 is a Monday; Christmas Day is the Friday of that week.
    const MONDAY: Date = date(2026, 12, 21);

    fn effort(text: &str) -> Effort {
        text.parse().unwrap()
    }

    fn with_christmas() -> Calendar {
        serde_json::from_value(json!({ "holidays": ["2026-12-25"] })).unwrap()
    }

    fn once_a_week() -> Calendar {
        Calendar::new([Weekday::Wednesday], 1, BTreeSet::new()).unwrap()
    }

    #[test]
    fn work_ends_on_the_day_of_its_last_minute() {
        let calendar = with_christmas();
        for (from, work, done) in [
            (MONDAY, "1m", MONDAY),
            (MONDAY, "8h", MONDAY),
            (MONDAY, "8h 1m", date(2026, 12, 22)),
            (MONDAY, "4d", date(2026, 12, 24)),
            (MONDAY, "1w", date(2026, 12, 28)),
            (date(2026, 12, 24), "2d", date(2026, 12, 28)),
            (date(2026, 12, 25), "1h", date(2026, 12, 28)),
            (date(2026, 12, 26), "1h", date(2026, 12, 28)),
            (MONDAY, "52w", date(2027, 12, 20)),
        ] {
            assert_eq!(calendar.add(from, effort(work)), done, "{from} + {work}");
        }
    }

    #[test]
    fn work_has_to_begin_early_enough() {
        let calendar = with_christmas();
        for (due, work, begin) in [
            (MONDAY, "8h", MONDAY),
            (MONDAY, "9h", date(2026, 12, 18)),
            (date(2026, 12, 28), "2d", date(2026, 12, 24)),
            (date(2026, 12, 27), "1h", date(2026, 12, 24)),
            (date(2027, 12, 20), "52w", MONDAY),
        ] {
            assert_eq!(calendar.subtract(due, effort(work)), begin, "{due} - {work}");
        }
    }

    #[test]
    fn no_effort_is_done_at_once_even_on_a_holiday() {
        let calendar = with_christmas();
        for day in [MONDAY, date(2026, 12, 25), date(2026, 12, 26)] {
            assert_eq!(calendar.add(day, Effort::default()), day);
            assert_eq!(calendar.subtract(day, Effort::default()), day);
        }
    }

    #[test]
    fn counts_working_days_up_to_a_date() {
        let calendar = with_christmas();
        for (from, until, days) in [
            (MONDAY, MONDAY, 0),
            (MONDAY, date(2026, 12, 22), 1),
            (MONDAY, date(2026, 12, 26), 4),
            (MONDAY, date(2026, 12, 28), 4),
            (MONDAY, date(2026, 12, 29), 5),
            (date(2026, 12, 29), MONDAY, 0),
            (MONDAY, date(2027, 12, 20), 259),
        ] {
            assert_eq!(calendar.working_days_between(from, until), days, "{from}..{until}");
        }
    }

    #[test]
    fn lateness_does_not_grow_on_days_nobody_works() {
        let calendar = with_christmas();
        let friday = date(2026, 12, 18);
        for (due, today, days) in [
            (friday, friday, 0),
            (friday, date(2026, 12, 19), 0),
            (friday, MONDAY, 1),
            (friday, date(2026, 12, 24), 4),
            (friday, date(2026, 12, 26), 4),
            (date(2026, 12, 19), MONDAY, 1),
            (MONDAY, friday, 0),
        ] {
            assert_eq!(calendar.working_days_after(due, today), days, "{due}..{today}");
        }
    }

    #[test]
    fn a_rare_working_day_costs_no_more_than_any_other() {
        let calendar = once_a_week();
        let decades = calendar.add(MONDAY, effort("520h"));
        assert_eq!(decades, date(2036, 12, 3));
        assert_eq!(calendar.subtract(decades, effort("520h")), date(2026, 12, 23));
        // A walk through a million years would be felt here.
        for _ in 0..10_000 {
            assert_eq!(calendar.add(MONDAY, Effort::from_minutes(u32::MAX)), Date::MAX);
        }
    }

    #[test]
    fn years_of_holidays_are_walked_once() {
        let holidays = (0..20_000).map(|n| shifted(MONDAY, n)).collect();
        let calendar = Calendar::new([Weekday::Wednesday], 8, holidays).unwrap();
        let first = calendar.add(MONDAY, effort("1h"));
        assert_eq!(first, date(2081, 9, 24));
        assert_eq!(calendar.working_days_between(MONDAY, first), 0);
        assert_eq!(calendar.subtract(first, effort("2d")), date(2026, 12, 16));
    }

    #[test]
    fn dates_stop_at_the_edge_of_the_calendar() {
        for calendar in [with_christmas(), once_a_week()] {
            for work in [effort("1h"), effort("1w"), Effort::from_minutes(u32::MAX)] {
                assert_eq!(calendar.add(Date::MAX, work), Date::MAX);
                assert_eq!(calendar.subtract(Date::MIN, work), Date::MIN);
            }
            assert!(calendar.working_days_between(Date::MIN, Date::MAX) > 1_000_000);
        }
    }

    #[test]
    fn reads_every_key_and_writes_it_back() {
        let written = json!({
            "working_days": ["mon", "tue", "sat"],
            "hours_per_day": 6,
            "holidays": ["2026-12-25", "2027-01-01"],
        });
        let calendar: Calendar = serde_json::from_value(written.clone()).unwrap();
        assert!(calendar.is_working(date(2026, 12, 26)));
        assert!(!calendar.is_working(date(2026, 12, 23)));
        assert!(!calendar.is_working(date(2026, 12, 25)));
        assert_eq!(calendar.minutes_per_day(), 360);
        assert_eq!(serde_json::to_value(&calendar).unwrap(), written);

        let usual: Calendar = serde_json::from_value(json!({})).unwrap();
        assert_eq!(usual, Calendar::default());
        let twice = json!({ "working_days": ["fri", "thu", "fri"] });
        let twice: Calendar = serde_json::from_value(twice).unwrap();
        assert_eq!(serde_json::to_value(twice).unwrap()["working_days"], json!(["thu", "fri"]));
    }

    #[test]
    fn refuses_a_calendar_without_work() {
        for (written, message) in [
            (json!({ "working_days": [] }), "`working_days` is empty; name at least one of mon"),
            (json!({ "hours_per_day": 0 }), "`hours_per_day` is 0; a working day has 1 to 24"),
            (json!({ "hours_per_day": 25 }), "`hours_per_day` is 25;"),
            (json!({ "hours_per_day": 300 }), "`hours_per_day` is 300;"),
            (json!({ "working_days": ["someday"] }), "unknown variant `someday`"),
            (json!({ "holidays": ["christmas"] }), "as year"),
        ] {
            let error = serde_json::from_value::<Calendar>(written).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        let none = Calendar::new([], 8, BTreeSet::new());
        assert_eq!(none, Err(CalendarError::NoWorkingDay));
    }

    #[test]
    fn the_schema_names_the_days() {
        let schema = serde_json::to_value(schemars::schema_for!(Calendar)).unwrap();
        assert_eq!(schema["properties"]["hours_per_day"]["maximum"], 24);
        assert_eq!(
            schema["$defs"]["Day"]["enum"],
            json!(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
        );
        assert_eq!(schema["$defs"]["WorkingDays"]["minItems"], 1);
        assert_eq!(schema.get("required"), None);
    }

    fn day() -> impl Strategy<Value = Date> {
        (0..400_i64).prop_map(|n| shifted(MONDAY, n))
    }

    fn any_calendar() -> impl Strategy<Value = Calendar> {
        (1..128_u8, 1..=24_u8, prop::collection::btree_set(day(), 0..60)).prop_map(
            |(bits, hours_per_day, holidays)| Calendar {
                working_days: WorkingDays(bits),
                hours_per_day,
                holidays,
            },
        )
    }

    /// Walks day by day, as a person with a wall calendar would.
    fn add_by_walking(calendar: &Calendar, mut date: Date, effort: Effort) -> Date {
        let mut left = effort.minutes();
        while left > 0 {
            if calendar.is_working(date) {
                left = left.saturating_sub(calendar.minutes_per_day());
            }
            if left > 0 {
                date = date.tomorrow().unwrap();
            }
        }
        date
    }

    #[test]
    fn nights_are_not_worked() {
        let at = |text: &str| text.parse::<DateTime>().unwrap();
        let hours = |hours_per_day: u8, from: &str, until: &str| {
            let week = [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday];
            let calendar = Calendar::new(week, hours_per_day, BTreeSet::new()).unwrap();
            calendar.worked(at(from), at(until)).to_string()
        };
        // 2026-11-02 is a Monday.
        for (from, until, worked) in [
            ("2026-11-02T09:00", "2026-11-02T12:30", "3h 30m"),
            ("2026-11-02T07:00", "2026-11-02T23:00", "1d"),
            ("2026-11-02T16:00", "2026-11-03T10:00", "2h"),
            ("2026-11-02T20:00", "2026-11-03T02:00", "6h"),
            ("2026-11-02T12:00", "2026-11-04T12:00", "2d"),
            ("2026-11-04T16:00", "2026-11-09T10:00", "2h"),
            ("2026-11-05T10:00", "2026-11-05T12:00", "2h"),
            ("2026-11-03T12:00", "2026-11-02T12:00", "0h"),
        ] {
            assert_eq!(hours(8, from, until), worked, "{from} {until}");
        }
        // Who works around the clock has no nights.
        assert_eq!(hours(24, "2026-11-02T16:00", "2026-11-03T10:00"), "2d 2h");
        assert_eq!(hours(23, "2026-11-02T23:30", "2026-11-03T23:30"), "2d 7h");
    }

    proptest! {
        #[test]
        fn adding_agrees_with_walking(
            calendar in any_calendar(), date in day(), minutes in 0..60_000_u32,
        ) {
            let effort = Effort::from_minutes(minutes);
            let walked = add_by_walking(&calendar, date, effort);
            prop_assert_eq!(calendar.add(date, effort), walked);
        }

        #[test]
        fn counting_agrees_with_walking(calendar in any_calendar(), from in day(), until in day()) {
            let walked = (0..days_from(from, until))
                .filter(|n| calendar.is_working(shifted(from, *n)))
                .count();
            let counted = calendar.working_days_between(from, until);
            prop_assert_eq!(usize::try_from(counted).unwrap(), walked);
        }

        #[test]
        fn subtracting_undoes_adding(
            calendar in any_calendar(), date in day(), minutes in 1..60_000_u32,
        ) {
            let date = calendar.add(date, Effort::from_minutes(1));
            prop_assert!(calendar.is_working(date));
            let effort = Effort::from_minutes(minutes);
            prop_assert_eq!(calendar.subtract(calendar.add(date, effort), effort), date);
            prop_assert_eq!(calendar.add(calendar.subtract(date, effort), effort), date);
        }

        #[test]
        fn subtracting_finds_the_last_day_that_will_do(
            calendar in any_calendar(), due in day(), minutes in 1..60_000_u32,
        ) {
            let effort = Effort::from_minutes(minutes);
            let begin = calendar.subtract(due, effort);
            prop_assert!(calendar.add(begin, effort) <= due);
            prop_assert!(calendar.add(begin.tomorrow().unwrap(), effort) > due);
        }

        #[test]
        fn more_work_never_ends_earlier(
            calendar in any_calendar(), date in day(), less in 0..60_000_u32, more in 0..60_000_u32,
        ) {
            let less = Effort::from_minutes(less);
            let sum = less.saturating_add(Effort::from_minutes(more));
            prop_assert!(calendar.add(date, less) <= calendar.add(date, sum));
        }

        #[test]
        fn working_days_are_an_offset_in_working_time(calendar in any_calendar(), date in day()) {
            let date = calendar.add(date, Effort::from_minutes(1));
            prop_assert!(calendar.is_working(date));
            let days = calendar.working_days_between(MONDAY, date);
            let offset = Effort::from_minutes(days * calendar.minutes_per_day() + 1);
            prop_assert_eq!(calendar.add(MONDAY, offset), date);
        }
    }
}
