//! `milestone list`: milestones, one a line.

use std::collections::BTreeSet;

use clap::Args;
use milestone_domain::snapshot::Scope;
use milestone_domain::status::MilestoneStatus;
use milestone_domain::views::list::{Filter, list};

use super::values;
use crate::app::{App, mention};
use crate::errors::Failure;
use crate::render;

/// List milestones
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone list
  milestone list --status in_progress --label backend
  milestone list login --all
  milestone list --archived --json

The mark ◆ stands at milestones whose delay would delay everything.")]
pub struct ListArgs {
    /// Only those with this text in their id, title or labels
    #[arg(value_name = "TEXT")]
    text: Option<String>,
    /// Only those with this status; may be repeated
    #[arg(long, value_name = "STATUS")]
    status: Vec<MilestoneStatus>,
    /// Only those with this label; of several, all
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// Only those of this person or agent
    #[arg(long, value_name = "NAME")]
    assignee: Option<String>,
    /// What was filed away, too
    #[arg(long)]
    archived: bool,
    /// At most this many
    #[arg(long, value_name = "N", default_value = "50", value_parser = values::at_least_one)]
    limit: usize,
    /// However many there are
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

pub fn run(app: &App, args: ListArgs) -> Result<(), Failure> {
    let scope = if args.archived { Scope::All } else { Scope::Graph(BTreeSet::new()) };
    let snapshot = app.read(&scope)?;
    mention(&snapshot);
    let filter = Filter {
        statuses: args.status,
        text: args.text,
        labels: args.label,
        assignee: args.assignee,
        archived: args.archived,
        limit: (!args.all).then_some(args.limit),
    };
    let view = list(&snapshot, &filter, app.today()?);
    app.out.show(&view, |page| render::list::list(page, &view, filter.narrows()))
}
