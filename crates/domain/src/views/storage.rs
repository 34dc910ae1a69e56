//! Where a project is kept, how much of it there is, and how far that will do.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::scale::OpenWork;
use crate::snapshot::Snapshot;

/// What a store knows about itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct StoreFacts {
    pub store: &'static str,
    pub place: String,
    /// Milestones that are filed away.
    pub archived_milestones: usize,
    /// Records of the history.
    pub events: usize,
    /// What takes room, in bytes, and how many files it is.
    pub sizes: Vec<Size>,
    pub journal: Journal,
    /// Which process has its turn to write; none if nobody does.
    pub held_by: Option<String>,
    pub formats: Formats,
    pub last_backup: Option<BackupFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Size {
    pub what: &'static str,
    pub files: usize,
    pub bytes: u64,
}

/// What the journal still has to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Journal {
    /// Everything it says is in place.
    #[default]
    Applied,
    /// A command was interrupted, or the machine started anew; the next command goes on from there.
    Waiting,
}

/// The versions in which things are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Formats {
    pub document: u32,
    pub event: u32,
    pub backup: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BackupFile {
    pub file: String,
    pub bytes: u64,
    pub made_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StorageStatus {
    #[serde(flatten)]
    pub facts: StoreFacts,
    pub open_milestones: Share,
    pub open_tasks: Share,
    /// Whether there is more than this store is made for.
    pub outgrown: bool,
}

/// How many there are, of how many a store is made for; none if it is made for any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Share {
    pub count: u32,
    pub of: Option<u32>,
}

/// How much open work a store is made for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    pub milestones: Option<u32>,
    pub tasks: Option<u32>,
}

impl Share {
    fn is_over(self) -> bool {
        self.of.is_some_and(|of| self.count > of)
    }
}

/// From all open work.
pub fn storage(snapshot: &Snapshot, facts: StoreFacts, bounds: Bounds) -> StorageStatus {
    let open = OpenWork::of(snapshot);
    let open_milestones = Share { count: open.milestones, of: bounds.milestones };
    let open_tasks = Share { count: open.tasks, of: bounds.tasks };
    let outgrown = open_milestones.is_over() || open_tasks.is_over();
    StorageStatus { facts, open_milestones, open_tasks, outgrown }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::views::testing::{project, task};

    #[test]
    fn open_work_is_counted_and_held_against_the_bounds() {
        let done = json!({"status": "completed"});
        let of = |count: usize| {
            let documents = (1..=count).map(|id| {
                json!({"id": format!("milestone-{id:03}"), "title": "T",
                    "tasks": [task(1, &done), task(2, &json!({}))]})
            });
            let bounds = Bounds { milestones: Some(50), tasks: None };
            storage(&project(&documents.collect::<Vec<_>>()), StoreFacts::default(), bounds)
        };
        let few = of(50);
        assert_eq!(
            (few.open_milestones.count, few.open_tasks.count, few.outgrown),
            (50, 50, false)
        );
        assert!(of(51).outgrown);
    }
}
