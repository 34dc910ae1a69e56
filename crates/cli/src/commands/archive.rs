//! `milestone archive`: files a finished milestone away.

use clap::Args;
use milestone_domain::command::Command;
use serde_json::json;

use crate::app::App;
use crate::errors::Failure;
use crate::render::style;
use crate::target::Target;

/// File completed milestones away
///
/// Completes a milestone whose tasks are done and whose criteria are met, and files it away. An
/// archived milestone is still shown by `show` and `list --archived`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone archive 1
  milestone archive milestone-001,milestone-002
  milestone archive 3 --force \"superseded by milestone-007\"")]
pub struct ArchiveArgs {
    /// Milestones, with commas or spaces between them
    #[arg(value_name = "ID", required = true, value_delimiter = ',')]
    ids: Vec<Target>,
    /// File it away although something is open, for this reason
    #[arg(long, value_name = "REASON")]
    force: Option<String>,
}

pub fn run(app: &App, args: &ArchiveArgs) -> Result<(), Failure> {
    let ids: Vec<_> = args.ids.iter().map(|id| id.milestone(app)).collect::<Result<_, _>>()?;
    for id in &ids {
        app.execute(&Command::Archive { milestone: *id, force: args.force.clone() })?;
    }
    let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
    app.out.done("archived", &json!({ "milestones": names }), &names.join("\n"), |page| {
        for name in &names {
            page.styled(style::ID, name).say(" is filed away.").end();
        }
    })
}
