//! The names of things: milestones, tasks, and what may stand in a `requires` list.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use crate::limits;

/// A milestone's number; `milestone-001` to people.
///
/// A number and not a text, so that no id can ever carry a path, an option or an escape code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MilestoneId(pub u32);

/// A task's milestone and number; `task-001-003` to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    pub milestone: MilestoneId,
    pub number: u32,
}

/// A task as its own document names it: `task-003`, or the full form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskName {
    /// Only while a document is being read: the milestone that the full form named.
    pub milestone: Option<MilestoneId>,
    pub number: u32,
}

/// What a milestone or task may wait for, as its document says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    Milestone(MilestoneId),
    Task(TaskId),
    /// A task of the same milestone, in its short form.
    Own(u32),
}

/// A milestone or a task, fully named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    Milestone(MilestoneId),
    Task(TaskId),
}

/// The identity of a document that survives renumbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Uid(pub Uuid);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wanted}; write {example}")]
pub struct IdError {
    pub text: String,
    pub wanted: &'static str,
    pub example: &'static str,
}

impl TaskId {
    pub fn new(milestone: MilestoneId, number: u32) -> Self {
        Self { milestone, number }
    }
}

impl TaskName {
    pub fn new(number: u32) -> Self {
        Self { milestone: None, number }
    }

    pub fn of(self, milestone: MilestoneId) -> TaskId {
        TaskId { milestone, number: self.number }
    }
}

impl Reference {
    /// The form that a document of `home` uses: its own tasks are named shortly.
    #[must_use]
    pub fn seen_from(self, home: MilestoneId) -> Self {
        match self {
            Self::Task(task) if task.milestone == home => Self::Own(task.number),
            other => other,
        }
    }

    pub fn node(self, home: MilestoneId) -> Node {
        match self {
            Self::Milestone(id) => Node::Milestone(id),
            Self::Task(id) => Node::Task(id),
            Self::Own(number) => Node::Task(TaskId::new(home, number)),
        }
    }
}

impl Node {
    pub fn milestone(self) -> MilestoneId {
        match self {
            Self::Milestone(id) => id,
            Self::Task(task) => task.milestone,
        }
    }

    pub fn reference(self, home: MilestoneId) -> Reference {
        match self {
            Self::Milestone(id) => Reference::Milestone(id),
            Self::Task(id) => Reference::Task(id).seen_from(home),
        }
    }
}

impl fmt::Display for MilestoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "milestone-{:03}", self.0)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task-{:03}-{:03}", self.milestone.0, self.number)
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.milestone {
            Some(milestone) => self.of(milestone).fmt(f),
            None => write!(f, "task-{:03}", self.number),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Milestone(id) => id.fmt(f),
            Self::Task(id) => id.fmt(f),
            Self::Own(number) => TaskName::new(*number).fmt(f),
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Milestone(id) => id.fmt(f),
            Self::Task(id) => id.fmt(f),
        }
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Plain decimal digits within the limit; no sign, no space, no other alphabet's digits.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|n| *n <= limits::ID_MAX)
}

fn pair(text: &str, separator: char) -> Option<TaskId> {
    let (milestone, task) = text.split_once(separator)?;
    Some(TaskId::new(MilestoneId(number(milestone)?), number(task)?))
}

impl FromStr for MilestoneId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text.strip_prefix("milestone-").unwrap_or(text);
        number(digits).map(MilestoneId).ok_or_else(|| IdError {
            text: text.to_owned(),
            wanted: "a milestone's id",
            example: "milestone-001, 001 or 1",
        })
    }
}

impl FromStr for TaskId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let found = match text.strip_prefix("task-") {
            Some(rest) => pair(rest, '-'),
            None => pair(text, '.'),
        };
        found.ok_or_else(|| IdError {
            text: text.to_owned(),
            wanted: "a task's id",
            example: "task-001-003 or 1.3",
        })
    }
}

impl FromStr for TaskName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if let Ok(TaskId { milestone, number }) = text.parse::<TaskId>() {
            return Ok(Self { milestone: Some(milestone), number });
        }
        let short = text.strip_prefix("task-").and_then(number);
        short.map(Self::new).ok_or_else(|| IdError {
            text: text.to_owned(),
            wanted: "a task's id",
            example: "task-003 or task-001-003",
        })
    }
}

impl FromStr for Reference {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if let Ok(name) = text.parse::<TaskName>() {
            let task = |milestone| Self::Task(TaskId::new(milestone, name.number));
            return Ok(name.milestone.map_or(Self::Own(name.number), task));
        }
        text.parse().map(Self::Milestone).map_err(|_: IdError| IdError {
            text: text.to_owned(),
            wanted: "the id of a milestone or task",
            example: "milestone-001, task-001-003 or task-003",
        })
    }
}

impl FromStr for Node {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if let Ok(task) = text.parse() {
            return Ok(Self::Task(task));
        }
        text.parse().map(Self::Milestone).map_err(|_: IdError| IdError {
            text: text.to_owned(),
            wanted: "the id of a milestone or task",
            example: "milestone-001, 1, task-001-003 or 1.3",
        })
    }
}

/// An id in a format that nobody reads: what it is, and its numbers.
type Compact = (u8, u32, u32);

impl MilestoneId {
    fn compact(self) -> Compact {
        (0, self.0, 0)
    }

    fn from_compact(compact: Compact) -> Option<Self> {
        let (0, number, 0) = compact else { return None };
        Some(Self(number))
    }
}

impl TaskId {
    fn compact(self) -> Compact {
        (1, self.milestone.0, self.number)
    }

    fn from_compact(compact: Compact) -> Option<Self> {
        let (1, milestone, number) = compact else { return None };
        Some(Self::new(MilestoneId(milestone), number))
    }
}

impl TaskName {
    fn compact(self) -> Compact {
        self.milestone.map_or((2, 0, self.number), |milestone| (1, milestone.0, self.number))
    }

    fn from_compact(compact: Compact) -> Option<Self> {
        match compact {
            (1, milestone, number) => {
                Some(Self { milestone: Some(MilestoneId(milestone)), number })
            }
            (2, 0, number) => Some(Self::new(number)),
            _ => None,
        }
    }
}

impl Reference {
    fn compact(self) -> Compact {
        match self {
            Self::Milestone(id) => id.compact(),
            Self::Task(id) => id.compact(),
            Self::Own(number) => (2, 0, number),
        }
    }

    fn from_compact(compact: Compact) -> Option<Self> {
        match compact {
            (2, 0, number) => Some(Self::Own(number)),
            other => Node::from_compact(other).map(|node| match node {
                Node::Milestone(id) => Self::Milestone(id),
                Node::Task(id) => Self::Task(id),
            }),
        }
    }
}

impl Node {
    fn compact(self) -> Compact {
        match self {
            Self::Milestone(id) => id.compact(),
            Self::Task(id) => id.compact(),
        }
    }

    fn from_compact(compact: Compact) -> Option<Self> {
        let task = TaskId::from_compact(compact).map(Self::Task);
        task.or_else(|| MilestoneId::from_compact(compact).map(Self::Milestone))
    }
}

/// Serde, and the schema, through the written form.
macro_rules! as_text {
    ($type:ident, written $written:literal, read $read:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    return serializer.collect_str(self);
                }
                self.compact().serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if !deserializer.is_human_readable() {
                    let id = Self::from_compact(Compact::deserialize(deserializer)?);
                    return id.ok_or_else(|| de::Error::custom("no such id"));
                }
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let pattern = match generator.contract().is_serialize() {
                    true => $written,
                    false => $read,
                };
                json_schema!({ "type": "string", "pattern": pattern })
            }
        }
    };
}

as_text!(MilestoneId, written r"^milestone-[0-9]{3,}$", read r"^(milestone-)?[0-9]+$");
as_text!(
    TaskId,
    written r"^task-[0-9]{3,}-[0-9]{3,}$",
    read r"^(task-[0-9]+-[0-9]+|[0-9]+\.[0-9]+)$"
);
as_text!(
    TaskName,
    written r"^task-[0-9]{3,}(-[0-9]{3,})?$",
    read r"^task-[0-9]+(-[0-9]+)?$"
);
as_text!(
    Reference,
    written r"^(milestone-[0-9]{3,}|task-[0-9]{3,}(-[0-9]{3,})?)$",
    read r"^(milestone-[0-9]+|task-[0-9]+(-[0-9]+)?|[0-9]+(\.[0-9]+)?)$"
);
as_text!(
    Node,
    written r"^(milestone-[0-9]{3,}|task-[0-9]{3,}-[0-9]{3,})$",
    read r"^(milestone-[0-9]+|task-[0-9]+-[0-9]+|[0-9]+(\.[0-9]+)?)$"
);

impl JsonSchema for Uid {
    fn schema_name() -> Cow<'static, str> {
        "Uid".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "uuid" })
    }
}

/// The candidate that a person most likely meant by `wanted`, if it is one slip away.
pub fn nearest<T: Copy + Ord + fmt::Display>(
    wanted: T,
    candidates: impl IntoIterator<Item = T>,
) -> Option<T> {
    let wanted = wanted.to_string();
    let near = candidates.into_iter().map(|candidate| {
        let slips = distance(&wanted, &candidate.to_string());
        (slips, candidate)
    });
    near.filter(|(slips, _)| *slips <= SLIPS_MAX).min().map(|(_, candidate)| candidate)
}

/// More than this, and another id was meant than any that there is.
const SLIPS_MAX: usize = 1;

/// Edits between two ids; ids are ASCII and short.
fn distance(a: &str, b: &str) -> usize {
    let b = b.as_bytes();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, byte) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for j in 0..b.len() {
            let changed = diagonal + usize::from(byte != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_unambiguous_form_names_the_same_thing() {
        for text in ["milestone-001", "001", "1", "milestone-1"] {
            assert_eq!(text.parse(), Ok(MilestoneId(1)), "{text}");
        }
        for text in ["task-001-003", "1.3", "001.003", "task-1-3"] {
            assert_eq!(text.parse(), Ok(TaskId::new(MilestoneId(1), 3)), "{text}");
        }
        assert_eq!("task-003".parse(), Ok(Reference::Own(3)));
        assert_eq!("1.3".parse(), Ok(Node::Task(TaskId::new(MilestoneId(1), 3))));
    }

    #[test]
    fn nothing_else_is_an_id() {
        for text in [
            "",
            "milestone-",
            "-1",
            "+1",
            "1 ",
            "../1",
            "milestone-1/2",
            "１",
            "4294967296",
            "auth",
        ] {
            assert!(text.parse::<MilestoneId>().is_err(), "{text}");
            assert!(text.parse::<Node>().is_err(), "{text}");
        }
        for text in ["task-1-2-3", "1.2.3", "task--1", "task-1-", "1."] {
            assert!(text.parse::<TaskId>().is_err(), "{text}");
        }
    }

    #[test]
    fn own_tasks_are_named_shortly() {
        let home = MilestoneId(7);
        let own: Reference = "task-007-002".parse().unwrap();
        assert_eq!(own.seen_from(home).to_string(), "task-002");
        assert_eq!(own.seen_from(MilestoneId(1)).to_string(), "task-007-002");
    }

    #[test]
    fn the_nearest_id_is_the_one_with_the_fewest_slips() {
        let known = [1, 12, 21, 107].map(MilestoneId);
        assert_eq!(nearest(MilestoneId(17), known), Some(MilestoneId(12)));
        assert_eq!(nearest(MilestoneId(93), known), None, "nobody meant any of these");
        assert_eq!(nearest(MilestoneId(7), []), None);
    }
}
