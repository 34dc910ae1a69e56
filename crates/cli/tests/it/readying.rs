//! What a new worktree is made ready with: files that are copied, commands that are run.

use std::fs;
use std::os::unix::fs::symlink;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;

use crate::environment::{Environment, Ran};
use crate::execute::{begun, git, in_branch, is_clear, project, signal, status, wait_until};

fn ignoring(tasks: &[&str], ignored: &str) -> Environment {
    let project = project(tasks);
    fs::write(project.project().join(".gitignore"), ignored).unwrap();
    git(&project, &["add", ".gitignore"]);
    git(&project, &["commit", "-q", "-m", "Ignore"]);
    project
}

fn set(project: &Environment, key: &str, value: &str) {
    project.ok(&["config", "set", key, value]);
}

/// Why a task is blocked.
fn reason(project: &Environment, task: &str) -> String {
    let document = project.json(&["show", task])["data"]["document"].clone();
    assert_eq!(document["status"], "blocked", "{document}");
    document["reason"].as_str().unwrap().to_owned()
}

#[test]
fn a_worktree_gets_what_git_ignores_and_is_set_up_before_the_runner() {
    let project = ignoring(
        &["run: 'cat .env node/ready local/deep/b > all.txt', verify: ['test -f .env']"],
        ".env\nnode/\nlocal/\n",
    );
    fs::write(project.project().join(".env"), "KEY=1\n").unwrap();
    fs::create_dir_all(project.project().join("local/deep")).unwrap();
    fs::write(project.project().join("local/deep/b"), "b\n").unwrap();
    set(&project, "execute.copy", "[.env, local, none]");
    set(&project, "execute.setup", "['mkdir node && cp .env node/ready', 'echo is set up']");
    let refused = project.run(&["execute", "1"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.stderr.contains("setup: mkdir node"), "{refused:?}");
    project.ok(&["execute", "1", "--yes"]);
    assert_eq!(in_branch(&project, "all.txt"), "KEY=1\nKEY=1\nb\n");
    let tree = git(&project, &["ls-tree", "-r", "--name-only", "milestone/milestone-001"]);
    assert_eq!(tree, ".gitignore\nall.txt\n");
    let log = project.json(&["session", "show"])["data"]["attempts"][0]["log"].clone();
    let log = fs::read_to_string(log.as_str().unwrap()).unwrap();
    for said in ["copied: .env\n", "not copied: none is not there\n", "is set up\n"] {
        assert!(log.contains(said), "{said}: {log}");
    }
}

#[test]
fn a_set_up_that_fails_is_a_failed_attempt_that_says_why() {
    let project = project(&["run: 'echo a > a.txt; touch \"$HOME/ran\"'"]);
    set(&project, "execute.setup", "['echo no network >&2; exit 7']");
    let ran = project.run(&["execute", "1", "--yes"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    let reason = reason(&project, "1.1");
    assert!(reason.contains("exit 7` ended with 7:\nno network"), "{reason}");
    assert!(!project.home().join("ran").exists());
    let attempts = project.json(&["session", "show"])["data"]["attempts"].clone();
    assert_eq!(attempts[2]["failure"]["kind"], "setup", "{attempts}");
    is_clear(&project);
}

#[test]
fn what_git_does_not_ignore_is_not_copied_and_not_left_behind_by_a_set_up() {
    let project = ignoring(&["run: 'echo a > a.txt'"], "x\n");
    fs::write(project.project().join(".env"), "KEY=1\n").unwrap();
    set(&project, "execute.copy", ".env");
    assert_eq!(project.run(&["execute", "1", "--yes"]).code, 5);
    let said = reason(&project, "1.1");
    assert!(said.contains(".env is not ignored by git"), "{said}");

    set(&project, "execute.copy", "[]");
    set(&project, "execute.setup", "touch made");
    project.ok(&["task", "unblock", "1.1"]);
    assert_eq!(project.run(&["execute", "1", "--yes"]).code, 5);
    let said = reason(&project, "1.1");
    assert!(said.contains("?? made") && said.contains(".gitignore"), "{said}");
}

#[test]
fn what_git_tracks_stays_as_the_branch_has_it() {
    let project = ignoring(&["run: 'cp settings seen.txt'"], "other\n");
    fs::write(project.project().join("settings"), "committed\n").unwrap();
    git(&project, &["add", "settings"]);
    git(&project, &["commit", "-q", "-m", "Settings"]);
    fs::write(project.project().join("settings"), "mine\n").unwrap();
    set(&project, "execute.copy", "settings");
    project.ok(&["execute", "1", "--yes"]);
    assert_eq!(in_branch(&project, "seen.txt"), "committed\n");
    let log = project.json(&["session", "show"])["data"]["attempts"][0]["log"].clone();
    let log = fs::read_to_string(log.as_str().unwrap()).unwrap();
    assert!(log.contains("git has its own settings, which stays"), "{log}");
}

#[test]
fn what_was_lent_is_not_committed_though_an_agent_no_longer_ignores_it() {
    let project = ignoring(&["run: 'echo > .gitignore; echo a > a.txt'"], ".env\n");
    fs::write(project.project().join(".env"), "KEY=1\n").unwrap();
    set(&project, "execute.copy", ".env");
    assert_eq!(project.run(&["execute", "1", "--yes"]).code, 5);
    let said = reason(&project, "1.1");
    assert!(said.contains("it would commit .env"), "{said}");
    let tip = git(&project, &["rev-list", "--count", "milestone/milestone-001"]);
    assert_eq!(tip.trim(), "2");
}

#[test]
fn what_was_lent_is_in_no_commit_on_the_way_either() {
    let run = "run: 'git add -f .env && git commit -qm Lent && git rm -q --cached .env && \
               git commit -qm Gone && echo a > a.txt'";
    let project = ignoring(&[run], ".env\n");
    fs::write(project.project().join(".env"), "KEY=1\n").unwrap();
    set(&project, "execute.copy", ".env");
    set(&project, "git.strategy", "merge");
    assert_eq!(project.run(&["execute", "1", "--yes"]).code, 5);
    let said = reason(&project, "1.1");
    assert!(said.contains("it would commit .env"), "{said}");
    // As one commit, it is only what is left in the end.
    set(&project, "git.strategy", "squash");
    project.ok(&["task", "unblock", "1.1"]);
    project.ok(&["execute", "1"]);
    assert_eq!(in_branch(&project, "a.txt"), "a\n");
    let all = git(&project, &["log", "--format=", "--name-only", "milestone/milestone-001"]);
    assert_eq!(all, "a.txt\n.gitignore\n");
}

const SLOW: &str = "touch \"$HOME/setting-up\"; test -f \"$HOME/again\" || sleep 600";

#[test]
fn a_set_up_that_was_killed_or_stopped_is_done_anew() {
    let project = project(&["run: 'echo a > a.txt'"]);
    set(&project, "execute.setup", &format!("['{SLOW}']"));
    let setting_up = || project.home().join("setting-up");
    let mut child = begun(&project, &["execute", "1", "--yes"]);
    wait_until("it is set up", || setting_up().exists());
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_file(setting_up()).unwrap();

    let child = begun(&project, &["execute", "1", "--resume"]);
    wait_until("it is set up again", || setting_up().exists());
    signal(&child, Signal::INT);
    sleep(Duration::from_millis(200));
    signal(&child, Signal::INT);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{ran:?}");
    assert_eq!(status(&project, "1.1"), "pending");
    is_clear(&project);

    fs::write(project.home().join("again"), "").unwrap();
    project.ok(&["execute", "1", "--resume"]);
    assert_eq!(in_branch(&project, "a.txt"), "a\n");
    is_clear(&project);
}

#[test]
fn nothing_beyond_the_project_is_copied() {
    let project = ignoring(&["run: 'echo a > a.txt'"], "link\n");
    for bad in ["../x", "/etc/passwd", ".git/config", ".milestones/data"] {
        let refused = project.run(&["config", "set", "execute.copy", bad]);
        assert_eq!(refused.code, 2, "{bad}: {refused:?}");
    }
    fs::write(project.home().join("secret"), "secret").unwrap();
    symlink(project.home().join("secret"), project.project().join("link")).unwrap();
    set(&project, "execute.copy", "link");
    assert_eq!(project.run(&["execute", "1", "--yes"]).code, 5);
    let said = reason(&project, "1.1");
    assert!(said.contains("link leads out of the project"), "{said}");
}

#[test]
fn own_commits_of_a_task_come_into_the_branch_where_that_is_wished() {
    let commit = "git add -A && git commit -qm";
    let project =
        project(&[&format!("run: 'echo a > a.txt; {commit} One; echo b > b.txt; {commit} Two'")]);
    set(&project, "git.strategy", "merge");
    project.ok(&["execute", "1", "--yes"]);
    let log = git(&project, &["log", "--topo-order", "--format=%s", "milestone/milestone-001"]);
    assert_eq!(log, "feat(milestone-001): Task 1\nTwo\nOne\nBegin\n");
    assert_eq!(status(&project, "1.1"), "completed");
}
