//! The settings that rules and views need; where they come from is the program's business.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::calendar::Calendar;
use crate::effort::Effort;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    pub calendar: Calendar,
    /// The zone in which dates are meant.
    #[serde(skip)]
    pub zone: TimeZone,
    /// How many people and agents work at once, where that is said.
    pub workers: Option<u32>,
    /// Percent added to estimates where a milestone says nothing.
    pub buffer: u32,
    /// Whether a new document carries `progress`.
    pub document_progress: bool,
    /// How long a claim lasts when nobody says.
    pub lease_seconds: u64,
}

impl Settings {
    /// A moment on the clock of the project's zone.
    pub fn local(&self, at: Timestamp) -> DateTime {
        at.to_zoned(self.zone.clone()).datetime()
    }

    /// The day on which a moment is there.
    pub fn date(&self, at: Timestamp) -> Date {
        self.local(at).date()
    }

    /// The working time between two moments.
    pub fn worked(&self, from: Timestamp, until: Timestamp) -> Effort {
        self.calendar.worked(self.local(from), self.local(until))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            calendar: Calendar::default(),
            zone: TimeZone::UTC,
            workers: None,
            buffer: 0,
            document_progress: true,
            lease_seconds: 15 * 60,
        }
    }
}
