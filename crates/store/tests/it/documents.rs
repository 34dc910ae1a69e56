//! Documents as people write them, taken in as they stand.

use std::fs;
use std::path::Path;

use milestone_domain::change::difference;
use milestone_domain::document::Milestone;
use milestone_domain::event::{Event, Recorded};
use milestone_domain::ids::MilestoneId;
use milestone_domain::snapshot::{ProblemKind, Scope};
use milestone_domain::status::{MilestoneStatus, Priority, TaskStatus};
use milestone_store::files::text;

use crate::files::project;
use crate::support::change_task;

fn document(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/documents");
    fs::read_to_string(folder.join(name)).unwrap()
}

fn said(name: &str) -> text::Said {
    text::read(document(name).as_bytes(), false).unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

const ALL: [(&str, u32); 4] =
    [("small.yaml", 1), ("conditions.yaml", 3), ("product.yaml", 4), ("long.yaml", 5)];

#[test]
fn every_key_of_every_form_is_known() {
    for (name, _) in ALL {
        assert_eq!(said(name).unknown, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn the_long_form_says_what_it_means() {
    let milestone = said("long.yaml").milestone;
    assert_eq!(milestone.status, MilestoneStatus::InProgress);
    assert_eq!(milestone.priority, Some(Priority::High));
    assert_eq!(milestone.due.unwrap().to_string(), "2026-12-18");
    assert_eq!(milestone.assignee.as_deref(), Some("agent-7"));
    assert_eq!(milestone.tasks[0].status, TaskStatus::Completed);
    assert_eq!(milestone.task(2).unwrap().requires[0].to_string(), "task-001");
    assert_eq!(milestone.criterion(2).unwrap().check.as_deref(), Some("cargo test"));
    assert!(milestone.learning_goals[1].done && !milestone.learning_goals[0].done);
    // Every optional key is used by this document: what is not in it, nothing has tested.
    let tree = milestone.tree();
    let written_by_the_program =
        ["uid", "reason", "gates", "started_at", "completed_at", "retired_tasks", "progress"];
    for key in milestone_domain::document::CANONICAL_ORDER {
        let there = tree.get(key).is_some() || written_by_the_program.contains(key);
        assert!(there, "{key}");
    }
}

#[test]
fn a_document_and_its_tree_are_the_same() {
    for (name, _) in ALL {
        let milestone = said(name).milestone;
        let again = Milestone::from_tree(milestone.tree(), false).unwrap();
        assert_eq!(difference(&milestone.tree(), &again.tree()), [], "{name}");
        // Written anew, without the person's text, it still says the same.
        let written = text::write(&milestone, false);
        let read = text::read(written.as_bytes(), false).unwrap();
        assert_eq!(difference(&milestone.tree(), &read.milestone.tree()), [], "{name}\n{written}");
    }
}

#[test]
fn documents_written_by_hand_become_milestones_with_their_comments() {
    let temp = tempfile::tempdir().unwrap();
    let project = project(temp.path());
    fs::create_dir_all(temp.path().join("active")).unwrap();
    for (name, number) in ALL {
        let file = MilestoneId(number).file_name();
        fs::write(temp.path().join("active").join(file), document(name)).unwrap();
    }
    let snapshot = project.read(&Scope::All, "ada").unwrap();
    let problems: Vec<_> =
        snapshot.problems.iter().filter(|p| p.kind != ProblemKind::Graph).collect();
    assert_eq!(problems, Vec::<&milestone_domain::snapshot::Problem>::new());
    assert_eq!(snapshot.documents.len(), 4);
    for (name, number) in ALL {
        let file = temp.path().join("active").join(MilestoneId(number).file_name());
        let text = fs::read_to_string(file).unwrap();
        // The program's first write gives the uid, and touches nothing else.
        let without: String =
            text.split_inclusive('\n').filter(|line| !line.starts_with("uid:")).collect();
        assert_eq!(without, document(name), "{name}");
        assert!(text.contains("\nuid: "), "{name}");
    }
    // Requirements that are not there are named, and hide nothing.
    let named: Vec<String> = project.check("ada").unwrap().into_iter().map(|p| p.message).collect();
    assert!(named.iter().any(|m| m.contains("milestone-000, which does not exist")), "{named:?}");
}

#[test]
fn a_key_without_a_value_says_nothing() {
    let text = "\
id: milestone-001
title: Empty
labels:
dependencies:
description:
criteria:
due:
tasks:
  - id: task-001
    title: T
    requires:
    estimate:
";
    let said = text::read(text.as_bytes(), false).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(said.milestone.labels, Vec::<String>::new());
    assert_eq!(said.milestone.tasks[0].requires, []);
}

#[test]
fn errors_name_the_place_and_the_rule() {
    let base = "id: milestone-001\ntitle: T\ntasks:\n  - id: task-001\n    title: A\n";
    let error = |text: &str| {
        let error = text::read(text.as_bytes(), false).unwrap_err();
        format!("{}:{}: {}", error.line, error.column, error.message)
    };
    let cases = [
        (base.replace("title: A", "title: A\n    status: dune"), "6:13"),
        (base.replace("title: A", "title: A\n    estimate: soon"), "6:15"),
        (base.replace("title: A", "title: A\n    requires: [auth]"), "6:16"),
        (format!("{base}  - id: task-001\n    title: B\n"), "6:5"),
        (base.replace("id: task-001", "id: task-002-001"), "4:5"),
        (base.replace("title: T\n", ""), "2:1"),
        (base.replace("title: T", "title: T\ndue: tomorrow"), "3:6"),
        (base.replace("title: T", "title: T\ntitle: U"), "3:1"),
        (format!("{base}<<<<<<< HEAD\n"), "6:1"),
    ];
    for (text, place) in cases {
        let said = error(&text);
        assert!(said.starts_with(place), "{said}\n{text}");
        let jargon = ["serde", "struct", "enum", "invalid type", "failed to parse"];
        assert!(!jargon.iter().any(|word| said.contains(word)), "{said}");
    }
}

/// A new document may be noticed by a command on it: it begins once all the same.
#[test]
fn a_document_by_hand_begins_once() {
    let temp = tempfile::tempdir().unwrap();
    let project = project(temp.path());
    fs::create_dir_all(temp.path().join("active")).unwrap();
    let (name, number) = ALL[0];
    let id = MilestoneId(number);
    fs::write(temp.path().join("active").join(id.file_name()), document(name)).unwrap();
    project.execute(&change_task(id, 1, TaskStatus::Completed), "ada").unwrap();
    let history = project.history(id).unwrap();
    let begins = |recorded: &&Recorded| matches!(recorded.event, Event::MilestoneCreated { .. });
    assert_eq!(history.iter().filter(begins).count(), 1, "{history:?}");
}
