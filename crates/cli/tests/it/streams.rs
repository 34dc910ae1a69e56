//! Streams: their branches, what their leads decide, and what goes up.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::environment::{Environment, Ran};
use crate::execute::{begun, git, in_branch, is_clear, project, runs, status, wait_until};
use crate::terminal::Terminal;

const STREAMS: [&str; 2] = ["--coordination", "hierarchical"];

fn execute(project: &Environment, more: &[&str]) -> Ran {
    project.run(&[&["execute", "1", "--yes"], &STREAMS[..], more].concat())
}

fn settings(project: &Environment, more: &str) {
    let file = project.project().join(".milestones/config/milestone-config.yaml");
    let before = fs::read_to_string(&file).unwrap_or_default();
    fs::write(&file, format!("{before}\n{more}\n")).unwrap();
}

/// An agent that reviews, as a script that finds what it is told in `$told`.
fn reviewer(project: &Environment, script: &str) {
    let path = project.home().join("review.sh");
    fs::write(&path, format!("told=$(cat)\n{script}\n")).unwrap();
    let runner = format!("mine: {{command: [sh, {}], stdin: prompt}}", path.display());
    settings(project, &format!("runners:\n  {runner}\nreview: {{runner: mine}}"));
}

fn session(project: &Environment) -> Value {
    project.json(&["session", "show"])["data"].clone()
}

/// How each stream stands, by its name.
fn stands(project: &Environment) -> Vec<(String, String)> {
    let session = session(project);
    let streams = session["streams"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    streams.iter().map(|stream| (text(&stream["name"]), text(&stream["state"]))).collect()
}

fn stood(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect()
}

/// What was decided, as the history has it.
fn verdicts(project: &Environment) -> Vec<String> {
    let folder = project.project().join(".milestones/history/milestone-001");
    let mut found = Vec::new();
    for segment in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(segment.unwrap().path()).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let texts = lines.filter_map(|line| find_text(&line));
        found.extend(texts.filter(|text| text.starts_with("stream ")));
    }
    found
}

fn find_text(line: &Value) -> Option<String> {
    match line {
        Value::Object(fields) => match fields.get("text").and_then(Value::as_str) {
            Some(text) => Some(text.to_owned()),
            None => fields.values().find_map(find_text),
        },
        _ => None,
    }
}

fn has(project: &Environment, branch: &str, file: &str) -> bool {
    let listed = git(project, &["ls-tree", "-r", "--name-only", branch]);
    listed.lines().any(|line| line == file)
}

const PAIR_OF_PAIRS: [&str; 4] = [
    "run: 'echo a > a.txt', verify: ['test -f a.txt']",
    "run: 'cat a.txt > b.txt', requires: [task-001]",
    "run: 'echo c > c.txt', verify: ['test -f c.txt']",
    "run: 'cat c.txt > d.txt', requires: [task-003]",
];

#[test]
fn each_stream_goes_up_by_itself_with_one_commit_a_task() {
    let project = project(&PAIR_OF_PAIRS);
    let dry = project.ok(&["execute", "1", "--dry-run", STREAMS[0], STREAMS[1]]);
    for said in ["STREAM", "tasks-001      2", "milestone/milestone-001--tasks-003"] {
        assert!(dry.contains(said), "{said}: {dry}");
    }
    let ran = execute(&project, &["--agents", "2"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(in_branch(&project, "b.txt") + &in_branch(&project, "d.txt"), "a\nc\n");
    let log = git(&project, &["log", "--format=%s", "milestone/milestone-001"]);
    let count = |said: &str| log.lines().filter(|line| line.starts_with(said)).count();
    assert_eq!(
        (count("feat("), count("chore(milestone-001): take in stream tasks-")),
        (4, 2),
        "{log}"
    );
    let message = git(&project, &["log", "-1", "--format=%B", "milestone/milestone-001"]);
    assert!(message.contains("Stream: tasks-") && message.contains("Milestone: milestone-001"));
    assert!(message.contains("accepted by verification: verified by `test -f"), "{message}");
    assert_eq!(verdicts(&project).len(), 2, "{:?}", verdicts(&project));
    let session = session(&project);
    assert_eq!(
        (&session["coordination"], &session["state"]),
        (&"hierarchical".into(), &"completed".into())
    );
    assert_eq!(stands(&project), stood(&[("tasks-001", "up"), ("tasks-003", "up")]));
    let agents = project.ok(&["agent", "list"]);
    assert!(agents.contains("stream lead") && agents.contains("tasks-003: up"), "{agents}");
    is_clear(&project);
}

#[test]
fn what_does_not_work_together_stays_out_and_a_person_may_take_it_in() {
    // Each is right by itself; the second stream is judged on top of the first.
    let alone = "test ! -e one.txt -o ! -e two.txt || { echo they disagree; exit 4; }";
    let project = project(&[
        "run: 'echo 1 > one.txt'",
        "run: 'echo 1 > one-more.txt', requires: [task-001]",
        &format!("run: 'echo 2 > two.txt', verify: ['{alone}']"),
        "run: 'echo 2 > two-more.txt', requires: [task-003]",
    ]);
    let ran = execute(&project, &[]);
    assert_eq!(ran.code, 5, "{ran:?}");
    for said in ["tasks-003: ", "ended with 4", "they disagree", "--accept"] {
        assert!(ran.stderr.contains(said), "{said}: {ran:?}");
    }
    assert_eq!(stands(&project), stood(&[("tasks-001", "up"), ("tasks-003", "out")]));
    assert!(has(&project, "milestone/milestone-001", "one-more.txt"));
    assert!(!has(&project, "milestone/milestone-001", "two.txt"));
    assert_eq!(status(&project, "1.4"), "completed");
    let plain = project.run(&["execute", "1", "--coordination", "parallel"]);
    assert_eq!(plain.code, 2, "{plain:?}");
    let again = project.run(&["execute", "1", "--resume"]);
    assert_eq!(again.code, 5, "{again:?}");
    assert_eq!(verdicts(&project).len(), 2, "what is found out again is not said again");
    let wrong = project.run(&["execute", "1", "--accept", "tasks-009"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("tasks-003"), "{wrong:?}");
    project.ok(&["execute", "1", "--accept", "tasks-003"]);
    project.ok(&["execute", "1", "--resume"]);
    assert!(has(&project, "milestone/milestone-001", "two.txt"));
    let verdicts = verdicts(&project);
    let last = verdicts.last().unwrap();
    assert!(last.contains("accepted by person: "), "{verdicts:?}");
    is_clear(&project);
}

#[test]
fn an_agent_reviews_the_difference_and_only_what_it_accepts_goes_up() {
    let project = project(&PAIR_OF_PAIRS);
    reviewer(
        &project,
        "echo x >> \"$HOME/reviews\"; touch junk\n\
         command=$(printf '%s' \"$told\" | grep -m1 '^    git diff' )\n\
         $command > \"$HOME/difference\"\n\
         if grep -q '^+c$' \"$HOME/difference\" && test ! -e \"$HOME/content\"; then\n\
         echo 'MILESTONE: rejected: c is not what was asked for'; else echo 'MILESTONE: accepted'; fi",
    );
    let refused = project.run(&["execute", "1", STREAMS[0], STREAMS[1]]);
    assert!(refused.code == 5 && refused.stderr.contains("review.sh"), "{refused:?}");
    let ran = execute(&project, &["--agents", "2"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(
        ran.stderr.contains("rejected by review: mine: c is not what was asked for"),
        "{ran:?}"
    );
    assert_eq!(stands(&project), stood(&[("tasks-001", "up"), ("tasks-003", "out")]));
    let has_it = |file| has(&project, "milestone/milestone-001", file);
    assert!(has_it("b.txt") && !has_it("d.txt") && !has_it("junk"));
    let reviews = || fs::read_to_string(project.home().join("reviews")).unwrap().lines().count();
    assert_eq!(reviews(), 2);

    // The same work is not reviewed again; other work is.
    assert_eq!(project.run(&["execute", "1", "--resume"]).code, 5);
    assert_eq!(reviews(), 2);
    fs::write(project.home().join("content"), "").unwrap();
    project.ok(&["task", "add", "1", "More of it", "--requires", "1.4"]);
    project.ok(&["task", "set", "1.5", "--run", "echo e > e.txt"]);
    let ran = project.run(&["execute", "1", "--resume", "--yes"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(reviews(), 3);
    assert!(has(&project, "milestone/milestone-001", "e.txt"));
    is_clear(&project);
}

#[test]
fn a_review_stands_on_the_terminal_while_it_goes_on() {
    let project = project(&PAIR_OF_PAIRS);
    reviewer(
        &project,
        "echo 'reading all of it'; until [ -e \"$HOME/go\" ]; do sleep 0.1; done\n\
         echo 'MILESTONE: accepted'",
    );
    let command = [&["execute", "1", "--agents", "2", "--yes"], &STREAMS[..]].concat();
    let terminal = Terminal::with(&project.command(&command), 100, 30);
    wait_until("the reviews are shown", || {
        let shown = terminal.screen(100, 30).lines.join("\n");
        let line = |name: &str| {
            shown.lines().any(|line| {
                line.starts_with(&format!("stream {name}  reviewing"))
                    && line.contains("2 tasks together  reading all of it")
            })
        };
        line("tasks-001") || line("tasks-003")
    });
    fs::write(project.home().join("go"), "").unwrap();
    let (code, written) = terminal.end();
    assert_eq!(code, 0, "{written}");
    is_clear(&project);
}

#[test]
fn a_session_that_was_killed_while_a_stream_is_judged_judges_it_anew() {
    let marker = format!("87{}", std::process::id());
    let slow = format!(
        "test -z \"$(git log --format=%s -1 | grep milestone-001)\" || test -f \"$HOME/again\" || sleep {marker}"
    );
    let project = project(&[
        &format!("run: 'echo a > a.txt', verify: ['{slow}']"),
        "run: 'echo b > b.txt', requires: [task-001]",
    ]);
    let mut child = begun(&project, &["execute", "1", "--yes", STREAMS[0], STREAMS[1]]);
    let sleeping = format!("sleep\0{marker}");
    wait_until("the stream is verified", || runs(&sleeping));
    assert_eq!(status(&project, "1.2"), "completed");
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("what it started is gone", || !runs(&sleeping));
    assert!(verdicts(&project).is_empty() && !has(&project, "milestone/milestone-001", "a.txt"));
    fs::write(project.home().join("again"), "").unwrap();
    let ran = project.run(&["execute", "1", "--resume"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(verdicts(&project).len(), 1);
    assert!(has(&project, "milestone/milestone-001", "b.txt"));
    is_clear(&project);
}

#[test]
fn a_phase_begins_with_all_that_the_phase_before_it_has_brought_up() {
    let project = project(&[
        "phase: design, run: 'echo plan > plan.txt'",
        "phase: design, run: 'echo more > more.txt'",
        "phase: build, run: 'cat plan.txt more.txt > built.txt', requires: [task-001]",
        "phase: build, run: 'echo x > x.txt; test ! -e \"$HOME/x\" || exit 1'",
    ]);
    let ran = execute(&project, &["--agents", "3"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(in_branch(&project, "built.txt"), "plan\nmore\n");
    assert_eq!(stands(&project), stood(&[("phase-design", "up"), ("phase-build", "up")]));
}

#[test]
fn what_a_stream_and_the_milestone_both_changed_is_named() {
    let meet = "touch \"$HOME/$MILESTONE_TASK\"; until test -f \"$HOME/OTHER\"; do sleep 0.1; done";
    let task = |own: &str, other: &str| {
        let meet = meet.replace("OTHER", other);
        format!("run: '{meet}; echo {own} > same.txt'")
    };
    let project = project(&[
        &task("one", "task-001-003"),
        "run: 'echo b > b.txt', requires: [task-001]",
        &task("two", "task-001-001"),
        "run: 'echo d > d.txt', requires: [task-003]",
    ]);
    let ran = execute(&project, &["--agents", "2"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("same.txt") && ran.stderr.contains("git merge"), "{ran:?}");
    let out: Vec<String> = stands(&project)
        .into_iter()
        .filter_map(|(name, state)| (state == "out").then_some(name))
        .collect();
    assert_eq!(out.len(), 1, "{out:?}");

    // As it says: merged by hand, in a worktree of one's own.
    let branch = format!("milestone/milestone-001--{}", out[0]);
    let tree = project.home().join("by-hand").display().to_string();
    git(&project, &["worktree", "add", "-q", &tree, &branch]);
    merge_ours(&project, Path::new(&tree));
    git(&project, &["worktree", "remove", "--force", &tree]);
    let ran = project.run(&["execute", "1", "--resume"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(has(&project, "milestone/milestone-001", "b.txt"));
    assert!(has(&project, "milestone/milestone-001", "d.txt"));
}

fn merge_ours(project: &Environment, tree: &Path) {
    let tree = tree.display().to_string();
    git(
        project,
        &["-C", &tree, "merge", "-q", "-X", "ours", "-m", "Together", "milestone/milestone-001"],
    );
}

#[test]
fn streams_need_git() {
    let project = Environment::new();
    fs::remove_dir(project.project().join(".git")).unwrap();
    project.ok(&["init"]);
    project
        .write(1, "id: milestone-001\ntitle: W\ntasks: [{id: task-001, title: T, run: 'true'}]\n");
    let ran = execute(&project, &[]);
    assert!(ran.code == 2 && ran.stderr.contains("no git here"), "{ran:?}");
}
