//! Releases: whether one is ready, and its notes.

use milestone_domain::views::release::{Candidate, Note, Part, ReleaseNotes, ReleaseReady};

use super::page::{Page, clean};
use super::style;
use super::table::{Table, cell};

pub fn ready(page: &mut Page, view: &ReleaseReady) {
    if view.releases.is_empty() {
        page.say("No open milestone belongs to a release.").end();
    }
    view.releases.iter().for_each(|release| candidate(page, release));
}

fn candidate(page: &mut Page, view: &Candidate) {
    let (tone, state) = if view.ready { (style::GOOD, "ready") } else { (style::BAD, "not ready") };
    let name = view.release.as_deref().unwrap_or("without a release");
    page.gap().styled(style::HEAD, name).say(": ").styled(tone, state).end();
    let mut table = Table::new(&["", "", "", ""]).flowing();
    for part in &view.milestones {
        let tone = if part.ready { style::GOOD } else { style::WARN };
        table.row(vec![
            cell(style::ID, part.id),
            cell(style::PLAIN, format!("{}%", part.progress.percentage)),
            cell(style::PLAIN, &part.title),
            cell(tone, missing(part)),
        ]);
    }
    table.print(page);
    if view.ready {
        let release = view
            .release
            .as_ref()
            .map(|name| format!(" --release {}", milestone_domain::views::advice::quoted(name)));
        let command = format!("milestone archive --batch{}", release.unwrap_or_default());
        page.say("File it away: ").styled(style::HINT, command).end();
    }
}

fn missing(part: &Part) -> String {
    let mut missing = Vec::new();
    match part.open_tasks.as_slice() {
        [] => {}
        [only] => missing.push(format!("{only} is open")),
        tasks => missing.push(format!("{} tasks are open", tasks.len())),
    }
    match part.criteria_open {
        0 => {}
        1 => missing.push("1 criterion lacks evidence".into()),
        open => missing.push(format!("{open} criteria lack evidence")),
    }
    missing.extend(part.gates.iter().map(|phase| format!("{phase} is not approved")));
    if missing.is_empty() { "done".into() } else { missing.join(", ") }
}

/// Markdown, for a file, a forge or a mail.
pub fn notes(view: &ReleaseNotes) -> String {
    let release = view.release.as_deref().unwrap_or("Completed work");
    let date = view.date.map(|date| format!(" ({date})")).unwrap_or_default();
    let mut lines = vec![format!("# {}{date}", markdown(release))];
    if view.milestones.is_empty() {
        lines.extend([String::new(), "Nothing is completed yet.".into()]);
    }
    view.milestones.iter().for_each(|note| section(&mut lines, note));
    lines.push(String::new());
    lines.join("\n")
}

fn section(lines: &mut Vec<String>, note: &Note) {
    lines.extend([String::new(), format!("## {}", markdown(&note.title))]);
    let description = note.description.as_deref().unwrap_or_default().trim_end();
    paragraph(lines, description.lines().map(markdown).collect());
    paragraph(lines, note.goals.iter().map(|goal| format!("- {}", markdown(goal))).collect());
    let done = note.done.iter().map(|done| {
        let kind = done.kind.as_ref().map(|kind| format!("{}: ", markdown(kind)));
        format!("- {}{}", kind.unwrap_or_default(), markdown(&done.title))
    });
    paragraph(lines, done.collect());
}

fn paragraph(lines: &mut Vec<String>, more: Vec<String>) {
    if !more.is_empty() {
        lines.push(String::new());
        lines.extend(more);
    }
}

/// A text that is only text in Markdown, too.
pub fn markdown(text: &str) -> String {
    let special = |c: char| "\\`*_{}[]<>#|~&!".contains(c);
    let mut plain = String::new();
    for c in clean(text).chars() {
        if special(c) {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_only_text_in_markdown() {
        assert_eq!(
            markdown("[x](javascript:1) <b>*a*</b>\n# b"),
            r"\[x\](javascript:1) \<b\>\*a\*\</b\>\\n\# b"
        );
    }
}
