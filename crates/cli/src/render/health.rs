//! The machine and the project's state.

use super::page::Page;
use super::style;
use super::table::{Facts, Table, cell};
use super::words::bytes;
use crate::commands::health::{Health, State, System};

pub fn system(page: &mut Page, view: &System) {
    let mut facts = Facts::new();
    let mut fact = |name: &str, said: String| facts.say(name, style::PLAIN, said);
    fact("store", view.store.to_owned());
    fact("folder", view.folder.clone());
    fact("disk", share(view.disk_free, view.disk_total));
    fact("memory", share(view.memory_available, view.memory_total));
    let load = view.load.map_or("not known here".to_owned(), |load| format!("{load:.2}"));
    fact("load", format!("{load} on {} processors", view.processors));
    fact("git", view.git.clone().unwrap_or_else(|| "not installed".into()));
    fact("claims", format!("{} running, {} ended", view.claims_live, view.claims_ended));
    facts.print(page);
    page.say("Pass or fail, with what to do: ");
    page.styled(style::HINT, "milestone update --health-check").end();
}

fn share(free: Option<u64>, total: Option<u64>) -> String {
    match (free, total) {
        (Some(free), Some(total)) => format!("{} free of {}", bytes(free), bytes(total)),
        _ => "not known here".into(),
    }
}

pub fn checks(page: &mut Page, view: &Health) {
    let mut table = Table::new(&["", "", ""]);
    for check in &view.checks {
        let (tone, word) = match check.state {
            State::Pass => (style::GOOD, "pass"),
            State::Warn => (style::WARN, "warn"),
            State::Fail => (style::BAD, "FAIL"),
        };
        table.row(vec![
            cell(tone, word),
            cell(style::PLAIN, check.name),
            cell(style::DIM, &check.said),
        ]);
    }
    table.print(page);
    let next = view.checks.iter().filter_map(|check| Some((check.name, check.next.as_ref()?)));
    for (number, (name, next)) in next.enumerate() {
        if number == 0 {
            page.heading("What to do about it");
        }
        page.say("- ").say(name).say(": ").styled(style::HINT, next).end();
    }
}
