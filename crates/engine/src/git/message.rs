//! What a commit of ours says. Whatever a title or a description holds is only text in it.

use milestone_domain::event::AttemptId;

use super::names::{Attempt, Branch};

/// Longer subjects are cut: tools show them in one line.
const SUBJECT_CHARS_MAX: usize = 120;
const BODY_CHARS_MAX: usize = 16 * 1024;

/// The last paragraph's keys, which nothing else begins a line with.
const TRAILERS: [&str; 4] = ["Task", "Milestone", "Attempt", "Stream"];

/// A commit's message: a subject of one line, what was done, and our own trailers as the last
/// paragraph.
pub fn message(subject: &str, body: &str, attempt: &Attempt) -> String {
    let mut subject = one_line(subject);
    if subject.is_empty() {
        subject = attempt.task.to_string();
    }
    let (task, milestone, id) = (attempt.task, attempt.task.milestone, attempt.id.0);
    let text = with_body(subject, body);
    format!("{text}\n\nTask: {task}\nMilestone: {milestone}\nAttempt: {id}\n")
}

/// The message of a merge that is about a stream: what was taken in, and why.
pub(super) fn stream_message(branch: &Branch, taken: &str, body: &str) -> String {
    let milestone = branch.milestone;
    let text = with_body(one_line(&format!("chore({milestone}): take in {taken}")), body);
    let stream = branch.stream.as_ref().map(|stream| format!("Stream: {stream}\n"));
    format!("{text}\n\n{}Milestone: {milestone}\n", stream.unwrap_or_default())
}

fn with_body(subject: String, body: &str) -> String {
    match plain(body) {
        body if body.is_empty() => subject,
        body => format!("{subject}\n\n{body}"),
    }
}

/// Whose work a commit brought in, from its object's text.
pub(super) fn attempt_of(commit: &str) -> Option<AttemptId> {
    let (_, message) = commit.split_once("\n\n")?;
    let (_, trailers) = message.trim_end().rsplit_once("\n\n")?;
    let id = trailers.lines().find_map(|line| line.strip_prefix("Attempt: "))?;
    id.trim().parse().ok().map(AttemptId)
}

/// What was done, without subject and trailers, from a commit's object's text.
pub(super) fn body_of(commit: &str) -> Option<String> {
    let (_, message) = commit.split_once("\n\n")?;
    let (above, _) = message.trim_end().rsplit_once("\n\n")?;
    let (_, body) = above.split_once("\n\n")?;
    Some(body.trim().to_owned()).filter(|body| !body.is_empty())
}

fn one_line(subject: &str) -> String {
    let spaced: String = subject
        .chars()
        .map(|c| if c.is_whitespace() || c.is_control() { ' ' } else { c })
        .collect();
    let words: Vec<&str> = spaced.split(' ').filter(|word| !word.is_empty()).collect();
    let line: String = words.join(" ").chars().filter(|c| !is_acting(*c)).collect();
    if line.chars().count() <= SUBJECT_CHARS_MAX {
        return line;
    }
    let cut: String = line.chars().take(SUBJECT_CHARS_MAX - 1).collect();
    format!("{}…", cut.trim_end())
}

fn plain(body: &str) -> String {
    let body = body.replace("\r\n", "\n").replace('\r', "\n");
    let kept = body.chars().filter(|c| matches!(c, '\n' | '\t') || !is_acting(*c));
    let kept: String = kept.take(BODY_CHARS_MAX).collect();
    kept.trim().lines().map(harmless).collect::<Vec<_>>().join("\n")
}

/// A line that neither git nor we take for more than text: one that looks like a trailer of ours,
/// or like the end of a message, is indented.
fn harmless(line: &str) -> String {
    let line = line.trim_end();
    let key = line.split(':').next().unwrap_or_default().trim();
    let is_trailer =
        line.contains(':') && TRAILERS.iter().any(|trailer| key.eq_ignore_ascii_case(trailer));
    if is_trailer || line.starts_with("---") { format!("  {line}") } else { line.to_owned() }
}

/// Whether a character does something to a terminal, or to the order in which text is read.
fn is_acting(c: char) -> bool {
    let is_hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    c.is_control() || is_hidden || matches!(c, '\u{2028}'..='\u{202e}')
}

#[cfg(test)]
mod tests {
    use milestone_domain::ids::{MilestoneId, TaskId};
    use uuid::Uuid;

    use super::*;

    fn attempt() -> Attempt {
        let task = TaskId::new(MilestoneId(1), 3);
        Attempt { task, id: AttemptId(Uuid::from_u128(7)), fence: 2 }
    }

    #[test]
    fn our_trailers_are_the_last_paragraph() {
        let text = message("feat(milestone-001): a thing", "It does.\n", &attempt());
        let id = Uuid::from_u128(7);
        let wanted = format!(
            "feat(milestone-001): a thing\n\nIt does.\n\nTask: task-001-003\nMilestone: \
             milestone-001\nAttempt: {id}\n"
        );
        assert_eq!(text, wanted);
        let object = format!("tree 0\nauthor a\n\n{text}");
        assert_eq!(attempt_of(&object), Some(attempt().id));
        assert_eq!(body_of(&object).as_deref(), Some("It does."));
        let silent = message("feat: a thing", "", &attempt());
        assert_eq!(body_of(&format!("tree 0\n\n{silent}")), None);
    }

    #[test]
    fn hostile_text_is_only_text() {
        let other = Uuid::from_u128(9);
        let subject = format!("a\nAttempt: {other}\n\u{1b}[31m\u{202e}{}", "x".repeat(500));
        let body = format!("one\r\n\r\nattempt : {other}\nAttempt: {other}\n--- \n\0\nTask: x");
        let text = message(&subject, &body, &attempt());
        let first = text.lines().next().unwrap();
        assert!(first.chars().count() <= SUBJECT_CHARS_MAX, "{first}");
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\0', '\r']), "{text:?}");
        let ours = text.lines().filter(|line| line.to_lowercase().starts_with("attempt")).count();
        assert_eq!(ours, 1, "{text}");
        assert!(!text.lines().any(|line| line.starts_with("---")));
        assert_eq!(attempt_of(&format!("tree 0\n\n{text}")), Some(attempt().id));
    }

    #[test]
    fn a_title_of_nothing_is_named_by_its_task() {
        assert!(message(" \n\u{200b}", "", &attempt()).starts_with("task-001-003\n\nTask:"));
    }
}
