//! Templates, a line each or one with all it holds.

use milestone_domain::planning::template::{Each, Template};
use milestone_domain::views::template::{AppliedView, TemplateLine, TemplateView};

use super::page::Page;
use super::table::{Facts, Table, cell};
use super::{style, task, words};

pub fn list(page: &mut Page, lines: &[TemplateLine]) {
    let mut table = Table::new(&["NAME", "TASKS", "EFFORT", "ABOUT"]);
    for line in lines {
        let own = if line.own { " (the project's own)" } else { "" };
        table.row(vec![
            cell(style::ID, &line.name),
            cell(style::PLAIN, line.tasks),
            cell(style::PLAIN, words::about(line.effort)),
            cell(style::PLAIN, format!("{}{own}", line.about)),
        ]);
    }
    table.print(page);
}

pub fn template(page: &mut Page, view: &TemplateView) {
    let template = &view.template;
    page.styled(style::ID, &template.name).say("  ").styled(style::HEAD, &template.title);
    page.say(if view.own { "  (the project's own)" } else { "" }).end();
    page.say(&template.about).end();
    facts(page, view);
    task::list(page, "Goals", &template.goals);
    tasks(page, template);
    let list =
        |page: &mut Page, heading: &str, items: Vec<String>| task::list(page, heading, &items);
    list(page, "Criteria", template.criteria.iter().map(|one| one.text.clone()).collect());
    list(page, "Deliverables", template.deliverables.iter().map(|one| one.name.clone()).collect());
    let risk = |risk: &milestone_domain::document::Risk| match &risk.mitigation {
        Some(mitigation) => format!("{}\n{mitigation}", risk.text),
        None => risk.text.clone(),
    };
    list(page, "Risks", template.risks.iter().map(risk).collect());
    task::list(page, "Made for milestones such as", &template.examples);
    page.gap().say("Plan with it: ");
    let command = format!("milestone plan TITLE --template {}", template.name);
    page.styled(style::HINT, command).end();
}

fn facts(page: &mut Page, view: &TemplateView) {
    let template = &view.template;
    let mut facts = Facts::new();
    let mut fact = |name: &str, value: String| facts.say(name, style::PLAIN, value);
    let usual = template.duration.map(|span| format!(", usually {} to {}", span.from, span.to));
    fact("effort", format!("{}{}", words::about(view.effort), usual.unwrap_or_default()));
    fact("category", template.category.clone().unwrap_or_default());
    fact("theme", template.theme.clone().unwrap_or_default());
    let called_for: Vec<&str> = template.words.keys().map(String::as_str).collect();
    fact("words", called_for.join(", "));
    facts.print(page);
}

fn tasks(page: &mut Page, template: &Template) {
    if template.tasks.is_empty() {
        return;
    }
    page.heading("Tasks");
    let mut table = Table::new(&["", "", "", ""]);
    for one in &template.tasks {
        let estimate = one.estimate.map(|estimate| estimate.likely().to_string());
        let each = one.each.map(|Each::Part| "for each part");
        let size = one.from_size.map(|size| format!("from {} size on", size.word()));
        let when: Vec<String> = each.map(str::to_owned).into_iter().chain(size).collect();
        let when = if when.is_empty() { String::new() } else { format!("  ({})", when.join(", ")) };
        table.row(vec![
            cell(style::ID, one.key.as_deref().unwrap_or_default()),
            cell(style::PLAIN, estimate.unwrap_or_default()),
            cell(style::DIM, one.kind.as_deref().unwrap_or_default()),
            cell(style::PLAIN, format!("{}{when}", one.title)),
        ]);
    }
    table.print(page);
}

pub fn applied(page: &mut Page, view: &AppliedView) {
    let added = &view.added;
    let counts = [
        (added.tasks.len(), "task"),
        (added.criteria, "criterion"),
        (added.deliverables, "deliverable"),
        (added.risks, "risk"),
    ];
    let said: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| match (count, what) {
            (2.., "criterion") => format!("{count} criteria"),
            (count, what) => words::count(count, what),
        })
        .collect();
    if said.is_empty() {
        page.say("Nothing to add: ").styled(style::ID, view.milestone);
        page.say(" has all of ").say(&view.template).say(" already.").end();
        return;
    }
    page.say("Added ").say(said.join(", ")).say(" to ").styled(style::ID, view.milestone);
    page.say(". See them: ");
    page.styled(style::HINT, format!("milestone show {}", view.milestone.0)).end();
}
