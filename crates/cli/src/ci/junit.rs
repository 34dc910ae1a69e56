//! How tasks came out, as a JUnit report: a task is a test.

use std::fmt::Write as _;

use milestone_domain::document::Milestone;
use milestone_engine::session::Session;

use super::outcome::{CameTo, Outcome};

pub fn report(document: &Milestone, session: Option<&Session>, outcomes: &[Outcome]) -> String {
    let count = |is: fn(&CameTo) -> bool| outcomes.iter().filter(|one| is(&one.came_to)).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\"",
        outcomes.len(),
        count(|came_to| matches!(came_to, CameTo::Failed(_))),
        count(|came_to| matches!(came_to, CameTo::Error(_))),
        count(|came_to| matches!(came_to, CameTo::NotDone(_))),
        outcomes.iter().map(|one| one.seconds).sum::<f64>(),
    );
    let title = escaped(&document.title);
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "<testsuites name=\"{}\" {counts}>", document.id);
    let _ = write!(text, "  <testsuite name=\"{}: {title}\" {counts}", document.id);
    if let Some(session) = session {
        let started = session.started.strftime("%Y-%m-%dT%H:%M:%SZ");
        let host = escaped(&session.host);
        let _ = write!(text, " timestamp=\"{started}\" hostname=\"{host}\"");
    }
    text.push_str(">\n");
    if let Some(session) = session {
        let id = escaped(&session.id);
        let _ = writeln!(
            text,
            "    <properties>\n      <property name=\"session\" value=\"{id}\"/>\n    </properties>"
        );
    }
    outcomes.iter().for_each(|one| case(&mut text, document, one));
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

fn case(text: &mut String, document: &Milestone, one: &Outcome) {
    let (name, seconds) = (escaped(&format!("{} {}", one.id, one.title)), one.seconds);
    let home = document.id;
    let _ =
        writeln!(text, "    <testcase classname=\"{home}\" name=\"{name}\" time=\"{seconds:.3}\">");
    let mut told = |element: &str, reason: &str| {
        let first = escaped(reason.lines().next().unwrap_or_default());
        let whole = escaped(reason);
        let _ = writeln!(text, "      <{element} message=\"{first}\">{whole}</{element}>");
    };
    match &one.came_to {
        CameTo::Done => {}
        CameTo::Failed(reason) => told("failure", reason),
        CameTo::Error(reason) => told("error", reason),
        CameTo::NotDone(reason) => told("skipped", reason),
    }
    if !one.attempts.is_empty() {
        let attempts = escaped(&one.attempts.join("\n"));
        let _ = writeln!(text, "      <system-out>{attempts}</system-out>");
    }
    text.push_str("    </testcase>\n");
}

/// A text within XML 1.0, in an attribute or between elements. What cannot stand in it in any form
/// is named.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            '\u{0}'..'\u{20}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use milestone_domain::ids::MilestoneId;
    use proptest::prelude::*;

    use super::super::outcome::testing::outcomes_that_say;
    use super::*;

    fn written(said: &str) -> String {
        let document = Milestone { title: said.to_owned(), ..Milestone::new(MilestoneId(1), "M") };
        report(&document, None, &outcomes_that_say(said))
    }

    /// A text as it comes back, where what XML cannot hold is named.
    fn named(said: &str) -> String {
        let bad = |c: char| {
            matches!(c, '\u{0}'..'\u{20}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
                && !matches!(c, '\n' | '\r' | '\t')
        };
        said.chars()
            .map(|c| if bad(c) { format!("\\u{{{:x}}}", u32::from(c)) } else { c.to_string() })
            .collect()
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_read_back(said in "\\PC*|.*|[<>&\"'\\]\\[!\u{0}-\u{1f}\u{7f}\u{fffe}%\n\r\t]*") {
            let text = written(&said);
            let xml = roxmltree::Document::parse(&text).unwrap();
            let suite = xml.root_element().first_element_child().unwrap();
            let title = format!("milestone-001: {}", named(&said));
            prop_assert_eq!(suite.attribute("name"), Some(title.as_str()));
            let counts = ["tests", "failures", "errors", "skipped"].map(|name| suite.attribute(name));
            prop_assert_eq!(counts, [Some("4"), Some("1"), Some("1"), Some("1")]);
            let cases: Vec<_> = suite.children().filter(|node| node.has_tag_name("testcase")).collect();
            prop_assert_eq!(cases.len(), 4);
            let name = format!("task-001-002 {}", named(&said));
            prop_assert_eq!(cases[1].attribute("name"), Some(name.as_str()));
            let failure = cases[1].first_element_child().unwrap();
            prop_assert!(failure.has_tag_name("failure"));
            prop_assert_eq!(failure.text().unwrap_or_default(), named(&said));
        }
    }
}
