//! How tasks came out, as Markdown for the page of a job.

use std::fmt::Write as _;

use milestone_domain::document::Milestone;

use super::outcome::{CameTo, Outcome};

/// A host shows a megabyte at most.
const TASKS_MAX: usize = 500;

/// How much of a reason is shown; the report has all of it.
const REASON_CHARS_MAX: usize = 300;

pub fn summary(document: &Milestone, outcomes: &[Outcome]) -> String {
    let done = outcomes.iter().filter(|one| one.came_to == CameTo::Done).count();
    let title = escaped(&document.title);
    let mut text = format!("### {}: {title}\n\n", document.id);
    // Writing to a string cannot fail.
    let _ =
        writeln!(text, "{done} of {} tasks done\n\n| task | | |\n|---|---|---|", outcomes.len());
    for one in outcomes.iter().take(TASKS_MAX) {
        let (word, why) = match &one.came_to {
            CameTo::Done => ("done", ""),
            CameTo::Failed(why) => ("**failed**", why.as_str()),
            CameTo::Error(why) => ("**error**", why.as_str()),
            CameTo::NotDone(why) => ("not done", why.as_str()),
        };
        let why: String = why.chars().take(REASON_CHARS_MAX).collect();
        let (title, why) = (escaped(&one.title), escaped(&why));
        let _ = writeln!(text, "| {} {title} | {word} | {why} |", one.id);
    }
    if outcomes.len() > TASKS_MAX {
        let _ = writeln!(text, "\nand {} more", outcomes.len() - TASKS_MAX);
    }
    text.push('\n');
    text
}

/// A text in one line, of which nothing is Markdown or HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => escaped.push(' '),
            c if c.is_control() => {}
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' => escaped.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '~' | '!' | '|' | '$' => {
                escaped.extend(['\\', c]);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use milestone_domain::ids::MilestoneId;

    use super::super::outcome::testing::outcomes_that_say;
    use super::*;

    #[test]
    fn a_title_stays_in_its_cell_and_is_only_text() {
        let said = "a | b\n# <img src=x> `c` [d](http://e) @ada";
        let document = Milestone { title: said.to_owned(), ..Milestone::new(MilestoneId(1), "M") };
        let text = summary(&document, &outcomes_that_say(said));
        let cell = "a \\| b \\# &lt;img src=x&gt; \\`c\\` \\[d\\](http://e) &#64;ada";
        assert!(text.starts_with(&format!("### milestone-001: {cell}\n\n1 of 4 tasks done\n")));
        assert!(text.contains(&format!("| task-001-002 {cell} | **failed** | {cell} |\n")));
        assert_eq!(text.lines().filter(|line| line.starts_with('|')).count(), 6);
    }
}
