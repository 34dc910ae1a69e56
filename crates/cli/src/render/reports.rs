//! The views that stand beside the dashboard.

use anstyle::Style;
use jiff::civil::Date;
use milestone_domain::views::Related;
use milestone_domain::views::dashboard::{Pair, Step};
use milestone_domain::views::flow::{Flow, Known};
use milestone_domain::views::load::Load;
use milestone_domain::views::upcoming::{Due, Upcoming};
use milestone_domain::views::waits::{Links, Waits};

use super::chart::bars::bar;
use super::dashboard::{LINES_MAX, pairs, path, velocity as said_velocity};
use super::page::Page;
use super::table::{Facts, Table, cell};
use super::{style, words};

pub fn waits(page: &mut Page, view: &Waits, critical: &[Step]) {
    page.heading("Dependencies");
    let linked = |links: &&Links| {
        !(links.requires.is_empty() && links.required_by.is_empty() && links.conditions.is_empty())
    };
    let mut none = true;
    for links in view.milestones.iter().filter(linked) {
        none = false;
        self::links(page, links);
    }
    if none {
        page.say("No open milestone waits for another one.").end();
    }
    if let Some(cycle) = &view.cycle {
        let path: Vec<_> = cycle.iter().map(ToString::to_string).collect();
        page.heading("Cycle").styled(style::BAD, path.join(" → ")).end();
    }
    if !critical.is_empty() {
        page.heading("Critical path");
        path(page, critical, LINES_MAX);
        words::more(page, critical.len(), LINES_MAX);
    }
    if !view.holding.is_empty() {
        page.heading("What holds up the most");
        let mut table = Table::new(&["ID", "WAITING", "CHAIN", "TITLE"]);
        for held in &view.holding {
            let mark = if held.critical { " ◆" } else { "" };
            table.row(vec![
                cell(style::ID, held.what.id),
                cell(style::PLAIN, held.waiting),
                cell(style::PLAIN, words::about(held.downstream)),
                cell(style::PLAIN, format!("{}{mark}", title(&held.what))),
            ]);
        }
        table.print(page);
        let first = &view.holding[0].what.id;
        next(page, "Begin with the first: ", &format!("milestone show {first}"));
    }
    if !view.stuck.is_empty() {
        page.heading("What only a person can free");
        for stuck in &view.stuck {
            page.styled(style::ID, stuck.what.id).say("  ").say(title(&stuck.what)).end();
            for reason in words::reasons(&stuck.reasons) {
                page.say("  ").styled(style::DIM, reason).end();
            }
        }
        words::more(page, view.stuck_total, view.stuck.len());
    }
}

fn links(page: &mut Page, links: &Links) {
    page.styled(style::ID, links.what.id).say("  ").say(title(&links.what)).end();
    let mut line = |word: &str, related: &Related| {
        let status = related.status.map_or("missing".into(), milestone_domain::readiness::spoken);
        page.say("  ").styled(style::DIM, word).say(" ").styled(style::ID, related.id);
        page.styled(style::DIM, format!(" ({status})")).say("  ").say(title(related)).end();
    };
    links.requires.iter().for_each(|related| line("requires", related));
    links.required_by.iter().for_each(|related| line("required by", related));
    for condition in &links.conditions {
        let (tone, state) =
            if condition.holds { (style::GOOD, "holds") } else { (style::WARN, "open") };
        page.say("  ").styled(style::DIM, "condition ").say(&condition.name).say(" ");
        page.styled(tone, state).end();
    }
}

pub fn conflicts(page: &mut Page, view: &[Pair]) {
    page.heading("Conflicts");
    if view.is_empty() {
        page.say("Nothing gets in anything's way.").end();
        return;
    }
    pairs(page, view);
    let text =
        "Let one wait for the other (`milestone task set ID --requires OTHER`), or move a date.";
    page.styled(style::DIM, text).end();
}

pub fn upcoming(page: &mut Page, view: &Upcoming) {
    page.heading(format!("Due until {}", view.until));
    if view.due.is_empty() {
        page.say("Nothing.").end();
    } else {
        due(page, &view.due, view.due_total, view.until);
    }
    page.heading("Ready next");
    if view.ready_next.is_empty() {
        page.say("Nothing waits only for what is under way.").end();
    }
    let mut table = Table::new(&["", "", "", ""]);
    for next in &view.ready_next {
        table.row(vec![
            cell(style::ID, next.what.id),
            cell(style::PLAIN, next.start.map(|start| format!("from {start}")).unwrap_or_default()),
            cell(style::PLAIN, title(&next.what)),
            cell(style::DIM, words::reasons(&next.after).join("; ")),
        ]);
    }
    table.print(page);
    words::more(page, view.ready_next_total, view.ready_next.len());
    next(page, "What is ready now: ", "milestone next");
}

/// Deadlines, each with when the plan reaches it.
pub fn due(page: &mut Page, lines: &[Due], all: usize, today: Date) {
    let mut table = Table::new(&["", "", "", ""]);
    for line in lines.iter().take(LINES_MAX) {
        let late = line.finish.is_some_and(|finish| finish > line.due) || line.due < today;
        let finish = line.finish.map(|finish| format!("earliest {finish}")).unwrap_or_default();
        table.row(vec![
            cell(style::ID, line.what.id),
            cell(if late { style::WARN } else { style::PLAIN }, line.due),
            cell(if late { style::WARN } else { style::DIM }, finish),
            cell(style::PLAIN, title(&line.what)),
        ]);
    }
    table.print(page);
    words::more(page, all, lines.len().min(LINES_MAX));
}

pub fn velocity(page: &mut Page, flow: &Flow) {
    page.heading("Velocity");
    page.say(said_velocity(page.glyphs(), flow)).end();
    let most = flow.spans.iter().map(|span| span.completed).max().unwrap_or(0).max(1);
    let mut table = Table::new(&["FROM", "DONE", "", "WORK"]);
    for span in &flow.spans {
        let percent = span.completed * 100 / most;
        table.row(vec![
            cell(style::PLAIN, span.starts),
            cell(style::PLAIN, span.completed),
            cell(style::GOOD, bar(page.glyphs(), percent, 24)),
            cell(style::DIM, words::about(span.work)),
        ]);
    }
    table.print(page);
    if !flow.spans.is_empty() {
        let unit = flow.by.word();
        page.styled(style::DIM, format!("The last {unit} is not over.")).end();
    }
}

pub fn performance(page: &mut Page, flow: &Flow) {
    page.heading("Performance");
    let mut facts = Facts::new();
    facts.say("throughput", style::PLAIN, said_velocity(page.glyphs(), flow));
    let (tone, cycle) = match &flow.cycle {
        Known::Known { value } => (
            style::PLAIN,
            format!(
                "half of the tasks take {} or less, four of five {} ({})",
                words::about(value.median),
                words::about(value.p80),
                words::count(value.tasks, "task")
            ),
        ),
        Known::TooLittle { have, needed } => too_little(*have, *needed),
    };
    facts.say("cycle time", tone, cycle);
    let (tone, busy) = match &flow.busy {
        Known::Known { value } => {
            (style::PLAIN, format!("somebody worked in {value}% of the working time"))
        }
        Known::TooLittle { have, needed } => too_little(*have, *needed),
    };
    facts.say("efficiency", tone, busy);
    let (tone, accuracy) = match &flow.accuracy {
        Known::Known { value } => (
            if value.median_percent > 120 { style::WARN } else { style::PLAIN },
            format!(
                "tasks take {}% of their estimates; {} of {} took no longer",
                value.median_percent, value.within, value.tasks
            ),
        ),
        Known::TooLittle { have, needed } => too_little(*have, *needed),
    };
    facts.say("estimates", tone, accuracy);
    facts.print(page);
    if flow.measured == 0 {
        let text = "Time is measured between `milestone task start` (or `claim`) and `done`.";
        page.styled(style::DIM, text).end();
    }
}

fn too_little(have: usize, needed: usize) -> (Style, String) {
    (style::DIM, format!("known after {needed} measured tasks ({have} yet)"))
}

pub fn load(page: &mut Page, view: &Load) {
    page.heading(format!("Load over the next {} working days", view.horizon_days));
    let mut table = Table::new(&["WHO", "", "", "WORK", "TASKS", "HOLDS"]);
    for share in view.people.iter().take(LINES_MAX) {
        let held: Vec<_> = share.held.iter().map(ToString::to_string).collect();
        let tone = if share.percent > 100 { style::WARN } else { style::GOOD };
        table.row(vec![
            cell(style::PLAIN, &share.name),
            cell(tone, bar(page.glyphs(), share.percent, 10)),
            cell(tone, format!("{}%", share.percent)),
            cell(style::PLAIN, words::about(share.work)),
            cell(style::PLAIN, share.tasks),
            cell(style::ID, held.join(" ")),
        ]);
    }
    table.print(page);
    if view.people.is_empty() {
        page.say("Nobody holds or is assigned anything.").end();
    }
    words::more(page, view.people.len(), LINES_MAX);
    if view.unassigned > 0 {
        page.say(words::count(view.unassigned, "task"))
            .say(if view.unassigned == 1 { " is" } else { " are" })
            .say(format!(" nobody's yet: {} of work.", words::about(view.unassigned_work)))
            .end();
    }
    if !view.paths.is_empty() {
        page.heading("Paths that several tasks want");
        let mut table = Table::new(&["", "", "", ""]);
        for path in view.paths.iter().take(LINES_MAX) {
            let tasks: Vec<_> = path.tasks.iter().take(6).map(ToString::to_string).collect();
            let held = path.held_by.map(|id| format!("in use by {id}")).unwrap_or_default();
            table.row(vec![
                cell(style::PLAIN, &path.path),
                cell(style::PLAIN, words::count(path.tasks.len(), "task")),
                cell(style::WARN, held),
                cell(style::DIM, tasks.join(" ")),
            ]);
        }
        table.print(page);
        words::more(page, view.paths.len(), LINES_MAX);
    }
    let over = view.people.iter().find(|share| share.percent > 100);
    if let Some(share) = over {
        page.say(&share.name).say(" has more to do than fits: give some of it to others.").end();
        next(page, "  ", "milestone task set ID --assignee NAME");
    }
}

fn title(what: &Related) -> &str {
    what.title.as_deref().unwrap_or_default()
}

fn next(page: &mut Page, text: &str, command: &str) {
    page.say(text).styled(style::HINT, command).end();
}
