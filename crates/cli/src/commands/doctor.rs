//! `milestone doctor`: finds what is wrong, and mends what can be mended.

use clap::Args;
use serde_json::json;

use crate::app::App;
use crate::errors::Failure;
use crate::git;
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
    let project = &app.opened()?.project;
    let folder = app.opened()?.root.folder();
    let mended = match args.fix {
        true => project.mend(&|place| git::merge_base(&folder.join(place)), app.actor())?,
        false => Vec::new(),
    };
    let problems = project.check(app.actor())?;
    let data = json!({ "healthy": problems.is_empty(), "mended": mended, "problems": problems });
    app.out.show("doctor", &data, |page| {
        for line in &mended {
            page.say("Mended ").say(line).end();
        }
        if problems.is_empty() {
            page.say("Everything is as it should be.").end();
        }
        render::milestone::problems(page, &problems);
    })?;
    // With --json the document has said it all.
    match problems.len() {
        0 => Ok(()),
        count => Err(Failure::Unhealthy { problems: count }),
    }
}
