use std::collections::BTreeSet;

use clap::Args;
use milestone_domain::dependencies::Dependencies;
use milestone_domain::snapshot::{Problem, ProblemKind, Scope, Snapshot};
use serde_json::json;

use crate::app::App;
use crate::errors::Failure;
use crate::render;

/// Look for anything that is not as it should be
///
/// Reads every document and its whole history. Changes nothing without --fix. Ends with 1 if a
/// problem is left.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone doctor
  milestone doctor --fix
  milestone doctor --json")]
pub struct DoctorArgs {
    /// Mend what can be mended without losing anything
    #[arg(long)]
    fix: bool,
}

pub fn run(app: &App, args: &DoctorArgs) -> Result<(), Failure> {
    let mut problems = app.opened()?.project.check(args.fix)?;
    let snapshot = app.read(&Scope::All)?;
    problems.extend(snapshot.problems.iter().cloned());
    problems.extend(dangling(&snapshot));
    problems.extend(cycle(&snapshot));
    let mut seen = BTreeSet::new();
    problems.retain(|problem| seen.insert((problem.file.clone(), problem.message.clone())));
    let data = json!({ "healthy": problems.is_empty(), "problems": problems });
    app.out.show("doctor", &data, |page| {
        if problems.is_empty() {
            let milestones = render::words::count(snapshot.outlines.len(), "milestone");
            page.say("Everything is as it should be: ").say(milestones).say(" read.").end();
        }
        render::milestone::problems(page, &problems);
    })?;
    // With --json the document has said it all.
    match problems.len() {
        0 => Ok(()),
        count => Err(Failure::Unhealthy { problems: count }),
    }
}

fn problem(milestone: milestone_domain::ids::MilestoneId, message: String) -> Problem {
    Problem {
        milestone: Some(milestone),
        file: format!("active/{}", milestone.file_name()),
        line: None,
        column: None,
        kind: ProblemKind::Graph,
        message,
        next: format!("correct it: `milestone edit {milestone}`"),
    }
}

fn dangling(snapshot: &Snapshot) -> Vec<Problem> {
    let exists = |node| match node {
        milestone_domain::ids::Node::Milestone(id) => {
            snapshot.outline(id).is_some() || snapshot.archived.contains(&id)
        }
        milestone_domain::ids::Node::Task(id) => snapshot.task(id).is_some(),
    };
    let open = snapshot.open();
    let missing = open.flat_map(|outline| {
        let nodes = outline.waits_for().filter(|node| !exists(*node));
        nodes.map(|node| problem(outline.id, format!("it requires {node}, which does not exist")))
    });
    missing.collect()
}

fn cycle(snapshot: &Snapshot) -> Option<Problem> {
    let cycle = Dependencies::of(snapshot).cycle()?;
    let path: Vec<_> = cycle.iter().map(ToString::to_string).collect();
    let first = cycle.first()?.milestone();
    Some(problem(first, format!("these wait for each other: {}", path.join(" → "))))
}
