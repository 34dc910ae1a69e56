//! Plans and tasks, from the first to the archive.

use std::fs;

use crate::environment::Environment;

#[test]
fn a_milestone_from_plan_to_archive() {
    let project = Environment::new();
    let planned = project.run(&[
        "plan",
        "Login",
        "--task",
        "Design | 4h",
        "--task",
        "Build | after 1",
        "--criterion",
        "it works",
    ]);
    assert_eq!((planned.code, planned.stdout.as_str()), (0, "milestone-001\n"));
    assert!(planned.stderr.contains("Made a project"), "{}", planned.stderr);
    assert_eq!(project.ok(&["task", "add", "1", "Ship", "--requires", "1.2"]), "task-001-003\n");
    assert_eq!(project.run(&["task", "done", "1.2"]).code, 5);
    let started = project.run(&["task", "start", "1.1"]);
    assert_eq!(started.stdout, "task-001-001\n");
    project.ok(&["task", "progress", "1.1", "50"]);
    let done = project.run(&["task", "done", "1.1"]);
    assert!(done.stderr.contains("Now ready: task-001-002"), "{}", done.stderr);
    project.ok(&["task", "block", "1.2", "--reason", "no key"]);
    assert_eq!(project.json(&["show", "1.2"])["data"]["document"]["reason"], "no key");
    project.ok(&["task", "unblock", "1.2"]);
    project.ok(&["task", "done", "1.2"]);
    project.ok(&["task", "cancel", "1.3", "--reason", "not needed"]);
    let early = project.run(&["archive", "1"]);
    assert_eq!(early.code, 5);
    assert!(early.stderr.contains("criteria without evidence: 1"), "{}", early.stderr);
    assert_eq!(project.ok(&["criterion", "met", "1", "1", "--evidence", "seen"]), "1\n");
    assert_eq!(project.ok(&["archive", "milestone-001"]), "milestone-001\n");
    assert!(project.ok(&["list"]).contains("Nothing is open; 1 milestone is filed away."));
    assert!(project.ok(&["list", "--label", "x"]).contains("No open milestone matches;"));
    assert!(project.ok(&["list", "--archived"]).contains("completed (archived)"));
}

#[test]
fn a_dry_run_writes_nothing() {
    let project = Environment::new();
    let text = project.ok(&["plan", "Login", "--due", "2199-01-01", "--dry-run"]);
    assert!(text.starts_with("id: milestone-001\n"), "{text}");
    assert!(!project.project().join(".milestones").exists());
}

#[test]
fn a_draft_is_a_document_without_ids() {
    let project = Environment::new();
    let draft = project.home().join("draft.yaml");
    fs::write(
        &draft,
        "title: From a file\ntasks:\n  - First\n  - {title: Second, requires: [task-001]}\n",
    )
    .unwrap();
    let view = project.json(&["plan", "--from", draft.to_str().unwrap(), "--priority", "high"]);
    assert_eq!(view["data"]["milestone"]["title"], "From a file");
    assert_eq!(view["data"]["milestone"]["document"]["priority"], "high");
    assert_eq!(view["data"]["milestone"]["tasks"][1]["id"], "task-001-002");
    fs::write(&draft, "title: [\n").unwrap();
    assert_eq!(project.run(&["plan", "--from", draft.to_str().unwrap()]).code, 7);
}

#[test]
fn fields_are_set_and_emptied_and_comments_stay() {
    let project = Environment::new();
    project.write(1, "id: milestone-001\ntitle: A # the first\ndue: 2199-01-01\n");
    project.ok(&["init"]);
    project.ok(&[
        "update",
        "1",
        "--title",
        "B",
        "--priority",
        "high",
        "--label",
        "x",
        "--unset",
        "due",
    ]);
    let text = fs::read_to_string(project.document(1)).unwrap();
    assert!(text.contains("# the first") && text.contains("priority: high"), "{text}");
    assert!(!text.contains("due:"), "{text}");
    project.ok(&["update", "1", "--status", "paused", "--reason", "audit"]);
    assert_eq!(project.json(&["show", "1"])["data"]["document"]["reason"], "audit");
    project.ok(&["task", "add", "1", "T"]);
    project.ok(&["task", "set", "1.1", "--estimate", "1h/2h/3h", "--assignee", "bo"]);
    assert_eq!(project.json(&["show", "1.1"])["data"]["document"]["assignee"], "bo");
    project.ok(&["task", "set", "1.1", "--unset", "assignee"]);
    assert_eq!(project.run(&["task", "set", "1.1", "--unset", "assignee"]).code, 2);
}

#[test]
fn tasks_move_and_are_removed() {
    let project = Environment::new();
    project.ok(&["plan", "A", "--task", "One", "--task", "Two"]);
    project.ok(&["plan", "B", "--template", "none"]);
    assert_eq!(project.ok(&["task", "move", "1.1", "2"]), "task-002-001\n");
    assert_eq!(project.ok(&["task", "remove", "1.2"]), "task-001-002\n");
    assert_eq!(project.run(&["show", "1.2"]).code, 3);
    assert!(project.ok(&["task", "log", "1.2"]).contains("removed task-001-002"));
}

#[test]
fn conditions_open_and_close_the_way() {
    let project = Environment::new();
    project.ok(&["plan", "A", "--condition", "approved", "--task", "One"]);
    assert!(project.ok(&["next"]).contains("waits for the condition approved"));
    project.ok(&["condition", "set", "approved"]);
    assert!(project.ok(&["condition", "list"]).contains("holds"));
    assert!(project.ok(&["next"]).contains("Ready, best first"));
    project.ok(&["condition", "clear", "approved"]);
    assert_eq!(project.run(&["condition", "clear", "approved"]).code, 5);
}

#[test]
fn what_happens_can_be_followed() {
    let project = Environment::new();
    project.ok(&["plan", "A", "--task", "One"]);
    let lines = project.ok(&["watch", "--since", "start", "--once", "--json"]);
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let cursor = last["cursor"].as_str().unwrap();
    project.ok(&["task", "note", "1.1", "hello"]);
    let text = project.ok(&["watch", "--since", cursor, "--once"]);
    assert!(text.contains("ada  on task-001-001: hello") && text.lines().count() == 1, "{text}");
    assert_eq!(project.ok(&["watch", "--for", "0"]), "");
    assert_eq!(project.run(&["watch", "--since", "x:1", "--once"]).code, 4);
}

#[test]
fn settings_are_shown_with_their_source() {
    let project = Environment::new();
    project.ok(&["init"]);
    project.ok(&["config", "set", "claims.lease", "5m"]);
    assert_eq!(project.ok(&["config", "get", "claims.lease"]), "5m\n");
    let all = project.ok(&["config", "get"]);
    assert!(all.contains("project") && all.contains("environment"), "{all}");
    assert_eq!(project.run(&["config", "set", "claims.lease", "soon"]).code, 2);
    assert_eq!(project.run(&["config", "get", "nothing"]).code, 2);
    project.ok(&["config", "validate"]);
}

#[test]
fn schemas_are_json() {
    let project = Environment::new();
    for of in ["milestone", "config", "event", "draft", "template"] {
        let schema: serde_json::Value = serde_json::from_str(&project.ok(&["schema", of])).unwrap();
        assert_eq!(schema["type"], "object", "{of}");
    }
}

#[test]
fn who_asks_and_what_for_is_never_guessed() {
    let project = Environment::new();
    project.ok(&["plan", "Ship it", "--release", "1.0", "--task", "Do it"]);
    for actor in ["", "  ", "two\nlines"] {
        assert_eq!(project.run(&["task", "claim", "1.1", "--actor", actor]).code, 2, "{actor:?}");
    }
    assert_eq!(project.run(&["status", "--release-ready=1.O"]).code, 3);
    assert_eq!(project.run(&["status", "--release-ready=1.0"]).code, 1);
    project.ok(&["task", "done", "1.1"]);
    assert_eq!(project.run(&["task", "start", "1.1"]).code, 5);
    project.ok(&["status", "--release-ready=1.0"]);
    project.ok(&["archive", "1"]);
    project.ok(&["status", "--release-ready=1.0"]);
    project.ok(&["update", "1", "--status", "in_progress"]);
    assert!(project.document(1).exists());
}
