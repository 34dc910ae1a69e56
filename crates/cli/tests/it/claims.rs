//! Forms that scripts and agents rely on.

use crate::environment::Environment;

fn project() -> Environment {
    let project = Environment::new();
    project.ok(&["plan", "A", "--task", "One", "--task", "Two"]);
    project
}

#[test]
fn a_claim_prints_task_fence_and_attempt() {
    let project = project();
    let words = project.ok(&["task", "claim", "--next", "--lease", "1m"]);
    let words: Vec<&str> = words.split_whitespace().collect();
    assert_eq!(words[..2], ["task-001-001", "1"]);
    let refused = project.run(&["task", "done", "1.1"]);
    assert_eq!(refused.code, 4);
    assert!(refused.stderr.contains("if this is your claim"), "{}", refused.stderr);
    assert_eq!(project.run(&["task", "done", "1.1", "--fence", "7"]).code, 4);
    let fence = ["--fence", "1", "--attempt", words[2]];
    project.ok(&[&["task", "renew", "1.1", "--lease", "2m"], &fence[..]].concat());
    project.ok(&[&["task", "done", "1.1"], &fence[..]].concat());
}

#[test]
fn the_environment_may_carry_the_fence() {
    let project = project();
    project.ok(&["task", "claim", "1.2"]);
    let mut command = project.command(&["task", "release", "1.2"]);
    assert!(command.env("MILESTONE_FENCE", "1").output().unwrap().status.success());
    assert_eq!(project.ok(&["task", "claim", "1.2"]).split(' ').nth(1), Some("2"));
}

#[test]
fn claiming_goes_on_until_nothing_is_left() {
    let project = project();
    let claimed = |args: &[&str]| project.json(args)["data"]["task"].clone();
    assert_eq!(claimed(&["task", "claim", "--any"]), "task-001-001");
    assert_eq!(claimed(&["task", "claim", "--next"]), "task-001-002");
    let none = project.run(&["task", "claim", "--next"]);
    assert_eq!(none.code, 3, "{none:?}");
}

#[test]
fn many_who_claim_at_once_get_a_task_each() {
    let project = Environment::new();
    let tasks: Vec<String> = (0..8).flat_map(|n| ["--task".into(), format!("T{n}")]).collect();
    let args: Vec<&str> =
        ["plan", "A"].into_iter().chain(tasks.iter().map(String::as_str)).collect();
    project.ok(&args);
    let children: Vec<_> = (0..8)
        .map(|_| {
            let mut command = project.command(&["task", "claim", "--next"]);
            command.stdout(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let claimed: std::collections::BTreeSet<String> = children
        .into_iter()
        .map(|child| String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(claimed.len(), 8, "{claimed:?}");
}

#[test]
fn errors_are_documents_too() {
    let project = project();
    for (args, exit, code) in [
        (&["show", "9"][..], 3, "unknown_id"),
        (&["show", "1.9"], 3, "unknown_id"),
        (&["show", "x"], 2, "usage"),
        (&["task", "fail", "1.1"], 5, "bad_move"),
        (&["update", "--sideways"], 2, "usage"),
        (&["task", "renew", "1.1"], 2, "usage"),
        (&["show", "current"], 3, "no_current"),
    ] {
        let document = project.json(args);
        assert_eq!(document["kind"], "error", "{args:?}");
        assert_eq!(document["error"]["code"], code, "{args:?}");
        assert_eq!(document["error"]["exit"], exit, "{args:?}");
        assert_eq!(project.run(args).code, exit, "{args:?}");
    }
}
