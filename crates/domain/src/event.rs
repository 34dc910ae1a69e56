//! What happened. Events are only ever added; every figure about the past comes from them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::change::FieldChange;
use crate::document::Evidence;
use crate::ids::{MilestoneId, TaskId, TaskName, Uid};
use crate::status::{Decision, MilestoneStatus, TaskStatus};

/// The version of the event format that this program writes.
pub const EVENT_VERSION: u32 = 1;

/// One run of one task by one runner.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct AttemptId(#[schemars(with = "String")] pub Uuid);

/// The identity of one change: everything one command does, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChangeId(pub Uuid);

/// An event's identity: its change and its place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    pub change: ChangeId,
    pub index: u16,
}

/// Whose history an event stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    Milestone(MilestoneId),
    /// Facts that belong to no milestone: conditions.
    Project,
}

/// Something that happened, in the past tense.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    MilestoneCreated {
        document: Value,
    },
    MilestoneStatusChanged {
        from: MilestoneStatus,
        to: MilestoneStatus,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    MilestoneArchived {
        /// Why it was filed away although something was open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forced: Option<String>,
    },
    /// Brought back from the archive.
    MilestoneReturned,
    MilestoneNoted {
        text: String,
    },
    /// Two branches had given the same id; this one moved to another.
    MilestoneRenumbered {
        uid: Uid,
        from: MilestoneId,
        document: Value,
    },
    /// Another document that had the same id has moved to another.
    IdGivenUp {
        uid: Uid,
        to: MilestoneId,
    },
    /// A person's keys, set by a command or by hand.
    Edited {
        #[serde(flatten)]
        change: FieldChange,
    },
    TaskAdded {
        task: TaskName,
        document: Value,
    },
    TaskRemoved {
        task: TaskName,
        document: Value,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        moved_to: Option<TaskId>,
    },
    TaskStatusChanged {
        task: TaskName,
        from: TaskStatus,
        to: TaskStatus,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The attempt that did it, where one held the task.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fence: Option<u64>,
    },
    TaskClaimed {
        task: TaskName,
        from: TaskStatus,
        attempt: AttemptId,
        fence: u64,
        lease_seconds: u64,
    },
    TaskReleased {
        task: TaskName,
        attempt: AttemptId,
        fence: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    TaskProgressed {
        task: TaskName,
        percent: u32,
    },
    TaskNoted {
        task: TaskName,
        text: String,
    },
    CriterionMet {
        criterion: u32,
        met: Evidence,
    },
    /// The evidence no longer holds.
    CriterionReopened {
        criterion: u32,
    },
    GateDecided {
        phase: String,
        decision: Decision,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// What was decided about a phase no longer holds: the phase is not what it was.
    GateReopened {
        phase: String,
    },
    ConditionSet {
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    ConditionCleared {
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// An event with who, when and where: a line of history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recorded {
    pub v: u32,
    #[schemars(with = "String")]
    pub id: EventId,
    pub at: Timestamp,
    pub by: String,
    /// It was not done through the program: somebody edited, pulled or merged the document.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub noticed: bool,
    #[serde(rename = "in")]
    #[schemars(with = "String")]
    pub stream: Stream,
    /// Whom its references mean, by uid: should another branch have given the same id to another
    /// document, this tells the two apart.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refers: BTreeMap<MilestoneId, Uid>,
    #[serde(flatten)]
    pub event: Event,
}

impl ChangeId {
    pub fn event(self, index: u16) -> EventId {
        EventId { change: self, index }
    }

    /// The identity of the document that this change creates: the change's own, so that nothing
    /// random is needed to decide.
    pub fn uid(self) -> Uid {
        Uid(self.0)
    }
}

impl Event {
    /// The task it is about, by its number in its milestone.
    pub fn task(&self) -> Option<u32> {
        match self {
            Self::TaskAdded { task, .. }
            | Self::TaskRemoved { task, .. }
            | Self::TaskStatusChanged { task, .. }
            | Self::TaskClaimed { task, .. }
            | Self::TaskReleased { task, .. }
            | Self::TaskProgressed { task, .. }
            | Self::TaskNoted { task, .. } => Some(task.number),
            Self::Edited { change } => match change.path.steps() {
                [list, name, ..] if list == "tasks" => {
                    name.parse::<TaskName>().ok().map(|name| name.number)
                }
                _ => None,
            },
            _ => None,
        }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.change.0, self.index)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an event's id")]
pub struct EventIdError(String);

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        let parts = text.split_once('.').and_then(|(change, index)| {
            let change = ChangeId(Uuid::try_parse(change).ok()?);
            Some(Self { change, index: index.parse().ok()? })
        });
        parts.ok_or_else(|| EventIdError(text.to_owned()))
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Milestone(id) => id.fmt(f),
            Self::Project => f.write_str("project"),
        }
    }
}

impl FromStr for Stream {
    type Err = crate::ids::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "project" {
            return Ok(Self::Project);
        }
        text.parse().map(Self::Milestone)
    }
}

/// Serde through the written form.
macro_rules! as_text {
    ($type:ident) => {
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(EventId);
as_text!(Stream);
