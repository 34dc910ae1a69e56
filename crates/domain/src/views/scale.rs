//! Which store keeps a project, what that rests on, and what would move it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::snapshot::Snapshot;

/// How much open work there is. What is filed away does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenWork {
    pub milestones: u32,
    pub tasks: u32,
}

impl OpenWork {
    /// From the outlines of all open work; of less, it is that much at least.
    pub fn of(snapshot: &Snapshot) -> Self {
        let tasks = super::open_tasks(snapshot).filter(|(.., task)| !task.status.is_closed());
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self { milestones: number(snapshot.open().count()), tasks: number(tasks.count()) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Scale {
    /// Where the project is kept: `files`, `sqlite` or `postgres`.
    pub store: &'static str,
    /// Where it belongs by all this; none if it is there.
    pub moves_to: Option<&'static str>,
    /// Why it stays or moves.
    pub why: String,
    /// Why it ought to be PostgreSQL, where nobody said where that is.
    pub lacks_url: Option<String>,
    pub figures: Vec<Figure>,
    pub asked: Asked,
    /// Where PostgreSQL is, without a password.
    pub postgres_url: Option<String>,
    /// Whether the documents are kept as files beside the store; none if the files are the store.
    pub mirror: Option<bool>,
    /// The note in which all this stands for people.
    pub note: &'static str,
    pub next: Vec<String>,
}

/// What people said about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Asked {
    pub scale_override: &'static str,
    /// Which settings say so: `default`, `user`, `project` or `environment`.
    pub from: &'static str,
}

/// Something that was measured, and the bounds it is held against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Figure {
    pub what: String,
    pub now: u32,
    pub bounds: Vec<Bound>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Bound {
    pub moves_to: &'static str,
    pub limit: u32,
    /// Whether the limit itself is too much; otherwise only what is above it.
    pub or_more: bool,
    pub passed: bool,
    /// The setting that changes it; none if it is fixed.
    pub setting: Option<&'static str>,
}

impl Figure {
    pub fn new(what: impl Into<String>, now: u32) -> Self {
        Self { what: what.into(), now, bounds: Vec::new() }
    }

    /// More than the limit is too much.
    #[must_use]
    pub fn above(mut self, limit: u32, moves_to: &'static str, setting: &'static str) -> Self {
        let (passed, setting) = (self.now > limit, Some(setting));
        self.bounds.push(Bound { moves_to, limit, or_more: false, passed, setting });
        self
    }

    /// The limit itself is too much.
    #[must_use]
    pub fn from(
        mut self,
        limit: u32,
        moves_to: &'static str,
        setting: Option<&'static str>,
    ) -> Self {
        let passed = self.now >= limit;
        self.bounds.push(Bound { moves_to, limit, or_more: true, passed, setting });
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::views::testing::{project, task};

    #[test]
    fn what_is_done_or_filed_away_is_not_open() {
        let done = json!({"status": "completed"});
        let milestone = |id: u32, status: &str| {
            json!({"id": format!("milestone-{id:03}"), "title": "T", "status": status,
                "tasks": [task(1, &done), task(2, &json!({}))]})
        };
        let mut snapshot = project(&[milestone(1, "planned"), milestone(2, "cancelled")]);
        assert_eq!(OpenWork::of(&snapshot), OpenWork { milestones: 2, tasks: 1 });
        snapshot.outlines.values_mut().for_each(|outline| outline.archived = true);
        assert_eq!(OpenWork::of(&snapshot), OpenWork::default());
    }

    #[test]
    fn a_bound_is_passed_as_it_says() {
        let above = |now| Figure::new("x", now).above(50, "sqlite", "x").bounds[0].passed;
        assert_eq!((above(50), above(51)), (false, true));
        let from = |now| Figure::new("x", now).from(8, "sqlite", None).bounds[0].passed;
        assert_eq!((from(7), from(8)), (false, true));
    }
}
