//! What state things are in, in the words of the product and those that other tools use.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{text}` is not one of {}", .known.join(", "))]
pub struct WordError {
    pub what: &'static str,
    pub text: String,
    pub known: &'static [&'static str],
}

/// A closed set of words: one canonical word a variant, and the aliases it is also read from.
macro_rules! words {
    (
        $(#[$meta:meta])*
        $type:ident, $what:literal { $($variant:ident = $word:literal $(| $alias:literal)*),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($variant),+ }

        impl $type {
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            fn exact(text: &str) -> Option<Self> {
                match text {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }

        impl FromStr for $type {
            type Err = WordError;

            fn from_str(text: &str) -> Result<Self, WordError> {
                // Nearly every word is written by the program, and needs no second look.
                if let Some(exact) = Self::exact(text) {
                    return Ok(exact);
                }
                let word = text.trim().to_ascii_lowercase().replace(['-', ' '], "_");
                match word.as_str() {
                    $($word $(| $alias)* => Ok(Self::$variant),)+
                    _ => Err(WordError { what: $what, text: text.to_owned(), known: Self::WORDS }),
                }
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    return serializer.serialize_str(self.word());
                }
                serializer.serialize_u8(*self as u8)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if !deserializer.is_human_readable() {
                    let known = Self::ALL.get(usize::from(u8::deserialize(deserializer)?));
                    return known.copied().ok_or_else(|| de::Error::custom("no such word"));
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
                if generator.contract().is_serialize() {
                    return json_schema!({ "type": "string", "enum": Self::WORDS });
                }
                json_schema!({ "type": "string", "enum": [$($word $(, $alias)*),+] })
            }
        }
    };
}

words! {
    MilestoneStatus, "milestone status" {
        Planned = "planned" | "todo" | "open" | "pending" | "planning" | "not_started" | "draft",
        InProgress = "in_progress" | "active" | "doing" | "started" | "running",
        Paused = "paused" | "on_hold",
        Blocked = "blocked",
        Completed = "completed" | "complete" | "done" | "closed" | "finished",
        Cancelled = "cancelled" | "canceled" | "dropped" | "abandoned",
    }
}

words! {
    TaskStatus, "task status" {
        Pending = "pending" | "todo" | "open" | "planned" | "planning" | "not_started" | "ready",
        InProgress = "in_progress" | "active" | "doing" | "started" | "running",
        Blocked = "blocked",
        Completed = "completed" | "complete" | "done" | "closed" | "finished",
        Failed = "failed",
        Cancelled = "cancelled" | "canceled" | "dropped" | "skipped",
    }
}

words! {
    /// Most urgent first, so that the derived order is the order of work.
    Priority, "priority" {
        Critical = "critical" | "urgent" | "p0",
        High = "high" | "p1",
        Medium = "medium" | "normal" | "p2",
        Low = "low" | "p3",
    }
}

words! {
    Level, "level" {
        High = "high" | "critical",
        Medium = "medium" | "normal",
        Low = "low",
    }
}

words! {
    CriterionKind, "criterion kind" {
        Functional = "functional",
        Quality = "quality",
        Integration = "integration",
        Success = "success" | "acceptance" | "definition_of_done",
    }
}

words! {
    ExternalStatus, "status of an external dependency" {
        Waiting = "waiting" | "pending" | "open" | "requested" | "in_progress",
        Satisfied = "satisfied" | "done" | "completed" | "available" | "ready" | "closed" | "met",
    }
}

words! {
    /// What somebody decided about a phase that asks for approval.
    Decision, "decision" {
        Approved = "approved",
        ChangesRequested = "changes_requested",
        Rejected = "rejected",
    }
}

impl Level {
    /// To hold risks against one another: high counts three times as much as low.
    pub fn weight(self) -> u32 {
        match self {
            Self::Low => 1,
            Self::Medium => 2,
            Self::High => 3,
        }
    }
}

impl MilestoneStatus {
    /// Over: nothing in it is ready, and nothing waits for more of it.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }
}

impl TaskStatus {
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_tools_are_read_and_ours_written_back() {
        let read = |text: &str| text.parse::<TaskStatus>().map(TaskStatus::word);
        assert_eq!(read("Done"), Ok("completed"));
        assert_eq!(read("in-progress"), Ok("in_progress"));
        assert_eq!(read("In Progress"), Ok("in_progress"));
        assert_eq!("planning".parse(), Ok(MilestoneStatus::Planned));
        assert_eq!("active".parse(), Ok(MilestoneStatus::InProgress));
    }

    #[test]
    fn an_unknown_word_names_the_known_ones() {
        let error = "dune".parse::<Priority>().unwrap_err();
        assert_eq!(error.to_string(), "priority `dune` is not one of critical, high, medium, low");
    }

    #[test]
    fn urgent_sorts_first() {
        assert!(Priority::Critical < Priority::Low);
    }
}
