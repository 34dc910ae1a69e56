//! What a request for review says of a milestone: Markdown, for any forge.

use milestone_domain::document::Milestone;
use milestone_domain::ids::TaskId;

use super::page::clean;
use super::release::markdown;

/// Forges take no longer titles.
const TITLE_CHARS_MAX: usize = 200;

/// Some programs take it as one word, which may have no more than 128 kilobytes.
const BODY_CHARS_MAX: usize = 30_000;

/// A task that is in the branch.
#[derive(Debug)]
pub struct Done {
    pub id: TaskId,
    pub title: String,
    pub commit: Option<String>,
    /// How it was seen to be done.
    pub evidence: Option<String>,
}

pub fn title(document: &Milestone) -> String {
    let title = clean(document.title.trim());
    if title.chars().count() <= TITLE_CHARS_MAX {
        return title;
    }
    let cut: String = title.chars().take(TITLE_CHARS_MAX - 1).collect();
    format!("{}…", cut.trim_end())
}

pub fn body(document: &Milestone, done: &[Done], verified: &[String]) -> String {
    let mut lines: Vec<String> = Vec::new();
    let description = document.description.as_deref().unwrap_or_default().trim_end();
    lines.extend(description.lines().map(markdown));
    section(&mut lines, "Tasks", done.iter().map(task).collect());
    let together = verified.iter().map(|command| format!("- {}", code(command)));
    section(&mut lines, "Verified together", together.collect());
    let body = lines.join("\n").trim_start().to_owned() + "\n";
    body.chars().take(BODY_CHARS_MAX).collect()
}

fn task(done: &Done) -> String {
    let short = |commit: &String| format!(" ({})", &commit[..commit.len().min(12)]);
    let commit = done.commit.as_ref().map(short).unwrap_or_default();
    let evidence = done.evidence.as_ref().map(|how| format!(": {}", markdown(how)));
    let title = markdown(&done.title);
    format!("- {} {title}{commit}{}", done.id, evidence.unwrap_or_default())
}

/// A command that is only shown, whatever it holds.
fn code(command: &str) -> String {
    let command = clean(command);
    match command.contains('`') {
        true => markdown(&command),
        false => format!("`{command}`"),
    }
}

fn section(lines: &mut Vec<String>, head: &str, more: Vec<String>) {
    if !more.is_empty() {
        lines.extend([String::new(), format!("## {head}"), String::new()]);
        lines.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use milestone_domain::ids::MilestoneId;

    use super::*;

    #[test]
    fn it_says_what_was_done_and_how_that_was_seen() {
        let id = MilestoneId(1);
        let mut document = Milestone::new(id, "Login");
        document.description = Some("People <b>sign in</b>\nby mail.".into());
        let done = [
            Done {
                id: TaskId::new(id, 1),
                title: "The form [x](javascript:1)".into(),
                commit: Some("0123456789abcdef".into()),
                evidence: Some("verified by `cargo test`".into()),
            },
            Done { id: TaskId::new(id, 2), title: "Tell".into(), commit: None, evidence: None },
        ];
        insta::assert_snapshot!(body(&document, &done, &["cargo test --all".into()]), @r"
        People \<b\>sign in\</b\>
        by mail.

        ## Tasks

        - task-001-001 The form \[x\](javascript:1) (0123456789ab): verified by \`cargo test\`
        - task-001-002 Tell

        ## Verified together

        - `cargo test --all`
        ");
        assert_eq!(body(&Milestone::new(id, "Nothing"), &[], &[]), "\n");
    }

    #[test]
    fn a_title_is_one_line_of_text() {
        let long = "x".repeat(300);
        let document = Milestone::new(MilestoneId(1), &format!("a\nb\u{1b}[31m {long}"));
        let title = title(&document);
        assert!(title.chars().count() <= TITLE_CHARS_MAX, "{title}");
        assert!(!title.contains(['\n', '\u{1b}']), "{title}");
    }
}
