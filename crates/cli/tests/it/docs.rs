//! The command reference is what the program says of itself.

use std::fmt::Write as _;
use std::fs;

use crate::environment::{Environment, repository};

/// The help of a command and of everything below it.
fn helps(project: &Environment, path: &[&str], text: &mut String) {
    let help = project.ok(&[path, &["--help"]].concat());
    let name = [&["milestone"], path].concat().join(" ");
    let depth = "#".repeat(2 + path.len().min(2));
    let title = if path.is_empty() { "## milestone".to_owned() } else { format!("{depth} {name}") };
    write!(text, "\n{title}\n\n```text\n{}\n```\n", help.trim_end()).unwrap();
    let commands = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let commands = commands.lines().take_while(|line| !line.is_empty());
    for command in commands.filter_map(|line| line.split_whitespace().next()) {
        helps(project, &[path, &[command]].concat(), text);
    }
}

#[test]
fn the_command_reference_is_current() {
    let mut text = "\
# Commands

Written by the program itself: `MILESTONE_WRITE_DOCS=1 cargo test --test it docs` makes it anew.
"
    .to_owned();
    helps(&Environment::new(), &[], &mut text);
    let file = repository().join("docs/commands.md");
    if std::env::var_os("MILESTONE_WRITE_DOCS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &text).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == text, "docs/commands.md is not what the help says; make it anew");
}

#[test]
fn every_command_shows_an_example() {
    let mut text = String::new();
    helps(&Environment::new(), &[], &mut text);
    for section in text.split("\n```text\n").skip(1) {
        assert!(section.contains("Examples:\n  "), "{section}");
    }
}
