//! `milestone doctor`: finds what is wrong, and mends what can be mended.

use clap::Args;
use milestone_domain::snapshot::{Problem, ProblemKind};
use milestone_engine::git::documents;
use milestone_store::pointer::StoreKind;
use milestone_store::{Mending, StoreError};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::errors::Failure;
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
    match examine(app, args) {
        Err(Failure::Store(error)) if is_unusable_database(app, &error)? => {
            unusable_database(app, args, &error)
        }
        done => done,
    }
}

fn examine(app: &App, args: &DoctorArgs) -> Result<(), Failure> {
    let project = &app.opened()?.project;
    let folder = app.opened()?.root.folder();
    let Mending { done: mended, left } = match args.fix {
        true => project.mend(&|place| documents::merge_base(&folder.join(place)), app.actor())?,
        false => Mending::default(),
    };
    let problems = app.check()?;
    // A key that nobody knows stays, and is nobody's fault; it is named for who mistyped one.
    let wrong = |problem: &&Problem| problem.kind != ProblemKind::UnknownKey;
    let wrong = problems.iter().filter(wrong).count();
    let examined = Examined { healthy: wrong == 0, mended, left, problems };
    show(app, &examined, documents::is_merging(&folder), wrong)
}

/// Whether the database of this clone cannot be read at all. Anything else is named as it is.
fn is_unusable_database(app: &App, error: &StoreError) -> Result<bool, Failure> {
    let unusable = match error {
        StoreError::Corrupt { path, .. } => path.extension().is_some_and(|ending| ending == "db"),
        StoreError::BadRow { .. } | StoreError::NoSuchProject { .. } => true,
        _ => false,
    };
    Ok(unusable && app.kept_in()?.kind()? == StoreKind::Sqlite)
}

/// The documents beside a database, and their history, are all there is to know of a project.
fn unusable_database(app: &App, args: &DoctorArgs, error: &StoreError) -> Result<(), Failure> {
    let aside = if args.fix { app.kept_in()?.set_aside_database()? } else { None };
    let problem = Problem {
        milestone: None,
        file: "data".into(),
        line: None,
        column: None,
        kind: ProblemKind::Other,
        message: format!("the database cannot be read: {error}"),
        next: "`milestone doctor --fix` keeps it, and goes on with the documents beside it and \
               their history; without them, put a backup back"
            .into(),
    };
    let examined = match aside {
        Some(kept) => Examined {
            healthy: true,
            mended: vec![format!(
                "the database: the project is in its files now, as they and their history say it, \
                 and claims have ended; what could not be read is kept in {}",
                kept.display()
            )],
            left: Vec::new(),
            problems: Vec::new(),
        },
        None => {
            let (mended, left) = (Vec::new(), Vec::new());
            Examined { healthy: false, mended, left, problems: vec![problem] }
        }
    };
    let wrong = examined.problems.len();
    show(app, &examined, false, wrong)
}

fn show(app: &App, examined: &Examined, merging: bool, wrong: usize) -> Result<(), Failure> {
    app.out.show(examined, |page| {
        for line in &examined.mended {
            page.say("Mended ").say(line).end();
        }
        for line in &examined.left {
            page.say("Left ").say(line).end();
        }
        if !examined.mended.is_empty() && merging {
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
