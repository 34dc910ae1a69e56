//! What telling agents changes, for people.

use super::page::Page;
use super::style;
use super::table::{Table, cell};
use super::words::count;
use crate::commands::integrate::{Listed, Told};
use crate::integration::agents::Agent;
use crate::integration::planned::{Planned, State};

/// A patch, line by line; what is coloured is also marked by its first character.
pub fn diff(page: &mut Page, diff: &str) {
    for line in diff.lines() {
        let style = match line.as_bytes().first() {
            _ if line.starts_with("+++ ") || line.starts_with("--- ") => style::HEAD,
            Some(b'+') => style::GOOD,
            Some(b'-') => style::BAD,
            Some(b'@') => style::ID,
            _ => style::PLAIN,
        };
        page.styled(style, line).end();
    }
}

pub fn files(page: &mut Page, files: &[Planned], dry_run: bool) {
    page.gap();
    let (current, rest): (Vec<_>, Vec<_>) =
        files.iter().partition(|planned| planned.state == State::Current);
    for planned in rest {
        let (style, word) = match (planned.state, dry_run) {
            (State::Created, false) => (style::GOOD, "written"),
            (State::Created, true) => (style::GOOD, "would be written"),
            (State::Updated, false) => (style::GOOD, "changed"),
            (State::Updated, true) => (style::GOOD, "would be changed"),
            (State::Removed, false) => (style::GOOD, "removed"),
            (State::Removed, true) => (style::GOOD, "would be removed"),
            (State::Current | State::Kept, _) => (style::WARN, "left alone"),
        };
        page.say(&planned.path).say(": ").styled(style, word);
        if let Some(because) = planned.because {
            page.say(", because ").say(because);
        }
        page.end();
    }
    if !current.is_empty() {
        let rest = if current.len() == 1 { "is as it should be" } else { "are as they should be" };
        page.say(count(current.len(), "file")).say(" ").say(rest).say(".").end();
    }
    if files.is_empty() {
        page.say("There is nothing of ours to take out.").end();
    }
    if files.iter().any(|planned| planned.state == State::Kept) {
        page.say("What was left alone is yours. To have the program's own text again, move yours")
            .end()
            .say("away (of a section: with both of its marks), and run this once more.")
            .end();
    }
}

pub fn how_to_call(page: &mut Page, agents: &[Agent]) {
    for agent in agents {
        page.say("In ").say(agent.title()).say(", type ");
        page.styled(style::HINT, agent.typed("plan")).say(" and what is to be reached.").end();
    }
}

pub fn list(page: &mut Page, agents: &[Listed]) {
    let mut table = Table::new(&["NAME", "AGENT", "TOLD", "TYPE", "SEEN HERE"]);
    for agent in agents {
        let (style, told) = match agent.state {
            Told::Yes => (style::GOOD, "yes"),
            Told::Partly => (style::WARN, "partly"),
            Told::No => (style::DIM, "no"),
        };
        table.row(vec![
            cell(style::ID, &agent.name),
            cell(style::PLAIN, agent.title),
            cell(style, told),
            cell(style::PLAIN, &agent.typed),
            cell(style::PLAIN, agent.seen.join(", ")),
        ]);
    }
    table.print(page);
}
