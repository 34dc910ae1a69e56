//! `milestone next`: what can be started, and why the rest waits.

use std::collections::BTreeSet;

use clap::Args;
use milestone_domain::snapshot::Scope;
use milestone_domain::views::next::{Asked, next};

use crate::app::{App, mention};
use crate::errors::Failure;
use crate::render;
use crate::target::Target;

/// Show what can be worked on now, best first, and why the rest waits
///
/// Best is what is most urgent; then what has to begin for a due date that could be missed
/// otherwise; then what has the most work waiting behind it; then what is due first.
/// CHAIN is the longest chain of work from a task to the end of all that waits for it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone next
  milestone next 1 --limit 3
  milestone next --json")]
pub struct NextArgs {
    /// Only the tasks of this milestone
    #[arg(value_name = "MILESTONE")]
    milestone: Option<Target>,
    /// At most this many of each kind
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
}

pub fn run(app: &App, args: &NextArgs) -> Result<(), Failure> {
    let only = args.milestone.map(|target| target.milestone(app)).transpose()?;
    let snapshot = app.read(&Scope::Graph(BTreeSet::new()))?;
    mention(&snapshot);
    if let Some(id) = only.filter(|id| snapshot.outline(*id).is_none()) {
        return Err(super::show::missing(&snapshot, milestone_domain::ids::Node::Milestone(id)));
    }
    let asked = Asked { milestone: only, limit: args.limit, worker: None };
    let view = next(&snapshot, asked, app.today()?);
    app.out.show(&view, |page| render::next::next(page, &view))
}
