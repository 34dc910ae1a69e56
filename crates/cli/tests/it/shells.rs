//! Completions as shells ask for them, and man pages.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::environment::{Environment, Ran};

fn project() -> Environment {
    let project = Environment::new();
    project.ok(&[
        "plan",
        "Login",
        "--task",
        "Design: it",
        "--task",
        "Build it",
        "--condition",
        "api_ok",
    ]);
    project.ok(&["plan", "Billing", "--task", "Invoice\u{1b}[2J"]);
    project.ok(&["task", "start", "2.1"]);
    project
}

/// What fish is told for the last word, a candidate a line.
fn candidates(project: &Environment, words: &[&str]) -> Vec<String> {
    let mut command = project.command(&[&["--", "milestone"], words].concat());
    command.env("MILESTONE_COMPLETE", "fish");
    let ran = Ran::from(command.output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.stdout.lines().filter(|line| !line.starts_with('-')).map(str::to_owned).collect()
}

#[test]
fn ids_are_completed_in_the_form_in_which_they_were_begun() {
    let project = project();
    let offered = |words: &[&str]| candidates(&project, words);
    let milestones = ["milestone-001\tLogin", "milestone-002\tBilling"];
    assert_eq!(offered(&["show", "m"]), milestones);
    assert_eq!(offered(&["show", "0"]), ["001\tLogin", "002\tBilling"]);
    assert_eq!(offered(&["show", "2"]), ["2\tBilling"]);
    assert_eq!(offered(&["show", "c"]), ["current\tmilestone-002 Billing"]);
    assert_eq!(offered(&["show", "1."]), ["1.1\tpending: Design: it", "1.2\tpending: Build it"]);
    assert_eq!(offered(&["task", "log", "task-001-00"]).len(), 2);
    assert_eq!(offered(&["task", "claim", "--milestone", "m"]), milestones);
    assert_eq!(offered(&["plan", "X", "--dependencies", "milestone-001,milestone-0"]).len(), 2);
}

#[test]
fn closed_tasks_are_offered_where_they_are_an_answer() {
    let project = project();
    let before = candidates(&project, &["task", "done", "2"]);
    assert_eq!(before, ["2.1\tin_progress: Invoice\\u{1b}[2J"], "and no title acts");
    project.ok(&["task", "done", "2.1"]);
    assert!(candidates(&project, &["task", "done", "2"]).is_empty());
    assert_eq!(candidates(&project, &["task", "reopen", "2"]).len(), 1);
}

#[test]
fn names_and_words_are_completed_too() {
    let project = project();
    let offered = |words: &[&str]| candidates(&project, words);
    assert_eq!(offered(&["condition", "set", ""]), ["api_ok"]);
    assert_eq!(offered(&["update", "1", "--status", "pa"]), ["paused"]);
    assert_eq!(offered(&["plan", "X", "--priority", "h"]), ["high"]);
    assert!(offered(&["config", "get", "claims"])[0].starts_with("claims.lease\t"));
    assert_eq!(offered(&["integrate", "cl"]), ["claude\tClaude Code"]);
    assert!(offered(&["tas"])[0].starts_with("task\t"));
    assert!(!offered(&[""]).iter().any(|line| line.starts_with("merge-driver")));
}

#[test]
fn a_key_pressed_changes_nothing_and_fails_nowhere() {
    let project = project();
    project.write(3, "id: milestone-003\ntitle: By hand\n");
    let history = project.project().join(".milestones/history/milestone-003");
    candidates(&project, &["show", "m"]);
    assert!(!history.exists(), "a hand edit is taken in by commands only");
    let elsewhere = project.home();
    assert!(candidates(&project, &["-C", &elsewhere.to_string_lossy(), "show", ""]).is_empty());
    let mut command = project.command(&["--", "milestone", ""]);
    let ran = Ran::from(command.env("MILESTONE_COMPLETE", "tcsh").output().unwrap());
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (1, "", ""));
}

#[test]
fn bash_completes_with_the_script_it_is_given() {
    let project = project();
    let script = "\
source <(milestone completions bash) || exit 1
complete -p milestone >&2
COMP_WORDS=(milestone task done 1.) COMP_CWORD=3 COMP_TYPE=9
_clap_complete_milestone milestone 1. done
printf '%s\\n' \"${COMPREPLY[@]}\"";
    let binary = Path::new(env!("CARGO_BIN_EXE_milestone")).parent().unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-c", script]).current_dir(project.project()).env_clear();
    bash.env("PATH", format!("{}:/usr/bin:/bin", binary.display()));
    let ran = Ran::from(bash.output().unwrap());
    assert_eq!(ran.stdout, "1.1\n1.2\n", "{ran:?}");
    assert!(ran.stderr.contains("-F _clap_complete_milestone milestone"), "{ran:?}");
}

#[test]
fn every_shell_gets_a_script_without_paths_of_this_machine() {
    let project = Environment::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = project.ok(&["completions", shell]);
        assert!(script.contains("MILESTONE_COMPLETE") && !script.contains("/target/"), "{script}");
    }
    assert_eq!(project.run(&["completions", "tcsh"]).code, 2);
}

#[test]
fn every_command_has_a_man_page() {
    let project = Environment::new();
    let folder = project.project().join("man");
    let names = project.ok(&["man", "--out", &folder.to_string_lossy()]);
    assert_eq!(names.lines().count(), fs::read_dir(&folder).unwrap().count());
    assert_eq!(
        fs::read_to_string(folder.join("milestone-task-claim.1")).unwrap(),
        project.ok(&["man", "task", "claim"])
    );
    assert!(!folder.join("milestone-merge-driver.1").exists());
    let page = project.ok(&["man", "init"]).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!(page);
    let unknown = project.run(&["man", "task", "clam"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("`milestone task` has no command `clam`"), "{unknown:?}");
}

#[test]
fn help_is_found_where_people_look_for_it() {
    let project = Environment::new();
    for verb in [&[][..], &["plan"], &["task", "claim"]] {
        let asked = project.ok(&[&["help"], verb].concat());
        let flag = project.ok(&[verb, &["--help"]].concat());
        assert_eq!(asked, flag, "{verb:?}");
    }
    assert_eq!(project.run(&["help", "nonsense"]).code, 2);
    assert!(!project.ok(&["help"]).contains("\n  help"));
}
