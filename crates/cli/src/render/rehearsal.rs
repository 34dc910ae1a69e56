//! What an execution would do.

use milestone_domain::effort::Effort;
use milestone_domain::ids::MilestoneId;
use milestone_domain::limits;
use milestone_domain::streams::StreamName;
use milestone_domain::views::rehearsal::{Enough, Rehearsal, Suggested, WaveTask};

use super::forecast::none;
use super::page::Page;
use super::table::{Table, cell};
use super::{style, words};
use crate::commands::dry_run::DryRun;

/// How many tasks of a kind are printed; JSON has all of them.
const TASKS_MAX: usize = 60;

pub fn dry_run(page: &mut Page, view: &DryRun) {
    let rehearsal = &view.rehearsal;
    page.styled(style::ID, rehearsal.milestone).say("  ").say(&rehearsal.title).end();
    how(page, view);
    waves(page, rehearsal);
    streams(page, view);
    held(page, rehearsal);
    critical_path(page, rehearsal);
    finish(page, view);
    left(page, rehearsal);
    if !view.to_agree.is_empty() {
        page.heading("To be agreed to first");
        for agree in &view.to_agree {
            page.indented(&format!("{:<7} {}", agree.kind, agree.text));
        }
    }
    page.gap();
    if let Some(suggested) = &rehearsal.suggested {
        page.say(enough(suggested)).end();
    }
    page.styled(style::DIM, "Nothing was started.").end();
}

fn how(page: &mut Page, view: &DryRun) {
    let rehearsal = &view.rehearsal;
    let tasks: usize = rehearsal.waves.iter().map(|wave| wave.tasks.len()).sum();
    if tasks == 0 {
        page.say("Nothing would be begun.").end();
        return;
    }
    page.say(words::count(tasks, "task")).say(", ").say(words::count(rehearsal.agents, "agent"));
    page.say(", ").say(view.coordination);
    if !view.git {
        page.say(", without git: in this folder, one task at a time");
    }
    page.say("; done after ").say(words::about(rehearsal.length));
    page.say(" of working time, by the estimates").end();
}

fn waves(page: &mut Page, rehearsal: &Rehearsal) {
    if rehearsal.waves.is_empty() {
        return;
    }
    page.gap();
    let mut table = Table::new(&["BEGINS", "ID", "RUNNER", "TAKES", "", "TITLE"]).sparing(&[""]);
    let all = rehearsal.waves.iter().flat_map(|wave| {
        let begins = (0..wave.tasks.len()).map(|at| begins(at, wave.after));
        begins.zip(&wave.tasks)
    });
    let count = all.clone().count();
    for (begins, task) in all.take(TASKS_MAX) {
        table.row(vec![
            cell(style::PLAIN, begins),
            cell(style::ID, task.id),
            cell(style::PLAIN, &task.runner),
            cell(style::PLAIN, takes(task)),
            cell(style::WARN, if task.critical { "critical" } else { "" }),
            cell(style::PLAIN, &task.title),
        ]);
    }
    table.print(page);
    words::more_with(page, count, TASKS_MAX, "--json");
}

/// Said once for those that begin together.
fn begins(at: usize, after: Effort) -> String {
    match (at, after.minutes()) {
        (0, 0) => "at once".to_owned(),
        (0, _) => format!("after {}", words::about(after)),
        _ => String::new(),
    }
}

fn takes(task: &WaveTask) -> String {
    let assumed = if task.estimate.is_none() { " (assumed)" } else { "" };
    format!("{}{assumed}", words::about(task.takes))
}

fn streams(page: &mut Page, view: &DryRun) {
    if view.streams.is_empty() {
        return;
    }
    page.gap();
    let mut table = Table::new(&["STREAM", "TASKS", "BRANCH", "AFTER"]).sparing(&["AFTER"]);
    for stream in view.streams.iter().take(TASKS_MAX) {
        let after: Vec<&str> = stream.after.iter().map(StreamName::as_str).collect();
        table.row(vec![
            cell(style::ID, &stream.name),
            cell(style::PLAIN, stream.tasks.len()),
            cell(style::PLAIN, &stream.branch),
            cell(style::DIM, after.join(", ")),
        ]);
    }
    table.print(page);
    words::more_with(page, view.streams.len(), TASKS_MAX, "--json");
}

fn held(page: &mut Page, rehearsal: &Rehearsal) {
    if rehearsal.held.is_empty() {
        return;
    }
    page.heading("Waited for");
    for task in &rehearsal.held {
        page.styled(style::ID, task.id).say("  held by ").say(&task.by);
        page.say("  ").say(&task.title).end();
    }
}

fn critical_path(page: &mut Page, rehearsal: &Rehearsal) {
    if rehearsal.critical_path.len() < 2 {
        return;
    }
    let path: Vec<String> = rehearsal.critical_path.iter().map(ToString::to_string).collect();
    page.gap().say("Critical path: ").say(path.join(" → ")).end();
}

fn finish(page: &mut Page, view: &DryRun) {
    match (&view.finish, &view.no_finish) {
        (Some(finish), _) => {
            page.gap().say("Done by ").styled(style::HEAD, finish.p50).say(" (one in two), ");
            page.styled(style::HEAD, finish.p80).say(" (four in five)");
            if !view.rehearsal.left.is_empty() {
                page.say(", if people do what is not begun");
            }
            page.end();
        }
        (None, Some(reason)) => {
            page.gap().say(none(reason)).end();
        }
        (None, None) => {}
    }
}

fn left(page: &mut Page, rehearsal: &Rehearsal) {
    if rehearsal.left.is_empty() {
        return;
    }
    page.heading("Not begun");
    for task in rehearsal.left.iter().take(TASKS_MAX) {
        page.styled(style::ID, task.id).say("  ").say(&task.title).end();
        task.why.iter().for_each(|why| {
            page.indented(why);
        });
    }
    words::more_with(page, rehearsal.left.len(), TASKS_MAX, "--json");
}

/// How many agents are of use, and why no more.
fn enough(suggested: &Suggested) -> String {
    let agents = words::count(suggested.agents, "agent");
    match &suggested.because {
        Enough::OneEach => format!("{agents}: one for each task"),
        Enough::Waits { task } => format!("{agents}: more would wait for {task}"),
        Enough::Most => {
            format!(
                "{agents}: about as soon done as with {}, the most there can be",
                limits::AGENTS_MAX
            )
        }
    }
}

/// Said before an execution that could do with more.
pub fn hint(page: &mut Page, id: MilestoneId, suggested: &Suggested) {
    page.say("more at once would be sooner done: `--agents ").say(suggested.agents);
    page.say("` (see `milestone execute ").say(id).say(" --dry-run`)").end();
}

#[cfg(test)]
mod tests {
    use milestone_domain::ids::TaskId;

    use super::*;

    #[test]
    fn a_number_of_agents_comes_with_its_reason() {
        let said =
            |agents, because| enough(&Suggested { agents, length: Effort::default(), because });
        let task = TaskId::new(MilestoneId(1), 3);
        assert_eq!(said(4, Enough::Waits { task }), "4 agents: more would wait for task-001-003");
        assert_eq!(said(1, Enough::OneEach), "1 agent: one for each task");
    }
}
