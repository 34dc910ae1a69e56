//! The right to work on a task: taken, renewed, given back.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use milestone_domain::command::Command;
use milestone_domain::event::{AttemptId, Event, Stream};
use milestone_domain::ids::TaskId;
use milestone_domain::refusal::Refusal;
use milestone_domain::snapshot::Scope;
use milestone_domain::views::next::{Asked, next};
use milestone_store::{ClaimFilter, Outcome, Renewed, StoreError};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::task::done;
use super::values;
use crate::app::App;
use crate::args::Fencing;
use crate::attempt;
use crate::errors::Failure;
use crate::render;
use crate::render::style;
use crate::target::Target;

/// Take the right to work on a task, for a time
///
/// Prints the task, the fence and the attempt, with spaces between them. Every later write on the
/// task shows the fence (`--fence`, or `MILESTONE_FENCE`) and may show the attempt. A claim that is
/// not renewed in time ends by itself.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone task claim 1.3
  milestone task claim --next --lease 30m
  read -r task fence attempt <<< \"$(milestone task claim --next)\"")]
pub struct ClaimArgs {
    /// The task
    #[arg(value_name = "TASK", required_unless_present = "next")]
    task: Option<Target>,
    /// The best task that is ready and not assigned to somebody else
    #[arg(long, visible_alias = "any", conflicts_with = "task")]
    next: bool,
    /// Only of this milestone
    #[arg(long, value_name = "ID", requires = "next")]
    milestone: Option<Target>,
    /// How long it holds unless it is renewed: 90s, 15m, 2h [default: claims.lease]
    #[arg(long, value_name = "TIME", value_parser = values::lease)]
    lease: Option<u64>,
    /// The attempt's own id, where the caller gives one
    #[arg(long, value_name = "UUID", env = "MILESTONE_ATTEMPT", hide_env_values = true)]
    attempt: Option<Uuid>,
}

/// Hold a claim for longer
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone task renew 1.3 --fence 2
  milestone task renew 1.3 --fence 2 --lease 1h")]
pub struct RenewArgs {
    /// The task
    task: Target,
    /// How long from now: 90s, 15m, 2h [default: claims.lease]
    #[arg(long, value_name = "TIME", value_parser = values::lease)]
    lease: Option<u64>,
    #[command(flatten)]
    fencing: Fencing,
}

/// Give a claimed or started task back
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  milestone task release 1.3 --fence 2 --reason \"needs a designer\""
)]
pub struct ReleaseArgs {
    /// The task
    task: Target,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    fencing: Fencing,
}

/// A claim that was granted.
struct Granted {
    task: TaskId,
    fence: u64,
    attempt: AttemptId,
    lease_seconds: u64,
    title: String,
}

/// A claim, when it was granted and when it was renewed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Claimed {
    task: TaskId,
    /// Only when it was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    fence: u64,
    attempt: AttemptId,
    by: String,
    /// Only when it was granted: how long it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_seconds: Option<u64>,
    /// Only when it was renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<u64>,
}

pub fn claim(app: &App, args: &ClaimArgs) -> Result<(), Failure> {
    attempt::check_is_none("does no task but its own")?;
    let lease = args.lease.unwrap_or(app.opened()?.config.settings().lease_seconds);
    let attempt = AttemptId(args.attempt.unwrap_or_else(Uuid::now_v7));
    let granted = match args.task {
        Some(task) => take(app, task.task(app)?, attempt, lease)?,
        None => take_next(app, args, attempt, lease)?,
    };
    let Granted { task, fence, attempt: AttemptId(attempt), lease_seconds, title } = granted;
    let claimed = Claimed {
        task,
        title: Some(title.clone()),
        fence,
        attempt: AttemptId(attempt),
        by: app.actor().to_owned(),
        lease_seconds: Some(lease_seconds),
        seconds_left: None,
    };
    let words = format!("{task} {fence} {attempt}");
    app.out.done(&claimed, &words, |page| {
        page.say("Claimed ").styled(style::ID, task).say("  ").say(title).end();
        page.say("It is yours for ").say(render::words::seconds(lease_seconds));
        page.say("; fence ").say(fence).say(", attempt ").say(attempt).end();
        let done = format!("milestone task done {task} --fence {fence}");
        page.say("When it is done: ").styled(style::HINT, done).end();
    })
}

fn take(app: &App, task: TaskId, attempt: AttemptId, lease: u64) -> Result<Granted, Failure> {
    let outcome = app.execute(&Command::Claim { task, attempt, lease_seconds: lease })?;
    granted(&outcome).ok_or(Failure::Store(StoreError::Stale))
}

fn granted(outcome: &Outcome) -> Option<Granted> {
    outcome.events.iter().find_map(|recorded| match (&recorded.event, recorded.stream) {
        (Event::TaskClaimed { task, fence, attempt, lease_seconds, .. }, Stream::Milestone(id)) => {
            let task = task.of(id);
            let title = outcome.snapshot.task(task).map(|task| task.title.clone());
            Some(Granted {
                task,
                fence: *fence,
                attempt: *attempt,
                lease_seconds: *lease_seconds,
                title: title.unwrap_or_default(),
            })
        }
        _ => None,
    })
}

/// The best ready one; who loses it to somebody else takes the next.
fn take_next(
    app: &App,
    args: &ClaimArgs,
    attempt: AttemptId,
    lease: u64,
) -> Result<Granted, Failure> {
    let milestone = args.milestone.map(|target| target.milestone(app)).transpose()?;
    let project = &app.opened()?.project;
    let context = project.context(app.actor());
    let (worker, today) = (Some(app.actor().to_owned()), context.today);
    let wanted = ClaimFilter { milestone, worker, today };
    if let Some(outcome) = project.claim_next(&wanted, attempt, lease, &context)? {
        return granted(&outcome).ok_or(Failure::Store(StoreError::Stale));
    }
    let snapshot = app.read(&Scope::Graph(BTreeSet::new()))?;
    let anybody = Asked { milestone, worker: None, limit: 0 };
    Err(Failure::NothingReady { others: next(&snapshot, anybody, today).ready_total })
}

pub fn renew(app: &App, args: &RenewArgs) -> Result<(), Failure> {
    let task = args.task.task(app)?;
    let credential = args.fencing.credential();
    if credential.fence.is_none() {
        return Err(Failure::usage(
            "a claim is renewed by who holds it",
            "show its fence: `--fence N`, as `milestone task claim` printed it",
        ));
    }
    let opened = app.opened()?;
    let lease = args.lease.unwrap_or(opened.config.settings().lease_seconds);
    let (min, max) =
        (milestone_domain::limits::LEASE_SECONDS_MIN, milestone_domain::limits::LEASE_SECONDS_MAX);
    if !(min..=max).contains(&lease) {
        return Err(Refusal::BadLease { seconds: lease, min, max }.into());
    }
    match opened.project.renew(task, credential, Duration::from_secs(lease))? {
        Renewed::Lost => Err(Failure::ClaimLost { task }),
        Renewed::Until(claim) => {
            let left = claim.seconds_left.unwrap_or(lease);
            let claimed = Claimed {
                task: claim.task,
                title: None,
                fence: claim.fence,
                attempt: claim.attempt,
                by: claim.actor,
                lease_seconds: None,
                seconds_left: Some(left),
            };
            app.out.done(&claimed, &task.to_string(), |page| {
                page.styled(style::ID, task).say(" is yours for ");
                page.say(render::words::seconds(left)).end();
            })
        }
    }
}

pub fn release(app: &App, args: ReleaseArgs) -> Result<(), Failure> {
    let task = args.task.task(app)?;
    let credential = args.fencing.credential();
    let outcome = app.execute(&Command::Release { task, reason: args.reason, credential })?;
    done(app, &outcome.snapshot, task, "Released ")
}
