//! What a task is: added, changed, moved, removed.

use clap::Args;
use milestone_domain::command::Command;
use milestone_domain::document::Task;
use milestone_domain::event::Event;
use milestone_domain::ids::TaskId;
use milestone_store::{Outcome, StoreError};
use schemars::JsonSchema;
use serde::Serialize;

use super::task::{done, seen};
use crate::app::App;
use crate::editing::{TaskFields, amend_task};
use crate::errors::Failure;
use crate::render;
use crate::render::style;
use crate::target::Target;

/// Add a task to a milestone, and print its id
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone task add 1 \"Design the login flow\" --estimate 4h
  milestone task add 1 \"Build it\" --requires 1.1 --resource src/auth/ --verify \"cargo test auth\"")]
pub struct AddArgs {
    /// The milestone
    milestone: Target,
    /// What is to be done, in a line
    title: String,
    #[command(flatten)]
    fields: TaskFields,
}

/// Change the fields of a task
///
/// Lists grow by what is given; --unset empties a field.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone task set 1.3 --estimate 2h/4h/2d --priority high
  milestone task set 1.3 --unset assignee")]
pub struct SetArgs {
    /// The task
    task: Target,
    /// A new title
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// A field to empty, such as `assignee`; may be repeated
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
    #[command(flatten)]
    fields: TaskFields,
}

/// Move a task to another milestone, where it gets a new id
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  milestone task move 1.3 2")]
pub struct MoveArgs {
    /// The task
    task: Target,
    /// The milestone it goes to
    milestone: Target,
}

/// Remove a task
///
/// Its history stays, and its number is not given again. A task that something requires, or that
/// somebody works on, is not removed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  milestone task remove 1.3")]
pub struct RemoveArgs {
    /// The task
    task: Target,
}

pub fn add(app: &App, args: &AddArgs) -> Result<(), Failure> {
    let milestone = args.milestone.milestone(app)?;
    let mut draft = Task::new(0, &args.title);
    args.fields.apply(&mut draft, milestone);
    let outcome = app.execute(&Command::AddTask { milestone, draft: Box::new(draft) })?;
    let id = added(&outcome, milestone)?;
    let view = seen(app, &outcome.snapshot, id)?;
    app.out.done(&view, &id.to_string(), |page| {
        page.say("Added ").styled(style::ID, id).say("  ").say(&args.title).end();
    })
}

fn added(outcome: &Outcome, to: milestone_domain::ids::MilestoneId) -> Result<TaskId, Failure> {
    let mut added = outcome.events.iter().filter_map(|recorded| match &recorded.event {
        Event::TaskAdded { task, .. } => Some(task.of(to)),
        _ => None,
    });
    added.next().ok_or(Failure::Store(StoreError::Stale))
}

pub fn set(app: &App, args: &SetArgs) -> Result<(), Failure> {
    if args.title.is_none() && args.unset.is_empty() && !args.fields.any() {
        return Err(Failure::usage(
            "it is not said what is to change",
            "see `milestone task set --help`",
        ));
    }
    let id = args.task.task(app)?;
    let (outcome, changes) = amend_task(app, id, args.title.as_deref(), &args.fields, &args.unset)?;
    let view = seen(app, &outcome.snapshot, id)?;
    app.out.done(&view, &id.to_string(), |page| {
        if outcome.events.is_empty() {
            page.say("Nothing to change: ").say(id).say(" says so already.").end();
            return;
        }
        page.say("Changed ").styled(style::ID, id).say(":").end();
        changes.iter().for_each(|change| render::events::difference(page, change));
    })
}

pub fn move_to(app: &App, args: &MoveArgs) -> Result<(), Failure> {
    let id = args.task.task(app)?;
    let to = args.milestone.milestone(app)?;
    let outcome = app.execute(&Command::MoveTask { task: id, to })?;
    if outcome.events.is_empty() {
        return done(app, &outcome.snapshot, id, "There already: ");
    }
    let new = added(&outcome, to)?;
    done(app, &outcome.snapshot, new, &format!("Moved {id}; it is now "))
}

/// The task that is gone.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Removed {
    removed: TaskId,
}

pub fn remove(app: &App, args: &RemoveArgs) -> Result<(), Failure> {
    let id = args.task.task(app)?;
    app.execute(&Command::RemoveTask { task: id })?;
    app.out.done(&Removed { removed: id }, &id.to_string(), |page| {
        page.say("Removed ").styled(style::ID, id).say(". Its history stays.").end();
    })
}
