//! Hostile text, commands from elsewhere, closed pipes.

use std::io::Read as _;
use std::process::Stdio;

use crate::environment::Environment;

const HOSTILE: &str = "\u{1b}[2Jx\u{202e}y\nerror: z";

#[test]
fn hostile_text_is_only_text_and_json_keeps_it() {
    let project = Environment::new();
    project.ok(&["plan", HOSTILE, "--description", HOSTILE, "--task", HOSTILE, "--goal", HOSTILE]);
    project.ok(&["task", "block", "1.1", "--reason", HOSTILE]);
    project.ok(&["task", "note", "1.1", HOSTILE]);
    for args in [
        &["list"][..],
        &["show", "1", "--schedule"],
        &["show", "1.1"],
        &["next"],
        &["status"],
        &["task", "log", "1.1"],
        &["watch", "--since", "start", "--once"],
        &["task", "start", "1.1"],
        &["show", HOSTILE],
        &["search", "y"],
        &["search", HOSTILE],
    ] {
        let ran = project.run(args);
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(['\u{1b}', '\u{202e}']), "{args:?}: {text:?}");
            let forged = text.lines().any(|line| line.starts_with("error: z"));
            assert!(!forged, "{args:?}: {text}");
        }
    }
    assert_eq!(project.json(&["show", "1"])["data"]["title"], HOSTILE);
}

#[test]
fn a_check_that_came_with_the_document_waits_for_agreement() {
    let project = Environment::new();
    let check = "touch ran; echo checked";
    project.write(
        1,
        &format!("id: milestone-001\ntitle: A\ncriteria:\n  - {{text: T, check: {check}}}\n"),
    );
    project.ok(&["init"]);
    let refused = project.run(&["criterion", "check", "1", "1"]);
    assert_eq!(refused.code, 5);
    assert!(refused.stderr.contains(check), "{}", refused.stderr);
    assert!(!project.project().join("ran").exists());
    project.ok(&["criterion", "check", "1", "1", "--yes"]);
    assert!(project.project().join("ran").exists());
    project.ok(&["criterion", "check", "1", "1"]);
    let view = project.json(&["show", "1"]);
    let evidence = view["data"]["document"]["criteria"][0]["met"]["evidence"].as_str().unwrap();
    assert_eq!(evidence, "`touch ran; echo checked` succeeded\nchecked");
}

#[test]
fn a_check_that_was_typed_here_runs_and_a_failing_one_proves_nothing() {
    let project = Environment::new();
    project.ok(&["plan", "A", "--template", "none"]);
    assert_eq!(project.ok(&["criterion", "add", "1", "T", "--check", "echo no; false"]), "1\n");
    let failed = project.run(&["criterion", "check", "1", "1"]);
    assert_eq!(failed.code, 1);
    assert!(failed.stderr.contains("  no"), "{}", failed.stderr);
    assert!(project.ok(&["show", "1"]).contains("open, has a check"));
    project.ok(&["criterion", "add", "1", "U"]);
    assert_eq!(project.run(&["criterion", "check", "1", "2"]).code, 2);
    assert_eq!(project.run(&["criterion", "check", "1", "9"]).code, 3);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let project = Environment::new();
    project.ok(&["plan", "A"]);
    for args in [&["show", "1"][..], &["schema"], &["show", "1", "--json"], &["--help"]] {
        let mut command = project.command(args);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "{args:?}: {said}");
        assert_eq!(said, "", "{args:?}");
    }
}

#[test]
fn who_asks_is_read_from_git() {
    let project = Environment::new();
    std::fs::write(project.home().join(".gitconfig"), "[user]\n\tname = Grace Hopper\n").unwrap();
    let mut command = project.command(&["plan", "A"]);
    command.env_remove("MILESTONE_ACTOR").output().unwrap();
    let event = project.ok(&["watch", "--since", "start", "--once"]);
    assert!(event.contains("Grace Hopper  planned milestone-001: A"), "{event}");
}
