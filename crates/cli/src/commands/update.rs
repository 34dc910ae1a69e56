//! `milestone update`: changes a milestone, then shows it; `status` only shows.

use clap::Args;
use milestone_domain::status::MilestoneStatus;

use super::views::{Views, show};
use crate::app::App;
use crate::editing::{MilestoneChange, MilestoneFields, amend_milestone};
use crate::errors::Failure;
use crate::output;
use crate::render;
use crate::target::Target;

/// Change a milestone, then show where things stand
///
/// Without changes it is `status`. Lists grow by what is given; --unset empties a field.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone update
  milestone update --dependencies --conflicts
  milestone update 1 --status paused --reason \"waiting for the audit\"
  milestone update milestone-001 --due 2026-12-18 --priority high
  milestone update 1 --unset due")]
pub struct UpdateArgs {
    /// The milestone; without one, the whole project is shown
    #[arg(value_name = "ID")]
    id: Option<Target>,
    /// One of planned, `in_progress`, paused, blocked, completed or cancelled
    #[arg(long, value_name = "STATUS", requires = "id")]
    status: Option<MilestoneStatus>,
    /// Why it is paused, blocked or cancelled
    #[arg(long, value_name = "TEXT", requires = "status")]
    reason: Option<String>,
    /// A new title
    #[arg(long, value_name = "TEXT", requires = "id")]
    title: Option<String>,
    /// A field to empty, such as `due`; may be repeated
    #[arg(long, value_name = "KEY", requires = "id")]
    unset: Vec<String>,
    #[command(flatten)]
    fields: MilestoneFields,
    #[command(flatten)]
    views: Views,
}

/// Show where things stand, and what to do about it
///
/// Another name of `update` without changes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone status
  milestone status current
  milestone status --comprehensive
  milestone status --watch
  milestone status --chart gantt
  milestone status 1 --chart burn-down --format svg --out burn-down.svg
  milestone status --json")]
pub struct StatusArgs {
    /// Only this milestone
    #[arg(value_name = "ID")]
    id: Option<Target>,
    #[command(flatten)]
    views: Views,
}

pub fn run(app: &App, args: &UpdateArgs) -> Result<(), Failure> {
    let id = args.id.map(|id| id.milestone(app)).transpose()?;
    let Some(id) = id else {
        if args.fields.any() {
            return Err(Failure::usage(
                "it is not said which milestone is to change",
                "name it: `milestone update ID ...`",
            ));
        }
        return show(app, None, &args.views);
    };
    let change = MilestoneChange {
        title: args.title.clone(),
        status: args.status,
        reason: args.reason.clone(),
    };
    if args.fields.any() || args.title.is_some() || args.status.is_some() || !args.unset.is_empty()
    {
        let (outcome, changes) = amend_milestone(app, id, &change, &args.fields, &args.unset)?;
        let mut page = app.out.page();
        if outcome.events.is_empty() {
            page.say("Nothing to change: ").say(id).say(" says so already.").end();
        } else {
            page.say("Changed ").say(id).say(":").end();
            changes.iter().for_each(|change| render::events::difference(&mut page, change));
        }
        output::say(page.end());
        // The change is made: that it cannot be shown any more must not say it is not.
        return show(app, Some(id), &args.views).or_else(|failure| match failure {
            Failure::Store(error) => {
                output::warn(&format!("{id} is changed; the dashboard cannot be shown: {error}"));
                Ok(())
            }
            Failure::Refused(_) => {
                output::warn(&format!("{id} is changed, and was filed away or removed since"));
                Ok(())
            }
            failure => Err(failure),
        });
    }
    show(app, Some(id), &args.views)
}

pub fn status(app: &App, args: &StatusArgs) -> Result<(), Failure> {
    let id = args.id.map(|id| id.milestone(app)).transpose()?;
    show(app, id, &args.views)
}
