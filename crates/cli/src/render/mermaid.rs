//! Charts as Mermaid, for pages that draw it: Markdown on forges, wikis, notebooks.

use std::fmt::Write as _;

use milestone_domain::effort::Effort;
use milestone_domain::ids::Node;
use milestone_domain::views::chart::Stage;
use milestone_domain::views::chart::burn_down::{BurnDown, Burning};
use milestone_domain::views::chart::gantt::{Bar, Gantt};
use milestone_domain::views::chart::graph::GraphView;

use super::chart::burn_down::{missing, summary};
use super::chart::graph::nodes_left_out;
use super::chart::spark::places;
use super::chart::{cycle, left_out, short};
use super::glyphs::Glyphs;
use super::page::clean;
use super::table::cut;

/// Days of a burn-down that are written: more do not fit beside each other.
const DAYS_MAX: usize = 12;

/// Columns of a title; Mermaid itself cuts nothing.
const LABEL_MAX: usize = 60;

pub fn burn_down(view: &BurnDown) -> String {
    match view {
        BurnDown::TooShort { days, needed } => {
            let said = label(&missing(*days, *needed));
            format!("flowchart LR\n    said[\"{said}\"]\n")
        }
        BurnDown::Known(burning) => known(burning),
    }
}

fn known(view: &Burning) -> String {
    let title = view.title.as_deref().unwrap_or("the project");
    let days: Vec<_> = days(view);
    let names: Vec<String> = days.iter().map(|(name, ..)| format!("\"{name}\"")).collect();
    let figures = |value: fn(&Point) -> Option<Effort>| {
        // A line ends where its figures end.
        let known: Vec<String> = days.iter().map_while(value).map(in_days).collect();
        known.join(", ")
    };
    let mut text = format!("xychart-beta\n    title \"Burn-down: {}\"\n", label(title));
    let _ = writeln!(text, "    x-axis [{}]", names.join(", "));
    let most = view.ideal.as_ref().map_or(view.work_max(), |ideal| ideal.work.max(view.work_max()));
    let top = most.minutes() / 480 + 1;
    let _ = writeln!(text, "    y-axis \"days of work left\" 0 --> {top}");
    let _ = writeln!(text, "    bar [{}]", figures(|point| point.1));
    if view.ideal.is_some() {
        let _ = writeln!(text, "    line [{}]", figures(|point| point.2));
    }
    text + &format!("%% {}\n", summary(view))
}

/// A day, the work that was left on it, and what an even pace would have left.
type Point = (String, Option<Effort>, Option<Effort>);

fn days(view: &Burning) -> Vec<Point> {
    let ahead = std::iter::successors(view.today.tomorrow().ok(), |day| day.tomorrow().ok());
    let ahead = ahead.take_while(|day| *day <= view.last_day()).map(|day| (day, None));
    let past = view.days.iter().map(|day| (day.day, Some(day.work_left)));
    let all: Vec<_> = past.chain(ahead).collect();
    let chosen = places(all.len(), DAYS_MAX).filter_map(|place| all.get(place));
    chosen
        .map(|(day, left)| {
            let pace = view.ideal.as_ref().and_then(|ideal| match *day < ideal.from {
                true => Some(ideal.work),
                false => ideal.work_left(*day).or(Some(Effort::default())),
            });
            (day.strftime("%b %-d").to_string(), *left, pace)
        })
        .collect()
}

fn in_days(effort: Effort) -> String {
    format!("{}.{}", effort.minutes() / 480, effort.minutes() / 48 % 10)
}

pub fn gantt(view: &Gantt) -> String {
    let title = view.title.as_deref().unwrap_or("Plan of the project");
    let mut text = format!("gantt\n    title {}\n    dateFormat YYYY-MM-DD\n", label(title));
    for bar in &view.rows {
        if let Node::Milestone(_) = bar.id {
            let _ = writeln!(text, "    section {} {}", short(bar.id), label(&bar.title));
        }
        row(&mut text, bar);
    }
    if let Some(said) = left_out(view.left_out.milestones, view.left_out.tasks) {
        let _ = writeln!(text, "%% {said}");
    }
    if let Some(path) = &view.cycle {
        let _ = writeln!(text, "%% {}", cycle(path));
    }
    text
}

/// The id comes first, so that no title is taken for a word of the language.
fn row(text: &mut String, bar: &Bar) {
    let Some(span) = bar.span else {
        let _ = writeln!(text, "%% {} has no dates", short(bar.id));
        return;
    };
    let stage = match bar.stage {
        Stage::Done => "done, ",
        Stage::Doing => "active, ",
        _ => "",
    };
    let critical = if bar.critical { "crit, " } else { "" };
    // The end is the beginning of the day after.
    let end = span.finish.tomorrow().unwrap_or(span.finish);
    let name = format!("{} {}", short(bar.id), label(&bar.title));
    let id = identifier(bar.id);
    let _ = writeln!(text, "    {name} :{critical}{stage}{id}, {}, {end}", span.start);
    if let Some(due) = bar.due {
        let late = if bar.late { "crit, " } else { "" };
        let _ = writeln!(text, "    {} due :{late}milestone, {id}due, {due}, 0d", short(bar.id));
    }
}

pub fn graph(view: &GraphView) -> String {
    let mut text = "flowchart LR\n".to_owned();
    for node in &view.nodes {
        let id = identifier(node.id);
        let said = format!("{} {}", short(node.id), label(&node.title));
        let ready = if node.ready { " (ready)" } else { "" };
        let state = label(&format!("{}{ready}", milestone_domain::readiness::spoken(node.status)));
        let class = match node.stage {
            Stage::ToDo | Stage::Cancelled => "todo",
            Stage::Doing => "doing",
            Stage::Stopped => "stopped",
            Stage::Done => "done",
        };
        let _ = writeln!(text, "    {id}[\"{said}<br/>{state}\"]:::{class}");
    }
    for edge in &view.edges {
        let (Some(from), Some(to)) = (view.nodes.get(edge.from), view.nodes.get(edge.to)) else {
            continue;
        };
        let (from, to) = (identifier(from.id), identifier(to.id));
        let _ = match &edge.condition {
            Some(name) => writeln!(text, "    {from} -. \"{}\" .-> {to}", label(name)),
            None => writeln!(text, "    {from} --> {to}"),
        };
    }
    let critical: Vec<_> =
        view.nodes.iter().filter(|node| node.critical).map(|node| identifier(node.id)).collect();
    if !critical.is_empty() {
        let _ = writeln!(text, "    class {} critical", critical.join(","));
    }
    text.push_str(CLASSES);
    if let Some(said) = nodes_left_out(view) {
        let _ = writeln!(text, "%% {said}");
    }
    text
}

/// Colours that can be read on light and on dark pages.
const CLASSES: &str = "    \
classDef todo fill:#eaeef2,stroke:#8c959f,color:#1f2328
    classDef doing fill:#ddf4ff,stroke:#0969da,color:#1f2328
    classDef stopped fill:#fff1e5,stroke:#bc4c00,color:#1f2328
    classDef done fill:#dafbe1,stroke:#1a7f37,color:#1f2328
    classDef critical stroke-width:3px
";

/// A name that Mermaid takes for nothing else.
fn identifier(id: Node) -> String {
    match id {
        Node::Milestone(id) => format!("m{}", id.0),
        Node::Task(task) => format!("m{}t{}", task.milestone.0, task.number),
    }
}

/// A text, cut where it is too long, in which nothing is left that Mermaid, or the page that it
/// draws into, could take for a sign of its language: letters, digits and spaces stand for
/// themselves, everything else by its number.
fn label(text: &str) -> String {
    let mut label = String::new();
    for c in cut(Glyphs::Unicode, &clean(text), LABEL_MAX).chars() {
        let plain = c.is_alphanumeric() || matches!(c, ' ' | ',' | '.' | '-' | '(' | ')');
        if plain || !c.is_ascii() {
            label.push(c);
        } else {
            let _ = write!(label, "#{};", u32::from(c));
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use milestone_domain::ids::MilestoneId;
    use milestone_domain::views::chart::gantt::gantt as gantt_view;
    use milestone_domain::views::chart::graph::graph as graph_view;
    use proptest::prelude::*;

    use super::*;
    use crate::render::chart::testing::{TODAY, burning, programme, titled};

    #[test]
    fn a_gantt() {
        insta::assert_snapshot!(gantt(&gantt_view(&programme(), None, TODAY)));
    }

    #[test]
    fn a_graph() {
        insta::assert_snapshot!(graph(&graph_view(&programme(), Some(MilestoneId(2)), TODAY)));
    }

    #[test]
    fn a_burn_down() {
        insta::assert_snapshot!(burn_down(&burning()));
    }

    proptest! {
        #[test]
        fn a_title_changes_no_line(title in "\\PC{1,60}|[\\]\"\n;:#%{}<>`|-]{1,20}|\\p{Any}{1,40}") {
            let shape = |snapshot: &milestone_domain::snapshot::Snapshot| {
                let texts = [
                    gantt(&gantt_view(snapshot, None, TODAY)),
                    graph(&graph_view(snapshot, None, TODAY)),
                ];
                texts.join("\n")
            };
            let plain = titled("T");
            let mut hostile = titled("T");
            for outline in hostile.outlines.values_mut() {
                outline.title.clone_from(&title);
                outline.tasks.iter_mut().for_each(|task| task.title.clone_from(&title));
            }
            let wanted = shape(&plain);
            // Where the plain title is, and nowhere else, the hostile one stands, as its label.
            let said = label(&title);
            let expected = wanted.replace(" T\n", &format!(" {said}\n"));
            let expected = expected.replace(" T ", &format!(" {said} "));
            let expected = expected.replace(" T<", &format!(" {said}<"));
            prop_assert_eq!(shape(&hostile), expected);
            let signs = ['"', '[', ']', '{', '}', '<', '>', '`', '|', '%', ':', '\n', '\r', '\\'];
            prop_assert!(!said.contains(signs), "{}", said);
        }
    }
}
