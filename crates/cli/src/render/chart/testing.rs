//! Small and hostile projects to draw, and pages to draw them on.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use milestone_domain::document::Milestone;
use milestone_domain::effort::Effort;
use milestone_domain::ids::MilestoneId;
use milestone_domain::past::{Standing, Trail};
use milestone_domain::snapshot::Snapshot;
use milestone_domain::views::chart::burn_down::{BurnDown, burn_down};
use serde_json::{Value, json};

use crate::render::glyphs::Glyphs;
use crate::render::page::Page;

/// A Monday.
pub const TODAY: Date = date(2026, 11, 2);

/// What is drawn on a page of this width, without colours.
pub fn drawn(width: usize, glyphs: Glyphs, draw: impl FnOnce(&mut Page)) -> String {
    let mut page = Page::new(Some(width)).drawn_with(glyphs);
    draw(&mut page);
    anstream::adapter::strip_str(page.text()).to_string()
}

pub fn project(documents: &[Value]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for document in documents {
        snapshot.insert(Milestone::from_tree(document.clone(), false).unwrap());
    }
    snapshot
}

/// A programme in the middle of its work.
pub fn programme() -> Snapshot {
    project(&[
        json!({"id": "milestone-001", "title": "Database schema", "status": "completed",
            "started_at": "2026-10-12T08:00:00Z", "completed_at": "2026-10-23T16:00:00Z",
            "due": "2026-10-26", "provides": ["schema_frozen"], "tasks": [
            {"id": "task-001", "title": "Draw the tables", "status": "completed", "estimate": "3d",
             "started_at": "2026-10-12T08:00:00Z", "completed_at": "2026-10-15T16:00:00Z"},
            {"id": "task-002", "title": "Write the migrations", "status": "completed",
             "requires": ["task-001"], "estimate": "1w",
             "started_at": "2026-10-16T08:00:00Z", "completed_at": "2026-10-23T16:00:00Z"}]}),
        json!({"id": "milestone-002", "title": "User authentication", "status": "in_progress",
            "started_at": "2026-10-26T08:00:00Z", "due": "2026-11-11",
            "dependencies": {"requires": ["milestone-001"]}, "tasks": [
            {"id": "task-001", "title": "Design the flow", "status": "completed", "estimate": "2d",
             "started_at": "2026-10-26T08:00:00Z", "completed_at": "2026-10-28T16:00:00Z"},
            {"id": "task-002", "title": "Build the login", "status": "in_progress",
             "progress": 40, "requires": ["task-001"], "estimate": "5d",
             "started_at": "2026-10-29T08:00:00Z"},
            {"id": "task-003", "title": "ログイン画面を翻訳する", "requires": ["task-001"],
             "estimate": "2d", "due": "2026-11-06"},
            {"id": "task-004", "title": "Ship it 🚀 with a title that is far too long for a narrow page",
             "requires": ["task-002", "task-003"], "conditions": ["approved"], "estimate": "3d"},
            {"id": "task-005", "title": "Buy the domain", "status": "blocked",
             "reason": "no card", "estimate": "1h"}]}),
        json!({"id": "milestone-003", "title": "Dashboard", "due": "2026-11-20",
            "dependencies": {"requires": ["milestone-002"], "conditions": ["schema_frozen"]},
            "tasks": [
            {"id": "task-001", "title": "Draw it", "estimate": "4d"},
            {"id": "task-002", "title": "Fill it", "estimate": "3d", "requires": ["task-001"]}]}),
        json!({"id": "milestone-004", "title": "Housekeeping", "tasks": [
            {"id": "task-001", "title": "Tidy the widgets", "estimate": "4h"}]}),
    ])
}

/// A burn-down over three weeks, with a scope that grew.
pub fn burning() -> BurnDown {
    let at = |day: Date, tasks: u32, completed: u32| {
        let days = |tasks: u32| Effort::from_minutes(tasks * 480);
        let (work, finished) = (days(tasks), days(completed));
        Standing { day, tasks, completed, work, finished, stopped: u32::from(tasks > 9) }
    };
    let october = |day| date(2026, 10, day);
    let trail = Trail(vec![
        at(october(12), 9, 0),
        at(october(14), 9, 1),
        at(october(19), 9, 3),
        at(october(23), 13, 3),
        at(october(27), 13, 5),
        at(date(2026, 11, 1), 13, 7),
    ]);
    let trails = BTreeMap::from([(MilestoneId(2), trail)]);
    burn_down(&programme(), &trails, Some(MilestoneId(2)), TODAY)
}

/// Two milestones that say this wherever they can.
pub fn titled(title: &str) -> Snapshot {
    let task =
        |number: u32| json!({"id": format!("task-{number:03}"), "title": title, "estimate": "2d"});
    project(&[
        json!({"id": "milestone-001", "title": title, "provides": ["ready"], "due": "2026-11-03",
            "tasks": [task(1)]}),
        json!({"id": "milestone-002", "title": title, "tasks": [task(1)],
            "dependencies": {"conditions": ["ready"]}}),
    ])
}
