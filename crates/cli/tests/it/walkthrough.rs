//! The examples of the documentation, run as they stand.
//!
//! In a `console` block a line that begins with `$ ` is a command, and what follows is what it
//! prints, standard error included. `[..]` stands for anything within a line, a date for any date.
//! The blocks of one page share one folder. `MILESTONE_WRITE_DOCS=1` writes what is printed into
//! the page.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::environment::repository;

/// A block's lines, as steps: a command, and what it is said to print.
#[derive(Debug, Default)]
struct Step {
    command: String,
    output: String,
}

fn run(command: &str, folder: &Path) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_milestone")).parent().unwrap();
    let output = Command::new("bash")
        .args(["-c", &format!("exec 2>&1; {command}")])
        .current_dir(folder.join("project"))
        .env_clear()
        .env("HOME", folder)
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", binary.display()))
        .env("MILESTONE_ACTOR", "ada")
        .env("MILESTONE_CALENDAR_ZONE", "UTC")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .envs([("GIT_AUTHOR_NAME", "ada"), ("GIT_AUTHOR_EMAIL", "ada@example.invalid")])
        .envs([("GIT_COMMITTER_NAME", "ada"), ("GIT_COMMITTER_EMAIL", "ada@example.invalid")])
        .envs(
            std::env::var("MILESTONE_TEST_DATABASE_URL").map(|url| ("MILESTONE_DATABASE_URL", url)),
        )
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A line with every date replaced: what a page shows was printed on another day.
fn undated(line: &str) -> String {
    let is_date = |text: &[u8]| {
        text.len() == 10
            && text.iter().enumerate().all(|(at, byte)| match at {
                4 | 7 => *byte == b'-',
                _ => byte.is_ascii_digit(),
            })
    };
    let (mut bytes, mut at) = (line.as_bytes().to_vec(), 0);
    while at + 10 <= bytes.len() {
        if is_date(&bytes[at..at + 10]) {
            bytes.splice(at..at + 10, *b"YYYY-MM-DD");
        }
        at += 1;
    }
    String::from_utf8(bytes).unwrap()
}

/// Whether a line is as the page says, where `[..]` stands for anything.
fn matches(said: &str, line: &str) -> bool {
    let (said, line) = (undated(said), undated(line));
    let line = line.as_str();
    let mut parts = said.split("[..]");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (at, part) in parts.iter().enumerate() {
        if at + 1 == parts.len() {
            return rest.ends_with(part);
        }
        let Some(found) = rest.find(part) else { return false };
        rest = &rest[found + part.len()..];
    }
    rest.is_empty()
}

fn same(said: &str, printed: &str) -> bool {
    let (said, printed): (Vec<_>, Vec<_>) = (said.lines().collect(), printed.lines().collect());
    said.len() == printed.len() && said.iter().zip(&printed).all(|(s, p)| matches(s, p.trim_end()))
}

fn steps(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command: command.into(), ..Step::default() }),
            (None, Some(step)) => step.output.extend([line, "\n"]),
            (None, None) => panic!("a block begins with a command: {block}"),
        }
    }
    steps
}

/// Runs every block of a page; answers the page as it should be.
fn follow(page: &str) -> (String, Vec<String>) {
    let temp = tempfile::tempdir().unwrap();
    fs::create_dir(temp.path().join("project")).unwrap();
    let (mut text, mut wrong) = (String::new(), Vec::new());
    let mut parts = page.split("```console\n");
    text.push_str(parts.next().unwrap());
    for part in parts {
        let (block, after) = part.split_once("```").unwrap();
        text.push_str("```console\n");
        for step in steps(block) {
            let printed = run(&step.command, temp.path());
            let right = same(&step.output, &printed);
            // A page does not name the folder of a test.
            let printed = printed.replace(&temp.path().display().to_string(), "[..]");
            let output = if right { &step.output } else { &printed };
            text.extend(["$ ", &step.command, "\n", output]);
            if !right {
                wrong.push(format!(
                    "$ {}\n{printed}but the page says\n{}",
                    step.command, step.output
                ));
            }
        }
        text.extend(["```", after]);
    }
    (text, wrong)
}

fn check(name: &str) {
    let file = repository().join(name);
    let (text, wrong) = follow(&fs::read_to_string(&file).unwrap());
    if std::env::var_os("MILESTONE_WRITE_DOCS").is_some() {
        fs::write(&file, text).unwrap();
        return;
    }
    assert!(wrong.is_empty(), "{name} is not what happens:\n{}", wrong.join("\n"));
}

#[test]
fn a_first_day_goes_as_the_page_says() {
    check("docs/first-day.md");
}

#[test]
fn a_team_works_as_the_page_says() {
    check("docs/team.md");
}

#[test]
fn workers_help_as_the_page_says() {
    check("docs/workers.md");
}

#[test]
fn storing_goes_as_the_page_says() {
    check("docs/storage.md");
}

#[test]
fn a_workflow_goes_as_the_page_says() {
    check("docs/workflow.md");
}

#[test]
fn charts_are_as_their_page_says() {
    check("docs/charts.md");
}

#[test]
fn templates_work_as_the_page_says() {
    check("docs/templates.md");
}

#[test]
fn the_quick_start_goes_as_it_says() {
    check("docs/quick-start.md");
}

#[test]
fn the_guide_goes_as_it_says() {
    check("docs/guide.md");
}

#[test]
fn executing_goes_as_the_page_says() {
    check("docs/execute.md");
}

#[test]
fn a_ci_works_as_the_page_says() {
    check("docs/ci.md");
}

#[test]
fn migrating_goes_as_the_page_says() {
    check("docs/migration.md");
}

#[test]
fn the_architecture_page_shows_what_is_there() {
    check("docs/architecture.md");
}

#[test]
fn trouble_is_as_its_page_says() {
    check("docs/trouble.md");
}

#[test]
fn a_simple_feature_goes_as_its_example_says() {
    check("docs/examples/simple-feature.md");
}

#[test]
fn research_goes_as_its_example_says() {
    check("docs/examples/research.md");
}

#[test]
fn infrastructure_goes_as_its_example_says() {
    check("docs/examples/infrastructure.md");
}

#[test]
fn dependent_milestones_go_as_their_example_says() {
    check("docs/examples/dependent-milestones.md");
}

#[test]
fn anything_stands_for_anything_within_a_line() {
    assert!(matches("a [..] c", "a b b c") && matches("[..]", "") && matches("x", "x"));
    assert!(!matches("a [..] c", "a b d") && !matches("x", "xy") && !matches("[..]x", "y"));
}
