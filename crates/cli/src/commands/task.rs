//! `milestone task`: work on tasks.

use clap::{Args, Subcommand};
use milestone_domain::command::Command;
use milestone_domain::ids::{Node, TaskId};
use milestone_domain::readiness::{Board, Readiness};
use milestone_domain::snapshot::Snapshot;
use milestone_domain::status::TaskStatus;
use milestone_domain::views::Reach;
use milestone_domain::views::task::{TaskView, task};
use milestone_store::Outcome;

use super::task_claim::{self, ClaimArgs, ReleaseArgs, RenewArgs};
use super::task_set::{self, AddArgs, MoveArgs, RemoveArgs, SetArgs};
use crate::app::App;
use crate::args::Fencing;
use crate::errors::Failure;
use crate::render;
use crate::render::style;
use crate::target::Target;

/// Add tasks, and work on them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone task add 1 \"Design the login flow\" --estimate 4h
  milestone task start 1.1
  milestone task done 1.1
  milestone task claim --next --lease 30m")]
pub struct TaskArgs {
    #[command(subcommand)]
    command: TaskVerb,
}

#[derive(Debug, Subcommand)]
enum TaskVerb {
    Add(Box<AddArgs>),
    Set(Box<SetArgs>),
    /// Start working on a task
    #[command(after_help = "Examples:\n  milestone task start 1.3")]
    Start(WriteArgs),
    /// Say something about a task; it is kept in its log
    #[command(after_help = "Examples:\n  milestone task note 1.3 \"the library has a bug\"")]
    Note {
        /// The task
        task: Target,
        /// What is to be said
        text: String,
        #[command(flatten)]
        fencing: Fencing,
    },
    /// Say how far a task is, in percent
    #[command(after_help = "Examples:\n  milestone task progress 1.3 60")]
    Progress {
        /// The task
        task: Target,
        /// 0 to 100
        percent: u32,
        #[command(flatten)]
        fencing: Fencing,
    },
    /// Complete a task
    #[command(after_help = "\
Examples:
  milestone task done 1.3
  milestone task done 1.3 --fence 2 --attempt 0198c0de-0000-7000-8000-000000000000")]
    Done(WriteArgs),
    /// Say that a task was tried and did not work
    #[command(after_help = "Examples:\n  milestone task fail 1.3 --reason \"the tests fail\"")]
    Fail(WriteArgs),
    /// Say that something outside stands in a task's way
    #[command(after_help = "Examples:\n  milestone task block 1.3 --reason \"no access yet\"")]
    Block(WriteArgs),
    /// Say that nothing stands in a task's way any more
    #[command(after_help = "Examples:\n  milestone task unblock 1.3")]
    Unblock(WriteArgs),
    /// Take up a task again that was completed, failed or cancelled
    #[command(after_help = "Examples:\n  milestone task reopen 1.3 --reason \"a case was missed\"")]
    Reopen(WriteArgs),
    /// Say that a task will not be done
    #[command(after_help = "Examples:\n  milestone task cancel 1.3 --reason \"not needed\"")]
    Cancel(WriteArgs),
    Claim(ClaimArgs),
    Renew(RenewArgs),
    Release(ReleaseArgs),
    /// Show what has happened to a task
    #[command(after_help = "Examples:\n  milestone task log 1.3\n  milestone task log 1.3 --json")]
    Log {
        /// The task
        task: Target,
    },
    Move(MoveArgs),
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
pub struct WriteArgs {
    /// The task
    task: Target,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    fencing: Fencing,
}

pub fn run(app: &App, args: TaskArgs) -> Result<(), Failure> {
    use TaskStatus::{Blocked, Cancelled, Completed, Failed, InProgress, Pending};
    match args.command {
        TaskVerb::Add(args) => task_set::add(app, &args),
        TaskVerb::Set(args) => task_set::set(app, &args),
        TaskVerb::Start(args) => change(app, args, InProgress),
        TaskVerb::Done(args) => change(app, args, Completed),
        TaskVerb::Fail(args) => change(app, args, Failed),
        TaskVerb::Block(args) => change(app, args, Blocked),
        TaskVerb::Unblock(args) => unblock(app, args),
        TaskVerb::Reopen(args) => change(app, args, Pending),
        TaskVerb::Cancel(args) => change(app, args, Cancelled),
        TaskVerb::Note { task, text, fencing } => {
            let task = task.task(app)?;
            let credential = fencing.credential();
            let outcome = app.execute(&Command::Note { task, text, credential })?;
            done(app, &outcome.snapshot, task, "Noted on ")
        }
        TaskVerb::Progress { task, percent, fencing } => {
            let task = task.task(app)?;
            let credential = fencing.credential();
            let outcome = app.execute(&Command::Progress { task, percent, credential })?;
            done(app, &outcome.snapshot, task, &format!("{percent}% done: "))
        }
        TaskVerb::Claim(args) => task_claim::claim(app, &args),
        TaskVerb::Renew(args) => task_claim::renew(app, &args),
        TaskVerb::Release(args) => task_claim::release(app, args),
        TaskVerb::Log { task } => log(app, task.task(app)?),
        TaskVerb::Move(args) => task_set::move_to(app, &args),
        TaskVerb::Remove(args) => task_set::remove(app, &args),
    }
}

fn change(app: &App, args: WriteArgs, to: TaskStatus) -> Result<(), Failure> {
    let task = args.task.task(app)?;
    let credential = args.fencing.credential();
    let outcome =
        app.execute(&Command::ChangeTask { task, to, reason: args.reason, credential })?;
    changed(app, &outcome, task, to)
}

/// Only what is blocked is unblocked; of anything else that would be a reopening nobody asked for.
fn unblock(app: &App, args: WriteArgs) -> Result<(), Failure> {
    let id = args.task.task(app)?;
    let snapshot = app.read(&milestone_domain::snapshot::Scope::Milestone(id.milestone))?;
    match snapshot.task(id).map(|task| task.status) {
        Some(TaskStatus::Blocked) | None => change(app, args, TaskStatus::Pending),
        Some(_) => done(app, &snapshot, id, "Not blocked: "),
    }
}

fn changed(app: &App, outcome: &Outcome, id: TaskId, to: TaskStatus) -> Result<(), Failure> {
    let (_, word) = render::words::task_status(to);
    let snapshot = &outcome.snapshot;
    let view = seen(app, snapshot, id)?;
    let freed = if to == TaskStatus::Completed { freed(app, snapshot, id)? } else { Vec::new() };
    app.out.done(&view, &id.to_string(), |page| {
        page.styled(style::ID, id).say("  ").say(&view.title).say(": ");
        let already = if outcome.events.is_empty() { " already" } else { "" };
        page.say(&word).say(already).end();
        for (other, title) in &freed {
            page.say("Now ready: ").styled(style::ID, other).say("  ").say(title).end();
        }
    })
}

/// The tasks of the same milestone that waited for this one only.
fn freed(app: &App, snapshot: &Snapshot, id: TaskId) -> Result<Vec<(TaskId, String)>, Failure> {
    let board = Board::new(snapshot, app.today()?);
    let Some(outline) = snapshot.outline(id.milestone) else { return Ok(Vec::new()) };
    let waited = outline.tasks.iter().filter(|task| {
        task.requires.iter().any(|reference| reference.node(outline.id) == Node::Task(id))
    });
    let ids = waited.map(|task| (TaskId::new(outline.id, task.number), task.title.clone()));
    let ready =
        |(id, _): &(TaskId, String)| matches!(board.readiness(*id), Readiness::Ready { .. });
    Ok(ids.filter(ready).collect())
}

/// The task as it is now.
pub fn seen(app: &App, snapshot: &Snapshot, id: TaskId) -> Result<TaskView, Failure> {
    let view = task(snapshot, id, Reach::Own, app.today()?);
    view.ok_or_else(|| super::show::missing(snapshot, Node::Task(id)))
}

/// What it is now, after something that leaves its status.
pub fn done(app: &App, snapshot: &Snapshot, id: TaskId, what: &str) -> Result<(), Failure> {
    let view = seen(app, snapshot, id)?;
    app.out.done(&view, &id.to_string(), |page| {
        page.say(what).styled(style::ID, id).say("  ").say(&view.title).end();
    })
}

fn log(app: &App, id: TaskId) -> Result<(), Failure> {
    let snapshot = app.read(&milestone_domain::snapshot::Scope::Milestone(id.milestone))?;
    // Of the history and not of what this clone saw happen: others worked on it before it was made.
    let mut events = app.opened()?.project.history(id.milestone)?;
    events.retain(|recorded| recorded.event.task() == Some(id.number));
    if events.is_empty() && snapshot.task(id).is_none() {
        return Err(super::show::missing(&snapshot, Node::Task(id)));
    }
    app.out.show(&events, |page| {
        if events.is_empty() {
            page.say("Nothing has happened to ")
                .styled(style::ID, id)
                .say(" since it was planned.")
                .end();
        }
        events.iter().for_each(|event| render::events::event(page, event));
    })
}
