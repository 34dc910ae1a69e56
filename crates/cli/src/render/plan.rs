//! What a plan came to, and why it is as it is.

use milestone_domain::document::Risk;
use milestone_domain::planning::scope::{Scope, Size};
use milestone_domain::planning::{Because, Chosen};
use milestone_domain::views::plan::PlanView;

use super::page::Page;
use super::table::{Facts, Table, cell};
use super::{style, words};

/// How many tasks are shown before the rest is only counted.
const TASKS_SHOWN: usize = 15;

/// How many of the things that are touched.
const SURFACES_SHOWN: usize = 3;

pub fn plan(page: &mut Page, view: &PlanView) {
    page.say(if view.written { "Planned " } else { "This would be " });
    page.styled(style::ID, view.milestone.id).say("  ");
    page.styled(style::HEAD, &view.milestone.title).end();
    facts(page, view);
    let guessed = |chosen: &Chosen| chosen.because == Because::NothingMatched;
    if !view.scope.understood && view.template.as_ref().is_some_and(guessed) {
        page.say(
            "Nothing in the title was understood: this plan only holds a place, and so do its ",
        );
        page.say("figures.").end();
    }
    tasks(page, view);
    ends(page, view);
    risks(page, "Risks", &view.milestone.document.risks);
    risks(page, "Not in the plan, and worth a thought", &view.risks);
    next(page, view);
}

fn facts(page: &mut Page, view: &PlanView) {
    let mut facts = Facts::new();
    let mut fact = |name: &str, value: String| facts.say(name, style::PLAIN, value);
    fact("scope", scope(&view.scope));
    fact("touches", touches(&view.scope));
    fact("template", template(view));
    fact("phases", phases(view));
    fact("work", work(view));
    for (number, line) in finish(view).into_iter().enumerate() {
        fact(if number == 0 { "finish" } else { "" }, line);
    }
    for (number, required) in requires(view).into_iter().enumerate() {
        fact(if number == 0 { "requires" } else { "" }, required);
    }
    facts.print(page);
}

fn quoted(words: &[String]) -> String {
    let words: Vec<String> = words.iter().take(3).map(|word| format!("\"{word}\"")).collect();
    words.join(", ")
}

fn scope(scope: &Scope) -> String {
    let mut said = vec![match (scope.size, scope.size_words.as_slice()) {
        (Size::Normal, _) => "normal size".to_owned(),
        (size, []) => size.word().to_owned(),
        (size, words) => format!("{}, for {}", size.word(), quoted(words)),
    }];
    match (scope.parts.len(), scope.parts_left_out) {
        (0 | 1, _) => {}
        (parts, 0) => said.push(format!("in {parts} parts")),
        (parts, more) => said.push(format!("in {parts} parts ({more} more left out)")),
    }
    said.join("; ")
}

fn touches(scope: &Scope) -> String {
    let shown = &scope.surfaces[..scope.surfaces.len().min(SURFACES_SHOWN)];
    let more = if scope.surfaces.len() > shown.len() { " and more" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn template(view: &PlanView) -> String {
    let Some(chosen) = &view.template else {
        let own = !view.milestone.tasks.is_empty() && view.milestone.document.phases.is_empty();
        return if own { "none: the tasks are your own".into() } else { "none".into() };
    };
    let why = match &chosen.because {
        Because::Named => "as you asked".to_owned(),
        Because::Words { words } => format!("for {}", quoted(words)),
        Because::NothingMatched => "no word speaks for any other".to_owned(),
    };
    let others = view.scope.matches.iter().map(|found| found.template.as_str());
    let others: Vec<&str> = others.filter(|name| *name != chosen.name).take(2).collect();
    match others.as_slice() {
        [] => format!("{}, {why}", chosen.name),
        others => format!("{}, {why}; else {}", chosen.name, others.join(" or ")),
    }
}

fn phases(view: &PlanView) -> String {
    let phases = &view.milestone.document.phases;
    let names: Vec<&str> = phases.iter().map(|phase| phase.name.as_str()).collect();
    let approved = !phases.is_empty() && phases.iter().all(|phase| phase.approval);
    format!("{}{}", names.join(" → "), if approved { ", each with an approval" } else { "" })
}

fn work(view: &PlanView) -> String {
    let tasks = match (view.milestone.tasks.len(), view.effort.minutes()) {
        (0, _) => return String::new(),
        (tasks, 0) => words::count(tasks, "task"),
        (tasks, _) => {
            format!("about {} in {}", words::about(view.effort), words::count(tasks, "task"))
        }
    };
    let edges = match view.edges {
        0 => String::new(),
        1 => ", 1 dependency between them".to_owned(),
        edges => format!(", {edges} dependencies between them"),
    };
    let scaled = view.scaled_to.map(|effort| format!("; scaled to the {effort} you gave"));
    format!("{tasks}{edges}{}", scaled.unwrap_or_default())
}

/// Each line of when it is to be expected, and on what that rests.
fn finish(view: &PlanView) -> Vec<String> {
    let forecast = &view.forecast;
    let Some(finish) = forecast.finish.filter(|_| !view.milestone.tasks.is_empty()) else {
        return Vec::new();
    };
    let chance = forecast.milestones.first().and_then(|line| Some((line.due?, line.chance?)));
    let chance = chance.map(|(due, chance)| format!("; {chance}% by its due date, {due}"));
    let mut lines = vec![
        format!("{} (P50)  {} (P80)  {} (P95)", finish.p50, finish.p80, finish.p95),
        format!("{}{}", super::forecast::workers(forecast), chance.unwrap_or_default()),
    ];
    let learned = &forecast.corrections;
    if learned.missing == 0 {
        let kinds = learned.kinds.iter().take(3).map(|(kind, correction)| {
            format!(", {kind} {:.1} ({})", correction.factor, correction.sample_size)
        });
        lines.push(format!(
            "corrected by the past: work takes {:.1} times its estimate ({} tasks){}",
            learned.overall.factor,
            learned.overall.sample_size,
            kinds.collect::<String>()
        ));
    }
    lines
}

fn requires(view: &PlanView) -> Vec<String> {
    let milestones = view.milestone.requires.iter().map(|other| {
        let title = other.title.as_deref().unwrap_or_default();
        let status = other.status.map(milestone_domain::readiness::spoken).unwrap_or_default();
        format!("{} {title} ({status})", other.id)
    });
    let conditions = view.milestone.conditions.iter().map(|condition| {
        let holds = if condition.holds { "holds" } else { "open" };
        format!("{} ({holds})", condition.name)
    });
    milestones.chain(conditions).collect()
}

fn tasks(page: &mut Page, view: &PlanView) {
    let lines = &view.milestone.tasks;
    if lines.is_empty() {
        return;
    }
    page.gap();
    let home = view.milestone.id.0;
    let mut table = Table::new(&["TASK", "ESTIMATE", "AFTER", "TITLE"]);
    for (line, task) in lines.iter().zip(&view.milestone.document.tasks).take(TASKS_SHOWN) {
        let before = task.requires.iter().map(|reference| match reference {
            milestone_domain::ids::Reference::Own(number) => format!("{home}.{number}"),
            other => other.to_string(),
        });
        table.row(vec![
            cell(style::ID, format!("{home}.{}", line.id.number)),
            cell(style::PLAIN, words::estimate(line.estimate)),
            cell(style::DIM, after(&before.collect::<Vec<_>>())),
            cell(style::PLAIN, &line.title),
        ]);
    }
    table.print(page);
    words::more(page, lines.len(), TASKS_SHOWN);
}

fn after(before: &[String]) -> String {
    match before {
        [] => String::new(),
        [one] => one.clone(),
        [one, other] => format!("{one}, {other}"),
        [first, .., last] => format!("{first} … {last}"),
    }
}

/// What must be true in the end, and what is left behind.
fn ends(page: &mut Page, view: &PlanView) {
    let document = &view.milestone.document;
    if !document.criteria.is_empty() {
        page.heading("Done when");
    }
    for criterion in &document.criteria {
        page.say("- ").say(&criterion.text).end();
    }
    let names = document.deliverables.iter().map(|deliverable| deliverable.name.as_str());
    let names: Vec<&str> = names.collect();
    if !names.is_empty() {
        page.heading("Leaves behind");
        page.say("- ").say(names.join("; ")).end();
    }
}

fn risks(page: &mut Page, heading: &str, risks: &[Risk]) {
    if risks.is_empty() {
        return;
    }
    page.heading(heading);
    for risk in risks {
        page.say("- ").say(&risk.text);
        if let Some(impact) = risk.impact {
            page.styled(style::DIM, format!("  (impact {impact})"));
        }
        page.end();
        if let Some(mitigation) = &risk.mitigation {
            page.say("  ").styled(style::DIM, mitigation).end();
        }
    }
}

fn next(page: &mut Page, view: &PlanView) {
    page.heading("Next");
    let mut table = Table::new(&["", ""]).flowing();
    for advice in &view.next {
        if let Some(command) = &advice.command {
            table.row(vec![cell(style::HINT, command), cell(style::PLAIN, &advice.text)]);
        }
    }
    table.print(page);
    for advice in view.next.iter().filter(|advice| advice.command.is_none()) {
        page.say(&advice.text).end();
    }
}
