//! `config/scale-detection.yaml`: what was measured and decided, for people to read.
//!
//! Nothing is decided by what it says, but for what a person was told already.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Decision, Grounds, Measured, Thresholds, Verdict};
use crate::files::disk::Disk;
use crate::{Result, yaml};

pub const PLACE: &str = "config/scale-detection.yaml";

const HEADER: &str = "\
Written by milestone whenever something in it changes; an edit of it is written over.
To choose the store yourself: `milestone config set scale_override files|sqlite|postgres|auto`.
More about it: `milestone storage explain`.";

/// A figure of tasks moves with every task that is done. So small a change is not worth writing.
const TASKS_WORTH_NOTING: u32 = 100;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub store: String,
    pub decided: String,
    pub why: String,
    pub scale_override: String,
    pub override_from: String,
    pub measured: Figures,
    pub thresholds: Limits,
    /// What was said to a person once, and is not said again.
    pub told: Vec<String>,
    /// A move that was tried in vain; it is tried again after a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub at: Timestamp,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    pub at: Timestamp,
    pub open_milestones: u32,
    pub open_tasks: u32,
    pub writers_at_once: u32,
    pub slow_waits: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    sqlite_above_milestones: u32,
    postgres_above_milestones: u32,
    sqlite_above_tasks: u32,
    writers: u32,
    wait_ms: u64,
}

impl Note {
    pub fn new(grounds: &Grounds, from: &str, decision: &Decision, at: Timestamp) -> Self {
        let Measured { open_milestones, open_tasks, writers, slow_waits } = grounds.measured;
        let decided = match decision.verdict {
            Verdict::Stay => "stay".to_owned(),
            Verdict::Move(to) => format!("move to {to}"),
        };
        Self {
            store: grounds.present.word().to_owned(),
            decided,
            why: decision.why.clone(),
            scale_override: grounds.wish.word().to_owned(),
            override_from: from.to_owned(),
            measured: Figures {
                at,
                open_milestones,
                open_tasks,
                writers_at_once: writers,
                slow_waits,
            },
            thresholds: Limits::of(&grounds.thresholds),
            told: Vec::new(),
            failed: None,
        }
    }

    /// None where there is none, or it is not as the program writes it.
    pub fn read(disk: &Disk) -> Option<Self> {
        let bytes = disk.read(PLACE).ok()??;
        let note: Self = yaml::read_bytes(&bytes).ok()?.value;
        (note.text().as_bytes() == bytes).then_some(note)
    }

    /// Whether this says what the other one does, but for the time and for what moves all day.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.measured.open_tasks, other.measured.open_tasks);
        let measured = Figures { at: self.measured.at, open_tasks: ours, ..other.measured.clone() };
        ours.abs_diff(theirs) < TASKS_WORTH_NOTING && *self == Self { measured, ..other.clone() }
    }

    pub fn write(&self, disk: &Disk) -> Result<()> {
        disk.make_folder("config")?;
        disk.replace(PLACE, self.text().as_bytes())
    }

    fn text(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        yaml::write(&value, Some(HEADER))
    }
}

impl Limits {
    fn of(thresholds: &Thresholds) -> Self {
        Self {
            sqlite_above_milestones: thresholds.sqlite_above_milestones,
            postgres_above_milestones: thresholds.postgres_above_milestones,
            sqlite_above_tasks: thresholds.sqlite_above_tasks,
            writers: thresholds.writers,
            wait_ms: u64::try_from(thresholds.wait.as_millis()).unwrap_or(u64::MAX),
        }
    }
}
