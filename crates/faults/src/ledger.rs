//! The log of acknowledgements: what was asked, when, and what the program answered.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ask::{Ask, Proof};

/// One run of the program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Everybody who asks has a name of their own, so that every event leads back to its request.
    pub actor: String,
    pub ask: Ask,
    /// Microseconds since the harness began.
    pub started: u64,
    /// When its end was seen.
    pub ended: u64,
    pub end: End,
    pub stdout: String,
    pub stderr: String,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Exit(i32),
    /// Killed by the harness, or by the fault it planned.
    Killed,
    /// Ended by a signal that nobody planned.
    Signal(i32),
}

/// What an end says about the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It is there.
    Kept,
    /// It is not there.
    Refused,
    /// Nobody knows.
    Unknown,
}

impl Entry {
    pub fn said(&self) -> Said {
        match self.end {
            End::Exit(0) => Said::Kept,
            End::Exit(2..=5) => Said::Refused,
            End::Exit(_) if self.stderr.contains("nothing was changed") => Said::Refused,
            End::Exit(_) | End::Killed | End::Signal(_) => Said::Unknown,
        }
    }

    /// The id that the program printed: the last word of the first line.
    pub fn printed_id(&self) -> Option<&str> {
        self.stdout.lines().next()?.split_whitespace().last()
    }

    /// The right that a claim printed.
    pub fn proof(&self) -> Option<Proof> {
        let fence = self.printed_field("fence")?.as_u64()?;
        let attempt = self.printed_field("attempt")?.as_str()?.to_owned();
        Some(Proof { fence, attempt })
    }

    /// A field of the JSON document that the program printed, wherever it stands in it.
    pub fn printed_field(&self, name: &str) -> Option<serde_json::Value> {
        let value: serde_json::Value = serde_json::from_str(&self.stdout).ok()?;
        find(&value, name).cloned()
    }
}

fn find<'a>(value: &'a serde_json::Value, name: &str) -> Option<&'a serde_json::Value> {
    match value {
        serde_json::Value::Object(map) => {
            map.get(name).or_else(|| map.values().find_map(|value| find(value, name)))
        }
        serde_json::Value::Array(items) => items.iter().find_map(|value| find(value, name)),
        _ => None,
    }
}

/// All runs on one project.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pub entries: Vec<Entry>,
}

impl Ledger {
    pub fn read(path: &Path) -> Result<Self, String> {
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let entries = text.lines().zip(1..).map(|(line, number)| {
            serde_json::from_str(line)
                .map_err(|error| format!("{}:{number}: {error}", path.display()))
        });
        Ok(Self { entries: entries.collect::<Result<_, _>>()? })
    }

    pub fn write(&self, path: &Path) -> Result<(), String> {
        let lines: Vec<String> =
            self.entries.iter().filter_map(|entry| serde_json::to_string(entry).ok()).collect();
        fs::write(path, lines.join("\n") + "\n")
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    pub fn by_actor(&self) -> BTreeMap<&str, &Entry> {
        self.entries.iter().map(|entry| (entry.actor.as_str(), entry)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(end: End, stderr: &str) -> Entry {
        let (actor, ask) = ("a".to_owned(), Ask::List);
        let (stdout, stderr) = (String::new(), stderr.to_owned());
        Entry { actor, ask, started: 0, ended: 0, end, stdout, stderr }
    }

    #[test]
    fn an_end_says_whether_the_write_is_there() {
        assert_eq!(entry(End::Exit(0), "").said(), Said::Kept);
        assert_eq!(entry(End::Exit(4), "").said(), Said::Refused);
        assert_eq!(entry(End::Exit(6), "").said(), Said::Unknown);
        assert_eq!(entry(End::Exit(6), "nothing was changed; x").said(), Said::Refused);
        assert_eq!(entry(End::Killed, "nothing was changed").said(), Said::Unknown);
    }
}
