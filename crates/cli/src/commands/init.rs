//! `milestone init`: makes a project.

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::errors::Failure;
use crate::render::style;
use milestone_engine::git::documents;

/// Make a project at the root of the repository, or here
///
/// Makes the folder `.milestones`, and touches nothing outside it. The first `plan` does it too.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone init
  milestone init --merge-driver
  milestone -C ../other init")]
pub struct InitArgs {
    /// Also tell this clone's git to merge documents field by field
    #[arg(long)]
    merge_driver: bool,
}

/// The project that is there now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Made {
    folder: String,
    /// False if it was there already.
    made: bool,
}

pub fn run(app: &App, args: &InitArgs) -> Result<(), Failure> {
    let root = app.place()?;
    let made = milestone_store::init::init(&root)?;
    // What cannot be opened was not made.
    app.opened()?;
    if args.merge_driver {
        documents::set_merge_driver(&root.project)?;
    }
    let in_git = root.project.join(".git").exists();
    let folder = root.folder().display().to_string();
    let project = Made { folder: folder.clone(), made };
    app.out.done(&project, &folder, |page| {
        page.say(if made { "Made " } else { "There already: " }).styled(style::ID, &folder).end();
        if made {
            page.say("Plan the first milestone: ");
            page.styled(style::HINT, "milestone plan \"What is to be reached\"").end();
        }
        if args.merge_driver {
            page.say("Git merges documents field by field in this clone.").end();
        } else if made && in_git {
            page.say("To have git merge documents field by field in this clone: ");
            page.styled(style::HINT, "milestone init --merge-driver").end();
        }
    })
}
