use clap::Args;
use serde_json::json;

use crate::app::App;
use crate::errors::Failure;
use crate::render::style;

/// Make a project at the root of the repository, or here
///
/// Makes the folder `.milestones`, and touches nothing outside it. The first `plan` does it too.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  milestone init\n  milestone -C ../other init")]
pub struct InitArgs {}

pub fn run(app: &App) -> Result<(), Failure> {
    let root = app.place()?;
    let made = milestone_store::init::init(&root)?;
    // What cannot be opened was not made.
    app.opened()?;
    let folder = root.folder().display().to_string();
    app.out.done("project", &json!({ "folder": folder, "made": made }), &folder, |page| {
        page.say(if made { "Made " } else { "There already: " }).styled(style::ID, &folder).end();
        page.say("Plan the first milestone: ");
        page.styled(style::HINT, "milestone plan \"What is to be reached\"").end();
    })
}
