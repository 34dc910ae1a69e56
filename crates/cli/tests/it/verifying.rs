//! What is seen before work counts as done: what was promised is there, and all of it together works.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;

use crate::environment::{Environment, Ran};
use crate::execute::{begun, in_branch, is_clear, project, signal, status, wait_until};

/// A project whose milestone says more than its tasks.
fn saying(tasks: &[&str], more: &str) -> Environment {
    let project = project(tasks);
    let text = fs::read_to_string(project.document(1)).unwrap();
    fs::write(project.document(1), format!("{text}{more}\n")).unwrap();
    sleep(Duration::from_millis(300));
    project
}

fn milestone(project: &Environment) -> String {
    let shown = project.json(&["show", "1"]);
    shown["data"]["document"]["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_milestone_is_completed_once_all_of_its_work_is_verified_together() {
    let project = saying(
        &["run: 'echo a > a.txt'", "run: 'echo b > b.txt'"],
        "verify: ['cat a.txt b.txt > \"$HOME/seen\"', 'pwd >> \"$HOME/seen\"']",
    );
    let refused = project.run(&["execute", "1"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.stderr.contains("verify: cat a.txt b.txt"), "{refused:?}");
    project.ok(&["execute", "1", "--agents", "2", "--yes"]);
    let seen = fs::read_to_string(project.home().join("seen")).unwrap();
    assert!(seen.starts_with("a\nb\n/") && seen.contains("milestone-001-verification"), "{seen}");
    assert_eq!(milestone(&project), "completed");
    let session = project.json(&["session", "show"])["data"].clone();
    assert_eq!(session["verified"].as_array().unwrap().len(), 2, "{session}");
    is_clear(&project);
}

#[test]
fn what_does_not_work_together_leaves_the_milestone_open() {
    let project = saying(
        &["run: 'echo a > a.txt'"],
        "verify: ['test -f \"$HOME/mended\" || { echo they disagree; exit 4; }']",
    );
    let ran = project.run(&["execute", "1", "--yes"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    for said in ["every task of milestone-001 is done", "test -f", "ended with 4", "they disagree"]
    {
        assert!(ran.stderr.contains(said), "{said}: {ran:?}");
    }
    assert_eq!(
        (milestone(&project), status(&project, "1.1")),
        ("in_progress".into(), "completed".into())
    );
    is_clear(&project);
    fs::write(project.home().join("mended"), "").unwrap();
    project.ok(&["execute", "1", "--resume"]);
    assert_eq!(milestone(&project), "completed");
}

const SLOW: &str = "verify: ['touch \"$HOME/verifying\"; test -f \"$HOME/again\" || sleep 600']";

#[test]
fn a_verification_that_was_killed_is_done_anew() {
    let project = saying(&["run: 'echo a > a.txt'"], SLOW);
    let mut child = begun(&project, &["execute", "1", "--yes"]);
    wait_until("it is verified", || project.home().join("verifying").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(milestone(&project), "in_progress");
    fs::write(project.home().join("again"), "").unwrap();
    project.ok(&["execute", "1", "--resume"]);
    assert_eq!(milestone(&project), "completed");
    is_clear(&project);
}

#[test]
fn a_verification_is_stopped_as_runners_are() {
    let project = saying(&["run: 'echo a > a.txt'"], SLOW);
    let child = begun(&project, &["execute", "1", "--yes"]);
    wait_until("it is verified", || project.home().join("verifying").exists());
    signal(&child, Signal::INT);
    sleep(Duration::from_millis(200));
    signal(&child, Signal::INT);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{ran:?}");
    assert_eq!(milestone(&project), "in_progress");
    is_clear(&project);
}

#[test]
fn what_a_phase_is_to_leave_behind_is_there_with_its_last_task() {
    let promises = "phases: [{name: design, deliverables: [docs/plan.md, A good feeling]}]";
    let tasks = [
        "phase: design, run: 'echo a > a.txt'",
        "phase: design, requires: [task-001], run: 'echo b > b.txt'",
    ];
    let project = saying(&tasks, promises);
    assert_eq!(project.run(&["execute", "1", "--yes"]).code, 5);
    assert_eq!(status(&project, "1.1"), "completed");
    let task = project.json(&["show", "1.2"])["data"]["document"].clone();
    assert_eq!(task["status"], "blocked");
    assert!(task["reason"].as_str().unwrap().contains("docs/plan.md"), "{task}");

    let writes = "phase: design, run: 'mkdir -p docs; echo plan > docs/plan.md'";
    let project = saying(&[writes, tasks[1]], promises);
    project.ok(&["execute", "1", "--yes"]);
    assert_eq!(in_branch(&project, "docs/plan.md"), "plan\n");
}

#[test]
fn what_a_milestone_is_to_leave_behind_is_there_at_its_end() {
    let project = saying(
        &["run: 'echo a > a.txt'"],
        "deliverables: [{name: The manual, path: docs/manual.md}, Peace of mind]",
    );
    let ran = project.run(&["execute", "1", "--yes"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("docs/manual.md"), "{ran:?}");
    assert_eq!(milestone(&project), "in_progress");
    // Beside the documents, where people keep what phases write down.
    let beside = project.project().join(".milestones/deliverables/milestone-001/docs");
    fs::create_dir_all(&beside).unwrap();
    fs::write(beside.join("manual.md"), "").unwrap();
    project.ok(&["execute", "1", "--resume"]);
    assert_eq!(milestone(&project), "completed");
}
