//! What an agent may type while it does a task of a session.

use std::fs;

use crate::execute::{in_branch, project, status, subjects};

const MILESTONE: &str = env!("CARGO_BIN_EXE_milestone");

#[test]
fn an_attempt_cannot_say_of_its_own_work_that_it_is_done() {
    let said = "$MILESTONE_ROOT/../said";
    let types = format!(
        "run: '{MILESTONE} task done $MILESTONE_TASK 2>{said} && touch {said}-done; \
         {MILESTONE} task release $MILESTONE_TASK; echo one > one', verify: [grep two one]"
    );
    let project = project(&[&types]);
    let ran = project.run(&["execute", "1", "--yes"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert_eq!(status(&project, "1.1"), "blocked");
    assert!(!project.project().join("../said-done").exists());
    let said = fs::read_to_string(project.project().join("../said")).unwrap();
    assert_eq!(
        said,
        "error: this is an attempt at task-001-001: its session verifies what it leaves, and \
         completes it\nhint: leave the work in this folder and end; what cannot be done: `milestone \
         task block task-001-001 --reason TEXT`\n"
    );
    assert!(project.ok(&["task", "log", "1.1"]).contains("`grep two one` ended with 1"));
}

#[test]
fn an_attempt_reports_and_adds_what_it_found_and_changes_no_plan() {
    let refused = [
        "task set $MILESTONE_TASK --run true",
        "task set 1.2 --title Else",
        "task remove 1.2",
        "task claim --next",
        "update 1 --status cancelled",
        "archive 1 --force never",
        "config set execute.box off",
        "storage migrate sqlite",
        "edit 1",
        "agent stop 1.1",
        "execute 1",
    ];
    let allowed = [
        "task note $MILESTONE_TASK 'half of it'",
        "task progress $MILESTONE_TASK 50",
        "task add 1 'What was found on the way'",
        "criterion add 1 'It is quick'",
        "condition set seen",
        "next",
    ];
    let refused = refused.map(|words| format!("! {MILESTONE} {words} || exit 3"));
    let allowed = allowed.map(|words| format!("{MILESTONE} {words} || exit 4"));
    let script = [&refused[..], &allowed, &["echo done > done".to_owned()]].concat().join("\n");
    let project = project(&["run: sh ../types", "effect: none, requires: [task-001], run: 'true'"]);
    let types = project.home().join("types");
    fs::write(&types, script).unwrap();
    let run = format!("sh {}", types.display());
    project.ok(&["task", "set", "1.1", "--run", &run]);
    let ran = project.run(&["execute", "1", "--yes"]);
    assert_eq!(status(&project, "1.1"), "completed", "{ran:?}");
    assert_eq!(in_branch(&project, "done"), "done\n");
    assert_eq!(subjects(&project), ["feat(milestone-001): Task 1"]);
    assert_eq!(status(&project, "1.2"), "completed");
    let text = fs::read_to_string(project.document(1)).unwrap();
    assert!(text.contains("What was found on the way") && text.contains("It is quick"), "{text}");
}
