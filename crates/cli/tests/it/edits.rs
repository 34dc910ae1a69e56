//! Documents in an editor, and by hand.

use std::fs;

use crate::environment::{Environment, Ran};

fn edit(project: &Environment, script: &str) -> Ran {
    let mut command = project.command(&["edit", "1"]);
    // An editor with arguments, as people set them.
    command.env("EDITOR", format!("sed -i -e '{script}'"));
    Ran::from(command.output().unwrap())
}

fn project() -> Environment {
    let project = Environment::new();
    project
        .write(1, "# ours\nid: milestone-001\ntitle: A\ntasks:\n  - {id: task-001, title: One}\n");
    project.ok(&["init"]);
    project
}

#[test]
fn an_edit_is_taken_over_with_its_comments() {
    let project = project();
    let ran = edit(&project, "s/title: A/title: B # better/");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "milestone-001\n"), "{ran:?}");
    assert!(ran.stderr.contains("A → B"), "{}", ran.stderr);
    let text = fs::read_to_string(project.document(1)).unwrap();
    assert!(text.contains("# ours") && text.contains("title: B # better"), "{text}");
    assert!(edit(&project, "").stderr.contains("Nothing was changed"));
}

#[test]
fn an_edit_of_comments_alone_is_kept() {
    let project = project();
    let ran = edit(&project, "1i# first\n");
    assert!(ran.stderr.contains("Only the layout was changed"), "{ran:?}");
    let text = fs::read_to_string(project.document(1)).unwrap();
    assert!(text.starts_with("# first\n# ours\n"), "{text}");
    project.ok(&["update", "1", "--priority", "high"]);
    let text = fs::read_to_string(project.document(1)).unwrap();
    assert!(text.starts_with("# first\n# ours\n") && text.contains("priority: high"), "{text}");
    assert!(project.ok(&["doctor"]).contains("as it should be"));
}

#[test]
fn a_refused_edit_is_kept_and_gone_on_with() {
    let project = project();
    let refused = edit(&project, "s/title: A/title: B\\nrequires: [/");
    assert_eq!(refused.code, 7, "{refused:?}");
    assert!(refused.stderr.contains("it is kept in"), "{}", refused.stderr);
    assert!(project.ok(&["show", "1"]).starts_with("milestone-001  A\n"));
    // Somebody else changes another field meanwhile.
    project.ok(&["update", "1", "--priority", "high"]);
    let again = edit(&project, "/requires/d");
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stderr.contains("Going on with"), "{}", again.stderr);
    let view = project.json(&["show", "1"]);
    assert_eq!(
        (&view["data"]["title"], &view["data"]["document"]["priority"]),
        (&"B".into(), &"high".into())
    );
}

#[test]
fn without_an_editor_or_a_terminal_nothing_waits() {
    assert_eq!(project().run(&["edit", "1"]).code, 2);
}

#[test]
fn a_broken_document_is_named_with_its_place() {
    let project = project();
    project.ok(&["list"]);
    project.write(1, "id: milestone-001\ntitle: [\n");
    let doctor = project.run(&["doctor"]);
    assert_eq!(doctor.code, 1, "{doctor:?}");
    assert!(doctor.stdout.contains("milestone-001.yaml:"), "{}", doctor.stdout);
    let refused = project.run(&["task", "start", "1.1"]);
    assert_eq!(refused.code, 7, "{refused:?}");
}
