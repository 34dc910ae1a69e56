//! What the program needs, and what it does where it cannot have it (P16, P20).

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::environment::{Environment, Ran};

/// What one command may ever take for itself, in KB.
const DATA_MAX: u32 = 64 << 10;

fn aliases() -> String {
    let mut text = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (n, before) in ('b'..='k').zip('a'..) {
        let items = vec![format!("*{before}"); 10].join(",");
        text.extend([n, ':', ' ', '&', n, ' ', '[']);
        text.push_str(&items);
        text.push_str("]\n");
    }
    text
}

#[test]
fn a_hostile_document_takes_no_more_than_64_mb() {
    let project = Environment::new();
    project.ok(&["plan", "Login", "--task", "Design"]);
    let bombs = [
        ("aliases", aliases()),
        ("depth", "[".repeat(100_000)),
        ("keys", (0..200_000).fold(String::new(), |text, n| text + &format!("k{n}: 1\n"))),
        ("size", format!("id: milestone-001\ntitle: {}\n", "x".repeat(100 << 20))),
    ];
    for (name, bomb) in bombs {
        project.write(1, &bomb);
        let milestone = project.command(&["doctor"]);
        let mut limited = Command::new("bash");
        let script = format!("ulimit -d {DATA_MAX} && exec \"$0\" doctor");
        limited.args(["-c", &script]).arg(milestone.get_program());
        limited.current_dir(project.project()).env_clear().env("HOME", project.home());
        let ran = Ran::from(limited.output().unwrap());
        assert_eq!(ran.code, 1, "{name}: {ran:?}");
        assert!(ran.stdout.contains("active/milestone-001.yaml:"), "{name}: {ran:?}");
    }
}

#[test]
fn somebody_elses_project_is_left_alone() {
    let project = Environment::new();
    project.ok(&["plan", "Login"]);
    if fs::metadata(project.project()).unwrap().uid() != 0 {
        println!("skipped: only root can be somebody else");
        return;
    }
    // Theirs to read and to write, so that it is not the file system that keeps them out.
    open_to_all(&project.project());
    let mut parent = project.project();
    while parent.pop() && parent.starts_with(std::env::temp_dir()) {
        let _ = fs::set_permissions(&parent, fs::Permissions::from_mode(0o755));
    }
    let binary = project.home().join("milestone");
    fs::copy(project.command(&[]).get_program(), &binary).unwrap();
    for verb in [&["list"][..], &["plan", "Theirs"]] {
        let mut command = Command::new(&binary);
        command.args(verb).current_dir(project.project()).env_clear().uid(65_534).gid(65_534);
        let ran = Ran::from(command.output().unwrap());
        assert_eq!((ran.code, ran.stdout.as_str()), (6, ""), "{verb:?}: {ran:?}");
        assert!(ran.stderr.contains("another user (0)") && ran.stderr.contains("hint:"), "{ran:?}");
    }
    assert!(!project.document(2).exists());
}

fn open_to_all(place: &Path) {
    let mode = if place.is_dir() { 0o777 } else { 0o666 };
    fs::set_permissions(place, fs::Permissions::from_mode(mode)).unwrap();
    if place.is_dir() {
        fs::read_dir(place).unwrap().for_each(|entry| open_to_all(&entry.unwrap().path()));
    }
}
