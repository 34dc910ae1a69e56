//! What people see, on a project whose dates lie so far away that no day of the test matters.

use jiff::ToSpan as _;

use crate::environment::Environment;

fn project() -> Environment {
    let project = Environment::new();
    project.write(
        1,
        "\
id: milestone-001
title: User authentication
status: in_progress
priority: high
assignee: ada
start: 2199-01-07
due: 2199-01-18
goals: [people can log in]
tasks:
  - {id: task-001, title: Design the flow, status: completed, estimate: 4h}
  - {id: task-002, title: Build it, estimate: {optimistic: 2h, likely: 4h, pessimistic: 2d}, requires: [task-001]}
  - {id: task-003, title: Ship it, estimate: 5d, requires: [task-002], conditions: [approved]}
  - {id: task-004, title: Buy the domain, status: blocked, reason: no card}
criteria:
  - a user can log in
  - {text: tests pass, kind: quality, check: cargo test}
risks:
  - {text: the library is old, probability: high, impact: low, mitigation: replace it}
technical: {services: [auth]}
",
    );
    project.write(
        2,
        "\
id: milestone-002
title: Dashboard
due: 2199-01-16
dependencies: {requires: [milestone-001]}
tasks:
  - {id: task-001, title: Draw it, estimate: 3d, resources: [src/ui]}
",
    );
    project.write(
        3,
        "\
id: milestone-003
title: Housekeeping
labels: [chore]
tasks:
  - {id: task-001, title: Tidy the widgets, estimate: 1h, priority: low, resources: [src/ui/widgets]}
  - {id: task-002, title: Tidy all of it, estimate: 2h, resources: [src]}
",
    );
    project.ok(&["init"]);
    project
}

#[test]
fn list() {
    insta::assert_snapshot!(project().ok(&["list"]));
}

#[test]
fn list_narrowed() {
    let project = project();
    assert!(project.ok(&["list", "--label", "chore"]).contains("Housekeeping"));
    assert!(project.ok(&["ls", "auth", "--status", "active"]).contains("milestone-001"));
    assert_eq!(project.json(&["list", "--limit", "1"])["data"]["total"], 3);
}

#[test]
fn next() {
    insta::assert_snapshot!(project().ok(&["next"]));
}

#[test]
fn show_milestone() {
    insta::assert_snapshot!(project().ok(&["show", "1"]));
}

#[test]
fn show_task_with_its_schedule() {
    insta::assert_snapshot!(project().ok(&["show", "1.2", "--schedule"]));
}

#[test]
fn status() {
    let text = project().ok(&["status"]);
    // What has no dates of its own begins today, and is expected some days later.
    let today = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date();
    let soon = today.series(1.day()).take(30).map(|date| date.to_string());
    insta::assert_snapshot!(soon.fold(text, |text, date| text.replace(&date, "SOONISH...")));
}

#[test]
fn json_says_the_same() {
    let project = project();
    let view = project.json(&["show", "1"]);
    assert_eq!(view["kind"], "milestone");
    assert_eq!(view["data"]["tasks"][1]["readiness"]["state"], "waiting");
    assert_eq!(view["data"]["document"]["technical"]["services"][0], "auth");
    assert_eq!(project.json(&["next"])["data"]["ready"][0]["id"], "task-003-002");
    assert_eq!(project.json(&["status"])["data"]["conflicts"][0]["kind"], "resource");
}

#[test]
fn current_is_the_milestone_in_progress() {
    let project = project();
    assert!(project.ok(&["show", "milestone-current"]).starts_with("milestone-001"));
    project.ok(&["task", "start", "3.2"]);
    assert!(project.ok(&["show", "current"]).starts_with("milestone-003"));
}
