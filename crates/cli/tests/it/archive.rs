//! Closing a milestone: what is missing, what it took, what it taught.

use std::process::Command;

use crate::environment::Environment;

/// Two tasks, of which the second was blocked and both took a known time.
fn worked() -> Environment {
    let project = Environment::new();
    project.write(
        1,
        "id: milestone-001\ntitle: Sign-in\nstatus: in_progress\nrisks:\n\
         - the provider changes its interface\ntasks:\n\
         - {id: task-001, title: Build, estimate: 4h}\n\
         - {id: task-002, title: Test, estimate: 4h}\ncriteria: [a user can sign in]\n",
    );
    project.ok(&["list"]);
    project
}

#[test]
fn what_is_missing_is_said_and_evidence_is_taken() {
    let project = worked();
    let refused = project.run(&["archive", "1"]);
    assert_eq!(refused.code, 5);
    for part in ["task-001-001", "--evidence \"1=...\"", "a user can sign in"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    project.ok(&["task", "done", "1.1"]);
    project.ok(&["task", "done", "1.2"]);
    assert_eq!(project.run(&["archive", "1"]).code, 5, "the criterion lacks evidence");
    assert_eq!(project.run(&["archive", "1", "--evidence", "2=seen"]).code, 3);
    let archived = project.json(&[
        "archive",
        "1",
        "--evidence",
        "1=seen by the team",
        "--lesson",
        "test the import early",
    ]);
    assert_eq!(archived["data"]["milestones"][0], "milestone-001");
    let document = &project.json(&["show", "1"])["data"]["document"];
    assert_eq!(document["criteria"][0]["met"]["evidence"], "seen by the team");
    assert_eq!(document["lessons"]["recommendations"][0], "test the import early");
}

#[test]
fn insights_are_what_the_history_shows() {
    let project = worked();
    project.ok(&["task", "start", "1.2"]);
    project.ok(&["task", "block", "1.2", "--reason", "the provider changed its interface"]);
    project.ok(&["task", "unblock", "1.2"]);
    project.ok(&["task", "done", "1.2"]);
    project.ok(&["task", "reopen", "1.2"]);
    project.ok(&["task", "start", "1.2"]);
    for task in ["1.1", "1.2"] {
        project.ok(&["task", "done", task]);
    }
    let args = ["archive", "1", "--evidence", "1=seen", "--capture-insights"];
    let view = &project.json(&args)["data"]["retrospectives"][0];
    assert_eq!(view["stopped"][0]["reason"], "the provider changed its interface");
    assert_eq!(view["reworked"][0]["times"], 1);
    assert_eq!(view["risks"][0]["task"], "task-001-002");
    let lessons = project.json(&["show", "1"])["data"]["document"]["lessons"].to_string();
    assert!(lessons.contains("was reopened once") && lessons.contains("come true"), "{lessons}");
}

#[test]
fn a_batch_files_away_what_is_completed_and_nothing_else() {
    let project = Environment::new();
    for title in ["Done", "Open", "Nearly"] {
        project.ok(&["plan", title, "--task", "Build"]);
    }
    project.ok(&["task", "done", "1.1"]);
    project.ok(&["update", "1", "--status", "completed"]);
    project.ok(&["task", "start", "3.1"]);
    project.ok(&["task", "done", "3.1"]);
    let archived = project.json(&["archive", "--batch", "--release", "v1.2.0"]);
    let names = archived["data"]["milestones"].to_string();
    assert_eq!(names, r#"["milestone-001","milestone-003"]"#);
    let notes = project.ok(&["update", "--release-notes"]);
    assert!(notes.starts_with("# v1.2.0 (") && notes.contains("## Done"), "{notes}");
    assert!(!notes.contains("## Open"));
    assert!(project.ok(&["archive", "--batch"]).contains("nothing to file away"));
}

/// A clone that was made after the work was done has seen none of it happen, and still knows it.
#[test]
fn a_fresh_clone_knows_what_happened_before_it() {
    let project = worked();
    project.ok(&["task", "start", "1.1"]);
    let log = project.ok(&["task", "log", "1.1"]);
    let clone = Environment::new();
    std::fs::create_dir_all(clone.project().join(".milestones")).unwrap();
    let copied = Command::new("cp")
        .args(["-r", "active", "history"])
        .arg(clone.project().join(".milestones/"))
        .current_dir(project.project().join(".milestones"))
        .status();
    assert!(copied.unwrap().success());
    assert!(log.contains("in progress"), "{log}");
    assert_eq!(clone.ok(&["task", "log", "1.1"]), log);
}

#[test]
fn a_batch_leaves_what_belongs_to_another_release() {
    let project = Environment::new();
    for (title, release) in [("One", "v1.1.0"), ("Two", "v1.2.0"), ("Three", "")] {
        let id = project.ok(&["plan", title, "--task", "Build"]);
        let id = id.trim();
        if !release.is_empty() {
            project.ok(&["update", id, "--release", release]);
        }
        project.ok(&["task", "start", &format!("{}.1", &id[id.len() - 1..])]);
        project.ok(&["task", "done", &format!("{}.1", &id[id.len() - 1..])]);
    }
    let names = |release: &str| {
        let archived = project.json(&["archive", "--batch", "--release", release]);
        archived["data"]["milestones"].to_string()
    };
    assert_eq!(names("v1.2.0"), r#"["milestone-002"]"#);
    assert_eq!(names("v1.1.0"), r#"["milestone-001"]"#);
    assert_eq!(names("v1.3.0"), r#"["milestone-003"]"#, "what had none becomes part of it");
}
