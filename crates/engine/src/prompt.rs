//! What an agent is told: a template with the task put in.
//!
//! A template is parsed before anything is put in, and what is put in is never looked at again: a
//! title that says `{{rules}}` is a title. A part that has nothing to say leaves no heading.

use std::fmt::Write;

/// Used where a project has none of its own.
pub const DEFAULT: &str = include_str!("prompt/default.md");

/// What an agent is told that reviews a stream.
pub const REVIEW: &str = include_str!("prompt/review.md");

/// So much of what went wrong before is told: the end, where most programs say it.
const FAILED_MAX: usize = 8 * 1024;

/// What there is to tell about one attempt.
#[derive(Debug, Clone, Copy, Default)]
pub struct Briefing<'a> {
    /// `milestone-001`.
    pub milestone: &'a str,
    pub milestone_title: &'a str,
    pub milestone_description: Option<&'a str>,
    /// What the task is called in a command, such as `1.3`.
    pub task: &'a str,
    pub title: &'a str,
    pub description: Option<&'a str>,
    /// What must be true of the milestone at its end.
    pub criteria: &'a [&'a str],
    /// Files and folders that the task is about.
    pub resources: &'a [&'a str],
    pub prerequisites: &'a [Delivered<'a>],
    /// Commands that must succeed afterwards.
    pub verify: &'a [&'a str],
    /// Which attempt it is, counted from 1.
    pub attempt: u64,
    /// Why the attempt before failed: what its verification printed, for example.
    pub failed: Option<&'a str>,
    /// The commit that the work of an earlier attempt is seen from, if this one goes on with it.
    pub begun_at: Option<&'a str>,
    /// The stream that is reviewed, and its tasks.
    pub stream: Option<&'a str>,
    pub tasks: &'a [Delivered<'a>],
    /// The two commits between which all of its work is.
    pub difference: Option<(&'a str, &'a str)>,
}

/// What one of the tasks before has brought.
#[derive(Debug, Clone, Copy)]
pub struct Delivered<'a> {
    pub task: &'a str,
    pub title: &'a str,
    /// What whoever did it said at the end, or the subject of its commit.
    pub what: Option<&'a str>,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("line {line} of the prompt's template has an unknown placeholder: {{{{{name}}}}}")]
    Unknown { name: String, line: usize },
    #[error("line {line} of the prompt's template opens a placeholder and does not close it")]
    Unclosed { line: usize },
}

/// Where something about the attempt is put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Milestone,
    MilestoneTitle,
    MilestoneDescription,
    Task,
    Title,
    Description,
    Criteria,
    Resources,
    Prerequisites,
    Verification,
    Failed,
    Begun,
    Stream,
    Tasks,
    Difference,
}

impl Part {
    const ALL: [Self; 15] = [
        Self::Milestone,
        Self::MilestoneTitle,
        Self::MilestoneDescription,
        Self::Task,
        Self::Title,
        Self::Description,
        Self::Criteria,
        Self::Resources,
        Self::Prerequisites,
        Self::Verification,
        Self::Failed,
        Self::Begun,
        Self::Stream,
        Self::Tasks,
        Self::Difference,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Milestone => "milestone",
            Self::MilestoneTitle => "milestone_title",
            Self::MilestoneDescription => "milestone_description",
            Self::Task => "task",
            Self::Title => "title",
            Self::Description => "description",
            Self::Criteria => "criteria",
            Self::Resources => "resources",
            Self::Prerequisites => "prerequisites",
            Self::Verification => "verification",
            Self::Failed => "failed",
            Self::Begun => "begun",
            Self::Stream => "stream",
            Self::Tasks => "tasks",
            Self::Difference => "difference",
        }
    }

    fn text(self, of: &Briefing<'_>) -> String {
        match self {
            Self::Milestone => of.milestone.to_owned(),
            Self::MilestoneTitle => of.milestone_title.to_owned(),
            Self::MilestoneDescription => paragraph(of.milestone_description),
            Self::Task => of.task.to_owned(),
            Self::Title => of.title.to_owned(),
            Self::Description => paragraph(of.description),
            Self::Criteria => list("What must be true when the milestone is done", of.criteria),
            Self::Resources => list("What this task is about", of.resources),
            Self::Prerequisites => {
                told("What was done before, and is in this folder", of.prerequisites)
            }
            Self::Verification => verification(of.verify),
            Self::Failed => failed(of),
            Self::Begun => begun(of.begun_at),
            Self::Stream => of.stream.unwrap_or_default().to_owned(),
            Self::Tasks => told("Its tasks, and what was said of each at its end", of.tasks),
            Self::Difference => difference(of.difference),
        }
    }
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Part(Part),
}

/// A template in which every placeholder is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

impl Template {
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let line = text[..text.len() - after.len()].lines().count().max(1);
            let (name, after) = after.split_once("}}").ok_or(TemplateError::Unclosed { line })?;
            if name.contains('\n') {
                return Err(TemplateError::Unclosed { line });
            }
            let name = name.trim();
            let part = Part::ALL.into_iter().find(|part| part.word() == name);
            let part = part.ok_or_else(|| TemplateError::Unknown { name: name.into(), line })?;
            pieces.extend([Piece::Text(before.to_owned()), Piece::Part(part)]);
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    /// The prompt for one attempt.
    pub fn filled(&self, briefing: &Briefing<'_>) -> String {
        let mut prompt = String::new();
        let mut is_after_nothing = false;
        for piece in &self.0 {
            match piece {
                // The empty line below a part that is not there goes with it.
                Piece::Text(text) if is_after_nothing && ends_empty_line(&prompt) => {
                    prompt.push_str(text.trim_start_matches('\n'));
                }
                Piece::Text(text) => prompt.push_str(text),
                Piece::Part(part) => {
                    let text = part.text(briefing);
                    is_after_nothing = text.is_empty();
                    prompt.push_str(&text);
                }
            }
        }
        prompt
    }
}

fn ends_empty_line(prompt: &str) -> bool {
    prompt.is_empty() || prompt.ends_with("\n\n")
}

fn paragraph(text: Option<&str>) -> String {
    text.unwrap_or_default().trim().to_owned()
}

fn list(heading: &str, items: &[&str]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: Vec<String> = items.iter().map(|item| format!("- {}", item.trim())).collect();
    format!("## {heading}\n\n{}", items.join("\n"))
}

fn told(heading: &str, delivered: &[Delivered<'_>]) -> String {
    let told = |one: &Delivered<'_>| {
        let mut told = format!("{} {}", one.task, one.title);
        if let Some(what) = one.what.map(str::trim).filter(|what| !what.is_empty()) {
            let _ = write!(told, ":\n{}", indented(what));
        }
        told
    };
    let told: Vec<String> = delivered.iter().map(told).collect();
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    list(heading, &told)
}

fn difference(of: Option<(&str, &str)>) -> String {
    let Some((from, to)) = of else { return String::new() };
    format!(
        "## What they changed\n\n    git diff {from} {to}\n\nand commit by commit:\n\n    git log -p {from}..{to}"
    )
}

fn verification(commands: &[&str]) -> String {
    if commands.is_empty() {
        return String::new();
    }
    let commands: Vec<String> = commands.iter().map(|command| indented(command)).collect();
    format!(
        "## How it will be verified\n\nEach of these commands is run in this folder afterwards and has to succeed:\n\n{}",
        commands.join("\n")
    )
}

fn failed(briefing: &Briefing<'_>) -> String {
    let Some(failed) = briefing.failed.map(str::trim).filter(|failed| !failed.is_empty()) else {
        return String::new();
    };
    format!(
        "## What failed before\n\nThis is attempt {}. The one before failed; do not repeat what it did. It ended with:\n\n{}",
        briefing.attempt,
        indented(end(failed))
    )
}

fn begun(at: Option<&str>) -> String {
    let Some(commit) = at else { return String::new() };
    format!(
        "## What is here already\n\nAn earlier attempt at this task ended before the task was done. What it did is in this folder and committed; this shows it:\n\n    git diff {commit}\n\nGo on from there, and put right what is not right."
    )
}

/// Text of others is set apart, so that a line of it is not taken for a heading of ours.
fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
    lines.join("\n")
}

fn end(text: &str) -> &str {
    let mut from = text.len().saturating_sub(FAILED_MAX);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Briefing<'_> = Briefing {
        milestone: "milestone-001",
        milestone_title: "Login",
        milestone_description: Some("People can log in."),
        task: "1.3",
        title: "Check passwords",
        description: Some("Against the table."),
        criteria: &["logging in takes a second"],
        resources: &["src/login.rs"],
        prerequisites: &[
            Delivered { task: "1.1", title: "Make the table", what: Some("It has\na salt.") },
            Delivered { task: "1.2", title: "Draw the form", what: None },
        ],
        verify: &["cargo test", "cargo fmt --check"],
        attempt: 2,
        failed: Some("assertion failed\n# not a heading"),
        begun_at: Some("1234567890"),
        stream: Some("tasks-001"),
        tasks: &[],
        difference: Some(("0123", "4567")),
    };

    fn prompt(briefing: &Briefing<'_>) -> String {
        Template::parse(DEFAULT).unwrap().filled(briefing)
    }

    #[test]
    fn everything_there_is_is_told() {
        let prompt = prompt(&FULL);
        for told in [
            "# Task 1.3: Check passwords",
            "milestone-001",
            "People can log in.",
            "Against the table.",
            "- logging in takes a second",
            "- src/login.rs",
            "- 1.1 Make the table:\n    It has\n    a salt.\n- 1.2 Draw the form\n",
            "    cargo test\n    cargo fmt --check\n",
            "This is attempt 2.",
            "    assertion failed\n    # not a heading\n",
            "    git diff 1234567890\n",
            "milestone task progress 1.3 PERCENT",
            "MILESTONE_FENCE",
            ".milestones/",
            "MILESTONE: nothing to change: ",
            "MILESTONE: blocked: ",
        ] {
            assert!(prompt.contains(told), "{told:?} is not in:\n{prompt}");
        }
    }

    #[test]
    fn a_part_with_nothing_to_say_leaves_nothing() {
        let briefing = Briefing { task: "1.1", title: "Begin", attempt: 1, ..Briefing::default() };
        let prompt = prompt(&briefing);
        for absent in ["What failed", "here already", "verified", "done before", "must be true"] {
            assert!(!prompt.contains(absent), "{absent:?} is in:\n{prompt}");
        }
        assert!(!prompt.contains("\n\n\n"), "{prompt}");
    }

    #[test]
    fn what_is_put_in_is_not_looked_at_again() {
        let template = Template::parse("{{title}}|{{ task }}|{ {title} }").unwrap();
        let briefing = Briefing { title: "{{task}} {{unknown}}", task: "{{title}}", ..FULL };
        assert_eq!(template.filled(&briefing), "{{task}} {{unknown}}|{{title}}|{ {title} }");
    }

    #[test]
    fn what_is_wrong_with_a_template_is_named() {
        let unknown = TemplateError::Unknown { name: "titel".into(), line: 2 };
        assert_eq!(
            unknown.to_string(),
            "line 2 of the prompt's template has an unknown placeholder: {{titel}}"
        );
        assert_eq!(Template::parse("a\nb {{titel}}"), Err(unknown));
        for text in ["{{title", "{{title\n}}", "x {{"] {
            assert_eq!(Template::parse(text), Err(TemplateError::Unclosed { line: 1 }), "{text}");
        }
        assert!(Template::parse("").is_ok());
    }

    #[test]
    fn of_a_long_failure_the_end_is_told() {
        let long = format!("begun{}the reason", "ä".repeat(FAILED_MAX));
        let prompt = prompt(&Briefing { failed: Some(&long), ..FULL });
        assert!(prompt.contains("the reason") && !prompt.contains("begun"));
    }

    #[test]
    fn the_words_that_agents_are_told_are_those_that_are_understood() {
        use crate::runners::{Said, said};
        let prompt = prompt(&FULL);
        let told: Vec<_> = prompt.lines().filter_map(said).collect();
        assert!(matches!(told[..], [Said::NothingToChange(_), Said::Blocked(_)]), "{told:?}");
    }

    #[test]
    fn a_review_is_told_what_to_look_at_and_how_to_answer() {
        use crate::runners::{Reviewed, reviewed};
        let tasks = [Delivered { task: "1.1", title: "Make the table", what: Some("It has one.") }];
        let prompt = Template::parse(REVIEW).unwrap().filled(&Briefing { tasks: &tasks, ..FULL });
        for told in [
            "# Review: tasks-001",
            "- 1.1 Make the table:\n    It has one.",
            "    git diff 0123 4567\n",
            "- logging in takes a second",
        ] {
            assert!(prompt.contains(told), "{told:?} is not in:\n{prompt}");
        }
        let told: Vec<_> = prompt.lines().filter_map(reviewed).collect();
        assert!(matches!(told[..], [Reviewed::Accepted(None), Reviewed::Rejected(_)]), "{told:?}");
    }
}
