//! The settings that rules and views need; where they come from is the program's business.

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::calendar::Calendar;

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
