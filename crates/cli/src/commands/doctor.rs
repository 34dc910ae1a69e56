//! `milestone doctor`: finds what is wrong, and mends what can be mended.

use clap::Args;
use milestone_domain::snapshot::{Problem, ProblemKind};
use milestone_store::Mending;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::errors::Failure;
use crate::git;
use crate::render;
use crate::render::style;

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

/// What was mended, and what is left.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Examined {
    healthy: bool,
    mended: Vec<String>,
    /// What a person has to decide.
    left: Vec<String>,
    problems: Vec<Problem>,
}

pub fn run(app: &App, args: &DoctorArgs) -> Result<(), Failure> {
    let project = &app.opened()?.project;
    let folder = app.opened()?.root.folder();
    let Mending { done: mended, left } = match args.fix {
        true => project.mend(&|place| git::merge_base(&folder.join(place)), app.actor())?,
        false => Mending::default(),
    };
    let problems = app.check()?;
    // A key that nobody knows stays, and is nobody's fault; it is named for who mistyped one.
    let wrong = |problem: &&Problem| problem.kind != ProblemKind::UnknownKey;
    let wrong = problems.iter().filter(wrong).count();
    let examined = Examined { healthy: wrong == 0, mended, left, problems };
    app.out.show(&examined, |page| {
        for line in &examined.mended {
            page.say("Mended ").say(line).end();
        }
        for line in &examined.left {
            page.say("Left ").say(line).end();
        }
        if !examined.mended.is_empty() && git::is_merging(&folder) {
            page.say("Git waits for you to end the merge: ");
            page.styled(style::HINT, "git add .milestones && git commit").end();
        }
        if examined.healthy && examined.problems.is_empty() {
            page.say("Everything is as it should be.").end();
        }
        render::milestone::problems(page, &examined.problems);
    })?;
    // With --json the document has said it all.
    match wrong {
        0 => Ok(()),
        problems => Err(Failure::Unhealthy { problems }),
    }
}
