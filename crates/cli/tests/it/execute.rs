//! Executing a milestone: the real binary, real git, and processes that are killed.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::environment::{Environment, Ran};

/// Longer than anything here takes on a slow machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A repository with one commit, and a milestone with these tasks.
pub fn project(tasks: &[&str]) -> Environment {
    let project = Environment::new();
    fs::remove_dir(project.project().join(".git")).unwrap();
    git(&project, &["init", "-q", "-b", "main"]);
    git(&project, &["config", "user.name", "Ada"]);
    git(&project, &["config", "user.email", "ada@example.org"]);
    git(&project, &["config", "commit.gpgsign", "false"]);
    git(&project, &["commit", "-q", "--allow-empty", "-m", "Begin"]);
    project.ok(&["init"]);
    let lines: Vec<String> = (1..)
        .zip(tasks)
        .map(|(number, task)| {
            format!("  - {{id: task-{number:03}, title: Task {number}, {task}}}\n")
        })
        .collect();
    project.write(1, &format!("id: milestone-001\ntitle: Work\ntasks:\n{}", lines.concat()));
    sleep(Duration::from_millis(300));
    project
}

pub fn git(project: &Environment, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(args)
        .current_dir(project.project())
        .env_clear()
        .env("HOME", project.home())
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The subjects on the milestone's branch, without the first commit.
pub fn subjects(project: &Environment) -> Vec<String> {
    let log = git(project, &["log", "--format=%s", "milestone/milestone-001"]);
    let mut subjects: Vec<String> = log.lines().map(str::to_owned).collect();
    assert_eq!(subjects.pop().as_deref(), Some("Begin"));
    subjects.sort();
    subjects
}

pub fn in_branch(project: &Environment, file: &str) -> String {
    git(project, &["show", &format!("milestone/milestone-001:{file}")])
}

pub fn status(project: &Environment, task: &str) -> String {
    let task = project.json(&["show", task]);
    task["data"]["document"]["status"].as_str().unwrap().to_owned()
}

pub fn begun(project: &Environment, args: &[&str]) -> Child {
    let mut command = project.command(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

pub fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

pub fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        sleep(Duration::from_millis(20));
    }
}

/// Whether a process runs whose command line says this.
pub fn runs(said: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let mut lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).contains(said))
}

/// Nothing of an attempt is left: no worktree, no record, no process.
pub fn is_clear(project: &Environment) {
    let worktrees = git(project, &["worktree", "list", "--porcelain"]);
    assert_eq!(worktrees.matches("worktree ").count(), 1, "{worktrees}");
    let attempts = fs::read_dir(project.project().join(".milestones/data/attempts")).unwrap();
    assert_eq!(attempts.count(), 0);
    assert_eq!(git(project, &["status", "--porcelain"]).trim(), "?? .milestones/");
}

#[test]
fn agents_work_side_by_side_and_leave_one_commit_for_each_task() {
    let project = project(&[
        "run: 'echo a > a.txt', verify: ['grep -q a a.txt']",
        "run: 'echo b > b.txt', kind: bug",
        "run: 'cat a.txt b.txt > all.txt', requires: [task-001, task-002]",
        "run: 'test -f all.txt', effect: none, requires: [task-003]",
    ]);
    let ran = project.run(&["execute", "1", "--agents", "3", "--yes"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        subjects(&project),
        [
            "feat(milestone-001): Task 1",
            "feat(milestone-001): Task 3",
            "fix(milestone-001): Task 2"
        ]
    );
    assert_eq!(in_branch(&project, "all.txt"), "a\nb\n");
    let message = git(&project, &["log", "-1", "--format=%B", "milestone/milestone-001"]);
    assert!(message.contains("Task: task-001-003\nMilestone: milestone-001\n"), "{message}");
    let milestone = project.json(&["show", "1"]);
    assert_eq!(milestone["data"]["document"]["status"], "completed");
    let session = project.json(&["session", "show"]);
    assert_eq!(session["data"]["state"], "completed");
    assert_eq!(session["data"]["git"]["branch"], "main");
    let said = project.ok(&["task", "log", "1.1"]);
    assert!(said.contains("verified by `grep -q a a.txt`"), "{said}");
    is_clear(&project);
}

#[test]
fn a_dry_run_shows_the_schedule_and_starts_nothing() {
    let project = project(&[
        "run: 'echo a > a.txt', estimate: 2h, resources: [src]",
        "run: 'echo b > b.txt', estimate: 1h, resources: [src/b], verify: ['test -f b.txt']",
        "run: 'echo c > c.txt', estimate: 4h",
        "runner: manual, estimate: 1h, requires: [task-001]",
        "run: 'echo e > e.txt', requires: [task-004]",
    ]);
    project.ok(&["list"]);
    let refs = git(&project, &["for-each-ref"]);
    let text = fs::read_to_string(project.document(1)).unwrap();
    let shown = project.ok(&["execute", "1", "--dry-run", "--agents", "2"]);
    for said in [
        "at once   task-001-001  shell   2h",
        "task-001-003  shell   4h     critical",
        "after 2h  task-001-002",
        "2 agents: more would wait for task-001-003",
        "is for a person",
        "waits for task-001-004",
        "verify  test -f b.txt",
        "Nothing was started.",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert_eq!(git(&project, &["for-each-ref"]), refs);
    assert_eq!(fs::read_to_string(project.document(1)).unwrap(), text);
    assert_eq!(status(&project, "1.1"), "pending");
    let sessions = project.json(&["session", "list"]);
    assert_eq!(sessions["data"]["sessions"].as_array().unwrap().len(), 0, "{sessions}");
    assert!(!project.home().join(".local/state/milestone").exists());

    let one = project.json(&["execute", "1", "--dry-run", "--coordination", "sequential"]);
    let waves = one["data"]["waves"].as_array().unwrap();
    let order: Vec<&str> =
        waves.iter().map(|wave| wave["tasks"][0]["id"].as_str().unwrap()).collect();
    assert_eq!(order, ["task-001-001", "task-001-002", "task-001-003"]);
    assert_eq!(
        (&one["data"]["agents"], &one["data"]["to_agree"][0]["kind"]),
        (&1.into(), &"run".into())
    );
    assert!(one["data"]["finish"]["p80"].is_string(), "{one}");

    let ran = project.run(&["execute", "1", "--yes"]);
    assert!(ran.stdout.starts_with("more at once would be sooner done: `--agents 2`"), "{ran:?}");
    let ran = project.run(&["execute", "1", "--resume", "--agents", "1"]);
    assert!(!ran.stdout.contains("more at once"), "{ran:?}");
}

#[test]
fn nothing_is_run_that_nobody_has_agreed_to() {
    let project = project(&["run: 'echo a > \"$HOME/ran\"; echo a > a.txt'"]);
    let ran = project.run(&["execute", "1"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("echo a >") && ran.stderr.contains("--yes"), "{ran:?}");
    assert!(!project.home().join("ran").exists());
    assert_eq!(project.run(&["execute", "1", "--yes"]).code, 0);
    assert!(project.home().join("ran").exists());
}

#[test]
fn a_killed_session_goes_on_and_nothing_of_it_runs_on() {
    let marker = format!("86{}", std::process::id());
    let fork =
        format!("run: '(trap \"\" TERM; setsid sleep {marker} &) ; sleep 30; echo a > a.txt'");
    let project = project(&[
        &fork.replace("sleep 30", "test -f \"$HOME/again\" || sleep 30"),
        "run: 'echo b > b.txt'",
        "run: 'echo c > c.txt', requires: [task-002]",
    ]);
    let mut child = begun(&project, &["execute", "1", "--agents", "2", "--yes"]);
    let sleeping = format!("sleep\0{marker}");
    wait_until("the first task runs, and the others are done", || {
        runs(&sleeping) && project.run(&["show", "1.3"]).stdout.contains("completed")
    });
    let second = project.run(&["execute", "1"]);
    assert_eq!(second.code, 4, "{second:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("what it started is gone", || !runs(&sleeping));
    assert_eq!(project.json(&["session", "show"])["data"]["state"], "interrupted");

    fs::write(project.home().join("again"), "").unwrap();
    let ran = project.run(&["execute", "1", "--resume"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(subjects(&project).len(), 3);
    assert_eq!(in_branch(&project, "a.txt"), "a\n");
    let sessions = project.json(&["session", "list"]);
    assert_eq!(sessions["data"]["sessions"].as_array().unwrap().len(), 1, "{sessions}");
    assert!(!runs(&sleeping));
    is_clear(&project);
}

#[test]
fn tasks_that_change_the_same_lines_take_turns() {
    let tasks: Vec<String> =
        (1..=8).map(|number| format!("run: 'echo {number} >> shared; sleep 0.{number}'")).collect();
    let project = project(&tasks.iter().map(String::as_str).collect::<Vec<_>>());
    let ran = project.run(&["execute", "1", "--yes", "--agents", "8"]);
    assert_eq!(ran.code, 0, "each came too late at most once: {ran:?}");
    let mut lines: Vec<u32> =
        in_branch(&project, "shared").lines().map(|line| line.parse().unwrap()).collect();
    lines.sort_unstable();
    assert_eq!(lines, (1..=8).collect::<Vec<u32>>());
    assert_eq!(subjects(&project).len(), 8);
}

#[test]
fn a_killed_keeper_is_noticed_and_what_it_kept_is_ended() {
    // Ten minutes of it would be waited for, with its output as the only sign of life.
    let mark = format!("sleep 6{}", std::process::id());
    let project = project(&[&format!(
        "run: 'if [ -e \"$HOME/again\" ]; then echo a > a; else touch \"$HOME/again\"; {mark}; fi'"
    )]);
    let session = begun(&project, &["execute", "1", "--yes"]);
    wait_until("it runs", || runs(&mark.replace(' ', "\0")));
    let mut killed = 0;
    for task in fs::read_dir(format!("/proc/{}/task", session.id())).unwrap().flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            let line = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&line).contains("keep-runner") {
                let pid = Pid::from_raw(child.parse().unwrap()).unwrap();
                kill_process(pid, Signal::KILL).unwrap();
                killed += 1;
            }
        }
    }
    assert_eq!(killed, 1);
    wait_until("it is begun anew and done", || status(&project, "1.1") == "completed");
    assert!(!runs(&mark.replace(' ', "\0")));
    assert_eq!(Ran::from(session.wait_with_output().unwrap()).code, 0);
}

#[test]
fn a_session_that_dies_right_after_a_claim_does_not_hold_the_task() {
    let project = project(&["run: 'echo a > a.txt'"]);
    let folder = project.project().join(".milestones/data/attempts");
    fs::create_dir_all(&folder).unwrap();
    // What such a session wrote down before: one attempt got the task, one was too late.
    let [held, late] =
        ["01890000-0000-7000-8000-000000000001", "01890000-0000-7000-8000-000000000002"];
    project.ok(&["task", "claim", "1.1", "--attempt", held, "--lease", "2h"]);
    for attempt in [held, late] {
        let flight = serde_json::json!({
            "session": "session-20260101-001",
            "attempt": {"task": "task-001-001", "id": attempt, "fence": 0},
            "runner": "", "branch": null, "worktree": "/nowhere", "start": null, "log": "/nowhere",
        });
        fs::write(folder.join(format!("{attempt}.json")), flight.to_string()).unwrap();
    }
    let child = begun(&project, &["execute", "1", "--yes"]);
    wait_until("it is done", || status(&project, "1.1") == "completed");
    assert_eq!(Ran::from(child.wait_with_output().unwrap()).code, 0);
    is_clear(&project);
}

#[test]
fn a_session_that_died_does_not_run_because_another_one_does() {
    let project =
        project(&["run: 'until [ -e \"$HOME/enough\" ]; do sleep 0.1; done; echo a > a'"]);
    let mut first = begun(&project, &["execute", "1", "--yes"]);
    let states = || {
        let sessions = project.json(&["session", "list"]);
        let sessions = sessions["data"]["sessions"].as_array().unwrap().clone();
        let state = |of: &serde_json::Value| of["state"].as_str().unwrap().to_owned();
        let both = |of: &serde_json::Value| (state(of), state(&of["attempts"][0]));
        sessions.iter().filter(|of| of["attempts"][0].is_object()).map(both).collect::<Vec<_>>()
    };
    let running = || ("running".to_owned(), "running".to_owned());
    let interrupted = || ("interrupted".to_owned(), "interrupted".to_owned());
    // What is shown of an attempt is saved a moment later.
    wait_until("it runs", || states() == [running()]);
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(states(), [interrupted()]);
    let second = begun(&project, &["execute", "1", "--yes"]);
    wait_until("the other one runs", || states().len() == 2);
    assert_eq!(states()[0].0, "running");
    assert_eq!(states()[1], interrupted());
    fs::write(project.home().join("enough"), "").unwrap();
    assert_eq!(Ran::from(second.wait_with_output().unwrap()).code, 0);
}

#[test]
fn what_does_not_go_together_is_begun_anew_from_the_branch() {
    let meet = "touch \"$HOME/$MILESTONE_TASK\"; until test -f \"$HOME/OTHER\"; do sleep 0.1; done";
    let task = |own: &str, other: &str| {
        let meet = meet.replace("OTHER", other);
        format!("run: '{meet}; echo {own} >> same.txt'")
    };
    let project = project(&[&task("one", "task-001-002"), &task("two", "task-001-001")]);
    let ran = project.run(&["execute", "1", "--agents", "2", "--yes"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("it does not go together"), "{ran:?}");
    let both = in_branch(&project, "same.txt");
    assert!(both == "one\ntwo\n" || both == "two\none\n", "{both}");
    assert_eq!(subjects(&project).len(), 2);
    is_clear(&project);
}

#[test]
fn a_task_that_fails_again_and_again_is_left_to_a_person_with_all_it_did() {
    let project = project(&[
        "run: 'echo half > half.txt; echo no such thing >&2; exit 3'",
        "run: 'true'",
        "run: 'echo d > d.txt', verify: ['test -f e.txt']",
        "run: 'echo e > e.txt', requires: [task-001]",
    ]);
    let ran = project.run(&["execute", "1", "--agents", "4", "--yes"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    for (task, says) in [
        ("1.1", "it ended with code 3: no such thing"),
        ("1.2", "had changed nothing"),
        ("1.3", "`test -f e.txt` ended with 1"),
    ] {
        let document = project.json(&["show", task])["data"]["document"].clone();
        assert_eq!(document["status"], "blocked", "{task}");
        let reason = document["reason"].as_str().unwrap();
        assert!(reason.contains(says), "{task}: {reason}");
    }
    assert_eq!(status(&project, "1.4"), "pending");
    let kept = git(
        &project,
        &["for-each-ref", "--format=%(refname)", "refs/milestone/attempts/task-001-001"],
    );
    assert_eq!(kept.lines().count(), 3, "{kept}");
    let half = git(&project, &["show", &format!("{}:half.txt", kept.lines().next().unwrap())]);
    assert_eq!(half, "half\n");
    assert!(subjects(&project).is_empty());
    is_clear(&project);
}

#[test]
fn an_attempt_that_changes_the_project_itself_is_not_taken_over() {
    let project =
        project(&["run: 'mkdir -p .milestones && echo x > .milestones/x; echo a > a.txt'"]);
    let ran = project.run(&["execute", "1", "--yes"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    let document = project.json(&["show", "1.1"])["data"]["document"].clone();
    assert_eq!(document["status"], "blocked");
    assert!(document["reason"].as_str().unwrap().contains(".milestones"), "{document}");
    assert!(subjects(&project).is_empty());
    // What is in no commit is not removed.
    let worktrees = git(&project, &["worktree", "list", "--porcelain"]);
    assert_eq!(worktrees.matches("worktree ").count(), 2, "{worktrees}");
}

#[test]
fn ctrl_c_lets_what_runs_end_and_a_second_one_stops_it() {
    let project =
        project(&["run: 'sleep 2; echo a > a.txt'", "run: 'echo b > b.txt', requires: [task-001]"]);
    let child = begun(&project, &["execute", "1", "--yes"]);
    wait_until("it runs", || status(&project, "1.1") == "in_progress");
    signal(&child, Signal::INT);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(ran.stderr.contains("--resume"), "{ran:?}");
    assert_eq!(
        (status(&project, "1.1"), status(&project, "1.2")),
        ("completed".into(), "pending".into())
    );

    project.write(2, "id: milestone-002\ntitle: Long\ntasks:\n  - {id: task-001, title: Long, run: 'echo half > half.txt; sleep 600'}\n");
    sleep(Duration::from_millis(300));
    let child = begun(&project, &["execute", "2", "--yes"]);
    wait_until("it runs", || project.run(&["session", "show"]).stdout.contains("running"));
    wait_until("it runs", || status(&project, "2.1") == "in_progress");
    sleep(Duration::from_millis(700));
    signal(&child, Signal::INT);
    sleep(Duration::from_millis(200));
    signal(&child, Signal::INT);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{ran:?}");
    assert_eq!(status(&project, "2.1"), "pending");
    let kept = git(
        &project,
        &["for-each-ref", "--format=%(refname)", "refs/milestone/attempts/task-002-001"],
    );
    assert_eq!(git(&project, &["show", &format!("{}:half.txt", kept.trim())]), "half\n");
    is_clear(&project);
}

#[test]
fn without_git_tasks_are_done_in_the_folder_one_after_the_other() {
    let project = Environment::new();
    fs::remove_dir(project.project().join(".git")).unwrap();
    project.ok(&["init"]);
    let run = "run: 'echo $MILESTONE_TASK >> order.txt'";
    project.write(
        1,
        &format!("id: milestone-001\ntitle: T\ntasks:\n  - {{id: task-001, title: A, {run}}}\n  - {{id: task-002, title: B, {run}}}\n"),
    );
    sleep(Duration::from_millis(300));
    let ran = project.run(&["execute", "1", "--agents", "4", "--yes"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("without git"), "{ran:?}");
    let order = fs::read_to_string(project.project().join("order.txt")).unwrap();
    assert_eq!(order, "task-001-001\ntask-001-002\n");
}

#[test]
fn a_checked_out_branch_is_waited_for_and_the_work_is_not_done_again() {
    let project = project(&["run: 'echo ran >> \"$HOME/runs\"; echo a > a.txt'"]);
    git(&project, &["switch", "-q", "-c", "milestone/milestone-001"]);
    let child = begun(&project, &["execute", "1", "--yes"]);
    wait_until("it ran", || project.home().join("runs").exists());
    sleep(Duration::from_millis(2500));
    assert_eq!(status(&project, "1.1"), "in_progress");
    git(&project, &["switch", "-q", "main"]);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.stderr.matches("is checked out in").count(), 1, "{ran:?}");
    assert_eq!(fs::read_to_string(project.home().join("runs")).unwrap(), "ran\n");
    assert_eq!(subjects(&project).len(), 1);
}

#[test]
fn a_milestone_begins_with_the_work_of_those_that_it_requires() {
    let project = project(&["run: 'echo a > a.txt'"]);
    project.write(
        2,
        "id: milestone-002\ntitle: Next\ndependencies: {requires: [milestone-001]}\ntasks:\n  \
         - {id: task-001, title: T, run: 'cat a.txt > b.txt'}\n  \
         - {id: task-002, title: U, runner: nobody}\n",
    );
    sleep(Duration::from_millis(300));
    let early = project.run(&["execute", "2", "--yes"]);
    assert_eq!(early.code, 5, "{early:?}");
    assert!(early.stderr.contains("waits for milestone-001"), "{early:?}");
    project.ok(&["execute", "1", "--yes"]);
    let ran = project.run(&["execute", "2", "--yes"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("no runner called nobody"), "{ran:?}");
    assert_eq!(git(&project, &["show", "milestone/milestone-002:b.txt"]), "a\n");
}

#[test]
fn a_command_that_changes_after_it_was_agreed_to_is_not_run() {
    let project = project(&[
        "run: 'sleep 1.5; echo a > a.txt'",
        "run: 'echo good > b.txt', requires: [task-001]",
    ]);
    let child = begun(&project, &["execute", "1", "--yes"]);
    wait_until("it runs", || status(&project, "1.1") == "in_progress");
    let text = fs::read_to_string(project.document(1)).unwrap();
    let evil = text.replace("echo good > b.txt", "echo evil > \"$HOME/evil\"");
    assert_ne!(text, evil);
    fs::write(project.document(1), evil).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("needs trust") && ran.stderr.contains("echo evil"), "{ran:?}");
    assert!(!project.home().join("evil").exists());
}

#[test]
fn a_session_whose_project_was_deleted_can_be_ended() {
    let project = project(&["run: 'while :; do sleep 0.1; done'"]);
    let mut session = begun(&project, &["execute", "1", "--yes"]);
    wait_until("it works", || {
        fs::read_dir(project.project().join(".milestones/data/attempts"))
            .is_ok_and(|attempts| attempts.count() > 0)
    });
    let folder = project.project().join(".milestones");
    fs::rename(&folder, folder.with_extension("gone")).unwrap();
    signal(&session, Signal::TERM);
    wait_until("it ends", || session.try_wait().unwrap().is_some());
}
