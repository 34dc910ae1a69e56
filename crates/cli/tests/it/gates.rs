//! Phases that wait for one another's approval, as people and git see them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::environment::{Environment, Ran};

/// Design is approved before anything is built.
fn workflow() -> Environment {
    let project = Environment::new();
    project.write(
        3,
        "\
id: milestone-003
uid: 01a1fe79-9fb2-737c-ac31-df9dc6cd71e1
title: Payment System
# agreed with finance
phases:
  - name: design
    approval: true
    deliverables: [architecture.md, api-spec.yaml]
  - name: specification
    approval: true
  - build
tasks:
  - {id: task-001, title: Draw it, phase: design, estimate: 4h}
  - {id: task-002, title: Write it down, phase: specification, estimate: 4h}
  - {id: task-003, title: Build it, phase: build, estimate: 2d, requires: [task-002]}
  - {id: task-004, title: Tell people, estimate: 1h}
",
    );
    project.ok(&["init"]);
    project
}

/// What is printed, with the day on which it was.
fn on_a_day(project: &Environment, args: &[&str]) -> String {
    let document = project.json(&["show", "3"])["data"]["document"].clone();
    let days: Vec<String> = document["gates"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, decided)| decided["at"].as_str().unwrap()[..10].to_owned())
        .collect();
    let text = project.ok(args);
    days.iter().fold(text, |text, day| text.replace(day.as_str(), "[day]"))
}

#[test]
fn later_phases_wait_until_somebody_approves() {
    let project = workflow();
    assert!(project.ok(&["next"]).contains("waits for the approval of phase design"));
    assert_eq!(project.run(&["task", "start", "3.2"]).code, 5);
    let early = project.run(&["approve", "3", "design"]);
    assert_eq!(early.code, 5);
    assert!(early.stderr.contains("open tasks: task-003-001"), "{}", early.stderr);
    project.ok(&["task", "done", "3.1"]);
    insta::assert_snapshot!("show_ready", project.ok(&["show", "3"]));
    let back = ["request-changes", "3", "Design", "--reason", "no failure cases"];
    let said = project.run(&back);
    assert_eq!((said.code, said.stdout.as_str()), (0, "milestone-003\n"));
    insta::assert_snapshot!("sent_back", said.stderr);
    insta::assert_snapshot!("show_sent_back", on_a_day(&project, &["show", "3"]));
    let refused = project.run(&["task", "done", "3.2"]);
    let why = "waits for changes of phase design: no failure cases";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
    project.ok(&["task", "reopen", "3.1"]);
    project.ok(&["task", "done", "3.1"]);
    let approved = project.run(&["approve", "milestone-003/task-001", "design", "--actor", "bo"]);
    let expected =
        "milestone-003  phase design: approved\nNow ready: task-003-002  Write it down\n";
    assert_eq!(approved.stderr, expected);
    insta::assert_snapshot!("show_approved", on_a_day(&project, &["show", "3"]));
    let again = project.run(&["approve", "3", "design"]);
    assert!(again.stderr.contains("approved already"), "{}", again.stderr);
    project.ok(&["task", "reopen", "3.1"]);
    let events = project.ok(&["watch", "--since", "start", "--once"]);
    for line in [
        "ada  milestone-003: phase design: changes requested: no failure cases",
        "bo  milestone-003: phase design: approved",
        "ada  milestone-003: what was decided about phase design no longer holds",
    ] {
        assert!(events.contains(line), "{events}");
    }
}

#[test]
fn what_cannot_be_decided_is_refused_by_name() {
    let project = workflow();
    project.ok(&["task", "done", "3.1"]);
    for (args, code, said) in [
        (vec!["approve", "3", "desing"], 3, "it has design, specification, build"),
        (vec!["approve", "3", "build"], 5, "asks for no approval"),
        (vec!["approve", "3/2", "design"], 2, "task-003-002 is of phase specification"),
        (vec!["approve", "3/9", "design"], 3, "task-003-009 does not exist"),
        (vec!["approve", "4", "design"], 3, "milestone-004 does not exist"),
        (vec!["reject", "3", "design"], 2, "--reason"),
        (vec!["reject", "3", "design", "--reason", " "], 2, "a reason must say something"),
    ] {
        let ran = project.run(&args);
        assert_eq!(ran.code, code, "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(said), "{args:?}: {ran:?}");
    }
    project.ok(&["update", "3", "--status", "cancelled"]);
    let closed = project.run(&["approve", "3", "design"]);
    assert!(closed.code == 5 && closed.stderr.contains("milestone-003 is cancelled"), "{closed:?}");
}

#[test]
fn a_milestone_is_archived_when_its_phases_are_approved() {
    let project = workflow();
    project.ok(&["task", "done", "3.1"]);
    project.ok(&["approve", "3", "design"]);
    for task in ["3.2", "3.3", "3.4"] {
        project.ok(&["task", "cancel", task]);
    }
    let refused = project.run(&["archive", "3"]);
    assert_eq!(refused.code, 5);
    assert!(refused.stderr.contains("phases without approval: specification"), "{refused:?}");
    let view = project.json(&["approve", "3", "specification"]);
    assert_eq!(
        (&view["kind"], &view["data"]["gate"]["standing"]),
        (&"gate".into(), &"approved".into())
    );
    project.ok(&["archive", "3"]);
}

#[test]
fn an_approval_written_by_hand_is_shown_and_put_back() {
    let project = workflow();
    project.ok(&["task", "done", "3.1"]);
    project.ok(&["request-changes", "3", "design", "--reason", "no failure cases"]);
    let text = fs::read_to_string(project.document(3)).unwrap();
    let forged = text.replace("decision: changes_requested", "decision: approved # by hand");
    assert!(forged != text, "{text}");
    project.write(3, &forged);
    let shown = project.run(&["show", "3"]);
    assert!(
        shown.stdout.contains("`gates/design/decision` is written by the program only"),
        "{shown:?}"
    );
    assert_eq!(project.run(&["task", "start", "3.2"]).code, 5);
    project.ok(&["task", "note", "3.1", "anything"]);
    let text = fs::read_to_string(project.document(3)).unwrap();
    assert!(text.contains("decision: changes_requested") && text.contains("# agreed with finance"));
}

fn git(folder: &Path, args: &[&str]) -> Ran {
    let binary = Path::new(env!("CARGO_BIN_EXE_milestone")).display().to_string();
    let driver = format!("merge.milestone.driver={binary} merge-driver %O %A %B %P");
    let mut command = Command::new("git");
    command.args(["-c", "user.name=t", "-c", "user.email=t@t", "-c", &driver]).args(args);
    Ran::from(command.current_dir(folder).output().unwrap())
}

/// Of two branches' decisions about one phase the later one counts, with its own reason.
#[test]
fn branches_that_decide_differently_merge() {
    let project = workflow();
    let folder = project.project();
    let git = |args: &[&str]| {
        let ran = git(&folder, args);
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        ran.stdout
    };
    let commit = || {
        git(&["add", "-A"]);
        git(&["commit", "-q", "-m", "x"]);
    };
    fs::remove_dir_all(folder.join(".git")).unwrap();
    git(&["init", "-q", "-b", "main"]);
    project.ok(&["task", "done", "3.1"]);
    commit();
    git(&["checkout", "-q", "-b", "other"]);
    project.ok(&["reject", "3", "design", "--reason", "too dear"]);
    commit();
    git(&["checkout", "-q", "main"]);
    // History counts in seconds.
    std::thread::sleep(Duration::from_millis(1_100));
    project.ok(&["approve", "3", "design"]);
    commit();
    git(&["merge", "-q", "--no-edit", "other"]);
    let gate = project.json(&["show", "3"])["data"]["phases"][0]["gate"].clone();
    assert_eq!(
        (&gate["standing"], &gate["decided"]["reason"]),
        (&"approved".into(), &serde_json::Value::Null)
    );
    assert_eq!(project.run(&["doctor"]).code, 0, "{:?}", project.run(&["doctor"]));
}
