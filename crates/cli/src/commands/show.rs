//! `milestone show`: one milestone or task.

use std::collections::BTreeSet;

use clap::Args;
use milestone_domain::ids::{MilestoneId, Node};
use milestone_domain::refusal::Refusal;
use milestone_domain::snapshot::{ProblemKind, Scope, Snapshot};
use milestone_domain::views::Reach;
use milestone_domain::views::milestone::milestone;
use milestone_domain::views::task::task;

use crate::app::App;
use crate::errors::Failure;
use crate::render;
use crate::target::Target;

/// Show a milestone or a task
///
/// Reads one document and what it waits for. With --schedule the whole project is read, and the
/// dates, the slack and what waits for it are shown too.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone show 1
  milestone show task-001-003 --schedule
  milestone show current --json")]
pub struct ShowArgs {
    /// A milestone or a task
    #[arg(value_name = "ID")]
    id: Target,
    /// When it can and must happen, and what waits for it
    #[arg(long)]
    schedule: bool,
}

pub fn run(app: &App, args: &ShowArgs) -> Result<(), Failure> {
    let node = args.id.node(app)?;
    let (scope, reach) = if args.schedule {
        (Scope::Graph(BTreeSet::from([node.milestone()])), Reach::Project)
    } else {
        (Scope::Milestone(node.milestone()), Reach::Own)
    };
    let snapshot = app.read(&scope)?;
    let today = app.today()?;
    match node {
        Node::Milestone(id) => {
            let view = milestone(&snapshot, id, reach, today);
            let view = view.ok_or_else(|| missing(&snapshot, node))?;
            app.out.show(&view, |page| render::milestone::milestone(page, &view))
        }
        Node::Task(id) => {
            let view = task(&snapshot, id, reach, today);
            let view = view.ok_or_else(|| missing(&snapshot, node))?;
            app.out.show(&view, |page| render::task::task(page, &view))
        }
    }
}

/// Why a thing is not there: its document cannot be read, or there is none.
pub fn missing(snapshot: &Snapshot, node: Node) -> Failure {
    let home: MilestoneId = node.milestone();
    let unreadable = snapshot
        .problems
        .iter()
        .find(|problem| problem.milestone == Some(home) && problem.kind == ProblemKind::Unreadable);
    if let Some(problem) = unreadable {
        let message = problem.placed();
        return Failure::Refused(Refusal::Unreadable { milestone: home, message });
    }
    let nearest = match node {
        Node::Milestone(id) => {
            milestone_domain::ids::nearest(id, snapshot.known_milestones()).map(Node::Milestone)
        }
        Node::Task(id) => milestone_domain::ids::nearest(id, snapshot.task_ids()).map(Node::Task),
    };
    Failure::Refused(Refusal::Unknown { node, nearest: nearest.filter(|near| *near != node) })
}
