//! Dates on a line: where a day stands, and at which days something is written.

use jiff::ToSpan as _;
use jiff::civil::Date;

/// Whole days, the last included, on a line of so many columns or points.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    from: Date,
    days: i64,
    length: i64,
}

/// A day with something written at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    pub at: i64,
    pub label: String,
}

/// How far apart ticks are.
#[derive(Debug, Clone, Copy)]
enum Step {
    Days(i64),
    Weeks(i64),
    Months(i16),
    Years(i16),
}

const STEPS: [Step; 16] = [
    Step::Days(1),
    Step::Days(2),
    Step::Weeks(1),
    Step::Weeks(2),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Years(1),
    Step::Years(2),
    Step::Years(5),
    Step::Years(10),
    Step::Years(50),
    Step::Years(100),
    Step::Years(500),
    Step::Years(1000),
];

impl Scale {
    pub fn new(from: Date, until: Date, length: i64) -> Self {
        let days = i64::from((until - from).get_days()).max(0) + 1;
        Self { from, days, length }
    }

    pub fn days(&self) -> i64 {
        self.days
    }

    /// The day after so many others.
    pub fn day(&self, number: usize) -> Option<Date> {
        self.from.checked_add(i64::try_from(number).ok()?.days()).ok()
    }

    /// Where a day begins.
    pub fn start(&self, day: Date) -> i64 {
        self.place(i64::from((day - self.from).get_days()))
    }

    /// Where a day ends, which is where the next begins.
    pub fn end(&self, day: Date) -> i64 {
        self.place(i64::from((day - self.from).get_days()) + 1)
    }

    fn place(&self, day: i64) -> i64 {
        day.clamp(0, self.days) * self.length / self.days
    }

    /// Days to write, so that each has this much room.
    pub fn ticks(&self, room: i64) -> Vec<Tick> {
        let fits = |step: &&Step| self.length * step.days() / self.days >= room;
        let Some(step) = STEPS.iter().find(fits) else { return Vec::new() };
        let mut ticks = Vec::new();
        let mut next = step.first(self.from);
        while let Some(day) = next {
            let away = i64::from((day - self.from).get_days());
            if away >= self.days {
                break;
            }
            ticks.push(Tick { at: self.place(away), label: step.label(day) });
            next = step.next(day);
        }
        ticks
    }
}

impl Step {
    fn days(self) -> i64 {
        match self {
            Self::Days(days) => days,
            Self::Weeks(weeks) => weeks * 7,
            Self::Months(months) => i64::from(months) * 28,
            Self::Years(years) => i64::from(years) * 365,
        }
    }

    /// The first day on or after this one that begins a step.
    fn first(self, from: Date) -> Option<Date> {
        match self {
            Self::Days(_) => Some(from),
            Self::Weeks(_) => {
                let passed = i64::from(from.weekday().to_monday_zero_offset());
                from.checked_add(((7 - passed) % 7).days()).ok()
            }
            Self::Months(months) => {
                let begins = |day: Date| {
                    day.day() == 1 && i16::from(day.month() - 1).checked_rem(months) == Some(0)
                };
                std::iter::successors(Some(from), |day| {
                    day.first_of_month().checked_add(1.month()).ok()
                })
                .find(|day| begins(*day))
            }
            Self::Years(years) => {
                let january = from.first_of_year();
                let passed = january.year().rem_euclid(years);
                if january == from && passed == 0 {
                    return Some(from);
                }
                january.checked_add(i64::from(years - passed).years()).ok()
            }
        }
    }

    fn next(self, day: Date) -> Option<Date> {
        let span = match self {
            Self::Days(days) => days.days(),
            Self::Weeks(weeks) => weeks.weeks(),
            Self::Months(months) => i64::from(months).months(),
            Self::Years(years) => i64::from(years).years(),
        };
        day.checked_add(span).ok()
    }

    fn label(self, day: Date) -> String {
        let form = match self {
            Self::Days(_) | Self::Weeks(_) => "%b %-d",
            Self::Months(_) if day.month() == 1 => "%Y",
            Self::Months(_) => "%b",
            Self::Years(_) => "%Y",
        };
        day.strftime(form).to_string()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn labels(from: Date, until: Date) -> String {
        let ticks = Scale::new(from, until, 60).ticks(8);
        ticks.iter().map(|tick| format!("{}@{}", tick.label, tick.at)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_stand_on_round_days_and_never_too_close() {
        let from = date(2026, 11, 4);
        assert_eq!(labels(from, date(2026, 11, 7)), "Nov 4@0 Nov 5@15 Nov 6@30 Nov 7@45");
        assert_eq!(labels(from, date(2026, 12, 1)), "Nov 9@10 Nov 16@25 Nov 23@40 Nov 30@55");
        assert_eq!(labels(from, date(2027, 2, 20)), "Dec@14 2027@31 Feb@48");
        assert_eq!(labels(from, date(2031, 2, 20)), "2027@2 2028@16 2029@30 2030@44 2031@58");
        assert_eq!(labels(from, from), "Nov 4@0");
        assert_eq!(labels(date(5000, 1, 1), date(9999, 12, 31)).split(' ').count(), 5);
        assert_eq!(labels(date(-9999, 1, 1), date(9999, 12, 31)), "", "ages have no room");
    }

    #[test]
    fn a_day_has_a_beginning_and_an_end() {
        let (from, until) = (date(2026, 11, 4), date(2026, 11, 7));
        let scale = Scale::new(from, until, 60);
        assert_eq!((scale.start(from), scale.end(from)), (0, 15));
        assert_eq!((scale.start(until), scale.end(until)), (45, 60));
        assert_eq!(scale.end(date(2199, 1, 1)), 60);
    }
}
